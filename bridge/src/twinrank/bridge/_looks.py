"""Looking closer once everything is compared: do scores depend on the slate, where does a difference begin, and why."""

from __future__ import annotations

import contextlib
import importlib
import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twinrank.bridge._cases import Case
from twinrank.bridge._findings import Cause, Finding
from twinrank.bridge._lane import Lane
from twinrank.bridge._lockstep import Opened
from twinrank.bridge._outcomes import InvarianceTally
from twinrank.bridge._parity import Difference, RouteTally
from twinrank.bridge._scorer import RouteFailedError, RouteScores
from twinrank.bridge._slates import Parts, Slate, apart, slates
from twinrank.bridge._values import hex_bits
from twinrank.export.bundle import BundleError, canonical_bits, read_manifest

EXPLAIN_SECONDS = 40.0
SHRINK_SECONDS = 20.0

_BATCH = 64
_TRANSPORTS = {"probe": "twinrank.bridge.routes.probe", "jpype": "twinrank.bridge.routes.jpype"}
_RUNTIME_CODES = ("runtime_mismatch", "host_class_mismatch", "golden_mismatch")


def look_for_variance(opened: Opened) -> None:
    """Ask every route that promises bits the sampled requests in other slates; a candidate's bits must stay."""
    bundle = opened.plan.deployed or opened.plan.bundle
    try:
        most = read_manifest(bundle.path).max_candidates
    except BundleError:
        return
    sampled = [(case, apart(case.raw)) for case in opened.sample]
    for lane, tally in opened.sides:
        if not lane.alive or lane.route.level not in ("bits", "trees"):
            continue
        tally.invariance = InvarianceTally()
        try:
            for place, (case, parts) in enumerate(sampled):
                strangers = sampled[place - 1][1].candidates if len(sampled) > 1 else ()
                _add_slates(lane, tally, case, parts, list(slates(parts, strangers, most)))
        except RouteFailedError as failure:
            tally.fail(failure)
        allowed = any(finding.finding == "batch_variant" for finding in bundle.findings)
        if tally.invariance.differing_rows and not allowed:
            _tell_variance(opened.base, tally, tally.invariance)


def _add_slates(lane: Lane, tally: RouteTally, case: Case, parts: Parts, asked: Sequence[Slate]) -> None:
    found = tally.invariance
    whole = lane.score([parts.slate(parts.candidates)])[0].answer
    if found is None or not isinstance(whole, RouteScores):
        return
    found.requests += 1
    expected = {name: canonical_bits(values) for name, values in whole.outputs.items()}
    for begin in range(0, len(asked), _BATCH):
        batch = asked[begin : begin + _BATCH]
        for slate, scored in zip(batch, lane.score([slate.raw for slate in batch]), strict=True):
            if isinstance(scored.answer, RouteScores):
                # A slate that another request's candidate makes invalid says nothing of these.
                _add_slate(found, tally, case, parts, slate, scored.answer, whole, expected)


def _add_slate(
    found: InvarianceTally,
    tally: RouteTally,
    case: Case,
    parts: Parts,
    slate: Slate,
    answer: RouteScores,
    whole: RouteScores,
    expected: dict[str, np.ndarray],
) -> None:
    at = np.array([position for position, place in enumerate(slate.places) if place >= 0])
    place = np.array([place for place in slate.places if place >= 0])
    differing = np.zeros(len(at), np.bool_)
    for name, bits in expected.items():
        flipped = bits[place] ^ canonical_bits(answer.outputs[name])[at]
        differing |= flipped != 0
        found.differing_bits += int(np.bitwise_count(flipped).sum())
        if flipped.any() and not found.first:
            row = int(np.flatnonzero(flipped)[0])
            before, after = whole.outputs[name][place[row]], answer.outputs[name][at[row]]
            found.first = f"{slate.form}: {case}, candidate {place[row]}, {name} {hex_bits(before)} / {hex_bits(after)}"
            tally.slate = Difference(
                "value",
                case,
                repr(float(before)),
                f"{float(after)!r} ({slate.form}, {answer.n} candidates)",
                head=name,
                candidate=int(place[row]),
                expected_bits=hex_bits(before),
                actual_bits=hex_bits(after),
            )
            found.asked = (parts.slate(parts.candidates), slate.raw)
            found.at = (name, int(place[row]), int(at[row]))
    found.rows += len(at)
    found.differing_rows += int(np.count_nonzero(differing))


def _tell_variance(base: Lane, tally: RouteTally, found: InvarianceTally) -> None:
    if tally.slate is not None and tally.first is None:
        tally.differ(tally.slate)
        too = _varies_too(base, found)
        said = f"{tally.route} gives a candidate other bits in another slate"
        evidence = [found.first, f"{found.differing_rows:,} of {found.rows:,} candidates differ"]
        if too:
            said = f"the bundle's own graph, also on {base.route.name}, gives a candidate other bits in another slate"
            evidence.append(f"{base.route.name}, asked the same two slates: {too}")
        cause = Cause(
            "row_dependent_kernel",
            said,
            proven=True,
            evidence=tuple(evidence),
            remedy="export again, which looks for such kernels, or allow the finding batch_variant with a reason",
        )
        tally.finding = Finding(tally.route, (cause,))


