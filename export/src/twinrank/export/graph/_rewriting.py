"""Applies the rewrites to a graph, each on trial: what moves a score too far, or makes it vary, is undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx

from twinrank.export.bundle import FloatArray, canonical_bits
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._executor import Executor
from twinrank.export.graph._invariance import quick_differences
from twinrank.export.graph._slates import Blocks, pool, size_of
from twinrank.export.graph._tables import Tables
from twinrank.export.graph.rewrites import REWRITES, Applied, Rewrite, run_rewrites
from twinrank.training.schema import Packing

# Relative to the largest value; rewrites change the order of additions, nothing else.
_NEAR = 1e-5
_TRIAL = 33


def rewritten(
    model: onnx.ModelProto,
    packing: Packing,
    slates: Sequence[Blocks],
    outputs: Sequence[str],
    tables: Tables,
    tell: Callable[[str], None],
    rewrites: Sequence[Rewrite] = REWRITES,
) -> tuple[onnx.ModelProto, list[Applied]]:
    """The graph after every rewrite that helped, and what was applied.

    Each rewrite is tried on a copy: its outputs must be within 1e-5 of the plain graph's largest value (one that calls
    itself exact must keep every bit), and no more values may differ between slate sizes than before. Otherwise it is
    undone, and ``tell`` is told.

    Args:
        model: the plain graph; it is not changed.
        packing: its inputs.
        slates: the requests as blocks, none empty.
        outputs: the heads, the score last.
        tables: where large weights lie.
        tell: told of every rewrite that is undone.
        rewrites: in the order in which they are applied.
    """
    sample = pool(max(slates, key=lambda slate: size_of(slate, packing)), slates, packing, _TRIAL)
    now = Executor(model, outputs, tables)
    plain = latest = now(sample)
    varying = quick_differences(now, packing, slates)
    done: list[Applied] = []
    for rewrite in rewrites:
        attempt = onnx.ModelProto()
        attempt.CopyFrom(model)
        try:
            applied = run_rewrites(attempt, [rewrite], tables.weights_of)
            if not applied:
                continue
            changed = Executor(attempt, outputs, tables)
            found = changed(sample)
            problem = _problem(plain, found, outputs)
            if not problem and rewrite.exact:
                problem = _other_bits(latest, found, outputs)
            after = quick_differences(changed, packing, slates)
        except ExportError as e:
            tell(f"the rewrite {rewrite.name} is undone: {e.detail}")
            continue
        if after and not varying:
            problem = f"{after} values differ between slate sizes, none without it"
        if problem:
            tell(f"the rewrite {rewrite.name} is undone: {problem}")
            continue
        model, varying, latest = attempt, after, found
        done += applied
    return model, done


def _other_bits(before: Sequence[FloatArray], after: Sequence[FloatArray], outputs: Sequence[str]) -> str:
    for name, left, right in zip(outputs, before, after, strict=True):
        differing = int((canonical_bits(left) != canonical_bits(right)).sum())
        if differing:
            return f"it calls itself exact, and {differing} values of output {name!r} have other bits"
    return ""


def _problem(before: Sequence[FloatArray], after: Sequence[FloatArray], outputs: Sequence[str]) -> str:
    for name, left, right in zip(outputs, before, after, strict=True):
        if left.shape != right.shape:
            return f"output {name!r} becomes {list(right.shape)}"
        if (np.isnan(left) != np.isnan(right)).any():
            return f"output {name!r} has NaN elsewhere"
        scale = max(1.0, float(np.abs(left[np.isfinite(left)]).max(initial=0.0)))
        with np.errstate(invalid="ignore"):
            apart = np.abs(left.astype(np.float64) - right)
        worst = float(np.where((left == right) | np.isnan(left), 0.0, apart).max(initial=0.0))
        if not worst <= _NEAR * scale:
            return f"output {name!r} moves by {worst:.3g}, its largest value being {scale:.3g}"
    return ""
