"""Verifying a bundle from a program: no printing, no signal handlers, and no exit code but in the result."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from twinrank.bridge import _lockstep, _looks
from twinrank.bridge import routes as catalogue
from twinrank.bridge._cases import FUZZ, Source, collect
from twinrank.bridge._errors import UserError
from twinrank.bridge._goldens import GOLDENS
from twinrank.bridge._lockstep import Plan
from twinrank.bridge._origin import check_run
from twinrank.bridge._scorer import CompareLevel, Level, RouteOptions
from twinrank.bridge._verify import ParityRun, Progress, Silent, facts_or_names, select
from twinrank.export.bundle import BundleError, SignaturePolicy, read_manifest, versions_of

_SHOWN = 5
_TREES = {"catboost", "lightgbm", "xgboost"}

__all__ = ["compare", "fuzzed", "prepare", "verify"]


def verify(
    bundle: Path | str,
    *,
    routes: Sequence[str] = (),
    run: Path | str | None = None,
    native: Path | str | None = None,
    schema: Path | str | None = None,
    requests: Path | str | None = None,
    max_requests: int | None = None,
    fuzz: int = 0,
    seed: int | None = None,
    baseline: str = catalogue.BASELINE,
    pairwise: bool = False,
    level: CompareLevel = "bits",
    invariance: bool = False,
    deployed: Path | str | None = None,
    against: str | None = None,
    gateway: Path | str | None = None,
    python: Sequence[str] | None = None,
    require: Level = "bits",
    signature: SignaturePolicy | None = None,
    timeout: float = 60.0,
    explain: bool = True,
    progress: Progress | None = None,
) -> ParityRun:
    """Compare every route's scores for a bundle; the result's `verdict` and `routes` say how it went.

    Args:
        bundle: bundle directory.
        routes: names of the routes to compare; none takes all that lack nothing.
        run: run directory of the trainer: adds the torch route or that of its tree library, and the run's requests.
        native: model file of a tree library, for its route where there is no run.
        schema: YAML file of features and transforms that the model was exported with, where there is no run.
        requests: file of raw requests, one a line, instead of the run's.
        max_requests: at most this many of the file's or run's requests, spread evenly.
        fuzz: how many further requests to make from the schema.
        seed: what they are made from; None takes a new one.
        baseline: who says what is right: a route's name, or `goldens`.
        pairwise: compare every two routes with each other too.
        level: the weakest level that counts as equal: `bits`, `trees`, `reference`, `order`.
        invariance: ask again in other slates; a candidate's bits must not change.
        deployed: what the routes open instead of the bundle.
        against: running service for the http route: a URL, or HOST:PORT.
        gateway: connection file of a running gateway for the py4j route.
        python: command of another Python interpreter for the python route.
        require: what readers must reach on this host.
        signature: what the baseline's reader asks of the bundle's signature.
        timeout: seconds until one request counts as hung.
        explain: look for where a difference begins, and why.
        progress: hears how it goes on.

    Raises:
        UserError: for arguments that do not go together and files that cannot be read (its `exit_code` is 2), and if
            every reader refuses the bundle under the same code (its `exit_code` is 1).
    """
    options = RouteOptions(
        require=require,
        run=_path(run),
        native=_path(native),
        schema=_path(schema),
        against=against,
        gateway=_path(gateway),
        python=None if python is None else tuple(python),
        score_timeout=timeout,
        signature=signature,
    )
    plan = prepare(
        Path(bundle),
        options,
        routes=routes,
        requests=_path(requests),
        max_requests=max_requests,
        fuzz=fuzz,
        seed=seed,
        baseline=baseline,
        pairwise=pairwise,
        level=level,
        deployed=_path(deployed),
    )
    return compare(plan, progress or Silent(), invariance=invariance, explain=explain)


def prepare(
    bundle: Path,
    options: RouteOptions,
    *,
    routes: Sequence[str] = (),
    requests: Path | None = None,
    max_requests: int | None = None,
    fuzz: int = 0,
    seed: int | None = None,
    baseline: str = catalogue.BASELINE,
    pairwise: bool = False,
    level: CompareLevel = "bits",
    deployed: Path | None = None,
) -> Plan:
    """Check that a run's arguments go together, and put together what it compares; see `verify`.

    Raises:
        UserError: if they do not, or a file of requests cannot be read.
    """
    _check(routes, requests, max_requests, fuzz, seed, baseline, options, deployed)
    _require_version(bundle)
    facts = facts_or_names(bundle)
    chosen, left_out = select(bundle, routes, options, baseline=baseline)
    if options.run is not None and facts.digest:
        check_run(options.run, read_manifest(bundle))
    if fuzz and seed is None:
        seed = secrets.randbelow(2**32)
    only_goldens = baseline == GOLDENS.name
    more = [fuzzed(bundle, fuzz, seed)] if fuzz and seed is not None else []
    return Plan(
        bundle=facts,
        requests=collect(
            bundle, run=None if only_goldens else options.run, requests=requests, most=max_requests, more=more
        ),
        routes=tuple(chosen),
        baseline=GOLDENS if only_goldens else catalogue.route(baseline),
        options=options,
        deployed=None if deployed is None else facts_or_names(deployed),
        level=level,
        pairwise=pairwise,
        left_out=left_out,
        seed=seed if fuzz else None,
    )


def _require_version(bundle: Path) -> None:
    """Refuse a folder of bundles at once: every route would start to say that it is no bundle."""
    if (bundle / "manifest.json").exists() or not bundle.is_dir():
        return
    models = [bundle, *sorted(entry for entry in bundle.iterdir() if entry.is_dir())]
    found = [model / str(versions[-1]) for model in models if (versions := versions_of(model))]
    if found:
        shown = ", ".join(map(str, found[:_SHOWN])) + (", ..." if len(found) > _SHOWN else "")
        raise UserError("file_missing", f"{bundle} holds bundles and is none", f"name one of them: {shown}")


def compare(plan: Plan, progress: Progress, *, invariance: bool = False, explain: bool = True) -> ParityRun:
    """Ask, compare and look closer; see `verify`."""
    looks = [_lockstep.tell_packed]
    if invariance:
        looks.append(_looks.look_for_variance)
    if explain:
        looks.append(_looks.look_for_reasons)
    return _lockstep.compare(plan, progress, looks)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


def _check(
    routes: Sequence[str],
    requests: Path | None,
    most: int | None,
    fuzz: int,
    seed: int | None,
    baseline: str,
    options: RouteOptions,
    deployed: Path | None,
) -> None:
    """Refuse arguments that contradict each other, each with what to do."""
    allowed = (*catalogue.names(), GOLDENS.name)
    if baseline not in allowed:
        raise UserError("unknown_baseline", f"no baseline {baseline}", f"choose from {', '.join(allowed)}")
    wrong: list[tuple[bool, str, str]] = [
        (
            baseline == GOLDENS.name and (requests is not None or fuzz > 0 or most is not None),
            "goldens know their own requests only",
            "leave out --requests, --max-requests and --fuzz, or take a route as --baseline",
        ),
        (
            baseline in routes and len(set(routes)) == 1,
            f"{baseline} is the baseline and the only route: it equals itself",
            "name another --route, or another --baseline",
        ),
        (seed is not None and fuzz == 0, "--seed is given without --fuzz", "say how many requests: --fuzz N"),
        (
            options.against is not None and bool(routes) and "http" not in routes and baseline != "http",
            "--against is given, and the http route is not compared",
            "add --route http",
        ),
        (
            options.gateway is not None and bool(routes) and "py4j" not in routes and baseline != "py4j",
            "--gateway is given, and the py4j route is not compared",
            "add --route py4j",
        ),
        (
            options.native is not None and bool(routes) and not {*routes, baseline} & _TREES,
            "--native is given, and no route of a tree library is compared",
            f"add --route {' or '.join(sorted(_TREES))}",
        ),
        (
            options.schema is not None and options.native is None,
            "--schema is given without --native",
            "it tells how requests become the columns of a model file: add --native FILE",
        ),
        (
            most is not None and requests is None and options.run is None,
            "--max-requests is given, and there is no file or run to choose from",
            "add --requests FILE or --run RUN",
        ),
        (
            deployed is not None and not deployed.is_dir(),
            f"--deployed {deployed} is no directory",
            "give the bundle's directory as it is deployed",
        ),
    ]
    for is_wrong, problem, remedy in wrong:
        if is_wrong:
            raise UserError("options_contradict", problem, remedy)


def fuzzed(bundle: Path, count: int, seed: int) -> Source:
    """Return generated requests; a bundle whose manifest cannot be read has no schema to make them from."""
    try:
        read_manifest(bundle)
    except BundleError:
        return Source(FUZZ, 0, lambda: iter(()))
    from twinrank.bridge.fuzz import bundle_cases

    return Source(FUZZ, count, lambda: bundle_cases(bundle, count, seed))
