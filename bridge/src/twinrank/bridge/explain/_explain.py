"""The order in which a difference is examined, and what is said at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from twinrank.bridge._cases import Case
from twinrank.bridge._findings import Cause, Finding
from twinrank.bridge._scorer import RouteError, RouteOptions, Scored, Scorer
from twinrank.bridge.explain._bisect import locate, locate_elsewhere
from twinrank.bridge.explain._decision import compare_decisions
from twinrank.bridge.explain._experiments import vary_order, vary_output, vary_rows, vary_session
from twinrank.bridge.explain._facts import compare_facts
from twinrank.bridge.explain._hypotheses import try_readings
from twinrank.bridge.explain._inquiry import Inquiry, equal_outputs
from twinrank.bridge.explain._packing import compare_packing
from twinrank.bridge.explain._static import compare_bundles
from twinrank.export.bundle import read_manifest

SECONDS = 30.0

_UNKNOWN = (
    "compare the runtimes by hand with the request and the command below; if both sides are official packages of one "
    "release on one host class, this is a fault of one of the readers: report it with the request"
)


def explain(
    bundle: Path,
    deployed: Path | None,
    case: Case,
    expected: Scored,
    actual: Scored,
    baseline: Scorer,
    scorer: Scorer,
    *,
    route: str,
    options: RouteOptions | None = None,
    seconds: float = SECONDS,
    progress: Callable[[str], None] = lambda _step: None,
) -> Finding | None:
    """Explain the first difference between the baseline and a route.

    Args:
        bundle: directory of the baseline's bundle.
        deployed: directory of the bundle that the route opened, if that is another one.
        case: the request on which they differ.
        expected: the baseline's answer to it.
        actual: the route's answer to it.
        baseline: the baseline, open; it is asked further requests and runs graphs.
        scorer: the route, open; the same. It is not closed.
        route: the route's name.
        options: what the route was opened with; with them another route may stand in for one that runs no graphs.
        seconds: when to stop; an experiment that has begun is finished first.
        progress: hears one line a step.

    Returns:
        The finding, at least with the cause `unknown`; None where the two answers are the same. Never raises: a step
        that fails is a note.
    """
    if equal_answers(expected, actual):
        return None
    try:
        inquiry = Inquiry(
            route,
            bundle,
            deployed or bundle,
            read_manifest(bundle),
            read_manifest(deployed or bundle),
            case,
            expected,
            actual,
            baseline,
            scorer,
            (baseline.facts(), scorer.facts()),
            time.monotonic() + seconds,
            progress,
            options,
        )
    except Exception as error:  # an explanation must never cost the report that it is a part of
        return Finding(route, (_unknown([f"the explanation could not begin: {type(error).__name__}: {error}"]),))
    for name, work in _STEPS:
        inquiry.step(name, work)
    return _finding(inquiry)


def equal_answers(expected: Scored, actual: Scored) -> bool:
    """Return whether two answers are the same: refusal, bits, order, and packing where both show it."""
    if None not in (expected.packed, actual.packed) and expected.packed != actual.packed:
        return False
    one, other = expected.answer, actual.answer
    if isinstance(one, RouteError) or isinstance(other, RouteError):
        return one == other
    same = equal_outputs(one.outputs, other) and one.outputs.keys() == other.outputs.keys()
    return same and (one.order, one.dropped) == (other.order, other.dropped)


def _ask_again(inquiry: Inquiry) -> None:
    """Ask both sides the same request again: a side that answers otherwise now needs another search."""
    sides = (
        ("the baseline", inquiry.baseline, inquiry.expected.answer),
        (inquiry.route, inquiry.scorer, inquiry.actual.answer),
    )
    for name, scorer, before in sides:
        again = scorer.score(inquiry.case.raw)
        if not equal_answers(Scored(before), Scored(again)):
            inquiry.add(
                "unstable",
                f"{name} answers the same request otherwise when it is asked again",
                ["asked twice, one request after the other, on the same session"],
                "look for state in the reader, for threads in the session, and for a graph that draws random numbers",
                proven=True,
            )


_STEPS: tuple[tuple[str, Callable[[Inquiry], None]], ...] = (
    ("comparing facts", compare_facts),
    ("asking again", _ask_again),
    ("comparing decisions", compare_decisions),
    ("comparing packed blocks", compare_packing),
    ("comparing the bundles' graphs", compare_bundles),
    ("searching the first node", locate),
    ("trying orders", vary_order),
    ("trying roundings", vary_output),
    ("trying session options", vary_session),
    ("trying slates", vary_rows),
    ("trying readings of the request", try_readings),
    ("searching the first node elsewhere", locate_elsewhere),
)


def _finding(inquiry: Inquiry) -> Finding:
    causes = sorted(inquiry.causes, key=_standing)
    if not causes:
        causes = [_unknown(inquiry.notes)]
    return Finding(inquiry.route, tuple(causes), inquiry.place, notes=tuple(inquiry.notes))


def _standing(cause: Cause) -> tuple[bool, bool, bool]:
    """Order causes: proven ones first, and behind others those that say only that something is another one."""
    return cause.code == "other_bundle", not cause.proven, cause.code == "other_graph"


def _unknown(evidence: list[str]) -> Cause:
    return Cause("unknown", "none of the known causes gives the route's bits", False, tuple(evidence), _UNKNOWN)
