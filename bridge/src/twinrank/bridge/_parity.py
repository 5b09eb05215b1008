"""Compares one route's answers with the baseline's, and keeps what a person needs to believe or to debug the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from twinrank.bridge._cases import FUZZ, Case
from twinrank.bridge._findings import Finding
from twinrank.bridge._outcomes import InvarianceTally, PairTally, RefusalTally
from twinrank.bridge._scorer import (
    SCORE,
    Array,
    CompareLevel,
    Facts,
    Route,
    RouteError,
    RouteFailedError,
    RouteScores,
    Scored,
    UnaskedError,
)
from twinrank.bridge._values import hex_bits, measure

Status = Literal["equal", "differs", "unknown"]

Rows = slice | npt.NDArray[np.int64]
"""An index of candidates."""

_KEPT_SWAPS = 20
_KEPT_SAMPLES = 1_500
ULP_EDGES = (0, 1, 2, 4, 8, 16, 32, 64, 256, 1024, 65536)
"""Lower edges of the ULP histogram's bins: 0, 1, 2-3, 4-7, … and the last one open."""


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
    """One head's sums. `allowed` is the bundle's tolerance a; None where every bit must be equal (`_allowed`).

    At level order, `beyond` counts and decides nothing. `unjudged` counts rows of generated requests that are further
    apart than `allowed`: a was measured at export on requests as people send them, and says nothing of others.
    """

    name: str
    dtype: str
    allowed: float | None
    rows: int = 0
    differing_rows: int = 0
    differing_bits: int = 0
    beyond: int = 0
    unjudged: int = 0
    max_ulp: int = 0
    max_abs: float = 0.0
    histogram: list[int] = field(default_factory=lambda: [0] * len(ULP_EDGES))


