"""The parts of a ranker: pooling over lists, and the concatenation of what is known of one side."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from twinrank.training.transforms import EncodedSpec

_INITIAL_SCALE = 0.05


def embedding(rows: int, width: int) -> nn.Embedding:
    """A table with small normal weights, so that early scores stay near the popularity that the bias learns."""
    table = nn.Embedding(rows, width)
    nn.init.normal_(table.weight, std=_INITIAL_SCALE)
    return table


def mean_pool(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the elements of lists; zero for an empty list.

    A batched MatMul and not a sum over the middle axis: ONNX Runtime's reduction there gives one candidate other bits
    than many.

    Args:
        values: float32, shape [..., L, e].
        mask: float32, shape [..., L], 1 where there is an element.

    Returns:
        float32, shape [..., e].
    """
    weights = mask / mask.sum(dim=-1, keepdim=True).clamp(min=1.0)
    return (weights.unsqueeze(-2) @ values).squeeze(-2)  # [..., 1, L] @ [..., L, e]


class RecencyPool(nn.Module):
    """Weighted mean of a history; how much an event weighs is learned from what it was and how long ago.

    Args:
        width: of an event's vector.
        out: of the result.
    """

    def __init__(self, *, width: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, 1)
        self.value = nn.Linear(width, out)

    def forward(self, events: Tensor, mask: Tensor) -> Tensor:
        """Pools.

        Args:
            events: float32, shape [b, L, width].
            mask: float32, shape [b, L], 1 where there is an event.

        Returns:
            float32, shape [b, out]; zero for an empty history.
        """
        logits = self.weight(events).squeeze(-1)  # [b, L]
        # A finite mask, and a second multiplication: a softmax over nothing but -inf would be NaN.
        weights = torch.softmax(torch.where(mask > 0, logits, -1e9), dim=-1) * mask
        pooled: Tensor = (weights.unsqueeze(1) @ self.value(events)).squeeze(1)  # [b, 1, L] @ [b, L, out]
        return pooled


class Fields(nn.Module):
    """The encoded tensors of one placement side by side: ids embedded, lists pooled, numbers and vectors as they are.

    Args:
        specs: the tensors, in the order of the result.
        widths: embedding width by name, for ids.
        masks: name of the mask tensor by name, for lists.
        dropout: on everything but numbers; numbers are few and each matters.
    """

    def __init__(
        self, specs: Sequence[EncodedSpec], *, widths: Mapping[str, int], masks: Mapping[str, str], dropout: float
    ) -> None:
        super().__init__()
        self._masks = dict(masks)
        self._ids = [spec.name for spec in specs if spec.cardinality is not None]
        self._numbers = {spec.name: spec.is_vector for spec in specs if spec.cardinality is None}
        self.tables = nn.ModuleDict(
            {
                spec.name: embedding(spec.cardinality, widths[spec.name])
                for spec in specs
                if spec.cardinality is not None
            }
        )
        self.dropout = nn.Dropout(dropout)
        # A vector's length is the second axis of its shape; a number is one column.
        columns = sum(spec.shape[1] if spec.is_vector else 1 for spec in specs if spec.cardinality is None)
        self.width = sum(widths[name] for name in self._ids) + columns

    def forward(self, encoded: Mapping[str, Tensor]) -> Tensor:
        """Concatenates.

        Args:
            encoded: ids int64 and numbers float32 of shape [...], lists and vectors [..., L].

        Returns:
            float32, shape [..., width]; the numbers come last.
        """
        parts = []
        for name in self._ids:
            rows = self.tables[name](encoded[name])
            parts.append(mean_pool(rows, encoded[self._masks[name]]) if name in self._masks else rows)
        numbers = [encoded[name] if vector else encoded[name].unsqueeze(-1) for name, vector in self._numbers.items()]
        embedded = [self.dropout(torch.cat(parts, dim=-1))] if parts else []
        return torch.cat([*embedded, *numbers], dim=-1)
