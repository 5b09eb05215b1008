"""The parity report as JUnit XML: what CI systems draw; a failure names the first difference and its cause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as Tree

from twinrank.bridge import _words as words
from twinrank.bridge._parity import HeadTally, RouteTally
from twinrank.bridge._text import printable
from twinrank.bridge._verify import ParityRun

__all__ = ["to_junit"]

# XML 1.0 has no way to write these, not even as a reference.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_Outcome = Literal["failure", "error", "skipped"]
_LONGEST = 4_000
_KEPT_STDERR = 20_000


@dataclass(frozen=True)
class _Case:
    """One testcase: passed unless it has an outcome."""

    name: str
    outcome: _Outcome | None = None
    message: str = ""
    text: str = ""
    kind: str = ""


def to_junit(run: ParityRun) -> bytes:
    """Return junit.xml: a testsuite a route, a testcase for each thing that was compared, UTF-8.

    A difference is a failure with the first difference and its cause; a route that gave no proof is an error; what was
    left out is skipped with the reason. Elements and attributes are those that Surefire, Jenkins and GitLab read.
    """
    root = Tree.Element(
        "testsuites", {"name": f"twinrank parity {_clean(run.bundle.name)}/{_clean(run.bundle.version)}"}
    )
    suites = [_suite(run, place, tally) for place, tally in enumerate(run.routes)]
    suites += [_left_out(run, place, *one) for place, one in enumerate(run.left_out.items(), start=len(suites))]
    if run.split is not None and run.baseline_route in run.split.refuses:
        suites.append(_refusing_baseline(run, len(suites)))
    if not run.routes:
        suites.append(_nothing(run, len(suites)))
    for suite in suites:
        root.append(suite)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in suites):.3f}")
    Tree.indent(root)
    text: bytes = Tree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(run: ParityRun, place: int, tally: RouteTally) -> Tree.Element:
    suite = _element(run, place, tally.route, list(_cases(run, tally)), tally.seconds)
    facts: dict[str, object] = {"level": tally.level, "status": tally.status, "baseline": run.baseline_route}
    facts |= {"bundle.digest": run.bundle.digest, "rows": tally.rows, "requests": tally.requests}
    for side, told in ((run.baseline_route, run.baseline), (tally.route, tally.facts)):
        if told is not None:
            named = {"implementation": told.implementation, "runtime": told.runtime, "host_class": told.host_class}
            facts |= {f"{side}.{name}": value for name, value in {**named, **told.details}.items() if value is not None}
    properties = Tree.Element("properties")
    for name, value in facts.items():
        Tree.SubElement(properties, "property", {"name": _clean(name), "value": _clean(value)})
    suite.insert(0, properties)
    if tally.failure is not None and tally.failure.evidence:
        Tree.SubElement(suite, "system-err").text = _clean(tally.failure.evidence[-_KEPT_STDERR:])
    return suite


def _cases(run: ParityRun, tally: RouteTally) -> Iterator[_Case]:
    yield _ran(run, tally)
    if tally.rows or tally.requests:
        for head in tally.heads.values():
            yield _head(run, tally, head)
        yield _of_kind(run, tally, "order", tally.orders - tally.orders_equal - tally.orders_tied, "orders differ")
        yield _of_kind(run, tally, "refusals", tally.errors - tally.errors_agreed, "refusals differ")
        if tally.packed:
            yield _of_kind(run, tally, "packed", tally.packed - tally.packed_equal, "packed tensors differ")
    if tally.invariance is not None:
        wrong = tally.invariance.differing_rows
        message = f"{wrong:,} of {tally.invariance.rows:,} rows differ in another slate: {tally.invariance.first}"
        yield _Case("invariance", "failure", message, message, "invariance") if wrong else _Case("invariance")


def _ran(run: ParityRun, tally: RouteTally) -> _Case:
    failure = tally.failure
    if failure is not None:
        refused = failure.reason == "refused"
        split = f"{words.split(run)}. " if refused and words.split(run) else ""
        message = f"{split}{tally.route} {failure.reason}: {failure.detail}"
        return _Case("the route ran", "failure" if refused else "error", message, failure.evidence, failure.reason)
    if tally.status == "unknown":
        return _Case("the route ran", "error", f"{tally.route} compared no row: nothing was proven", "", "no_rows")
    if tally.status == "differs" and not _shown_elsewhere(tally):
        # Nothing that differs may be green in CI because no other testcase stands for it.
        return _Case("the route ran", "failure", *_difference(run, tally), "difference")
    return _Case("the route ran")


def _shown_elsewhere(tally: RouteTally) -> bool:
    return bool(
        any(head.beyond for head in tally.heads.values())
        or tally.orders > tally.orders_equal + tally.orders_tied
        or tally.errors > tally.errors_agreed
        or tally.packed > tally.packed_equal
        or (tally.invariance is not None and tally.invariance.differing_rows)
    )


def _head(run: ParityRun, tally: RouteTally, head: HeadTally) -> _Case:
    if not head.beyond:
        return _Case(f"head {head.name}")
    summary = (
        f"head {head.name}: {head.beyond:,} of {head.rows:,} rows beyond what is allowed, "
        f"{head.differing_bits:,} bits differ, at most {words.ulps(head.max_ulp)} ULP"
    )
    message, text = _difference(run, tally)
    return _Case(f"head {head.name}", "failure", f"{summary}; {message}", text, "difference")


def _of_kind(run: ParityRun, tally: RouteTally, name: str, wrong: int, said: str) -> _Case:
    if wrong <= 0:
        return _Case(name)
    message, text = _difference(run, tally)
    if name == "refusals":
        message = "; ".join(part for part in (words.refusals(tally)[1], message) if part)
    return _Case(name, "failure", f"{wrong:,} {said}; {message}", text, "difference")


def _difference(run: ParityRun, tally: RouteTally) -> tuple[str, str]:
    """Return one line for a list of failures, and everything known for whoever opens one."""
    first = words.first_difference(run, tally)
    lines = [first]
    message = first
    found = tally.finding
    if found is not None:
        message = f"{words.cause(words.best(found))}; {first}"
        for one in found.causes:
            lines += [f"cause: {words.cause(one)}", *(f"  {fact}" for fact in one.evidence), f"  to do: {one.remedy}"]
        lines += [f"note: {note}" for note in found.notes]
        if found.place is not None:
            lines.append(f"where: {words.place(found.place)}")
        if found.shrunk is not None:
            shrunk = found.shrunk
            lines.append(f"smallest request ({len(shrunk.raw):,} of {shrunk.before:,} bytes): ")
            lines[-1] += printable(words.request_text(shrunk.raw))
    if command := words.command(run, tally):
        lines.append(f"to see it again: {command}")
    return message, "\n".join(lines)


def _left_out(run: ParityRun, place: int, route: str, reason: str) -> Tree.Element:
    return _element(run, place, route, [_Case("the route ran", "skipped", reason)], 0.0)


def _refusing_baseline(run: ParityRun, place: int) -> Tree.Element:
    refusal = "" if run.split is None else run.split.refuses[run.baseline_route]
    message = f"{words.split(run)}: {refusal}"
    return _element(run, place, run.baseline_route, [_Case("the route ran", "failure", message, "", "refused")], 0.0)


def _nothing(run: ParityRun, place: int) -> Tree.Element:
    return _element(run, place, "parity", [_Case("a route ran", "error", words.verdict(run), "", "no_routes")], 0.0)


def _element(run: ParityRun, place: int, route: str, cases: list[_Case], seconds: float) -> Tree.Element:
    package = f"twinrank.{run.bundle.name}"
    suite = Tree.Element("testsuite", {"name": _clean(f"{package}.{route}"), "id": str(place)})
    suite.set("tests", str(len(cases)))
    for count, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(sum(case.outcome == outcome for case in cases)))
    suite.set("time", f"{seconds:.3f}")
    if run.made is not None:
        suite.set("timestamp", run.made.started.strftime("%Y-%m-%dT%H:%M:%S"))
        suite.set("hostname", _clean(run.made.host.get("name", "localhost")))
    for case in cases:
        # Each route's time is known as a whole; readers add the cases up.
        time = f"{seconds:.3f}" if case is cases[0] else "0.000"
        shown = {"name": _clean(case.name), "classname": _clean(f"{package}.{route}"), "time": time}
        element = Tree.SubElement(suite, "testcase", shown)
        if case.outcome is not None:
            told = Tree.SubElement(
                element, case.outcome, {"message": _clean(printable(words.cut(case.message, _LONGEST)))}
            )
            if case.outcome != "skipped":
                told.set("type", case.kind)
                told.text = _clean(words.cut(case.text or case.message, _LONGEST))
    return suite


def _clean(value: object) -> str:
    """Return text that XML 1.0 can hold; what it cannot is shown as Python would write it."""
    return _NOT_XML.sub(
        lambda found: found.group().encode("unicode_escape", "surrogatepass").decode("ascii"), str(value)
    )
