"""A reader refuses the bundle that the baseline serves: why, from its own words, and where its runtime departs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from twinrank.bridge._cases import Case
from twinrank.bridge._findings import Cause, Finding
from twinrank.bridge._scorer import Facts, RouteFailedError, RouteOptions, Scorer
from twinrank.bridge._testee import FrameScorer, Transport
from twinrank.bridge.explain._bisect import run_both
from twinrank.bridge.explain._facts import refusal_cause
from twinrank.bridge.explain._inquiry import Inquiry
from twinrank.export.bundle import read_manifest

_WORDS = 5


def explain_refusal(
    route: str,
    failure: RouteFailedError,
    *,
    bundle: Path | None = None,
    case: Case | None = None,
    baseline: Scorer | None = None,
    testee: Scorer | None = None,
    seconds: float = 30.0,
    progress: Callable[[str], None] = lambda _step: None,
) -> Finding:
    """Explain why a reader refused the bundle that the baseline serves. Never raises.

    Args:
        route: the route's name.
        failure: what opening it raised.
        bundle: the bundle; this and what follows are needed to search for the first node that differs.
        case: a request that the baseline scores.
        baseline: the baseline, open.
        testee: runs graphs in the runtime that refuses; see `graph_testee`.
        seconds: when to stop searching.
        progress: hears one line a step.
    """
    evidence = (failure.detail, *failure.evidence.splitlines()[-_WORDS:])
    known = refusal_cause(route, failure)
    if known is None:
        said = f"{route} refuses a bundle that the baseline serves"
        remedy = "do what its message asks; the two readers must decide alike"
        return Finding(route, (Cause("other_decision", said, True, evidence, remedy),))
    code, said, remedy = known
    cause = Cause(code, said, True, evidence, remedy)
    if bundle is None or case is None or baseline is None or testee is None:
        return Finding(route, (cause,))
    try:
        manifest, answer = read_manifest(bundle), baseline.score_batch([case.raw])[0]
        inquiry = Inquiry(
            route,
            bundle,
            bundle,
            manifest,
            manifest,
            case,
            answer,
            answer,
            baseline,
            testee,
            (baseline.facts(), testee.facts()),
            time.monotonic() + seconds,
            progress,
        )
    except Exception as error:  # an explanation must never cost the report that it is a part of
        note = f"the search could not begin: {type(error).__name__}: {error}"
        return Finding(route, (cause,), notes=(note,))
    inquiry.step("searching the first node", run_both)
    others = tuple(each for each in inquiry.causes if each.code != code)
    shown = next((each.evidence for each in inquiry.causes if each.code == code), ())
    whole = Cause(code, said, True, (*evidence, *shown), remedy)
    return Finding(route, (whole, *others), inquiry.place, notes=tuple(inquiry.notes))


def graph_testee(route: str, transport: Transport, options: RouteOptions) -> Scorer:
    """Return a scorer over a testee that was only greeted: it runs graphs, whatever it thinks of a bundle.

    Raises:
        RouteFailedError: if the testee does not answer a greeting; the transport is closed then.
    """
    return _Greeted(route, transport, options)


class _Greeted(FrameScorer):
    """A testee that has loaded no bundle."""

    def __init__(self, route: str, transport: Transport, options: RouteOptions) -> None:
        self._route = route
        self._transport = transport
        self._options = options
        self._graph = None
        try:
            hello = self._ask({"op": "hello"})
        except BaseException:
            transport.close()
            raise
        self._operations = frozenset(str(name) for name in hello.get("ops") or ())
        self._outputs = {}
        self._facts = Facts(
            implementation=str(hello.get("implementation")),
            runtime=str(hello.get("runtime")),
            host_class=hello.get("host_class"),
            details={str(name): str(value) for name, value in dict(hello.get("facts") or {}).items()},
        )
