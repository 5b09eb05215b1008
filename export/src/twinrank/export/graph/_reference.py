"""How far the exported graph is from the torch module: the tolerance of the level *reference*."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from twinrank.export.bundle import FloatArray, Tolerance, compare_bits
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._slates import Blocks, size_of, take, with_candidates
from twinrank.export.graph._trace import one_thread, run_module
from twinrank.training.schema import Packing
from twinrank.training.transforms import FrontGraph

# Torch's own sums depend on the batch, so every candidate is scored in a batch of this size, whatever slate it is in.
BATCH = 64
MIN_ROWS = 10_000
MAX_ROWS = 20_000
_FLOOR = 1e-6
_FACTOR = 4.0
# Beyond this, relative to the largest value, the two do not compute the same thing.
_FAR = 1e-4
_MAX_ULP = 2**53


@dataclass(frozen=True, slots=True)
class Reference:
    """What the comparison saw.

    Attributes:
        rows: candidates compared.
        tolerances: per head, the score last.
        scales: the largest absolute value of each, same keys.
    """

    rows: int
    tolerances: dict[str, Tolerance]
    scales: dict[str, float]


def module_outputs(
    module: torch.nn.Module, front: FrontGraph, blocks: Blocks, outputs: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """The module's outputs for a slate, each candidate scored in a batch of ``BATCH``, the last one filled up."""
    n = size_of(blocks, front.packing)
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in outputs}
    with one_thread():
        for start in range(0, n, BATCH):
            rows = np.minimum(np.arange(start, start + BATCH, dtype=np.int64), n - 1)
            found = run_module(module, front.encode(take(blocks, rows, front.packing)), outputs)
            for name in outputs:
                parts[name].append(found[name][: n - start].copy())
    return {name: np.concatenate(parts[name]) for name in outputs}


def measure_reference(
    run: Callable[[Blocks], Sequence[FloatArray]],
    module: torch.nn.Module,
    front: FrontGraph,
    slates: Sequence[Blocks],
    outputs: Sequence[str],
) -> Reference:
    """Compares the graph with the module over at least 10,000 candidates.

    Slates are taken from the shortest on, as they came; when they hold too few candidates, contexts are paired with the
    candidates of other slates.

    Args:
        run: the exported graph.
        module: the torch module in eval mode.
        front: encodes blocks for the module.
        slates: the run's requests as blocks, none empty.
        outputs: the heads, the score last.

    Raises:
        ExportError: ``reference_differs`` if a NaN meets a number, or the two are farther apart than 1e-4 of the
            largest value.
    """
    rows = 0
    worst_abs, worst_ulp, scales = dict.fromkeys(outputs, 0.0), dict.fromkeys(outputs, 0), dict.fromkeys(outputs, 0.0)
    for slate in _enough(slates, front.packing):
        expected = module_outputs(module, front, slate, outputs)
        actual = run(slate)
        for name, values in zip(outputs, actual, strict=True):
            if values.shape != expected[name].shape or values.dtype != expected[name].dtype:
                raise ExportError(
                    "shape_baked_in",
                    f"output {name!r} is {values.dtype} {list(values.shape)} instead of {list(expected[name].shape)}",
                    "Keep sizes symbolic: no int(), item() or Python branch on n",
                )
            difference = compare_bits(expected[name], values)
            finite = np.abs(expected[name][np.isfinite(expected[name])])
            scales[name] = max(scales[name], float(finite.max(initial=0.0)))
            worst_abs[name] = max(worst_abs[name], difference.max_abs)
            worst_ulp[name] = max(worst_ulp[name], _MAX_ULP if difference.max_ulp < 0 else difference.max_ulp)
        rows += size_of(slate, front.packing)
    for name in outputs:
        if not worst_abs[name] <= _FAR * max(1.0, scales[name]):
            raise ExportError(
                "reference_differs",
                f"output {name!r} differs by {worst_abs[name]:.3g} from the module's, which reaches {scales[name]:.3g}",
                "Look for randomness, and for an operator that converts to something else",
            )
    tolerances = {
        name: Tolerance(
            a=max(_FACTOR * worst_abs[name], _FLOOR), max_abs=worst_abs[name], max_ulp=min(worst_ulp[name], _MAX_ULP)
        )
        for name in outputs
    }
    return Reference(rows, tolerances, scales)


def _enough(slates: Sequence[Blocks], packing: Packing) -> Iterator[Blocks]:
    by_size = sorted(slates, key=lambda slate: size_of(slate, packing))
    rows, shift = 0, 0
    while rows < MIN_ROWS:
        for index, slate in enumerate(by_size):
            paired = with_candidates(slate, by_size[(index + shift) % len(by_size)], packing)
            yield paired
            rows += size_of(paired, packing)
            if rows >= MAX_ROWS:
                return
        shift += 1
