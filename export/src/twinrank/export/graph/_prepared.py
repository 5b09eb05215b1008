"""What stands between usual torch layers and the tracer, put aside while a module is traced."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules import transformer

from twinrank.export.graph._errors import ExportError, Finding


class BagByProduct(nn.Module):
    """nn.EmbeddingBag for ``[b, L]`` ids without its operator, which converts to a loop over the batch.

    Rows are gathered, weighed by 1, 0 (padding) or the sample's weight, and pooled by one batched product, whose bits
    do not depend on b. The table is the bag's own. What it computes follows torch's documentation of EmbeddingBag:
    padding does not count, for ``mean`` neither, and a bag without entries is zero.

    Args:
        bag: a bag without ``max_norm``, which would change the table while it is read.
    """

    def __init__(self, bag: nn.EmbeddingBag) -> None:
        super().__init__()
        self.weight = bag.weight
        self._mode = bag.mode
        self._padding_idx = bag.padding_idx
        self.train(bag.training)

    def forward(
        self,
        input: torch.Tensor,
        offsets: torch.Tensor | None = None,
        per_sample_weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The pooled rows, [b, E].

        Args:
            input: int64 [b, L].
            offsets: refused.
            per_sample_weights: float32 [b, L], for the mode ``sum``.

        Raises:
            ExportError: ``operator_forbidden`` for ids of one axis with offsets.
        """
        if input.dim() != 2 or offsets is not None:
            raise ExportError(
                "operator_forbidden",
                "nn.EmbeddingBag with ids of one axis and offsets is a loop over bags",
                "Give it ids of shape [n, L], padded, and set padding_idx",
            )
        # [b, L, E]
        rows = nn.functional.embedding(input, self.weight)
        counts = input != self._padding_idx if self._padding_idx is not None else torch.ones_like(input).bool()
        if self._mode == "max":
            lowest = torch.full_like(rows, -torch.inf)
            best = torch.where(counts.unsqueeze(-1), rows, lowest).amax(dim=1)
            return torch.where(counts.any(dim=1, keepdim=True), best, torch.zeros_like(best))
        weights = counts.to(rows.dtype)
        if per_sample_weights is not None:
            weights = weights * per_sample_weights
        # Padding rows may hold anything, infinities too: zero, not zero times it.
        rows = torch.where(counts.unsqueeze(-1), rows, torch.zeros_like(rows))
        # [b, 1, L] @ [b, L, E]
        pooled = torch.bmm(weights.unsqueeze(1), rows).squeeze(1)
        if self._mode == "mean":
            pooled = pooled / counts.to(rows.dtype).sum(dim=1, keepdim=True).clamp(min=1)
        return pooled


def training_parts(module: nn.Module) -> list[Finding]:
    """``training_mode`` for every part that is still training although the module was put into eval mode."""
    training = [(name, part) for name, part in module.named_modules() if part.training]
    parts = [f"{name or 'the module'} ({type(part).__name__})" for name, part in training]
    if not parts:
        return []
    named = ", ".join(parts[:3]) + (f" and {len(parts) - 3} more" if len(parts) > 3 else "")
    return [
        Finding(
            "training_mode",
            named,
            "is in training mode after eval() of the whole module",
            "Do not override eval() or train(), and let every part be in eval mode before exporting",
        )
    ]


@contextlib.contextmanager
def exportable(module: nn.Module) -> Iterator[None]:
    """A module as the tracer can take it; afterwards it is as it was.

    - ``nn.EmbeddingBag`` is replaced by `BagByProduct` with the same table.
    - ``nn.TransformerEncoder`` and ``nn.TransformerDecoder`` compare their mask with a causal one, a Python branch on
      data, only to give a hint to the kernel. The hint is left out and the mask is used, which is the same.
    - The fused kernels of ``nn.MultiheadAttention`` and the encoder layer, which have no form in ONNX, are switched
      off; PyTorch documents them as an optimisation of the same computation.

    Not to be used from two threads at once: two of the switches are the library's own.

    Raises:
        ExportError: ``operator_forbidden`` for a bag with ``max_norm``.
    """
    swapped: list[tuple[nn.Module, str, nn.Module]] = []
    detect = transformer._detect_is_causal_mask
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        for parent in list(module.modules()):
            for name, part in list(parent.named_children()):
                if isinstance(part, nn.EmbeddingBag):
                    if part.max_norm is not None:
                        raise ExportError(
                            "operator_forbidden",
                            f"nn.EmbeddingBag {name!r} has max_norm, which rewrites its table while it is read",
                            "Renormalise the table once, after training, and set max_norm to None",
                        )
                    swapped.append((parent, name, part))
                    setattr(parent, name, BagByProduct(part))
        transformer._detect_is_causal_mask = _hinted
        torch.backends.mha.set_fastpath_enabled(False)
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        transformer._detect_is_causal_mask = detect
        for parent, name, part in reversed(swapped):
            setattr(parent, name, part)


def _hinted(mask: torch.Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Whether the caller said that the mask is causal; nobody looks at the mask."""
    del mask, size
    return is_causal is True
