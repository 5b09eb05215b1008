"""int8 tables: embeddings whose rows are whole numbers and a scale each, and what that costs in score and order."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twinrank.export.bundle import order_of
from twinrank.export.graph._back import TorchBack
from twinrank.export.graph._compose import SCORE
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._reference import reference_outputs
from twinrank.export.graph._slates import Blocks
from twinrank.export.graph._source import ExportSource
from twinrank.training.schema import ScoringError, pack, read_request

MIN_ROWS = 1000
"""Smaller tables are left alone: they save nothing that anybody notices."""
# A row of int8 and a float32 scale takes w + 4 bytes instead of 4 w; below this it saves less than half.
_MIN_WIDTH = 4
_STEPS = 127
_TOP = 10
_CHUNK_ROWS = 2**16


@dataclass(frozen=True, slots=True)
class QuantisedTable:
    """One table that was quantised.

    Attributes:
        name: of the embedding in the module.
        rows: its rows.
        width: its columns.
    """

    name: str
    rows: int
    width: int

    @property
    def before(self) -> int:
        """Bytes as float32."""
        return self.rows * self.width * 4

    @property
    def after(self) -> int:
        """Bytes as int8 with a float32 scale a row."""
        return self.rows * (self.width + 4)

    def to_json(self) -> dict[str, object]:
        """As the provenance holds it."""
        return {**dataclasses.asdict(self), "bytes_before": self.before, "bytes_after": self.after}


class QuantisedEmbedding(torch.nn.Module):
    """An embedding of int8 rows and one float32 scale each: looked up first, then multiplied.

    The order matters: a graph that dequantised the table before it looked up would compute the whole table in every
    run. The float32 product of both is exactly the dequantised row, in torch as in ONNX Runtime.

    Args:
        weight: float32, shape [rows, width], finite.

    Attributes:
        rows: int8, shape [rows, width], from -127 to 127; symmetric, so zero stays zero.
        scale: float32, shape [rows, 1]; the row's largest absolute value / 127.
    """

    rows: torch.Tensor
    scale: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        rows, scale = _quantised(weight.detach().cpu().numpy())
        self.register_buffer("rows", torch.from_numpy(rows))
        self.register_buffer("scale", torch.from_numpy(scale))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The dequantised rows: float32, the shape of the ids and then the width."""
        values = torch.nn.functional.embedding(ids, self.rows).to(torch.float32)
        return values * torch.nn.functional.embedding(ids, self.scale)


def quantise_tables(source: ExportSource, min_rows: int = MIN_ROWS) -> ExportSource:
    """The source with int8 tables in place of its large embeddings, which all evidence is then about.

    Scores of the two modules are compared on the sample requests; what was found stands in
    ``provenance["quantisation"]``: the tables, the largest and the mean absolute difference of the score, the share of
    the ten best candidates that stay among the ten best (mean over requests), and the share of requests whose first
    stays first. The given source and its module are not changed, and other weights are shared with it.

    Args:
        source: a torch module in eval mode and what belongs to it.
        min_rows: embeddings of at least so many rows are quantised, if they are at least 4 wide.

    Raises:
        ExportError: ``not_quantisable`` if the source is no torch module, if no table is large enough, if one is not
            float32 or not finite or renormalised when read, or if the module reads a table otherwise than by looking
            up rows; ``no_request``.
    """
    back = source.back
    if not isinstance(back, TorchBack):
        raise _refusal("the source is an ONNX file, whose tables are what they are", "Quantise before converting")
    module, tables = quantise_module(back.module, min_rows)
    quantisation = {
        "kind": "int8",
        "min_rows": min_rows,
        "tables": [table.to_json() for table in tables],
        **_loss(source, back, back.with_module(module)),
    }
    return dataclasses.replace(
        source, back=back.with_module(module), provenance={**source.provenance, "quantisation": quantisation}
    )


