"""How far the exported graph is from what it was made from: the tolerance of the level *reference*."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from twinrank.export.bundle import FloatArray, Golden, Tolerance, compare_bits
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
FAR = 1e-4
# Up to here a person may say that it is known and all right.
_TOO_FAR = 1e-3
_MAX_ULP = 2**53
# A sentinel such as -1e9 says nothing of how large scores are: what counts as far is measured in a hundred times the
# small values (of different ones, the least tenth), where that is less than the largest.
_SMALL, _WIDTH = 0.1, 100.0


@dataclass(frozen=True, slots=True)
class Reference:
    """What the comparison saw.

    Attributes:
        rows: candidates compared.
        tolerances: per head, the score last.
        scales: the largest absolute value of each, same keys.
        units: what its differences are measured in, same keys: sentinels such as -1e9 do not count.
        findings: outputs that are too far away, or are no numbers.
        notes: what a person should know, a line each.
    """

    rows: int
    tolerances: dict[str, Tolerance]
    scales: dict[str, float]
    units: dict[str, float]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


class _Seen:
    """Every value of one output that was compared."""

    def __init__(self) -> None:
        self.expected: list[FloatArray] = []
        self.actual: list[FloatArray] = []
        self.max_abs, self.max_ulp = 0.0, 0

    def add(self, expected: FloatArray, actual: FloatArray) -> None:
        difference = compare_bits(expected, actual)
        self.max_abs = max(self.max_abs, difference.max_abs)
        self.max_ulp = max(self.max_ulp, _MAX_ULP if difference.max_ulp < 0 else difference.max_ulp)
        self.expected.append(expected)
        self.actual.append(actual)

    def unit(self) -> float:
        """What differences are measured in, at least: how large values are, sentinels aside."""
        sizes = np.unique(np.abs(np.concatenate(self.expected)))
        sizes = sizes[np.isfinite(sizes)]
        if not sizes.size:
            return 1.0
        return max(1.0, min(float(sizes[-1]), _WIDTH * float(np.quantile(sizes, _SMALL))))

    def scale(self) -> float:
        sizes = np.abs(np.concatenate(self.expected))
        return float(sizes[np.isfinite(sizes)].max(initial=0.0))


def reference_outputs(
    back: Back,
    front: FrontGraph,
    blocks: Blocks,
    outputs: Sequence[str],
    *,
    whole: bool = False,
    found: Sequence[FloatArray] | None = None,
) -> dict[str, FloatArray]:
    """The reference's outputs for a slate.

    Args:
        back: the reference.
        front: encodes blocks for it.
        blocks: the slate.
        outputs: the heads, the score last.
        whole: whether it sees the slate as it is; else each candidate is scored in a batch of ``BATCH``, the last one
            filled up.
        found: what the graph gave for the slate; see `Back.run`.
    """
    known = None if found is None else dict(zip(outputs, found, strict=True))
    if whole:
        return back.run(front.encode(blocks), outputs, known)
    n = size_of(blocks, front.packing)
    parts: dict[str, list[FloatArray]] = {name: [] for name in outputs}
    for start in range(0, n, BATCH):
        rows = np.minimum(np.arange(start, start + BATCH, dtype=np.int64), n - 1)
        taken = None if known is None else {name: values[rows] for name, values in known.items()}
        given = back.run(front.encode(take(blocks, rows, front.packing)), outputs, taken)
        for name in outputs:
            parts[name].append(given[name][: n - start].copy())
    return {name: np.concatenate(parts[name]) for name in outputs}


def module_outputs(
    module: torch.nn.Module, front: FrontGraph, blocks: Blocks, outputs: Sequence[str]
) -> dict[str, FloatArray]:
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

    First come slates of other sizes than the traced one, up to ``max_candidates`` or ``LARGEST``, which the reference
    sees as they are, and the edges; then
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
        What was seen; ``reference_differs``, ``reference_loose``, ``no_number`` and ``not_repeatable`` are findings of
        it.

    Raises:
        ExportError: ``shape_baked_in`` if an output has another shape than the reference's.
    """
    rows = 0
    seen = {name: _Seen() for name in outputs}
    repeated = _Repeated(back, front, max(slates, key=lambda slate: size_of(slate, front.packing)), outputs)
    # As they are: a module may do something else for other sizes than that of a batch.
    sized = [(slate, True) for slate in _sized(slates, front.packing, max_candidates)]
    others = [(slate, whole) for slate in (*edges, *_enough(slates, front.packing))]
    for slate, as_is in (*sized, *others):
        actual = run(slate)
        expected = reference_outputs(back, front, slate, outputs, whole=as_is, found=actual)
        for name, values in zip(outputs, actual, strict=True):
            if values.shape != expected[name].shape or values.dtype != expected[name].dtype:
                raise ExportError(
                    "shape_baked_in",
                    f"output {name!r} is {values.dtype} {list(values.shape)} instead of {list(expected[name].shape)}",
                    "Keep sizes symbolic: x.shape[0] and not len(x), no int(), item() or Python branch on n",
                )
            seen[name].add(expected[name], values)
        rows += size_of(slate, front.packing)
    findings = repeated.findings()
    notes = _alone(back, front, run, slates[-1], seen)
    for name, held in seen.items():
        findings += _far(name, held, back.kind)
        nans = np.isnan(np.concatenate(held.expected))
        if nans.all():
            findings.append(
                Finding(
                    "no_number",
                    f"output {name!r}",
                    f"is NaN for all {nans.size} candidates",
                    "Look for NaN among the weights, and for means and logarithms of nothing",
                )
            )
        elif nans.any():
            notes.append(
                f"output {name!r} is NaN for {int(nans.sum())} of {nans.size} candidates; "
                "one whose score is NaN is not ranked"
            )
    return Reference(
        rows,
        {
            name: Tolerance(
                a=max(_FACTOR * values.max_abs, _FLOOR),
                max_abs=values.max_abs,
                max_ulp=min(values.max_ulp, _MAX_ULP),
            )
            for name, values in seen.items()
        },
        {name: values.scale() for name, values in seen.items()},
        {name: values.unit() for name, values in seen.items()},
        tuple(findings),
        tuple(notes),
    )


