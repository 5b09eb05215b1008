"""Batch invariance: a candidate's bits depend neither on who else is in the slate nor on its place in it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from twinrank.export.bundle import Array, FloatArray, Runner, SessionSettings, canonical_bits
from twinrank.export.graph._compose import output_name, reads
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._slates import Blocks, joined, pool, size_of, take
from twinrank.training.schema import Packing

# One, the sizes around SIMD widths and panel heights, primes, and what a slate usually is.
SIZES = (1, 2, 3, 5, 7, 8, 16, 33, 64)
_POOL = 193
_CONTEXTS = 5
_MIXED = 20


@dataclass(frozen=True, slots=True)
class Invariance:
    """What was tested.

    Attributes:
        sizes: slate sizes, ascending; the last is the largest slate.
        compared: values compared.
        differing: of these, how many have other bits.
        findings: ``batch_variant``, one for each node that is to blame.
    """

    sizes: tuple[int, ...]
    compared: int
    differing: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass
class _Seen:
    """What has been compared, and per output the first slate that differed: pool, rows, row."""

    compared: int = 0
    differing: int = 0
    first: dict[str, tuple[Blocks, NDArray[np.int64], int]] = field(default_factory=dict)


def check_invariance(
    run: Callable[[Blocks], Sequence[FloatArray]],
    model: onnx.ModelProto,
    packing: Packing,
    slates: Sequence[Blocks],
    outputs: Sequence[str],
    max_candidates: int,
    folder: Path | None = None,
    company: Sequence[Blocks] = (),
) -> Invariance:
    """Scores each candidate in slates of many sizes, split, permuted and among unusual ones, and compares every bit.

    Args:
        run: the exported graph.
        model: the same graph, for finding the node to blame.
        packing: the graph's inputs.
        slates: the run's requests as blocks, none empty.
        outputs: the heads, the score last.
        max_candidates: the largest slate that a request may hold; it is tested too.
        folder: where the weights lie that the model keeps outside, if any.
        company: slates of unusual candidates (missing, not finite, extreme): what they do to others shows in no usual
            slate.

    Raises:
        ExportError: ``shape_baked_in`` if an output does not have one value a candidate.
    """
    by_size = sorted(slates, key=lambda slate: size_of(slate, packing))
    largest = size_of(by_size[-1], packing)
    contexts = [by_size[i] for i in sorted({round(i) for i in np.linspace(0, len(by_size) - 1, _CONTEXTS)})]
    seen = _Seen()
    for index, context in enumerate(contexts):
        whole = pool(context, by_size[::-1], packing, max(_POOL, largest) if index == 0 else _POOL)
        expected = run(whole)
        for rows in _slates_of(size_of(whole, packing), index):
            _compare(seen, run, packing, whole, expected, rows, outputs)
    top = max(max_candidates, largest)
    whole = pool(contexts[0], by_size[::-1], packing, top)
    expected = run(take(whole, np.arange(min(top, _POOL), dtype=np.int64), packing))
    _compare(seen, run, packing, whole, expected, np.arange(top, dtype=np.int64), outputs)
    between = tuple(_between(top))
    for size in between:
        _compare(seen, run, packing, whole, expected, np.arange(size, dtype=np.int64), outputs)
    if company:
        # All under one context, for that of the unusual slates need not be theirs.
        mixed = joined([take(whole, np.arange(_MIXED, dtype=np.int64) % top, packing), *company], packing)
        expected = run(mixed)
        _compare(seen, run, packing, mixed, expected, np.arange(_MIXED, dtype=np.int64), outputs)
        for row in range(_MIXED, size_of(mixed, packing)):
            _compare(seen, run, packing, mixed, expected, np.array([row], np.int64), outputs)
    findings = _variant(seen, model, packing, folder)
    return Invariance(tuple(sorted({*SIZES, *between, largest, top})), seen.compared, seen.differing, tuple(findings))


def _between(top: int) -> Iterator[int]:
    """Sizes from the pool's to the largest, where a kernel may change its strategy: doubled, every other one odd."""
    size = 2 * SIZES[-1]
    while size < top:
        yield size - size.bit_length() % 2
        size *= 2


