"""A parity run: every route over every request, compared with the baseline, with progress for whoever waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from twinrank.bridge import routes as catalogue
from twinrank.bridge._cases import Case
from twinrank.bridge._errors import UserError
from twinrank.bridge._outcomes import PairTally, RunFacts, Split
from twinrank.bridge._parity import Answer, RouteTally
from twinrank.bridge._scorer import SCORE, Facts, Level, Route, RouteFailedError, RouteOptions, RouteScores, Scorer
from twinrank.export.bundle import Allowed, read_manifest

Verdict = Literal["equal", "differs", "unknown"]

EXIT_CODES: Mapping[Verdict, int] = {"equal": 0, "differs": 1, "unknown": 2}


class Progress(Protocol):
    """Hears how a run goes on. Every route is started, advanced as it answers, and finished, in this order."""

    def start(self, route: str, requests: int) -> None:
        """A route begins to open its bundle."""

    def advance(self, route: str, requests: int = 1, rows: int = 0) -> None:
        """This many requests more are done, with this many candidates; threads of several routes may say so at once."""

    def finish(self, route: str, outcome: str) -> None:
        """The route is done; `outcome` is a few words."""


@dataclass(frozen=True)
class BundleFacts:
    """What the manifest says and a report repeats."""

    path: Path
    name: str
    version: str
    digest: str
    heads: Mapping[str, str]
    allowed: Mapping[str, float]
    host_class: str
    findings: tuple[Allowed, ...] = ()


@dataclass(frozen=True)
class ParityRun:
    """The result of a parity run.

    Attributes:
        bundle: the bundle's facts.
        baseline: who computed the bits that the others are compared with.
        baseline_seconds: what scoring took the baseline.
        baseline_rows: candidates that the baseline scored.
        cases: the requests.
        routes: one tally a route, in the order they ran.
        left_out: routes that nobody asked for by name and that lack an input, with the reason.
        baseline_route: whose answers the others are compared with: a route's name, or `goldens`.
        pairs: every two routes compared with each other; empty where nobody asked.
        split: which readers serve the bundle and which refuse it; None where they are at one.
        made: how, when and where the run was made; None where nobody noted it.
    """

    bundle: BundleFacts
    baseline: Facts
    baseline_seconds: float
    baseline_rows: int
    cases: tuple[Case, ...]
    routes: tuple[RouteTally, ...]
    left_out: Mapping[str, str]
    baseline_route: str = catalogue.BASELINE
    pairs: tuple[PairTally, ...] = ()
    split: Split | None = None
    made: RunFacts | None = None

    @property
    def verdict(self) -> Verdict:
        """`differs` if one route does; `equal` if every chosen route is; else `unknown`: no evidence is not green."""
        states = {tally.status for tally in self.routes}
        if "differs" in states:
            return "differs"
        return "equal" if states == {"equal"} else "unknown"

    @property
    def exit_code(self) -> int:
        """0 equal, 1 differs, 2 could not tell."""
        return EXIT_CODES[self.verdict]


def select(bundle: Path, asked: Sequence[str], options: RouteOptions) -> tuple[list[Route], dict[str, str]]:
    """Return the routes to compare with a bundle's baseline, and those left out with the reason.

    Raises:
        UserError: if a name is no route.
        BundleError: if layout or manifest are not of the contract.
    """
    unknown = [name for name in asked if name not in catalogue.names()]
    if unknown:
        raise UserError(
            "unknown_route", f"no route {', '.join(unknown)}", f"choose from {', '.join(catalogue.names())}"
        )
    chosen: list[Route] = []
    left_out: dict[str, str] = {}
    for name in catalogue.names():
        if name == catalogue.BASELINE or (asked and name not in asked):
            continue
        route = catalogue.route(name)
        lack = None if asked else route.lacks(bundle, options)
        if lack is None:
            chosen.append(route)
        else:
            left_out[name] = lack
    return chosen, left_out


def verify(
    bundle: BundleFacts,
    cases: Sequence[Case],
    chosen: Iterable[Route],
    options: RouteOptions,
    progress: Progress,
    *,
    left_out: Mapping[str, str] | None = None,
) -> ParityRun:
    """Run every chosen route over the requests and compare it with the baseline.

    Args:
        bundle: the bundle, from `bundle_facts`.
        cases: the requests; at least one.
        chosen: routes to compare; see `select`.
        options: what routes are opened with.
        progress: hears how it goes on.
        left_out: passed through to the result.

    Raises:
        BundleError: if the baseline's reader refuses the bundle: then there is nothing to compare with.
    """
    base = catalogue.route(catalogue.BASELINE)
    progress.start(base.name, len(cases))
    with base.open(bundle.path, options) as scorer:
        baseline = scorer.facts()
        expected = [_answer_and_tell(scorer, case, base.name, progress) for case in cases]
    seconds = sum(answer.seconds for answer in expected)
    rows = sum(answer.scored.n for answer in expected if isinstance(answer.scored, RouteScores))
    speed = f", {rows / seconds:,.0f} rows/s" if seconds > 0 else ""
    progress.finish(base.name, f"{rows:,} rows{speed}: the baseline")
    tallies = [_compare(route, bundle, baseline, cases, expected, options, progress) for route in chosen]
    return ParityRun(
        bundle, baseline, seconds, rows, tuple(cases), tuple(tallies), dict(left_out or {}), split=_split(tallies)
    )


def _split(tallies: Sequence[RouteTally]) -> Split | None:
    """Return who serves the bundle and who refuses it; the baseline's reader serves it where a run got so far."""
    refuses = {
        tally.route: tally.failure.detail
        for tally in tallies
        if tally.failure is not None and tally.failure.reason == "refused"
    }
    serves = [tally.route for tally in tallies if tally.facts is not None and tally.route not in refuses]
    return Split((catalogue.BASELINE, *serves), refuses) if refuses else None


