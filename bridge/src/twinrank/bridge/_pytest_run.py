"""What the pytest plugin does once somebody asks: settings, the choice of bundles and routes, runs, and messages."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from twinrank.bridge import routes as catalogue
from twinrank.bridge._api import compare, fuzzed
from twinrank.bridge._cases import Case, collect, listed
from twinrank.bridge._errors import UserError, explain
from twinrank.bridge._isolated import isolated
from twinrank.bridge._lockstep import Plan
from twinrank.bridge._pytest_log import LOG
from twinrank.bridge._pytest_text import outcome_line, told
from twinrank.bridge._scorer import CompareLevel, Level, Route, RouteFailedError, RouteOptions, Scorer
from twinrank.bridge._verify import ParityRun, Silent, facts_or_names, select
from twinrank.bridge._writing import write
from twinrank.export.bundle import BundleError

_VERSION = re.compile("[1-9][0-9]{0,17}")
_T = TypeVar("_T")
_SEED = 7
_KNOWN = pytest.StashKey[dict[tuple[str, str], Any]]()


@dataclass(frozen=True)
class Settings:
    """What was given on the command line or in the configuration file.

    Attributes:
        bundles: bundle directories, directories of models resolved.
        routes: names that were asked for; empty asks for all.
        requests: file of raw requests; None for the goldens alone.
        report: where reports go; None writes none.
        options: what routes are opened with.
        fuzz: how many requests to make from each bundle's schema.
        seed: what they are made from.
    """

    bundles: tuple[Path, ...]
    routes: tuple[str, ...]
    requests: Path | None
    report: Path | None
    options: RouteOptions
    fuzz: int
    seed: int


@dataclass(frozen=True)
class Missing:
    """Stands in a test's parameters for what could not be chosen, so that the test is an error and no skip."""

    why: str


@dataclass(frozen=True)
class Proof:
    """What was compared, and equal.

    Attributes:
        bundle: `name/version`.
        route: the route's name.
        level: `bits`, or `trees` where raw scores had to be a library's to the bit, or `reference` where the bundle's
            tolerance applied, or `order` where rankings alone counted.
        requests: requests that both sides answered or refused alike.
        rows: candidates whose outputs were compared; never 0.
    """

    bundle: str
    route: str
    level: CompareLevel
    requests: int
    rows: int


class DifferenceError(AssertionError):
    """A route's answers differ; the message is the finding."""


class NoAnswerError(Exception):
    """A bundle cannot be verified over any route: the baseline refuses it, or its requests cannot be read."""


def settings(config: pytest.Config) -> Settings:
    """Return what was given.

    Raises:
        pytest.UsageError: if a value is not of its kind, or a path is no bundle and holds none.
    """

    def value(name: str) -> Any:
        given = config.getoption(f"twinrank_{name}")
        return config.getini(f"twinrank_{name}") if given is None else given

    def path(name: str) -> Path | None:
        given = config.getoption(f"twinrank_{name}")
        if given is not None:
            return Path(given)
        # As pytest does for its own paths: what a file says is relative to the file.
        noted = config.getini(f"twinrank_{name}")
        home = config.rootpath if config.inipath is None else config.inipath.parent
        return home / noted if noted else None

    wish = value("require") or "bits"
    if wish not in ("bits", "reference"):
        raise pytest.UsageError(f"twinrank: require is {wish!r}; give bits or reference")
    require: Level = "reference" if wish == "reference" else "bits"

    def number(name: str, otherwise: float, low: float, kind: type[int] | type[float], said: str) -> float:
        noted = value(name)
        try:
            read = otherwise if noted in (None, "") else kind(noted)
        except ValueError:
            read = -1
        if not low <= read < float("inf"):
            raise pytest.UsageError(f"twinrank: {name} is {noted!r}; give {said}")
        return read

    timeout = number("timeout", 60.0, 0.001, float, "seconds above 0, 60 for example")
    options = RouteOptions(
        require=require, against=value("against") or None, gateway=path("gateway"), score_timeout=timeout
    )
    found = [bundle for each in value("bundle") or () for bundle in bundles_at(Path(each))]
    return Settings(
        bundles=tuple(dict.fromkeys(found)),
        routes=tuple(dict.fromkeys(value("route") or ())),
        requests=path("requests"),
        report=path("report"),
        options=options,
        fuzz=int(number("fuzz", 0, 0, int, "how many requests to make, 1000 for example")),
        seed=int(number("seed", _SEED, 0, int, "an integer from 0")),
    )