def inexact(reference: Reference, exact: frozenset[str], kind: str) -> list[Finding]:
    """``tree_bits_differ`` for each output that must be exact, and had other bits than the reference's."""
    return [
        Finding(
            "tree_bits_differ",
            f"output {name!r}",
            f"differs from {kind} by up to {seen.max_abs:.3g}, {seen.max_ulp} ULP, in the sample requests",
            "Compare features and their order with those that the model was trained on",
        )
        for name, seen in reference.tolerances.items()
        if name in exact and (seen.max_ulp or seen.max_abs)
    ]


def covering(
    tolerances: Mapping[str, Tolerance],
    goldens: Sequence[Golden],
    back: Back,
    front: FrontGraph,
    outputs: Sequence[str],
    *,
    whole: bool = False,
) -> dict[str, Tolerance]:
    """The tolerances, wider where a golden is farther from the reference than any sample was.

    Whoever compares a bundle with its reference holds every golden to them, also those at the edges of the schema.

    Args:
        tolerances: what the samples gave.
        goldens: as they are stored.
        back: the reference.
        front: encodes blocks for it.
        outputs: the heads, the score last.
        whole: see `reference_outputs`.

    Raises:
        ExportError: ``reference_differs`` if one of the two gives a number and the other none.
    """
    found = dict(tolerances)
    for index, golden in enumerate(goldens):
        if golden.expected.n < 1:
            continue
        names = (block.name for block in front.packing.blocks)
        blocks = dict(zip(names, golden.expected.inputs, strict=True))
        expected = reference_outputs(back, front, blocks, outputs, whole=whole, found=golden.expected.outputs)
        for name, actual in zip(outputs, golden.expected.outputs, strict=True):
            difference = compare_bits(expected[name], actual)
            if not np.isfinite(difference.max_abs) or difference.max_ulp < 0:
                raise ExportError(
                    "reference_differs",
                    f"output {name!r} of golden {index} is a number on one side only, the graph's or the "
                    f"{reference_word(back.kind)}'s",
                    "Look for NaN and infinities at the edges of the schema's features",
                )
            before = found[name]
            found[name] = Tolerance(
                a=max(_FACTOR * difference.max_abs, before.a),
                max_abs=max(difference.max_abs, before.max_abs),
                max_ulp=min(max(difference.max_ulp, before.max_ulp), _MAX_ULP),
            )
    return found


