"""Compares one route's answers with the baseline's, and keeps what a person needs to believe or to debug the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from twinrank.bridge._cases import Case
from twinrank.bridge._findings import Finding
from twinrank.bridge._outcomes import InvarianceTally, RefusalTally
from twinrank.bridge._scorer import SCORE, Array, Facts, Level, Route, RouteError, RouteFailedError, RouteScores
from twinrank.bridge._values import hex_bits, measure

Status = Literal["equal", "differs", "unknown"]

_KEPT_SWAPS = 20
_KEPT_SAMPLES = 1_500
ULP_EDGES = (0, 1, 2, 4, 8, 16, 32, 64, 256, 1024, 65536)
"""Lower edges of the ULP histogram's bins: 0, 1, 2-3, 4-7, … and the last one open."""


@dataclass(frozen=True)
class Answer:
    """What one route said to one request: the packed blocks where it shows them, and scores or the refusal.

    `seconds` is what scoring took, packing and comparing not counted.
    """

    packed: Mapping[str, Array] | RouteError | None
    scored: RouteScores | RouteError
    seconds: float = 0.0


@dataclass(frozen=True)
class Difference:
    """One place where two routes disagree, with both sides as text and, for values, as IEEE bits."""

    kind: Literal["value", "order", "dropped", "error", "packed", "shape"]
    case: Case
    expected: str
    actual: str
    head: str | None = None
    candidate: int | None = None
    expected_bits: str | None = None
    actual_bits: str | None = None
    ulp: int | None = None
    absolute: float | None = None


@dataclass(frozen=True)
class Swap:
    """Two neighbours of the route's ranking that the baseline ranks the other way round."""

    case: Case
    rank: int
    first: int
    second: int
    first_score: float
    second_score: float
    allowed: bool


@dataclass
class HeadTally:
    """One head's sums. `allowed` is the reference level's a; None where every bit must be equal."""

    name: str
    dtype: str
    allowed: float | None
    rows: int = 0
    differing_rows: int = 0
    differing_bits: int = 0
    beyond: int = 0
    max_ulp: int = 0
    max_abs: float = 0.0
    histogram: list[int] = field(default_factory=lambda: [0] * len(ULP_EDGES))