def quantise_module(
    module: torch.nn.Module, min_rows: int = MIN_ROWS
) -> tuple[torch.nn.Module, tuple[QuantisedTable, ...]]:
    """A copy of a module in eval mode with int8 tables in place of its large embeddings, and which these are.

    The same weights give the same tables everywhere. The given module is not changed, and other weights are shared.

    Args:
        module: what an export is made from.
        min_rows: see `quantise_tables`.

    Raises:
        ExportError: ``not_quantisable``; see `quantise_tables`.
    """
    chosen = {
        name: part
        for name, part in module.named_modules()
        if type(part) is torch.nn.Embedding and part.num_embeddings >= min_rows and part.embedding_dim >= _MIN_WIDTH
    }
    if not chosen:
        raise _refusal(
            f"the module has no Embedding of {min_rows} rows or more that is at least {_MIN_WIDTH} wide",
            "Ask for fewer rows, or export without quantising",
        )
    for name, part in chosen.items():
        _check(name, part)
    memo: dict[int, Any] = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    memo |= {id(part): QuantisedEmbedding(part.weight) for part in chosen.values()}
    tables = (QuantisedTable(name, part.num_embeddings, part.embedding_dim) for name, part in chosen.items())
    return copy.deepcopy(module, memo).eval(), tuple(tables)


def _quantised(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    rows = np.empty(weight.shape, np.int8)
    scale = np.empty((len(weight), 1), np.float32)
    # Piece by piece: the intermediate arrays would each be as large as the table.
    for start in range(0, len(weight), _CHUNK_ROWS):
        piece = weight[start : start + _CHUNK_ROWS]
        step = np.abs(piece).max(axis=1, keepdims=True) / np.float32(_STEPS)
        scaled = np.divide(piece, step, out=np.zeros_like(piece), where=step > 0)
        # Only where the step is subnormal can rounding lead beyond.
        rows[start : start + _CHUNK_ROWS] = np.clip(np.rint(scaled), -_STEPS, _STEPS)
        scale[start : start + _CHUNK_ROWS] = step
    return rows, scale


def _check(name: str, part: torch.nn.Embedding) -> None:
    if part.weight.dtype != torch.float32:
        raise _refusal(f"table {name!r} is {part.weight.dtype}", "Only float32 tables can be quantised")
    if part.max_norm is not None:
        raise _refusal(f"table {name!r} renormalises rows when they are read", "Build it without max_norm")
    weight = part.weight.detach().cpu()
    # Largest and smallest, because isfinite() makes a mask as long as the table.
    if not all(math.isfinite(float(bound)) for bound in torch.aminmax(weight)):
        raise _refusal(f"table {name!r} holds a NaN or an infinity", "Look at the training")


def _loss(source: ExportSource, exact: TorchBack, rounded: TorchBack) -> dict[str, object]:
    """How far the quantised module's scores and orders are from the float module's, over the sample requests."""
    outputs = (*source.heads, SCORE)
    differences: list[float] = []
    kept: list[float] = []
    first = 0
    slates = _slates(source)
    for slate in slates:
        before = reference_outputs(exact, source.front, slate, outputs)[SCORE]
        try:
            after = reference_outputs(rounded, source.front, slate, outputs)[SCORE]
        except ExportError as e:
            if not isinstance(e.__cause__, AttributeError):
                raise
            raise _refusal(
                f"the module reads a quantised table otherwise than by looking up rows ({e.__cause__})",
                "Call the Embedding on ids, or export without quantising",
            ) from e
        differences += np.abs(before.astype(np.float64) - after.astype(np.float64)).tolist()
        best_before, best_after = order_of(before)[0][:_TOP], order_of(after)[0][:_TOP]
        kept.append(len(np.intersect1d(best_before, best_after)) / max(1, len(best_before)))
        first += bool(best_before[:1].tolist() == best_after[:1].tolist())
    return {
        "requests": len(slates),
        "candidates": len(differences),
        "score_max_abs": max(differences),
        "score_mean_abs": math.fsum(differences) / len(differences),
        "top_10_kept": math.fsum(kept) / len(kept),
        "first_kept": first / len(slates),
    }


def _slates(source: ExportSource) -> Sequence[Blocks]:
    packing = source.front.packing
    slates = []
    for raw in source.requests:
        # What the schema refuses the export reports.
        with contextlib.suppress(ScoringError):
            request = read_request(raw, source.schema, max_candidates=source.max_candidates)
            if request.n:
                slates.append(pack(request, packing))
    if not slates:
        raise ExportError("no_request", "no sample request has a candidate", "Give requests with candidates")
    return slates


def _refusal(detail: str, remedy: str) -> ExportError:
    return ExportError("not_quantisable", detail, remedy)