class RouteTally:
    """Everything that one route's comparison has shown so far.

    Attributes:
        first: the first difference.
        sides: the baseline's and the route's whole answers to the request of `first`.
        finding: where the difference begins and why, once somebody looked.
        invariance: what asking in other slates gave; None where nobody asked.
        slate: the first candidate whose bits another slate changed.
        unasked: requests that the route's protocol cannot say, by reason; they are in no other number.
    """

    def __init__(
        self,
        route: Route,
        level: CompareLevel,
        heads: Mapping[str, str],
        allowed: Mapping[str, float],
        *,
        exact: frozenset[str] = frozenset(),
        only_codes: bool = False,
    ) -> None:
        """Start with nothing compared.

        Args:
            route: the route.
            level: `bits`, or `trees` to compare the score and `exact` by bits and the others within `allowed`, or
                `reference` to compare all within it, or `order` to compare rankings alone.
            heads: dtype by output name, in the bundle's order, the score last.
            allowed: a by output name; not used at level bits.
            exact: outputs of which every bit is owed at level trees, beside the score.
            only_codes: whether refusals are compared by code alone: goldens store no feature and candidate.
        """
        self.route = route.name
        self.summary = route.summary
        self.level = level
        self.heads = {
            name: HeadTally(name, dtype, _allowed(level, name, allowed, exact)) for name, dtype in heads.items()
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
        self.unasked: Counter[str] = Counter()
        self.invariance: InvarianceTally | None = None
        self.finding: Finding | None = None
        self.sides: tuple[Scored, Scored] | None = None
        self.slate: Difference | None = None
        self._only_codes = only_codes
        self._differs = False
        self._samples = _Samples()

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

    def differ(self, difference: Difference) -> None:
        """Note a difference; the first one is kept."""
        self._differs = True
        self.first = self.first or difference

    def samples(self) -> tuple[Array, Array]:
        """Return at most 1,500 pairs (baseline score, route score), float64, evenly spread over all rows."""
        return self._samples.kept()

    def add(self, case: Case, expected: Scored, actual: Scored) -> bool:
        """Compare one request's two answers.

        Returns: whether no bit of them differs, where both show values.
        """
        if isinstance(actual.answer, UnaskedError):
            self.unasked[actual.answer.code] += 1
            return False
        self.requests += 1
        had = self.first
        same = self._add_packed(case, expected.packed, actual.packed)
        if isinstance(expected.answer, RouteError) or isinstance(actual.answer, RouteError):
            same = self._add_refusal(case, expected.answer, actual.answer)
        else:
            same &= self._add_scores(case, expected.answer, actual.answer)
        if had is None and self.first is not None:
            self.sides = (expected, actual)
        return same

    def _add_refusal(self, case: Case, expected: RouteScores | RouteError, actual: RouteScores | RouteError) -> bool:
        self.errors += 1
        left, right = (side.code if isinstance(side, RouteError) else None for side in (expected, actual))
        found = next((tally for tally in self.refusals if (tally.expected, tally.actual) == (left, right)), None)
        if found is None:
            found = RefusalTally(left, right)
            self.refusals.append(found)
        found.count += 1
        same = left == right if self._only_codes else expected == actual
        found.agreed += same
        self.errors_agreed += same
        if not same:
            self.differ(Difference("error", case, _said(expected), _said(actual)))
        return same

    def _add_packed(self, case: Case, expected: int | None, actual: int | None) -> bool:
        if expected is None or actual is None:
            return True
        self.packed += 1
        if expected == actual:
            self.packed_equal += 1
            return True
        left, right = (f"tensors with digest {side:016x}" for side in (expected, actual))
        self.differ(Difference("packed", case, left, right))
        return False

    def _add_scores(self, case: Case, expected: RouteScores, actual: RouteScores) -> bool:
        if (expected.n, tuple(expected.outputs)) != (actual.n, tuple(actual.outputs)) or (
            tuple(expected.outputs) != tuple(self.heads)
        ):
            left, right = (f"n = {side.n}, outputs {', '.join(side.outputs)}" for side in (expected, actual))
            self.differ(Difference("shape", case, left, right))
            return False
        rows = known_rows(expected, actual)
        same = True
        for name, tally in self.heads.items():
            same &= self._add_head(case, tally, expected.outputs[name], actual.outputs[name], rows)
        same &= self._add_order(case, expected, actual)
        self._samples.add(expected.outputs[SCORE][rows], actual.outputs[SCORE][rows])
        return same

    def _add_head(self, case: Case, tally: HeadTally, expected: Array, actual: Array, rows: Rows) -> bool:
        left, right = expected[rows], actual[rows]
        tally.rows += len(left)
        if left.dtype == right.dtype and left.tobytes() == right.tobytes():
            # What is equal byte by byte is equal by every measure, and nearly everything is.
            tally.histogram[0] += len(left)
            return True
        found = measure(left, right)
        differing = int(np.count_nonzero(found.bits))
        tally.differing_rows += differing
        tally.differing_bits += int(found.bits.sum())
        counts = np.bincount(np.searchsorted(ULP_EDGES, found.ulp, side="right") - 1, minlength=len(ULP_EDGES))
        tally.histogram = [have + int(more) for have, more in zip(tally.histogram, counts, strict=True)]
        tally.max_ulp = max(tally.max_ulp, int(found.ulp.max()))
        beyond = found.bits > 0 if tally.allowed is None else ~(found.absolute <= tally.allowed)
        judged = tally.allowed is None or case.source != FUZZ
        if judged:
            tally.beyond += int(np.count_nonzero(beyond))
        else:
            tally.unjudged += int(np.count_nonzero(beyond))
        numbers = np.arange(len(expected))[rows]

        def told(position: int) -> Difference:
            row = int(numbers[position])
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
        if judged and self.level != "order" and beyond.any():
            self.differ(told(int(beyond.argmax())))
        return differing == 0

    def _add_order(self, case: Case, expected: RouteScores, actual: RouteScores) -> bool:
        self.orders += 1
        if expected.dropped != actual.dropped:
            self.differ(Difference("dropped", case, _listed(expected.dropped), _listed(actual.dropped)))
            return False
        if expected.order == actual.order:
            self.orders_equal += 1
            return True
        score = expected.outputs[SCORE].astype(np.float64)
        tie = 2 * (self.heads[SCORE].allowed or 0.0)
        allowed = not self._exact_order and within_ties(expected.order, actual.order, score, tie)
        if allowed:
            self.orders_tied += 1
        elif not self._exact_order and case.source == FUZZ:
            return False
        else:
            rank = next(
                (at for at, (one, other) in enumerate(zip(expected.order, actual.order, strict=False)) if one != other),
                min(len(expected.order), len(actual.order)),
            )
            left, right = (f"from rank {rank + 1}: {_listed(side.order[rank:])}" for side in (expected, actual))
            self.differ(Difference("order", case, left, right))
        self._keep_swaps(case, expected, actual, score, tie)
        return False

    @property
    def _exact_order(self) -> bool:
        """Whether the score's bits are owed, and with them the whole ranking."""
        return self.level in ("bits", "trees")

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
                        not self._exact_order and (two == one or two - one <= tie),
                    )
                )