def bundles_at(path: Path) -> list[Path]:
    """Return the bundle that lies here, or the newest version of each model below.

    Raises:
        pytest.UsageError: if there is neither.
    """
    if (path / "manifest.json").is_file():
        return [path]
    if not path.is_dir():
        raise pytest.UsageError(
            f"twinrank: no directory {path}; give a bundle (the folder of a manifest.json) or a folder of models"
        )
    newest = _newest(path)
    if newest is not None:
        return [newest]
    models = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
    found = [version for model in models if (version := _newest(model)) is not None]
    if not found:
        raise pytest.UsageError(
            f"twinrank: {path} holds no bundle; a bundle is the folder of a manifest.json,"
            f" models lie at {path}/<name>/<version>"
        )
    return found


def _newest(model: Path) -> Path | None:
    versions = [each for each in model.iterdir() if each.is_dir() and _VERSION.fullmatch(each.name)]
    return max(versions, key=lambda each: int(each.name), default=None)


def labels(bundles: Sequence[Path]) -> dict[Path, str]:
    """Return `name/version` for each bundle, and the whole path where two would be called alike."""
    short = {bundle: "/".join(bundle.resolve().parts[-2:]) for bundle in bundles}
    names = list(short.values())
    return {bundle: name if names.count(name) == 1 else str(bundle) for bundle, name in short.items()}


def choose(config: pytest.Config, given: Settings, bundle: Path) -> tuple[list[Route], dict[str, str]]:
    """Return the routes to verify a bundle over, and those left out because they lack an input, with the reason.

    Raises:
        pytest.UsageError: if a name is no route, or two routes have one name.
        BundleError: if layout or manifest are not of the contract.
    """
    own: dict[str, Route] = {}
    for route in (each for routes in config.hook.pytest_twinrank_routes(config=config) for each in routes):
        if route.name in own or route.name in catalogue.names():
            raise pytest.UsageError(f"twinrank: pytest_twinrank_routes gives {route.name!r}, which is a route already")
        own[route.name] = route
    names = (*catalogue.names()[1:], *own)
    unknown = [name for name in given.routes if name not in names]
    if unknown:
        why = "; ort is what the others are compared with" if catalogue.BASELINE in unknown else ""
        raise pytest.UsageError(f"twinrank: no route {', '.join(unknown)}; choose from {', '.join(names)}{why}")
    built = [name for name in given.routes if name not in own]
    chosen, left_out = select(bundle, built, given.options) if built or not given.routes else ([], {})
    # A JVM in this process would meet pytest's faulthandler, which takes the signal that HotSpot needs.
    chosen = [isolated() if route.name == "jpype" else route for route in chosen]
    for route in own.values():
        lack = None if given.routes else route.lacks(bundle, given.options)
        if lack is not None:
            left_out[route.name] = lack
        elif not given.routes or route.name in given.routes:
            chosen.append(route)
    return chosen, left_out


