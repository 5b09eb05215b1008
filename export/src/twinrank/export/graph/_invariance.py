"""Batch invariance: a candidate's bits depend neither on who else is in the slate nor on its place in it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from twinrank.export.bundle import Array, FloatArray, Runner, SessionSettings, canonical_bits
from twinrank.export.graph._errors import ExportError
from twinrank.export.graph._slates import Blocks, joined, size_of, take, with_candidates
from twinrank.training.schema import Packing

# One, the sizes around SIMD widths and panel heights, primes, and what a slate usually is.
SIZES = (1, 2, 3, 5, 7, 8, 16, 33, 64)
_POOL = 193
_CONTEXTS = 5


@dataclass(frozen=True, slots=True)
class Invariance:
    """What was tested, all of it without a differing bit.

    Attributes:
        sizes: slate sizes, ascending; the last is the largest slate.
        compared: values compared.
    """

    sizes: tuple[int, ...]
    compared: int


def check_invariance(
    run: Callable[[Blocks], Sequence[FloatArray]],
    model: onnx.ModelProto,
    packing: Packing,
    slates: Sequence[Blocks],
    outputs: Sequence[str],
    max_candidates: int,
    folder: Path | None = None,
) -> Invariance:
    """Scores each candidate in slates of many sizes, split and permuted, and compares every bit.

    Args:
        run: the exported graph.
        model: the same graph, for finding the node to blame.
        packing: the graph's inputs.
        slates: the run's requests as blocks, none empty.
        outputs: the heads, the score last.
        max_candidates: the largest slate that a request may hold; it is tested too.
        folder: where the weights lie that the model keeps outside, if any.

    Raises:
        ExportError: ``batch_variant``, naming the output and the first node whose row depends on the slate.
    """
    by_size = sorted(slates, key=lambda slate: size_of(slate, packing))
    largest = size_of(by_size[-1], packing)
    contexts = [by_size[i] for i in sorted({round(i) for i in np.linspace(0, len(by_size) - 1, _CONTEXTS)})]
    compared = 0
    for index, context in enumerate(contexts):
        pool = _pool(context, by_size[::-1], packing, max(_POOL, largest) if index == 0 else _POOL)
        total = size_of(pool, packing)
        whole = run(pool)
        for rows in _slates_of(total, index):
            compared += _compare(run, model, packing, pool, whole, rows, outputs, folder)
    top = max(max_candidates, largest)
    pool = _pool(contexts[0], by_size[::-1], packing, top)
    first = run(take(pool, np.arange(min(top, _POOL), dtype=np.int64), packing))
    compared += _compare(run, model, packing, pool, first, np.arange(top, dtype=np.int64), outputs, folder)
    return Invariance(tuple(sorted({*SIZES, largest, top})), compared)


def _pool(context: Blocks, slates: Sequence[Blocks], packing: Packing, count: int) -> Blocks:
    """``count`` candidates of the slates, over again if need be, under one context."""
    parts: list[Blocks] = []
    while sum(size_of(part, packing) for part in parts) < count:
        parts.append(slates[len(parts) % len(slates)])
    pool = with_candidates(context, joined(parts, packing), packing)
    return take(pool, np.arange(count, dtype=np.int64), packing)


def _slates_of(total: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Row selections: contiguous splits and permuted splits of every size, and permutations of the whole."""
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(total).astype(np.int64)
    whole = np.arange(total, dtype=np.int64)
    for size in SIZES:
        for rows in (whole, shuffled):
            covered = rows[: max(_POOL, size)]
            for start in range(0, len(covered), size):
                yield covered[start : start + size]
    yield whole[::-1]
    yield shuffled


def _compare(
    run: Callable[[Blocks], Sequence[FloatArray]],
    model: onnx.ModelProto,
    packing: Packing,
    pool: Blocks,
    whole: Sequence[FloatArray],
    rows: NDArray[np.int64],
    outputs: Sequence[str],
    folder: Path | None,
) -> int:
    slate = take(pool, rows, packing)
    known = rows < len(whole[0])
    for name, expected, actual in zip(outputs, whole, run(slate), strict=True):
        if actual.shape != (len(rows),):
            raise ExportError(
                "shape_baked_in",
                f"output {name!r} is {list(actual.shape)} for {len(rows)} candidates",
                "Keep sizes symbolic: no int(), item() or Python branch on n",
            )
        differs = canonical_bits(expected[rows[known]]) != canonical_bits(actual[known])
        if differs.any():
            row = int(np.flatnonzero(differs)[0])
            raise _variant(model, packing, pool, rows, row, name, folder)
    return int(known.sum()) * len(outputs)


def _variant(
    model: onnx.ModelProto,
    packing: Packing,
    pool: Blocks,
    rows: NDArray[np.int64],
    row: int,
    output: str,
    folder: Path | None,
) -> ExportError:
    candidate = int(rows[row])
    blame = first_variant_node(model, pool, take(pool, rows, packing), candidate, row, folder)
    where = (
        f"the first node that depends on the slate is {blame}" if blame else "no node shows it outside the fused graph"
    )
    sizes = f"a slate of {len(rows)} than in one of {size_of(pool, packing)}"
    return ExportError(
        "batch_variant",
        f"output {output!r} of candidate {candidate} has other bits in {sizes}; {where}",
        "Products of candidates with what the context computes need two rows at least (append one, slice it off); sums "
        "over a middle axis become a batched product; Log, Softplus, Elu, Sin and Cos run on lengths padded to a "
        "multiple of 16",
    )


def first_variant_node(
    model: onnx.ModelProto,
    left: Blocks,
    right: Blocks,
    left_row: int,
    right_row: int,
    folder: Path | None = None,
) -> str | None:
    """The first node, in the graph's order, whose values for one candidate differ between two slates, if one does.

    Args:
        model: the slate graph.
        left: one slate.
        right: another with the same context.
        left_row: where the candidate stands in the first.
        right_row: where it stands in the second.
        folder: where the weights lie that the model keeps outside, if any.
    """
    names = [name for node in model.graph.node for name in node.output if name]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    declared = {value.name for value in model.graph.output}
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in declared)
    runner = Runner(probe.SerializeToString(), SessionSettings(), folder)
    n_left, n_right = len(_leading(model, left)), len(_leading(model, right))
    first, second = (dict(zip(runner.outputs, runner.run(blocks), strict=True)) for blocks in (left, right))
    for node in model.graph.node:
        for name in node.output:
            if name and _row_differs(first[name], second[name], n_left, n_right, left_row, right_row):
                return f"{node.name} ({node.op_type})"
    return None


def _leading(model: onnx.ModelProto, blocks: Blocks) -> Array:
    """A block whose leading axis is the candidates."""
    inputs = model.graph.input
    return next(blocks[value.name] for value in inputs if value.type.tensor_type.shape.dim[0].HasField("dim_param"))


def _row_differs(a: Array, b: Array, n_a: int, n_b: int, row_a: int, row_b: int) -> bool:
    if a.dtype.kind != "f":
        return False
    if a.shape == b.shape and (canonical_bits(a) == canonical_bits(b)).all():
        return False
    if a.size * n_b != b.size * n_a or a.size % n_a:
        # Not one row a candidate: of the context alone.
        return a.shape == b.shape
    return bool((canonical_bits(a.reshape(n_a, -1)[row_a]) != canonical_bits(b.reshape(n_b, -1)[row_b])).any())