def _compare(
    route: Route,
    bundle: BundleFacts,
    baseline: Facts,
    cases: Sequence[Case],
    expected: Sequence[Answer],
    options: RouteOptions,
    progress: Progress,
) -> RouteTally:
    tally = RouteTally(route, route.level, bundle.heads, bundle.allowed)
    progress.start(route.name, len(cases))
    try:
        with ExitStack() as stack:
            scorer = stack.enter_context(route.open(bundle.path, options))
            facts = scorer.facts()
            tally = RouteTally(route, level_for(route, baseline, facts, options), bundle.heads, bundle.allowed)
            tally.facts = facts
            if facts.bundle not in (None, bundle.digest):
                raise RouteFailedError(
                    route.name,
                    "refused",
                    f"it holds {facts.bundle}, not {bundle.digest}: deploy this bundle there, or verify the other one",
                )
            for case, answer in zip(cases, expected, strict=True):
                tally.add(case, answer, _answer_and_tell(scorer, case, route.name, progress))
    except RouteFailedError as failure:
        tally.fail(failure)
    progress.finish(route.name, _outcome(tally))
    return tally


def level_for(route: Route, baseline: Facts, facts: Facts, options: RouteOptions) -> Level:
    """Return the level at which a route is compared: bits are promised within one host class only.

    A route on another host class is compared at level reference where the caller permits that (`require =
    reference`), else still by bits.
    """
    elsewhere = facts.host_class is not None and facts.host_class != baseline.host_class
    return "reference" if elsewhere and options.require == "reference" else route.level


def _answer_and_tell(scorer: Scorer, case: Case, route: str, progress: Progress) -> Answer:
    packed = scorer.pack(case.raw)
    began = time.perf_counter()
    answer = Answer(packed, scorer.score(case.raw), time.perf_counter() - began)
    progress.advance(route, 1, answer.scored.n if isinstance(answer.scored, RouteScores) else 0)
    return answer


def _outcome(tally: RouteTally) -> str:
    if tally.failure is not None:
        return tally.failure.reason
    speed = f", {tally.rows / tally.seconds:,.0f} rows/s" if tally.seconds > 0 else ""
    close = tally.status == "equal" and tally.level == "reference"
    return f"{tally.rows:,} rows{speed}: {'within tolerance' if close else tally.status}"


def bundle_facts(path: Path) -> BundleFacts:
    """Return the facts of a bundle from its manifest.

    Raises:
        BundleError: if layout or manifest are not of the contract.
    """
    manifest = read_manifest(path)
    outputs = {**{head.name: head.dtype for head in manifest.heads}, SCORE: manifest.score.dtype}
    return BundleFacts(
        path=path,
        name=manifest.name,
        version=path.resolve().name,
        digest=f"sha256:{manifest.digest.removeprefix('sha256:')}",
        heads=outputs,
        allowed={name: manifest.tolerances[name].a for name in outputs},
        host_class=manifest.host_class,
        findings=manifest.allowed,
    )
