"""The engine: every route and the baseline answer one chunk of requests after another, and are compared at once.

Memory holds a few chunks, however many requests there are. A route that fails is out, and the others go on.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from twinrank.bridge._cases import Case, Requests
from twinrank.bridge._chunks import chunks
from twinrank.bridge._errors import UserError
from twinrank.bridge._lane import Lane, Reply, named
from twinrank.bridge._outcomes import PairTally, Split
from twinrank.bridge._parity import RouteTally, add_pair, first_packed_difference
from twinrank.bridge._scorer import (
    CompareLevel,
    Facts,
    Route,
    RouteFailedError,
    RouteOptions,
    RouteScores,
)
from twinrank.bridge._verify import BundleFacts, ParityRun, Progress, level_for
from twinrank.export.bundle import BUNDLE_CODES

_AHEAD = 2
"""Chunks that a route may be ahead of the comparison: the next one is computed while this one is compared."""

_CLOSE_SECONDS = 20.0
_GIVEN_UP_SECONDS = 6.0
_SAMPLED = 48
"""Most requests that are kept for a closer look."""


@dataclass(frozen=True)
class Plan:
    """What is compared with what.

    Attributes:
        bundle: the bundle's facts.
        requests: what is asked.
        routes: the routes to compare.
        baseline: who says what is right.
        options: what routes are opened with.
        deployed: what the routes open instead of the bundle; None for the bundle itself.
        level: the weakest level that counts as equal.
        pairwise: whether to compare every two routes with each other too.
        left_out: passed through to the result.
        seed: what generated requests were made from; None without such.
    """

    bundle: BundleFacts
    requests: Requests
    routes: tuple[Route, ...]
    baseline: Route
    options: RouteOptions = field(default_factory=RouteOptions)
    deployed: BundleFacts | None = None
    level: CompareLevel = "bits"
    pairwise: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None


@dataclass
class Opened:
    """A run whose answers are compared, with scorers still open: for whoever looks closer.

    Attributes:
        plan: what is compared with what.
        base: the baseline's lane.
        sides: every other lane with its tally.
        sample: requests that the baseline scored, spread evenly over the run.
    """

    plan: Plan
    base: Lane
    sides: list[tuple[Lane, RouteTally]]
    sample: list[Case]


def compare(plan: Plan, progress: Progress, looks: Sequence[Callable[[Opened], None]] = ()) -> ParityRun:
    """Ask every route all requests and compare the answers.

    Args:
        plan: what is compared with what.
        progress: hears how it goes on.
        looks: called one after another once everything is compared, while scorers are still open.

    Raises:
        UserError: if every reader that answered refuses the bundle under the same code (its exit code is 1).
    """
    run = _Run(plan, progress)
    patience = _CLOSE_SECONDS
    try:
        run.open()
        run.ask()
        for look in looks:
            look(Opened(plan, run.base, list(zip(run.lanes, run.tallies, strict=True)), run.sample.kept))
        result = run.result()
    except BaseException:
        # Threads cannot be interrupted: the end of the programs that they wait for ends their waits.
        patience = _GIVEN_UP_SECONDS
        enders = [threading.Thread(target=lane.abandon, daemon=True) for lane in run.all]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join(patience)
        raise
    finally:
        for lane in run.all:
            lane.close()
        deadline = time.monotonic() + patience
        for lane in run.all:
            lane.await_close(max(0.0, deadline - time.monotonic()))
    return result


class _Sample:
    """Requests spread evenly over a stream of any length: every s-th, and s doubles when it is too many."""

    def __init__(self) -> None:
        self.kept: list[Case] = []
        self._seen = 0
        self._stride = 1

    def add(self, case: Case) -> None:
        if self._seen % self._stride == 0:
            self.kept.append(case)
            if len(self.kept) > _SAMPLED:
                self.kept = self.kept[::2]
                self._stride *= 2
        self._seen += 1


class _Run:
    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan = plan
        self.progress = progress
        where = plan.bundle.path if plan.deployed is None else plan.deployed.path
        self.base = Lane(plan.baseline, plan.bundle.path, plan.options)
        self.lanes = [Lane(route, where, plan.options) for route in plan.routes]
        self.all = [self.base, *self.lanes]
        self.tallies: list[RouteTally] = []
        self.split: Split | None = None
        self.seconds = 0.0
        self.rows = 0
        self.finished: set[str] = set()
        self.sample = _Sample()
        names = [lane.route.name for lane in self.all]
        self.pairs = (
            {pair: PairTally(names[pair[0]], names[pair[1]]) for pair in itertools.combinations(range(len(names)), 2)}
            if plan.pairwise
            else {}
        )

    def open(self) -> None:
        for lane in self.all:
            self.progress.start(lane.route.name, self.plan.requests.count)
            lane.start()
        for lane in self.all:
            lane.await_open()
        self._check_refusals()
        for lane in self.lanes:
            self.tallies.append(self._tally(lane))

    def _tally(self, lane: Lane) -> RouteTally:
        plan, base, facts = self.plan, self.base, lane.facts
        level: CompareLevel = lane.route.level
        if base.facts is not None and facts is not None:
            level = level_for(
                lane.route,
                base.facts,
                facts,
                plan.options,
                baseline_level=plan.baseline.level,
                demanded=plan.level,
            )
        only_codes = plan.baseline.name == "goldens"
        bundle = plan.bundle
        tally = RouteTally(lane.route, level, bundle.heads, bundle.allowed, exact=bundle.exact, only_codes=only_codes)
        tally.facts = facts
        if lane.failure is None and facts is not None:
            wanted = (plan.deployed or plan.bundle).digest
            if facts.bundle is not None and wanted and facts.bundle != wanted:
                detail = f"it holds {facts.bundle}, not {wanted}: deploy this bundle there, or verify the other one"
                lane.failure = RouteFailedError(lane.route.name, "refused", detail)
        if lane.failure is not None:
            self._out(lane, tally, lane.failure)
        elif base.failure is not None:
            self._out(lane, tally, self._nothing_to_compare_with(lane, base.failure))
        return tally

    def _check_refusals(self) -> None:
        """Tell a bundle that all refuse alike from one that some serve."""
        refused = {
            lane.route.name: lane.failure
            for lane in self.all
            if lane.failure is not None and lane.failure.reason == "refused" and lane.failure.code in BUNDLE_CODES
        }
        if not refused:
            return
        # A route of the reference level holds no bundle, so that it opens says nothing.
        serves = tuple(lane.route.name for lane in self.all if lane.alive and lane.facts and lane.facts.bundle)
        codes = {failure.code for failure in refused.values()}
        first = next(iter(refused.values()))
        if not serves and len(codes) == 1:
            for lane in self.all:
                self._finish(lane, "refused" if lane.route.name in refused else "left")
            where = (
                (self.plan.deployed or self.plan.bundle).path if self.base.failure is None else self.plan.bundle.path
            )
            raise UserError(
                str(first.code),
                f"every reader that was asked refuses {where} ({', '.join(refused)}): {_one_line(first.detail)}",
                "export the bundle again, or copy it anew; `twinrank inspect` says what it is",
                exit_code=1,
            )
        # Under `deployed` the baseline reads another folder: only those that read the same one can be at odds.
        if self.plan.deployed is not None:
            serves = tuple(name for name in serves if name != self.base.route.name)
            refused.pop(self.base.route.name, None)
        if self.plan.deployed is None or (serves and refused):
            self.split = Split(
                serves, {name: f"{failure.code}: {_one_line(failure.detail)}" for name, failure in refused.items()}
            )

    def ask(self) -> None:
        if self.base.alive and any(lane.alive for lane in self.lanes):
            for chunk, expected, replies in self._replies():
                self._compare(chunk, expected, replies)
        if self.base.failure is None:
            speed = f", {self.rows / self.seconds:,.0f} rows/s" if self.seconds > 0 else ""
            self._finish(self.base, f"{self.rows:,} rows{speed}: the baseline")
        else:
            self._finish(self.base, self.base.failure.reason)
        for lane, tally in zip(self.lanes, self.tallies, strict=True):
            self._finish(lane, _outcome(tally))

    def _replies(self) -> Iterator[tuple[tuple[Case, ...], Reply, list[Reply | None]]]:
        """Yield every chunk with the baseline's reply and the routes', None for those that are out."""
        source = chunks(self.plan.requests)
        under_way: deque[tuple[tuple[Case, ...], list[bool]]] = deque()
        while True:
            while len(under_way) < _AHEAD and (chunk := next(source, None)) is not None:
                asked = [lane.alive for lane in self.all]
                for lane, is_asked in zip(self.all, asked, strict=True):
                    if is_asked:
                        lane.ask(chunk)
                under_way.append((chunk, asked))
            if not under_way:
                return
            chunk, asked = under_way.popleft()
            replies = [
                lane.reply() if is_asked and lane.failure is None else None
                for lane, is_asked in zip(self.all, asked, strict=True)
            ]
            if replies[0] is None:
                return
            yield chunk, replies[0], replies[1:]
            if self.base.failure is not None:
                return

    def _compare(self, chunk: tuple[Case, ...], expected: Reply, replies: Sequence[Reply | None]) -> None:
        self.seconds += expected.seconds
        rows = _rows(expected)
        self.rows += rows
        self.progress.advance(self.base.route.name, len(expected.answers), rows)
        for case, side in zip(chunk, expected.answers, strict=False):
            if isinstance(side.answer, RouteScores) and side.answer.n:
                self.sample.add(case)
        same: list[Sequence[bool]] = [[True] * len(expected.answers)]
        for lane, tally, reply in zip(self.lanes, self.tallies, replies, strict=True):
            if reply is None:
                same.append(())
                continue
            tally.seconds += reply.seconds
            # A side that failed answered fewer requests than the other.
            triples = zip(chunk, expected.answers, reply.answers, strict=False)
            same.append([tally.add(case, left, right) for case, left, right in triples])
            self.progress.advance(lane.route.name, len(reply.answers), _rows(reply))
            if reply.failure is not None:
                self._out(lane, tally, reply.failure)
            elif expected.failure is not None:
                self._out(lane, tally, self._nothing_to_compare_with(lane, expected.failure, chunk))
        answers = [expected.answers, *(() if reply is None else reply.answers for reply in replies)]
        for (one, other), pair in self.pairs.items():
            equal = itertools.chain(
                (a and b for a, b in zip(same[one], same[other], strict=False)), itertools.repeat(False)
            )
            for left, right, is_equal in zip(answers[one], answers[other], equal, strict=False):
                add_pair(pair, left, right, equal=is_equal)

    def _nothing_to_compare_with(
        self, lane: Lane, failure: RouteFailedError, chunk: tuple[Case, ...] = ()
    ) -> RouteFailedError:
        since = f" from {named(chunk)} on" if chunk else ""
        detail = f"nothing to compare it with{since}: the baseline {failure.route} {failure.reason}: {failure.detail}"
        return RouteFailedError(lane.route.name, "unavailable", detail)

    def _out(self, lane: Lane, tally: RouteTally, failure: RouteFailedError) -> None:
        tally.fail(failure)
        self._finish(lane, failure.reason)

    def _finish(self, lane: Lane, outcome: str) -> None:
        if lane.route.name not in self.finished:
            self.finished.add(lane.route.name)
            self.progress.finish(lane.route.name, outcome)

    def result(self) -> ParityRun:
        base = self.base
        nobody = Facts(implementation="nobody: the baseline did not open the bundle", runtime="-")
        return ParityRun(
            bundle=self.plan.bundle,
            baseline=base.facts or nobody,
            baseline_seconds=self.seconds,
            baseline_rows=self.rows,
            requests=self.plan.requests.by_source,
            routes=tuple(self.tallies),
            left_out=dict(self.plan.left_out),
            baseline_route=base.route.name,
            pairs=tuple(self.pairs.values()),
            split=self.split,
        )


def _rows(reply: Reply) -> int:
    return sum(side.answer.n for side in reply.answers if isinstance(side.answer, RouteScores))


def _outcome(tally: RouteTally) -> str:
    if tally.failure is not None:
        return tally.failure.reason
    speed = f", {tally.rows / tally.seconds:,.0f} rows/s" if tally.seconds > 0 else ""
    close = tally.status == "equal" and tally.level in ("reference", "order")
    return f"{tally.rows:,} rows{speed}: {'within tolerance' if close else tally.status}"


def _one_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def tell_packed(opened: Opened) -> None:
    """Replace two digests of packed tensors by the first element in which the tensors differ."""
    for lane, tally in opened.sides:
        first = tally.first
        if first is None or first.kind != "packed" or not (lane.alive and opened.base.alive):
            continue
        try:
            sides = [side.pack(first.case.raw) for side in (opened.base, lane)]
        except RouteFailedError:
            continue
        if sides[0] is None or sides[1] is None:
            continue
        told = first_packed_difference(sides[0], sides[1])
        if told is not None:
            tally.first = replace(first, expected=told[0], actual=told[1])