def _varies_too(base: Lane, found: InvarianceTally) -> str:
    """Return both bits of the first difference on the baseline's side, empty if it shows none or cannot say."""
    if not base.alive or found.asked is None or found.at is None:
        return ""
    name, before, after = found.at
    try:
        whole, other = (scored.answer for scored in base.score(found.asked))
    except RouteFailedError:
        return ""
    if not (isinstance(whole, RouteScores) and isinstance(other, RouteScores)):
        return ""
    sides = whole.outputs[name][before : before + 1], other.outputs[name][after : after + 1]
    bits = [canonical_bits(side) for side in sides]
    return "" if (bits[0] == bits[1]).all() else " / ".join(hex_bits(side[0]) for side in sides)


def look_for_reasons(opened: Opened) -> None:
    """Explain every route's first difference and shrink its request; what fails here hides no difference."""
    for lane, tally in opened.sides:
        if tally.status != "differs" or tally.finding is not None:
            continue
        try:
            tally.finding = _explained(opened, lane, tally)
        except Exception as error:  # whatever fails in an explanation, the difference itself stands
            tally.finding = Finding(tally.route, (_failed("explaining", error),))
        if tally.finding is None or tally.finding.shrunk is not None or tally.first is None:
            continue
        if tally.sides is None or not (lane.alive and opened.base.alive) or opened.base.route.name == "goldens":
            continue
        try:
            tally.finding = _with_smallest(opened, lane, tally, tally.finding, tally.first)
        except Exception as error:  # as above
            tally.finding = replace(tally.finding, causes=(*tally.finding.causes, _failed("shrinking", error)))


def _explained(opened: Opened, lane: Lane, tally: RouteTally) -> Finding | None:
    from twinrank.bridge.explain import explain

    if tally.first is None or tally.sides is None:
        return None if tally.failure is None else _refusal(opened, tally.route, tally.failure)
    base, scorer = opened.base.scorer, lane.scorer
    if base is None or scorer is None:
        return None
    expected, actual = tally.sides
    plan = opened.plan
    return explain(
        plan.bundle.path,
        None if plan.deployed is None else plan.deployed.path,
        tally.first.case,
        expected,
        actual,
        base,
        scorer,
        route=tally.route,
        options=plan.options,
        seconds=EXPLAIN_SECONDS,
    )


def _refusal(opened: Opened, route: str, failure: RouteFailedError) -> Finding:
    """Explain a refusal; where a runtime is to blame and can be asked, also in which node it departs."""
    from twinrank.bridge.explain import explain_refusal, graph_testee

    case, testee = _scored_case(opened), None
    if failure.code in _RUNTIME_CODES and case is not None and route in _TRANSPORTS:
        module = importlib.import_module(_TRANSPORTS[route])
        with contextlib.suppress(RouteFailedError):
            testee = graph_testee(route, module.transport(), opened.plan.options)
    if testee is None:
        return explain_refusal(route, failure)
    with testee:
        return explain_refusal(
            route,
            failure,
            bundle=(opened.plan.deployed or opened.plan.bundle).path,
            case=case,
            baseline=opened.base.scorer,
            testee=testee,
            seconds=EXPLAIN_SECONDS,
        )


def _scored_case(opened: Opened) -> Case | None:
    """Return a request that the baseline scores; with no route left, none was asked yet."""
    if opened.sample:
        return opened.sample[0]
    if not opened.base.alive or opened.base.route.name == "goldens":
        return None
    few = list(itertools.islice(opened.plan.requests, _BATCH))
    for case, scored in zip(few, opened.base.score([case.raw for case in few]), strict=True):
        if isinstance(scored.answer, RouteScores) and scored.answer.n:
            return case
    return None


def _with_smallest(opened: Opened, lane: Lane, tally: RouteTally, finding: Finding, first: Difference) -> Finding:
    from twinrank.bridge.fuzz import shrink

    bundle = opened.plan.bundle

    def differs(raws: Sequence[bytes]) -> Sequence[bool]:
        told = []
        for raw, expected, actual in zip(raws, opened.base.score(raws), lane.score(raws), strict=True):
            one = RouteTally(lane.route, tally.level, bundle.heads, bundle.allowed, exact=bundle.exact)
            one.add(replace(first.case, raw=raw), expected, actual)
            told.append(one.first is not None)
        return told

    schema = read_manifest(bundle.path).schema
    return replace(finding, shrunk=shrink(first.case.raw, differs, schema, SHRINK_SECONDS))


def _failed(what: str, error: Exception) -> Cause:
    said = f"{what} failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return Cause("unknown", said, False, (), "the difference stands all the same; report this failure as a bug")