class RouteTally:
    """Everything that one route's comparison has shown so far."""

    def __init__(self, route: Route, level: Level, heads: Mapping[str, str], allowed: Mapping[str, float]) -> None:
        """Start with nothing compared.

        Args:
            route: the route.
            level: `bits`, or `reference` to compare within `allowed`.
            heads: dtype by output name, in the bundle's order, the score last.
            allowed: a by output name; used at level reference only.
        """
        self.route = route.name
        self.summary = route.summary
        self.level = level
        self.heads = {
            name: HeadTally(name, dtype, allowed[name] if level == "reference" else None)
            for name, dtype in heads.items()
        }
        self.facts: Facts | None = None
        self.failure: RouteFailedError | None = None
        self.requests = 0
        self.orders = self.orders_equal = self.orders_tied = 0
        self.errors = self.errors_agreed = 0
        self.packed = self.packed_equal = 0
        self.seconds = 0.0
        self.first: Difference | None = None
        self.worst: Difference | None = None
        self.swaps: list[Swap] = []
        self.refusals: list[RefusalTally] = []
        self.invariance: InvarianceTally | None = None
        self.finding: Finding | None = None
        self._differs = False
        self._samples: list[tuple[Array, Array]] = []

    @property
    def rows(self) -> int:
        """Candidates whose score was compared."""
        return self.heads[SCORE].rows

    @property
    def status(self) -> Status:
        """`differs` as soon as one thing did; `equal` only after rows were compared and the route lived to the end."""
        if self._differs:
            return "differs"
        return "equal" if self.rows > 0 and self.failure is None else "unknown"

    def fail(self, failure: RouteFailedError) -> None:
        """Note that the route gave no (further) answer.

        A bundle that one reader serves and another refuses is itself a difference.
        """
        self.failure = failure
        self._differs = self._differs or failure.reason == "refused"

    def samples(self) -> tuple[Array, Array]:
        """Return at most 1,500 pairs (baseline score, route score), float64, evenly spread over all rows."""
        if not self._samples:
            return np.zeros(0), np.zeros(0)
        expected, actual = (np.concatenate([pair[side] for pair in self._samples]) for side in (0, 1))
        chosen = np.unique(np.linspace(0, len(expected) - 1, min(len(expected), _KEPT_SAMPLES)).astype(np.int64))
        return expected[chosen], actual[chosen]

    def add(self, case: Case, expected: Answer, actual: Answer) -> None:
        """Compare one request's two answers."""
        self.requests += 1
        self.seconds += actual.seconds
        self._add_packed(case, expected.packed, actual.packed)
        if isinstance(expected.scored, RouteError) or isinstance(actual.scored, RouteError):
            self.errors += 1
            self._add_refusal(expected.scored, actual.scored)
            if expected.scored == actual.scored:
                self.errors_agreed += 1
            else:
                self._differ(Difference("error", case, _said(expected.scored), _said(actual.scored)))
            return
        self._add_scores(case, expected.scored, actual.scored)

    def _add_refusal(self, expected: RouteScores | RouteError, actual: RouteScores | RouteError) -> None:
        left, right = (side.code if isinstance(side, RouteError) else None for side in (expected, actual))
        found = next((tally for tally in self.refusals if (tally.expected, tally.actual) == (left, right)), None)
        if found is None:
            found = RefusalTally(left, right)
            self.refusals.append(found)
        found.count += 1
        found.agreed += expected == actual

    def _add_packed(
        self,
        case: Case,
        expected: Mapping[str, Array] | RouteError | None,
        actual: Mapping[str, Array] | RouteError | None,
    ) -> None:
        if expected is None or actual is None:
            return
        self.packed += 1
        told = first_packed_difference(expected, actual)
        if told is None:
            self.packed_equal += 1
        else:
            self._differ(Difference("packed", case, *told))

    def _add_scores(self, case: Case, expected: RouteScores, actual: RouteScores) -> None:
        if (expected.n, tuple(expected.outputs)) != (actual.n, tuple(actual.outputs)):
            left, right = (f"n = {side.n}, outputs {', '.join(side.outputs)}" for side in (expected, actual))
            self._differ(Difference("shape", case, left, right))
            return
        rows = np.flatnonzero(expected.known & actual.known)
        for name, tally in self.heads.items():
            self._add_head(case, tally, expected.outputs[name], actual.outputs[name], rows)
        self._add_order(case, expected, actual)
        scores = (expected.outputs[SCORE][rows].astype(np.float64), actual.outputs[SCORE][rows].astype(np.float64))
        self._samples.append(scores)

    def _add_head(
        self, case: Case, tally: HeadTally, expected: Array, actual: Array, rows: npt.NDArray[np.int64]
    ) -> None:
        found = measure(expected[rows], actual[rows])
        tally.rows += len(rows)
        tally.differing_rows += int(np.count_nonzero(found.bits))
        tally.differing_bits += int(found.bits.sum())
        if len(rows) == 0:
            return
        counts = np.bincount(np.searchsorted(ULP_EDGES, found.ulp, side="right") - 1, minlength=len(ULP_EDGES))
        tally.histogram = [have + int(more) for have, more in zip(tally.histogram, counts, strict=True)]
        tally.max_ulp = max(tally.max_ulp, int(found.ulp.max()))
        beyond = found.bits > 0 if tally.allowed is None else ~(found.absolute <= tally.allowed)
        tally.beyond += int(np.count_nonzero(beyond))

        def told(position: int) -> Difference:
            row = int(rows[position])
            return Difference(
                "value",
                case,
                repr(float(expected[row])),
                repr(float(actual[row])),
                head=tally.name,
                candidate=row,
                expected_bits=hex_bits(expected[row]),
                actual_bits=hex_bits(actual[row]),
                ulp=int(found.ulp[position]),
                absolute=float(found.absolute[position]),
            )

        largest = int(found.absolute.argmax())
        if found.absolute[largest] > tally.max_abs:
            tally.max_abs = float(found.absolute[largest])
            if self.worst is None or tally.max_abs > (self.worst.absolute or 0.0):
                self.worst = told(largest)
        if beyond.any():
            self._differ(told(int(beyond.argmax())))

    def _add_order(self, case: Case, expected: RouteScores, actual: RouteScores) -> None:
        self.orders += 1
        if expected.dropped != actual.dropped:
            self._differ(Difference("dropped", case, _listed(expected.dropped), _listed(actual.dropped)))
            return
        if expected.order == actual.order:
            self.orders_equal += 1
            return
        score = expected.outputs[SCORE].astype(np.float64)
        tie = 2 * (self.heads[SCORE].allowed or 0.0)
        allowed = self.level == "reference" and within_ties(expected.order, actual.order, score, tie)
        if allowed:
            self.orders_tied += 1
        else:
            rank = next(
                (at for at, (one, other) in enumerate(zip(expected.order, actual.order, strict=False)) if one != other),
                min(len(expected.order), len(actual.order)),
            )
            left, right = (f"from rank {rank + 1}: {_listed(side.order[rank:])}" for side in (expected, actual))
            self._differ(Difference("order", case, left, right))
        self._keep_swaps(case, expected, actual, score, tie)

    def _keep_swaps(self, case: Case, expected: RouteScores, actual: RouteScores, score: Array, tie: float) -> None:
        place = {candidate: rank for rank, candidate in enumerate(expected.order)}
        last = len(expected.order)
        for rank, (first, second) in enumerate(zip(actual.order, actual.order[1:], strict=False), start=1):
            if len(self.swaps) >= _KEPT_SWAPS:
                return
            if place.get(first, last) > place.get(second, last):
                one, two = float(score[first]), float(score[second])
                self.swaps.append(
                    Swap(
                        case,
                        rank,
                        first,
                        second,
                        one,
                        two,
                        self.level == "reference" and (two == one or two - one <= tie),
                    )
                )

    def _differ(self, difference: Difference) -> None:
        self._differs = True
        self.first = self.first or difference


