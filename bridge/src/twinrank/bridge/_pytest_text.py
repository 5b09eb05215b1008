"""What a red test says: the finding in plain lines, for a person who reads a CI log and has nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from twinrank.bridge._parity import Difference, RouteTally
from twinrank.bridge._text import printable
from twinrank.bridge._verify import ParityRun

_SHOWN = 600


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
    if report is not None:
        yield f"  report: {report / 'report.html'}"


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
    text = printable(found.case.raw.decode("utf-8", "backslashreplace"))
    yield f"    request: {text[:_SHOWN]}{f'… ({len(found.case.raw):,} bytes)' if len(text) > _SHOWN else ''}"
