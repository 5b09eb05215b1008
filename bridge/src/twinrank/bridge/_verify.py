"""What a parity run is about and what it gives: the bundle's facts, the choice of routes, the result, its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from twinrank.bridge import routes as catalogue
from twinrank.bridge._errors import UserError
from twinrank.bridge._origin import raw_scores
from twinrank.bridge._outcomes import PairTally, RunFacts, Split
from twinrank.bridge._parity import RouteTally
from twinrank.bridge._scorer import SCORE, CompareLevel, Facts, Level, Route, RouteLevel, RouteOptions
from twinrank.export.bundle import Allowed, BundleError, read_manifest

Verdict = Literal["equal", "differs", "unknown"]

EXIT_CODES: Mapping[Verdict, int] = {"equal": 0, "differs": 1, "unknown": 2}


class Progress(Protocol):
    """Hears how a run goes on, from one thread.

    Every route is started, then advanced by the requests that it answered, and finished. Routes work side by side, so
    their calls mix.
    """

    def start(self, route: str, requests: int) -> None:
        """A route begins to open its bundle."""

    def advance(self, route: str, requests: int = 1, rows: int = 0) -> None:
        """This many requests more are done, with this many candidates."""

    def finish(self, route: str, outcome: str) -> None:
        """The route is done; `outcome` is a few words."""


class Silent:
    """A Progress for nobody."""

    def start(self, route: str, requests: int) -> None:
        """Say nothing."""

    def advance(self, route: str, requests: int = 1, rows: int = 0) -> None:
        """Say nothing."""

    def finish(self, route: str, outcome: str) -> None:
        """Say nothing."""


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
    exact: frozenset[str] = frozenset()
    """Outputs that are raw scores of trees: their library owes every bit of them."""


@dataclass(frozen=True)
class ParityRun:
    """The result of a parity run.

    Attributes:
        bundle: the bundle's facts.
        baseline: who computed the bits that the others are compared with.
        baseline_seconds: what scoring took the baseline.
        baseline_rows: candidates that the baseline scored.
        requests: how many requests were asked, by source: `golden`, `run`, `file`, `fuzz`.
        routes: one tally a route, in the order in which they were chosen.
        left_out: routes that nobody asked for by name and that lack an input, with the reason.
        baseline_route: whose answers the others are compared with: a route's name, or `goldens`.
        pairs: every two routes compared with each other, the baseline among them; empty where nobody asked.
        split: which readers serve the bundle and which refuse it; None where they are at one.
        made: how, when and where the run was made; None where nobody noted it.
    """

    bundle: BundleFacts
    baseline: Facts
    baseline_seconds: float
    baseline_rows: int
    requests: Mapping[str, int]
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
        if "differs" in states or self.split is not None:
            return "differs"
        return "equal" if states == {"equal"} else "unknown"

    @property
    def exit_code(self) -> int:
        """0 equal, 1 differs, 2 could not tell."""
        return EXIT_CODES[self.verdict]


def select(
    bundle: Path, asked: Sequence[str], options: RouteOptions, *, baseline: str = catalogue.BASELINE
) -> tuple[list[Route], dict[str, str]]:
    """Return the routes to compare with a bundle's baseline, and those left out with the reason.

    Args:
        bundle: the bundle.
        asked: names of routes; none asks for all that lack nothing.
        options: what routes are opened with.
        baseline: the route that is no testee here, or `goldens`.

    Raises:
        UserError: if a name is no route.
    """
    unknown = [name for name in asked if name not in catalogue.names()]
    if unknown:
        raise UserError(
            "unknown_route", f"no route {', '.join(unknown)}", f"choose from {', '.join(catalogue.names())}"
        )
    chosen: list[Route] = []
    left_out: dict[str, str] = {}
    for name in catalogue.names():
        if name == baseline or (asked and name not in asked):
            continue
        route = catalogue.route(name)
        lack = None if asked else _lack(route, bundle, options)
        if lack is None:
            chosen.append(route)
        else:
            left_out[name] = lack
    return chosen, left_out


def _lack(route: Route, bundle: Path, options: RouteOptions) -> str | None:
    try:
        return route.lacks(bundle, options)
    except BundleError as error:
        return f"needs to know where the bundle came from, and its manifest cannot be read: {error.code}"


_WEAKER: Mapping[CompareLevel, int] = {"bits": 0, "trees": 1, "reference": 2, "order": 3}


def level_for(
    route: Route,
    baseline: Facts,
    facts: Facts,
    options: RouteOptions,
    *,
    baseline_level: RouteLevel = "bits",
    demanded: CompareLevel = "bits",
) -> CompareLevel:
    """Return the level at which a route is compared: bits are promised within one host class only.

    Args:
        route: the route.
        baseline: who says what is right.
        facts: who answers.
        options: `require = reference` permits the tolerance between host classes; else a route on another one is
            still compared by bits.
        baseline_level: what the baseline promises.
        demanded: the weakest level that the caller takes for equal; no route is held to more than it promises.
    """
    elsewhere = None not in (facts.host_class, baseline.host_class) and facts.host_class != baseline.host_class
    between: Level = "reference" if elsewhere and options.require == "reference" else "bits"
    levels: tuple[CompareLevel, ...] = (route.level, baseline_level, between, demanded)
    return max(levels, key=_WEAKER.__getitem__)


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
        exact=raw_scores(manifest),
    )


def facts_or_names(path: Path) -> BundleFacts:
    """Return a bundle's facts; of one whose manifest cannot be read, what its folders' names say.

    Every route is asked about such a bundle too: a reader that takes it would be the worst finding.
    """
    try:
        return bundle_facts(path)
    except BundleError:
        whole = path.resolve()
        return BundleFacts(path, whole.parent.name, whole.name, "", {SCORE: "float32"}, {SCORE: 0.0}, "")