def within_ties(expected: Sequence[int], actual: Sequence[int], score: Array, tie: float) -> bool:
    """Return whether two rankings differ only by swaps of candidates whose baseline scores lie within `tie`.

    Both may be cut at the same length; a candidate on one side of the cut must then be within `tie` of those that
    replaced it.
    """
    if len(expected) != len(actual) or len(set(actual)) != len(actual):
        return False
    if len(actual) == 0:
        return True
    ranked = score[np.asarray(actual, dtype=np.int64)]
    if np.isnan(ranked).any():
        return False
    # inf - inf is NaN, which no tie allows; equal infinities are equal all the same.
    lowest = np.minimum.accumulate(ranked)
    with np.errstate(invalid="ignore"):
        rise = np.where(ranked == lowest, 0.0, ranked - lowest)
        missed = score[np.asarray(sorted(set(expected) - set(actual)), dtype=np.int64)]
        above = np.where(missed == lowest[-1], 0.0, missed - lowest[-1])
    return bool((rise <= tie).all() and (above <= tie).all())


def first_packed_difference(
    expected: Mapping[str, Array] | RouteError, actual: Mapping[str, Array] | RouteError
) -> tuple[str, str] | None:
    """Return both sides of the first difference between packed tensors; None where every bit is the same."""
    if isinstance(expected, RouteError) or isinstance(actual, RouteError):
        return None if expected == actual else (_said(expected), _said(actual))
    if list(expected) != list(actual):
        return f"blocks {', '.join(expected)}", f"blocks {', '.join(actual)}"
    for name, block in expected.items():
        other = actual[name]
        if (block.dtype, block.shape) != (other.dtype, other.shape):
            return f"{name}: {block.dtype} {block.shape}", f"{name}: {other.dtype} {other.shape}"
        if block.tobytes() != other.tobytes():
            width = f"<u{block.dtype.itemsize}"
            left, right = (np.ascontiguousarray(side).view(width) for side in (block, other))
            place = tuple(int(axis) for axis in np.argwhere(left != right)[0])
            at = f"{name}{list(place)}"
            return f"{at} = {_number(block[place])}", f"{at} = {_number(other[place])}"
    return None


def _number(value: np.generic) -> str:
    return f"{value.item()!r} ({hex_bits(value)})"


def _said(answer: RouteScores | RouteError | Mapping[str, Any]) -> str:
    if isinstance(answer, RouteError):
        return str(answer)
    return f"scores for {answer.n} candidates" if isinstance(answer, RouteScores) else "packed tensors"


def _listed(indices: Sequence[int]) -> str:
    shown = ", ".join(str(index) for index in indices[:12])
    return f"[{shown}{', …' if len(indices) > 12 else ''}]"