def _alone(
    back: Back,
    front: FrontGraph,
    run: Callable[[Blocks], Sequence[FloatArray]],
    slate: Blocks,
    seen: Mapping[str, _Seen],
) -> list[str]:
    """Compares single candidates with the reference as it answers for one: the tracer never saw that size.

    Returns:
        A note where the reference has no answer for one.
    """
    for row in range(min(size_of(slate, front.packing), TRACED_CANDIDATES)):
        one = take(slate, np.array([row], np.int64), front.packing)
        try:
            given = run(one)
            expected = back.run(front.encode(one), list(seen), dict(zip(seen, given, strict=True)))
        except Exception as e:  # the user's module may raise anything
            text = str(e).strip().splitlines()
            said = text[0] if text else type(e).__name__
            return [f"the {reference_word(back.kind)} itself fails for a single candidate: {said}"]
        for name, values in zip(seen, given, strict=True):
            seen[name].add(expected[name], values)
    return []


class _Repeated:
    """Asks a reference the same twice, before and after everything else that it is asked.

    The tensors of both runs lie at addresses that the same kernels take, so no bit has a reason to differ.
    """

    def __init__(self, back: Back, front: FrontGraph, slate: Blocks, outputs: Sequence[str]) -> None:
        self._back, self._outputs = back, outputs
        self._encoded = {name: _aligned(values) for name, values in front.encode(slate).items()}
        self._first = self._run()

    def _run(self) -> dict[str, FloatArray]:
        encoded = {name: _aligned(values) for name, values in self._encoded.items()}
        return {name: values.copy() for name, values in self._back.run(encoded, self._outputs).items()}

    def findings(self) -> list[Finding]:
        """``not_repeatable`` for each output that is other than it was."""
        again = self._run()
        return [
            Finding(
                "not_repeatable",
                f"output {name!r}",
                f"{difference.differing} of {difference.compared} values have other bits when the same is asked again",
                "Look for random numbers, the clock, and for state that forward() changes",
            )
            for name in self._outputs
            if (difference := compare_bits(self._first[name], again[name])).differing
        ]


def _aligned(values: NDArray[np.generic]) -> NDArray[np.generic]:
    copy: NDArray[np.generic] = torch.from_numpy(np.ascontiguousarray(values)).clone().numpy()
    return copy


def reference_word(kind: str) -> str:
    """What a person calls a reference of this kind."""
    return {"torch": "module", "onnx": "file"}.get(kind, "library")


def _far(output: str, seen: _Seen, kind: str) -> list[Finding]:
    """What to say of an output that is too far from its reference; a NaN is farther than anything."""
    expected, actual = (np.concatenate(parts).astype(np.float64) for parts in (seen.expected, seen.actual))
    with np.errstate(invalid="ignore"):
        apart = np.abs(expected - actual)
    apart[(expected == actual) | (np.isnan(expected) & np.isnan(actual))] = 0.0
    apart[np.isnan(apart)] = np.inf
    sizes = np.abs(expected)
    sizes[~np.isfinite(sizes)] = 0.0
    relative = apart / np.maximum(seen.unit(), sizes)
    worst = int(np.argmax(relative))
    if relative[worst] <= FAR:
        return []
    return [
        Finding(
            "reference_loose" if relative[worst] <= _TOO_FAR else "reference_differs",
            f"output {output!r}",
            f"differs by {apart[worst]:.3g} from the {reference_word(kind)}'s {expected[worst]:.6g}, "
            f"and reaches {seen.scale():.3g}",
            "Look for an operator that converts to something else (searchsorted or bucketize with boundaries that are "
            "computed is right up to the traced size only), and for large cancelling sums",
        )
    ]


def _sized(slates: Sequence[Blocks], packing: Packing, max_candidates: int) -> Iterator[Blocks]:
    """Slates of the sizes that the tracer did not see; the largest is bounded by the time that it may take."""
    context = max(slates, key=lambda slate: size_of(slate, packing))
    for size in (2, 3, TRACED_CANDIDATES, 2 * TRACED_CANDIDATES + 1, min(max_candidates, LARGEST)):
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
