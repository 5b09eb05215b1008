"""What a red test says: the finding in plain lines, for a person who reads a CI log and has nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twinrank.bridge._findings import Finding
from twinrank.bridge._parity import Difference, RouteTally
from twinrank.bridge._text import printable
from twinrank.bridge._verify import ParityRun

_SHOWN = 600
_CAUSES = 2


def outcome_line(run: ParityRun, tally: RouteTally) -> str:
    """Return one line of the summary: what was compared over a route, and the outcome."""
    bits = sum(head.differing_bits for head in tally.heads.values())
    word = {"equal": "equal", "differs": "DIFFERS", "unknown": "COULD NOT TELL"}[tally.status]
    if tally.status == "equal" and tally.level == "reference":
        word = "within tolerance"
    counted = f"{tally.rows:,} rows of {tally.requests:,} requests, {bits:,} differing bits"
    return f"{run.bundle.name}/{run.bundle.version} over {tally.route}: {word}; {counted}"


def told(run: ParityRun, tally: RouteTally, report: Path | None) -> str:
    """Return why a route is not green, and what to do."""
    return "\n".join(_lines(run, tally, report))


def _lines(run: ParityRun, tally: RouteTally, report: Path | None) -> Iterator[str]:
    yield outcome_line(run, tally)
    if tally.failure is not None:
        yield f"  {tally.failure.reason}: {printable(tally.failure.detail)}"
        yield from (f"    {printable(line)}" for line in tally.failure.evidence.splitlines()[-10:])
    elif tally.rows == 0 and tally.first is None:
        yield "  no row was compared: a run over nothing proves nothing; give requests that score candidates"
    if tally.first is not None:
        yield from _difference(tally.first, run.baseline.implementation, tally.route)
    for head in tally.heads.values():
        if head.differing_rows:
            distance = "a NaN met a number" if head.max_ulp >= 2**53 else f"at most {head.max_ulp:,} ULP"
            yield f"  head {head.name}: {head.differing_rows:,} of {head.rows:,} rows differ, {distance}"
    if tally.finding is not None:
        yield from _finding(tally.finding)
    if report is not None:
        yield f"  report: {report / 'report.html'}"


def _finding(found: Finding) -> Iterator[str]:
    for cause in found.causes[:_CAUSES]:
        yield f"  cause: {printable(cause.said)} [{cause.code}, {'proven' if cause.proven else 'not proven'}]"
        yield f"    to do: {printable(cause.remedy)}"
    if found.place is not None:
        at = f"node {found.place.position + 1} of {found.place.nodes}"
        yield f"  begins at {printable(found.place.node)} ({printable(found.place.op)}), {at}"
    if found.shrunk is not None:
        yield f"  smallest request: {_shown(found.shrunk.raw)}"
    if found.command:
        yield f"  see it again: {printable(found.command)}"


def _difference(found: Difference, baseline: str, route: str) -> Iterator[str]:
    at = [f"first difference ({found.kind}): {found.case}"]
    at += [] if found.candidate is None else [f"candidate {found.candidate}"]
    at += [] if found.head is None else [f"head {found.head}"]
    yield f"  {', '.join(at)}"
    width = max(len(baseline), len(route))
    for who, value, bits in (
        (baseline, found.expected, found.expected_bits),
        (route, found.actual, found.actual_bits),
    ):
        yield f"    {who:<{width}}  {printable(value)}{f'  bits {bits}' if bits else ''}"
    if found.ulp is not None:
        yield f"    {found.ulp:,} ULP apart"
    yield f"    request: {_shown(found.case.raw)}"


def _shown(raw: bytes) -> str:
    text = printable(raw.decode("utf-8", "backslashreplace"))
    return f"{text[:_SHOWN]}… ({len(raw):,} bytes)" if len(text) > _SHOWN else text