def parameters(config: pytest.Config, wanted: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Return the values and ids of a test that wants bundles, routes, or both; `Missing` where there are none."""
    # pytest takes a session's fixture for another one unless its parameter is the same object.
    known = config.stash.setdefault(_KNOWN, {})
    pairs: dict[tuple[str, ...], tuple[Any, ...]] = {}
    try:
        given = settings(config)
        named = labels(given.bundles)
        for bundle in given.bundles:
            for route in choose(config, given, bundle)[0]:
                texts = {"twinrank_bundle": named[bundle], "twinrank_route": route.name}
                values: dict[str, Any] = {"twinrank_bundle": bundle, "twinrank_route": route}
                key = tuple(texts[name] for name in wanted)
                pairs.setdefault(key, tuple(known.setdefault((name, texts[name]), values[name]) for name in wanted))
        why = "no bundle was given: add --twinrank-bundle PATH, or twinrank_bundle to pytest's configuration file"
        missing = None if pairs else ("none given", why)
    except (pytest.UsageError, BundleError, UserError) as error:
        missing = ("unusable", explained(error))
    if missing is not None:
        pairs = {(missing[0],) * len(wanted): (Missing(missing[1]),) * len(wanted)}
    columns = [pair if len(wanted) > 1 else pair[0] for pair in pairs.values()]
    return columns, ["-".join(key) for key in pairs]


def given(value: object, kind: type[_T]) -> _T:
    """Return a fixture's parameter; where there is none, end the test with an error that says why."""
    if isinstance(value, Missing):
        pytest.fail(f"twinrank: {value.why}", pytrace=False)
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


@contextmanager
def opened(config: pytest.Config, bundle: Path, route: Route) -> Iterator[Scorer]:
    """Open a bundle over a route, and close it."""
    with _readable():
        scorer = route.open(bundle, settings(config).options)
    with scorer as inside:
        yield inside


def run(
    given: Settings,
    bundle: Path,
    routes: Sequence[Route],
    *,
    requests: Iterable[bytes] | None = None,
    left_out: Mapping[str, str] | None = None,
    report: Path | None = None,
) -> ParityRun:
    """Verify a bundle over routes, and write the report where one is wanted.

    Args:
        given: the settings.
        bundle: bundle directory.
        routes: at least one.
        requests: raw requests instead of those of the settings' file; None takes that.
        left_out: passed through to the result.
        report: the report's folder; None writes none.

    Raises:
        UserError: if every reader refuses the bundle, or a file of requests cannot be read.
    """
    more = listed([Case("test", number, raw) for number, raw in enumerate(requests or (), start=1)])
    drawn = (fuzzed(bundle, given.fuzz, given.seed),) if given.fuzz else ()
    cases = collect(bundle, requests=given.requests if requests is None else None, more=(*more.sources, *drawn))
    plan = Plan(
        bundle=facts_or_names(bundle),
        requests=cases,
        routes=tuple(routes),
        baseline=catalogue.route(catalogue.BASELINE),
        options=given.options,
        left_out=left_out or {},
        seed=given.seed if given.fuzz else None,
    )
    result = compare(plan, Silent())
    if report is not None:
        write(result, report)
    return result


class Parity:
    """Verifies one bundle over one route and asserts that all is equal; the fixture `twinrank_parity`."""

    def __init__(self, config: pytest.Config) -> None:
        """Remember the configuration; nothing is read before the first call."""
        self._config = config

    def __call__(self, bundle: Path | str, route: Route | str, requests: Iterable[bytes] | None = None) -> Proof:
        """Verify.

        Args:
            bundle: bundle directory.
            route: a route, or a name of `--twinrank-route`.
            requests: raw requests to send beside the goldens, instead of those of the settings' file.

        Raises:
            AssertionError: if anything differs; the message is the finding.
        """
        __tracebackhide__ = True
        given, bundle = settings(self._config), Path(bundle)
        with _readable():
            chosen = self._named(given, bundle, route) if isinstance(route, str) else route
            folder = None if given.report is None else given.report / report_name(given, bundle, chosen.name)
            result = run(given, bundle, [chosen], requests=requests, report=folder)
        note(self._config, result)
        [tally] = result.routes
        if tally.status == "differs":
            raise DifferenceError(told(result, tally, folder))
        if tally.status != "equal":
            pytest.fail(told(result, tally, folder), pytrace=False)
        label = f"{result.bundle.name}/{result.bundle.version}"
        return Proof(label, tally.route, tally.level, tally.requests, tally.rows)

    def _named(self, given: Settings, bundle: Path, name: str) -> Route:
        from dataclasses import replace

        [route] = choose(self._config, replace(given, routes=(name,)), bundle)[0]
        return route


def report_name(given: Settings, bundle: Path, *more: str) -> str:
    """Return the name of a report's folder: `ml100k-1`, or `ml100k-1-probe` for one route alone.

    Where several of the given bundles have that name and version, the folder's path tells their reports apart.
    """
    place = bundle.resolve()
    label = place.parts[-2:]
    if any(other.resolve() != place and other.resolve().parts[-2:] == label for other in given.bundles):
        more = (*more, hashlib.sha256(os.fsencode(place)).hexdigest()[:8])
    return "-".join((*label, *more))


def note(config: pytest.Config, result: ParityRun) -> None:
    """Add a run to the summary."""
    lines = config.stash.setdefault(LOG, [])
    lines += [outcome_line(result, tally) for tally in result.routes]
    lines += [
        f"{result.bundle.name}/{result.bundle.version}: {each} left out: {why}" for each, why in result.left_out.items()
    ]


def explained(error: BaseException) -> str:
    """Return an error as lines for a person: what was given, what is allowed, what to do."""
    lines = explain(error)
    return str(error) if lines is None else "\n".join(lines[0])


@contextmanager
def _readable() -> Iterator[None]:
    """End the test with one readable message where a person can act on what happened, without a traceback of ours."""
    __tracebackhide__ = True
    try:
        yield
    except (BundleError, UserError, RouteFailedError, pytest.UsageError) as error:
        pytest.fail(explained(error), pytrace=False)
