"""The slate ranker: one context, its candidates, two heads and the score that orders them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from twinrank.training.models._blocks import Fields, RecencyPool, embedding
from twinrank.training.transforms import EncodedSpec

SCORE = "score"
"""Name of the output that orders a slate."""


class SlateRanker(nn.Module):
    """A history-aware two-sided ranker with feature crosses.

        history ids, extras, mask        context ids            candidate ids, lists, numbers
                 |                            |                              |
            RecencyPool -------- concat ------+                           concat
                                   |                                         |
                 query <-----------+-----------> hidden_context     key <----+----> hidden_candidate
                   |                                    |            |                   |
                   +------------- key * query ----------|------------+--- cross -------->|
                                      |                 +--------------------+-----------+
                                     sum                                   GELU, Linear, GELU
                                      |                                      |
                      item bias, numbers ----------> watched <---------------+----> liked ...

    The context side runs once per slate; its half of the first hidden layer is added to the candidates' half, so no
    context vector is repeated per candidate. `key * query` is the second-order cross of factorisation machines (Rendle,
    "Factorization machines", ICDM 2010), kept as a vector for the hidden layer too (He and Chua, "Neural factorization
    machines", SIGIR 2017) and summed into the first head, which makes that head a two-tower model plus corrections.

    Every operation on candidates works row by row in ONNX Runtime, whatever the number of rows: matrix products with
    constant weights, element-wise operations, reductions over the last axis.

    Args:
        inputs: every encoded tensor, as the front graph lists them.
        heads: names of the heads; the first one gets the cross, bias and numbers.
        score_weights: one a head; the score is the weighted sum of the logits.
        item: candidate tensor that identifies the item.
        history: context tensor of the history's ids, shape [b, L].
        history_mask: its mask.
        history_extras: further context tensors of ids aligned with the history.
        list_masks: mask by name, for candidate lists.
        widths: embedding width by name, where it is not `small_width`.
        width: of query, key and pooled history.
        small_width: default embedding width.
        hidden: widths of the two hidden layers.
        dropout: rate.
        history_dropout: rate at which whole events are hidden while training.
        unseen_rates: by context tensor of ids, the rate at which training replaces an id by an unseen row (one of them
            at random, if the vocabulary has several), which otherwise would never be trained.

    Raises:
        ValueError: if a named tensor is no input or has another placement, dtype or shape, or counts differ.
    """

    def __init__(
        self,
        *,
        inputs: Sequence[EncodedSpec],
        heads: Sequence[str],
        score_weights: Sequence[float],
        item: str,
        history: str,
        history_mask: str,
        history_extras: Sequence[str],
        list_masks: Mapping[str, str],
        widths: Mapping[str, int],
        width: int,
        small_width: int,
        hidden: Sequence[int],
        dropout: float,
        history_dropout: float,
        unseen_rates: Mapping[str, float],
    ) -> None:
        super().__init__()
        specs = {spec.name: spec for spec in inputs}
        _check_roles(specs, item, history, history_mask, history_extras, list_masks, widths, unseen_rates)
        if len(heads) != len(score_weights) or not heads or SCORE in heads or len(hidden) != 2:
            raise ValueError(
                f"{len(heads)} heads {tuple(heads)} need as many score weights, none may be named {SCORE!r}, "
                f"and there are two hidden layers; given are {tuple(score_weights)} and {tuple(hidden)}."
            )
        self.heads = tuple(heads)
        self._score_weights = tuple(float(weight) for weight in score_weights)
        self._item, self._history, self._history_mask = item, history, history_mask
        self._history_extras = tuple(history_extras)
        self._history_dropout = history_dropout
        self._unseen_rates = dict(unseen_rates)
        self._unseen_rows = {name: max(1, specs[name].unseen_rows) for name in unseen_rates}
        sizes = {name: widths.get(name, small_width) for name in specs} | {item: widths.get(item, width)}
        sequence = {history, history_mask, *history_extras}
        masks = set(list_masks.values())
        context = [s for s in inputs if s.placement == "context" and s.name not in sequence]
        candidate = [s for s in inputs if s.placement == "candidate" and s.name not in masks]
        self.events = nn.ModuleDict(
            {
                name: embedding(_rows(specs[name]), width if name == history else small_width)
                for name in (history, *history_extras)
            }
        )
        self.pool = RecencyPool(width=width + small_width * len(self._history_extras), out=width)
        self.context = Fields(context, widths=sizes, masks={}, dropout=dropout)
        # Dropout on every candidate would cost more than the products behind it, and measured no better.
        self.candidate = Fields(candidate, widths=sizes, masks=list_masks, dropout=0.0)
        self.dropout = nn.Dropout(dropout)
        first, second = hidden
        context_width = width + self.context.width
        self.query = nn.Linear(context_width, width)
        self.key = nn.Linear(self.candidate.width, width)
        self.hidden_context = nn.Linear(context_width, first)
        self.hidden_candidate = nn.Linear(self.candidate.width, first, bias=False)
        self.hidden_cross = nn.Linear(width, first, bias=False)
        self.hidden = nn.Linear(first, second)
        self.out = nn.Linear(second, len(heads))
        self.bias = nn.Embedding(_rows(specs[item]), 1)
        nn.init.zeros_(self.bias.weight)
        self.activation = nn.GELU()

    def forward(self, **encoded: Tensor) -> dict[str, Tensor]:
        """Scores one slate: the serving path.

        Args:
            **encoded: context tensors of shape [1] or [1, L], candidate tensors of shape [n] or [n, L].

        Returns:
            float32 of shape [n] by head in order, then the score. Logits (log-odds up to a constant a slate for the
            first head, whose loss compares candidates of one slate only).
        """
        return self._outputs(self._context(encoded), encoded)

    def forward_batch(self, **encoded: Tensor) -> dict[str, Tensor]:
        """Scores b slates of m candidates each: the training path, same weights, same operations.

        Args:
            **encoded: context tensors of shape [b] or [b, L], candidate tensors of shape [b, m] or [b, m, L].

        Returns:
            float32 of shape [b, m] by head in order, then the score.
        """
        return self._outputs(self._context(encoded).unsqueeze(1), encoded)

    def _context(self, encoded: Mapping[str, Tensor]) -> Tensor:
        mask = encoded[self._history_mask]
        if self.training:
            mask = mask * (torch.rand_like(mask) >= self._history_dropout)
            unseen = {name: self._hidden(name, encoded[name], rate) for name, rate in self._unseen_rates.items()}
            encoded = {**encoded, **unseen}
        events = [self.events[name](encoded[name]) for name in (self._history, *self._history_extras)]
        pooled = self.pool(torch.cat(events, dim=-1), mask)  # [b, width]
        context: Tensor = torch.cat([self.dropout(pooled), self.context(encoded)], dim=-1)
        return context

    def _hidden(self, name: str, ids: Tensor, rate: float) -> Tensor:
        hidden = torch.rand(ids.shape) < rate
        rows = self._unseen_rows[name]
        return torch.where(hidden, torch.randint(rows, ids.shape) if rows > 1 else 0, ids)

    def _outputs(self, context: Tensor, encoded: Mapping[str, Tensor]) -> dict[str, Tensor]:
        # context: [1, c] against candidates [n, x], or [b, 1, c] against [b, m, x]
        candidate = self.candidate(encoded)
        cross = self.key(candidate) * self.query(context)
        layer = self.hidden_candidate(candidate) + self.hidden_cross(cross) + self.hidden_context(context)
        layer = self.activation(self.hidden(self.dropout(self.activation(layer))))
        logits = self.out(layer)
        direct = cross.sum(dim=-1) + self.bias(encoded[self._item]).squeeze(-1)
        outputs = {name: logits[..., place] for place, name in enumerate(self.heads)}
        outputs[self.heads[0]] = outputs[self.heads[0]] + direct
        score = outputs[self.heads[0]] * self._score_weights[0]
        for name, weight in zip(self.heads[1:], self._score_weights[1:], strict=True):
            score = score + outputs[name] * weight
        return {**outputs, SCORE: score}


def _rows(spec: EncodedSpec) -> int:
    if spec.cardinality is None:
        raise ValueError(f"tensor {spec.name!r} holds numbers; ids with a cardinality are needed here.")
    return spec.cardinality


def _check_roles(
    specs: Mapping[str, EncodedSpec],
    item: str,
    history: str,
    history_mask: str,
    history_extras: Sequence[str],
    list_masks: Mapping[str, str],
    widths: Mapping[str, int],
    unseen_rates: Mapping[str, float],
) -> None:
    named = [item, history, history_mask, *history_extras, *list_masks, *list_masks.values(), *widths, *unseen_rates]
    unknown = sorted(set(named) - set(specs))
    if unknown:
        raise ValueError(f"no transform makes {unknown}; the front graph has {sorted(specs)}.")
    sequence = {history, history_mask, *history_extras}
    for name, spec in specs.items():
        if spec.cardinality is None and spec.dtype != "float32":
            raise ValueError(f"tensor {name!r} holds {spec.dtype} numbers; this ranker takes float32: use Standardise.")
    lists = {name for name, spec in specs.items() if len(spec.shape) == 2 and not spec.is_vector}
    placed = {name for name, spec in specs.items() if spec.placement == "context"}
    context_lists = lists & placed
    if context_lists != sequence:
        raise ValueError(f"context lists are {sorted(context_lists)}, but the history uses {sorted(sequence)}.")
    candidate_lists = {*list_masks, *list_masks.values()}
    if lists - placed != candidate_lists:
        raise ValueError(
            f"candidate lists are {sorted(lists - placed)}, but list_masks names {sorted(candidate_lists)}."
        )
    if item in placed or set(unseen_rates) - placed:
        raise ValueError(f"{item!r} must be a candidate tensor, and unseen_rates are for context tensors.")
