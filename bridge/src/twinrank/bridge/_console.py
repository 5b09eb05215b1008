"""What a person sees of a parity run: progress on stderr while it goes on, a table and a verdict on stdout."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from twinrank.bridge import routes as catalogue
from twinrank.bridge._parity import HeadTally, RouteTally, Status
from twinrank.bridge._scorer import SCORE, Facts
from twinrank.bridge._text import printable
from twinrank.bridge._verify import ParityRun

_LOG_WIDTH = 120

MARKS: dict[Status, tuple[str, str]] = {
    "equal": ("✓", "green"),
    "differs": ("✗", "bold red"),
    "unknown": ("?", "yellow"),
}

_HEARTBEAT_SECONDS = 5.0
_ROOMY = 96


class LiveProgress:
    """A bar for each route, for terminals. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.fields[route]:<6}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def start(self, route: str, requests: int) -> None:
        """Show the route's bar."""
        self._tasks[route] = self._bars.add_task("opening and replaying goldens", total=requests, route=route)

    def advance(self, route: str) -> None:
        """Move the bar by one request."""
        self._bars.update(self._tasks[route], advance=1, description="scoring")

    def finish(self, route: str, outcome: str) -> None:
        """Stop the bar and say how it went."""
        self._bars.update(self._tasks[route], description=outcome)
        self._bars.stop_task(self._tasks[route])

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing; the last state stays."""
        self._bars.stop()


class LineProgress:
    """A line when a route starts, every few seconds, and when it ends: for logs. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._done = self._total = 0
        self._began = self._told = 0.0

    def start(self, route: str, requests: int) -> None:
        """Say that a route opens."""
        self._done, self._total = 0, requests
        self._began = self._told = time.monotonic()
        self._say(route, f"opening, {requests} {'request' if requests == 1 else 'requests'} to come")

    def advance(self, route: str) -> None:
        """Say how far it is, not more often than every few seconds."""
        self._done += 1
        if time.monotonic() - self._told >= _HEARTBEAT_SECONDS:
            self._told = time.monotonic()
            self._say(route, f"{self._done} of {self._total} requests")

    def finish(self, route: str, outcome: str) -> None:
        """Say how it went."""
        self._say(route, f"{outcome} ({time.monotonic() - self._began:.1f} s)")

    def _say(self, route: str, text: str) -> None:
        self._console.print(Text(printable(f"  {route:<6} {text}")), soft_wrap=True)

    def __enter__(self) -> Self:
        """Return the progress itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""


def console() -> Console:
    """Return the console for results: as wide as the terminal, 120 columns in a log."""
    out = Console(highlight=False)
    # rich takes 80 for anything that is no terminal, and would cut tables that a log has room for.
    return out if out.is_terminal or "COLUMNS" in os.environ else Console(highlight=False, width=_LOG_WIDTH)


def progress_for(console: Console) -> LiveProgress | LineProgress:
    """Return bars for a terminal, lines for anything else."""
    return LiveProgress(console) if console.is_terminal else LineProgress(console)


def table(run: ParityRun, width: int) -> Table:
    """Return the parity table: one line per route and head; closer together where the console is narrow."""
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1 if width >= _ROOMY else 0), pad_edge=False)
    shown.add_column("route", no_wrap=True)
    shown.add_column("head", overflow="ellipsis", max_width=16, no_wrap=True)
    for name in ("rows", "diff bits", "max ULP", "max abs", "order", "errors"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("host", no_wrap=True)
    base = run.baseline
    shown.add_row(
        f"  {catalogue.BASELINE}",
        Text("baseline", style="dim"),
        f"{run.baseline_rows:,}",
        "",
        "",
        "",
        "",
        "",
        _host(base.host_class),
        style="dim",
    )
    for tally in run.routes:
        mark, style = MARKS[tally.status]
        route = Text(f"{mark} {tally.route}", style=style)
        if tally.rows == 0:
            shown.add_row(route, Text(_nothing(tally), style="yellow"), "0")
            continue
        for position, head in enumerate(tally.heads.values()):
            first = position == 0
            shown.add_row(
                route if first else "",
                head.name,
                f"{head.rows:,}",
                _bits(head),
                ulps(head.max_ulp),
                f"{head.max_abs:.1e}" if head.max_abs else "0",
                orders(tally) if head.name == SCORE else "",
                f"{tally.errors_agreed}/{tally.errors}" if head.name == SCORE else "",
                _host(tally.facts.host_class if tally.facts else None) if first else "",
            )
    return shown


def notes(run: ParityRun) -> list[Text]:
    """Return the lines under the table: what each column cannot say."""
    lines = [_verification(run.baseline)]
    lines += [
        Text(
            printable(f"  allowed in the bundle: {finding.finding}: {finding.detail} (reason: {finding.reason})"),
            style="yellow",
        )
        for finding in run.bundle.findings
    ]
    lines += [
        Text.assemble(("  - ", "dim"), (printable(f"{name} was left out: {reason}"), "dim"))
        for name, reason in run.left_out.items()
    ]
    for tally in run.routes:
        if tally.level == "reference" and tally.rows:
            within = ", ".join(f"{head.name} {head.allowed:.0e}" for head in tally.heads.values())
            beyond = sum(head.beyond for head in tally.heads.values())
            tied = f"; {tally.orders_tied} orders differ inside ties of 2a" if tally.orders_tied else ""
            lines.append(
                Text(
                    f"  {tally.route} is held to |Δ| ≤ a ({within}): {beyond} beyond{tied}",
                    style="red" if beyond else "dim",
                )
            )
        if tally.packed and tally.packed_equal != tally.packed:
            lines.append(
                Text(
                    f"  {tally.route}: packed tensors equal in {tally.packed_equal} of {tally.packed} requests",
                    style="red",
                )
            )
        if tally.first is not None:
            lines.append(Text(printable(f"  {tally.route}: {describe_first(tally)}"), style="red"))
        if tally.failure is not None:
            failed = f"  {tally.route} {tally.failure.reason}: {tally.failure.detail}"
            lines.append(Text(printable(failed), style="yellow"))
            evidence = tally.failure.evidence.splitlines()[-8:]
            lines += [Text(printable(f"    | {line.expandtabs()}"), style="dim") for line in evidence]
    return lines


def _verification(facts: Facts) -> Text:
    attested = ", attested" if facts.details.get("attested") == "yes" else ""
    signature = facts.details.get("signature", "unchecked")
    shown = f"  {catalogue.BASELINE}: {facts.verification}{attested}, signature {signature}"
    return Text(shown, style="dim" if signature in ("unchecked", "valid") else "yellow")


def verdict_line(run: ParityRun) -> Text:
    """Return the one line that matters."""
    equal = [tally for tally in run.routes if tally.status == "equal"]
    bits = [tally for tally in equal if tally.level == "bits"]
    if run.verdict == "equal":
        rows = sum(tally.rows for tally in bits)
        others = ", ".join(tally.route for tally in bits)
        exact = f"0 differing bits between {catalogue.BASELINE} and {others} in {rows:,} rows"
        close = [tally.route for tally in equal if tally.level == "reference"]
        parts = ([exact] if bits else []) + ([f"{', '.join(close)} within the bundle's tolerance"] if close else [])
        return Text(f"EQUAL  {'; '.join(parts)}", style="bold green")
    names = {status: ", ".join(tally.route for tally in run.routes if tally.status == status) for status in MARKS}
    if run.verdict == "differs":
        wrong = ", ".join(f"{tally.route} ({_what(tally)})" for tally in run.routes if tally.status == "differs")
        unproven = f"; no proof from {names['unknown']}" if names["unknown"] else ""
        return Text(f"DIFFERS  {wrong} from {catalogue.BASELINE}{unproven}", style="bold red")
    why = f"{names['unknown']} gave no proof" if names["unknown"] else "no route was compared"
    return Text(f"COULD NOT TELL  {why}", style="bold yellow")


def _what(tally: RouteTally) -> str:
    if tally.first is None:
        return "refuses the bundle"
    return {"value": "values", "error": "errors", "packed": "packed tensors", "shape": "shapes"}.get(
        tally.first.kind, tally.first.kind
    )


def describe_first(tally: RouteTally) -> str:
    """Return the first difference of a route in one line."""
    first = tally.first
    if first is None:
        return "no difference"
    where = f"{first.case}" + (f", head {first.head}, candidate {first.candidate}" if first.head is not None else "")
    sides = f"{catalogue.BASELINE} {first.expected}, {tally.route} {first.actual}"
    if first.expected_bits is not None:
        sides += f" ({first.expected_bits} / {first.actual_bits}, {ulps(first.ulp or 0)} ULP)"
    return f"first difference ({first.kind}) in {where}: {sides}"


def orders(tally: RouteTally) -> str:
    """Return equal orders of compared ones."""
    return f"{tally.orders_equal}/{tally.orders}"


def ulps(value: int) -> str:
    """Return a distance in ULPs; a NaN against a number has none."""
    return "NaN" if value == 2**64 - 1 else f"{value:,}" if value < 10**7 else f"{value:.0e}"


def _bits(head: HeadTally) -> Text:
    bad = head.differing_bits > 0 and (head.allowed is None or head.beyond > 0)
    return Text(f"{head.differing_bits:,}", style="bold red" if bad else "")


def _host(host_class: str | None) -> str:
    return "-" if host_class is None else host_class[:8]


def _nothing(tally: RouteTally) -> str:
    return tally.failure.reason if tally.failure is not None else "no rows"