def quick_differences(run: Callable[[Blocks], Sequence[FloatArray]], packing: Packing, slates: Sequence[Blocks]) -> int:
    """How many values differ between one slate of 64 and slates of 1, 2, 3, 5 and 33 candidates of it."""
    context = max(slates, key=lambda slate: size_of(slate, packing))
    whole = pool(context, slates, packing, 64)
    expected = run(whole)
    differing = 0
    for size in (1, 2, 3, 5, 33):
        for start in range(0, 64, size):
            rows = np.arange(start, min(start + size, 64), dtype=np.int64)
            for left, right in zip(expected, run(take(whole, rows, packing)), strict=True):
                if left[rows].shape != right.shape:
                    return 64 * len(expected)
                differing += int((canonical_bits(left[rows]) != canonical_bits(right)).sum())
    return differing


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
    seen: _Seen,
    run: Callable[[Blocks], Sequence[FloatArray]],
    packing: Packing,
    whole: Blocks,
    expected: Sequence[FloatArray],
    rows: NDArray[np.int64],
    outputs: Sequence[str],
) -> None:
    known = rows < len(expected[0])
    for name, left, right in zip(outputs, expected, run(take(whole, rows, packing)), strict=True):
        if right.shape != (len(rows),):
            raise ExportError(
                "shape_baked_in",
                f"output {name!r} is {list(right.shape)} for {len(rows)} candidates",
                "Keep sizes symbolic: x.shape[0] and not len(x), no int(), item() or Python branch on n",
            )
        differs = canonical_bits(left[rows[known]]) != canonical_bits(right[known])
        seen.compared += int(known.sum())
        if differs.any():
            seen.differing += int(differs.sum())
            seen.first.setdefault(name, (whole, rows, int(np.flatnonzero(differs)[0])))


def _variant(seen: _Seen, model: onnx.ModelProto, packing: Packing, folder: Path | None) -> Iterator[Finding]:
    """One finding for each node that is to blame, with the outputs that it spoils."""
    blamed: dict[str, list[str]] = {}
    where: dict[str, str] = {}
    for output, (whole, rows, row) in seen.first.items():
        candidate = int(rows[row])
        part = take(whole, rows, packing)
        node = first_variant_node(model, whole, part, candidate, row, folder, output_name(output)) or ""
        blamed.setdefault(node, []).append(output)
        where.setdefault(
            node,
            f"candidate {candidate} has other bits in a slate of {len(rows)} than in one of {size_of(whole, packing)}",
        )
    for node, spoilt in blamed.items():
        named = ", ".join(repr(output) for output in spoilt)
        shown = f"the first node that depends on the slate is {node}" if node else "no node shows it before fusion"
        yield Finding(
            "batch_variant",
            node,
            f"output {named}: {where[node]}; {shown}; {seen.differing} of {seen.compared} values differ in all",
            "A score may not depend on the other candidates: no sum, softmax, sort or norm over the slate. What only "
            "rounds differently: products of candidates with what the context computes need two rows at least, sums "
            "over a middle axis become a batched product, functions with a scalar tail run on padded lengths",
        )


def first_variant_node(
    model: onnx.ModelProto,
    left: Blocks,
    right: Blocks,
    left_row: int,
    right_row: int,
    folder: Path | None = None,
    output: str | None = None,
) -> str | None:
    """The first node, in the graph's order, whose values for one candidate differ between two slates, if one does.

    Args:
        model: the slate graph.
        left: one slate.
        right: another with the same context.
        left_row: where the candidate stands in the first.
        right_row: where it stands in the second.
        folder: where the weights lie that the model keeps outside, if any.
        output: an output of the graph: only nodes that it is computed from are looked at; None looks at all.
    """
    names = [name for node in model.graph.node for name in node.output if name]
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    declared = {value.name for value in model.graph.output}
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in declared)
    runner = Runner(probe.SerializeToString(), SessionSettings(), folder)
    n_left, n_right = len(_leading(model, left)), len(_leading(model, right))
    first, second = (dict(zip(runner.outputs, runner.run(blocks), strict=True)) for blocks in (left, right))
    needed = _ancestors(model, output) if output is not None else set(names)
    for node in model.graph.node:
        for name in node.output:
            if name in needed and _row_differs(first[name], second[name], n_left, n_right, left_row, right_row):
                return f"{node.name} ({node.op_type})"
    return None


def _ancestors(model: onnx.ModelProto, output: str) -> set[str]:
    """The tensors that an output is computed from, itself included."""
    needed = {output}
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed |= reads(node)
    return needed


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
