"""How far the exported graph is from what it was made from: the tolerance of the level *reference*."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from twinrank.export.bundle import FloatArray, Tolerance, compare_bits
from twinrank.export.graph._back import Back, TorchBack
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._slates import Blocks, pool, size_of, take, with_candidates
from twinrank.export.graph._trace import TRACED_CANDIDATES
from twinrank.training.schema import Packing
from twinrank.training.transforms import FrontGraph

# Torch's own sums depend on the batch, so every candidate is scored in a batch of this size, whatever slate it is in.
BATCH = 64
MIN_ROWS = 10_000
MAX_ROWS = 20_000
# The largest slate that is compared; larger ones are proved by invariance, against a slate of this kind.
LARGEST = 4096
_FLOOR = 1e-6
_FACTOR = 4.0
# Beyond this, relative to the largest value, the two do not compute the same thing.
_FAR = 1e-4
# Up to here a person may say that it is known and all right.
_TOO_FAR = 1e-3
_MAX_ULP = 2**53


@dataclass(frozen=True, slots=True)
class Reference:
    """What the comparison saw.

    Attributes:
        rows: candidates compared.
        tolerances: per head, the score last.
        scales: the largest absolute value of each, same keys.
        findings: outputs that are too far away.
    """

    rows: int
    tolerances: dict[str, Tolerance]
    scales: dict[str, float]
    findings: tuple[Finding, ...] = ()


def reference_outputs(
    back: Back, front: FrontGraph, blocks: Blocks, outputs: Sequence[str], *, whole: bool = False
) -> dict[str, NDArray[np.float32]]:
    """The reference's outputs for a slate.

    Args:
        back: the reference.
        front: encodes blocks for it.
        blocks: the slate.
        outputs: the heads, the score last.
        whole: whether it sees the slate as it is; else each candidate is scored in a batch of ``BATCH``, the last one
            filled up.
    """
    if whole:
        return back.run(front.encode(blocks), outputs)
    n = size_of(blocks, front.packing)
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in outputs}
    for start in range(0, n, BATCH):
        rows = np.minimum(np.arange(start, start + BATCH, dtype=np.int64), n - 1)
        found = back.run(front.encode(take(blocks, rows, front.packing)), outputs)
        for name in outputs:
            parts[name].append(found[name][: n - start].copy())
    return {name: np.concatenate(parts[name]) for name in outputs}


def module_outputs(
    module: torch.nn.Module, front: FrontGraph, blocks: Blocks, outputs: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """The module's outputs for a slate, each candidate scored in a batch of ``BATCH``, the last one filled up."""
    return reference_outputs(TorchBack(module), front, blocks, outputs)


def measure_reference(
    run: Callable[[Blocks], Sequence[FloatArray]],
    back: Back,
    front: FrontGraph,
    slates: Sequence[Blocks],
    outputs: Sequence[str],
    *,
    edges: Sequence[Blocks] = (),
    max_candidates: int = 0,
    whole: bool = False,
) -> Reference:
    """Compares the graph with what it was made from, over at least 10,000 candidates.

    First come slates of other sizes than the traced one, up to ``max_candidates`` or ``LARGEST``, and the edges; then
    slates from the shortest on, as they came. When they hold too few candidates, contexts are paired with the
    candidates of other slates.

    Args:
        run: the exported graph.
        back: the reference.
        front: encodes blocks for it.
        slates: the requests as blocks, none empty.
        outputs: the heads, the score last.
        edges: slates with empty, full and longer lists, say, whatever their size.
        max_candidates: the largest slate that a request may hold.
        whole: see `reference_outputs`; for a model whose scores depend on the slate.

    Returns:
        What was seen; ``reference_differs`` and ``reference_loose`` are findings of it.

    Raises:
        ExportError: ``shape_baked_in`` if an output has another shape than the reference's.
    """
    rows = 0
    worst_abs, worst_ulp, scales = dict.fromkeys(outputs, 0.0), dict.fromkeys(outputs, 0), dict.fromkeys(outputs, 0.0)
    for slate in (*_sized(slates, front.packing, max_candidates), *edges, *_enough(slates, front.packing)):
        expected = reference_outputs(back, front, slate, outputs, whole=whole)
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
    tolerances = {
        name: Tolerance(
            a=max(_FACTOR * worst_abs[name], _FLOOR), max_abs=worst_abs[name], max_ulp=min(worst_ulp[name], _MAX_ULP)
        )
        for name in outputs
    }
    findings = [
        finding for name in outputs if (finding := _far(name, worst_abs[name], scales[name], back.kind)) is not None
    ]
    return Reference(rows, tolerances, scales, tuple(findings))


def _far(output: str, worst: float, scale: float, kind: str) -> Finding | None:
    """What to say of an output that is too far from its reference; a NaN is farther than anything."""
    unit = max(1.0, scale)
    if worst <= _FAR * unit:
        return None
    reference = "module" if kind == "torch" else "file"
    return Finding(
        "reference_loose" if worst <= _TOO_FAR * unit else "reference_differs",
        f"output {output!r}",
        f"differs by {worst:.3g} from the {reference}'s, which reaches {scale:.3g}",
        "Look for randomness, for an operator that converts to something else (searchsorted or bucketize with "
        "boundaries that are computed is right up to the traced size only), and for large cancelling sums",
    )


def _sized(slates: Sequence[Blocks], packing: Packing, max_candidates: int) -> Iterator[Blocks]:
    """Slates of the sizes that the tracer did not see; the largest is bounded by the time that it may take."""
    context = max(slates, key=lambda slate: size_of(slate, packing))
    for size in (1, 2, 3, TRACED_CANDIDATES, 2 * TRACED_CANDIDATES + 1, min(max_candidates, LARGEST)):
        if 0 < size <= max(max_candidates, TRACED_CANDIDATES):
            yield pool(context, slates, packing, size)


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