def _allowed(level: CompareLevel, name: str, allowed: Mapping[str, float], exact: frozenset[str]) -> float | None:
    """Return a head's tolerance; None where every bit is owed."""
    if level == "bits" or (level == "trees" and (name == SCORE or name in exact)):
        return None
    return allowed[name]


class _Samples:
    """Pairs of scores, evenly spread over a stream of any length: every s-th row, and s doubles when it is too many."""

    def __init__(self) -> None:
        self._stride = 1
        self._seen = 0
        self._count = 0
        self._pairs: list[tuple[Array, Array]] = []

    def add(self, expected: Array, actual: Array) -> None:
        chosen = slice(-self._seen % self._stride, None, self._stride)
        self._seen += len(expected)
        left = expected[chosen]
        if not len(left):
            return
        self._pairs.append((left.astype(np.float64), actual[chosen].astype(np.float64)))
        self._count += len(left)
        if self._count > 2 * _KEPT_SAMPLES:
            while self._count > _KEPT_SAMPLES:
                one, other = (side[::2] for side in self._joined())
                self._pairs, self._count = [(one, other)], len(one)
                self._stride *= 2

    def kept(self) -> tuple[Array, Array]:
        expected, actual = self._joined()
        chosen = np.unique(np.linspace(0, len(expected) - 1, min(len(expected), _KEPT_SAMPLES)).astype(np.int64))
        return expected[chosen], actual[chosen]

    def _joined(self) -> tuple[Array, Array]:
        if not self._pairs:
            return np.zeros(0), np.zeros(0)
        one, other = (np.concatenate([pair[side] for pair in self._pairs]) for side in (0, 1))
        return one, other


def known_rows(one: RouteScores, other: RouteScores) -> Rows:
    """Return an index of the candidates whose values both show; a slice where those are all, which copies nothing."""
    known = one.known & other.known
    return slice(None) if bool(known.all()) else np.flatnonzero(known)


def add_pair(tally: PairTally, one: Scored, other: Scored, *, equal: bool) -> None:
    """Compare two routes' answers to one request.

    Args:
        tally: where to add it.
        one: the one route's answer.
        other: the other's.
        equal: whether both are known to be equal to a third in everything that they show.
    """
    left, right = one.answer, other.answer
    if isinstance(left, UnaskedError) or isinstance(right, UnaskedError):
        return
    tally.requests += 1
    if isinstance(left, RouteError) or isinstance(right, RouteError):
        tally.disagreed += not (equal or left == right)
        return
    if not equal and (left.n, tuple(left.outputs)) != (right.n, tuple(right.outputs)):
        tally.disagreed += 1
        return
    rows = known_rows(left, right)
    shown = left.n if isinstance(rows, slice) else len(rows)
    tally.rows += shown
    if equal:
        return
    differing = np.zeros(shown, np.bool_)
    for name, values in left.outputs.items():
        a, b = values[rows], right.outputs[name][rows]
        if a.dtype != b.dtype or a.tobytes() != b.tobytes():
            bits = measure(a, b).bits
            differing |= bits > 0
            tally.differing_bits += int(bits.sum())
    tally.differing_rows += int(np.count_nonzero(differing))
    tally.disagreed += (left.order, left.dropped) != (right.order, right.dropped)


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


def _said(answer: RouteScores | RouteError | Mapping[str, Array]) -> str:
    if isinstance(answer, RouteError):
        return str(answer)
    return f"scores for {answer.n} candidates" if isinstance(answer, RouteScores) else "packed tensors"


def _listed(indices: Sequence[int]) -> str:
    shown = ", ".join(str(index) for index in indices[:12])
    return f"[{shown}{', …' if len(indices) > 12 else ''}]"
