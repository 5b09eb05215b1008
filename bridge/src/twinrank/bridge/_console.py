"""What a person sees of a parity run's result: a table, what was found, and a verdict, on stdout."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinrank.bridge import _words as words
from twinrank.bridge._findings import Finding
from twinrank.bridge._parity import HeadTally, RouteTally, Status
from twinrank.bridge._scorer import SCORE, Facts
from twinrank.bridge._text import printable
from twinrank.bridge._verify import ParityRun

__all__ = ["MARKS", "console", "show"]

_NUMBERS = ("rows", "diff bits", "max ULP", "max abs", "order", "errors")
_SHORTEST_NAME = 6
_STAYS = "\u00a0"
_LOG_WIDTH = 120
_ROOMY = 96
_KEPT_HEADS = 6
_KEPT_EVIDENCE = 3
_KEPT_STDERR = 8
_KEPT_DETAIL = 2_000
_KEPT_PAIRS = 6
_SHOWN_REQUEST = 160

MARKS: dict[Status, tuple[str, str]] = {
    "equal": ("✓", "green"),
    "differs": ("✗", "bold red"),
    "unknown": ("?", "yellow"),
}

# For terminals and logs that hold ASCII only; what foreign text holds beyond that, the stream escapes.
_ASCII = str.maketrans({"✓": "=", "✗": "x", "Δ": "delta", "≤": "<=", "…": "...", "−": "-", "±": "+-"})


def console() -> Console:
    """Return the console for results: as wide as the terminal, 120 columns in a log."""
    out = Console(highlight=False)
    # rich takes 80 for anything that is no terminal, and would cut tables that a log has room for.
    return out if out.is_terminal or "COLUMNS" in os.environ else Console(highlight=False, width=_LOG_WIDTH)


def show(run: ParityRun, out: Console) -> None:
    """Print the table, what it cannot say, what was found, and the verdict."""
    out.print(_table(run, out))
    for line in _notes(run):
        _say(out, line)
    _show_refusals(run, out)
    for line in _checks(run):
        _say(out, line)
    for tally in run.routes:
        _show_difference(run, tally, out)
    if split := words.split(run):
        _say(out, Text(printable(f"SPLIT  {split}: the worst a bundle can do"), style="bold red"))
    _say(out, _verdict_line(run))


def _say(out: Console, line: Text) -> None:
    # Long lines are not broken here: a terminal breaks them, a log keeps them, and both can be copied.
    shown = Text(line.plain.translate(_ASCII), style=line.style) if out.options.ascii_only else line
    out.print(shown, soft_wrap=True)


def _table(run: ParityRun, out: Console) -> Table:
    """Return one line per route and head; closer together where the console is narrow."""
    plain = out.options.ascii_only
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1 if out.width >= _ROOMY else 0), pad_edge=False)
    # The sign of what was cut is no ASCII.
    for name in ("route", "head"):
        shown.add_column(name, no_wrap=True, overflow="crop" if plain else "ellipsis")
    for name in _NUMBERS:
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("host", no_wrap=True)
    base = Text(f"  {printable(run.baseline_route)}"), Text("baseline"), f"{run.baseline_rows:,}"
    shown.add_row(*base, "", "", "", "", "", _host(run.baseline.host_class), style="dim")
    for tally in run.routes:
        mark, style = MARKS[tally.status]
        route = Text(printable(f"{mark.translate(_ASCII) if plain else mark} {tally.route}"), style=style)
        if tally.rows == 0:
            shown.add_row(route, Text(_nothing(tally), style="yellow"), "0")
            continue
        for position, head in enumerate(_shown_heads(tally)):
            first, last = position == 0, head.name == SCORE
            shown.add_row(
                route if first else "",
                Text(printable(head.name)),
                f"{head.rows:,}",
                _bits(head),
                words.ulps(head.max_ulp),
                f"{head.max_abs:.1e}" if head.max_abs else "0",
                _of(tally.orders_equal, tally.orders) if last else "",
                _of(tally.errors_agreed, tally.errors) if last else "",
                _host(tally.facts.host_class if tally.facts else None) if first else "",
            )
    _fit(shown, out.width)
    return shown


def _fit(table: Table, width: int) -> None:
    """Cut names where the console is too narrow, and never numbers: half a number is another number."""
    widest = [max(Text(str(cell)).cell_len for cell in (column.header, *column.cells)) for column in table.columns]
    left = width - sum(widest[2:]) - len(widest) * (1 + table.padding[1] + table.padding[3]) - 1
    names = [min(widest[0], 20), min(widest[1], 16)]
    while sum(names) > left and max(names) > _SHORTEST_NAME:
        names[names.index(max(names))] -= 1
    for column, cut in zip(table.columns, names, strict=False):
        column.max_width = cut
    for column, whole in zip(table.columns[2:], widest[2:], strict=True):
        column.min_width = whole


def _shown_heads(tally: RouteTally) -> Iterator[HeadTally]:
    """Yield every head; where there are many, the worst in the bundle's order, the others as one, and the score."""
    heads = [head for head in tally.heads.values() if head.name != SCORE]
    if len(heads) > _KEPT_HEADS + 2:
        worst = sorted(heads, key=lambda head: (-head.beyond, -head.differing_bits))[:_KEPT_HEADS]
        kept = [head for head in heads if head in worst and head.differing_bits]
        others = [head for head in heads if head not in kept]
        yield from kept
        rest = HeadTally(f"{len(others)} {'more' if kept else 'heads'}", "", others[0].allowed)
        rest.rows, rest.max_ulp = sum(head.rows for head in others), max(head.max_ulp for head in others)
        rest.differing_bits, rest.beyond = (sum(head.differing_bits for head in others), sum(h.beyond for h in others))
        rest.max_abs = max(head.max_abs for head in others)
        yield rest
    else:
        yield from heads
    yield tally.heads[SCORE]


def _notes(run: ParityRun) -> Iterator[Text]:
    """Yield the lines under the table: what each column cannot say."""
    yield _verification(run)
    for allowed in run.bundle.findings:
        told = f"  allowed in the bundle: {allowed.finding}: {allowed.detail} (reason: {allowed.reason})"
        yield Text(printable(told), style="yellow")
    for name, reason in run.left_out.items():
        yield Text(printable(f"  - {name} was left out: {reason}"), style="dim")
    for tally in run.routes:
        for reason, count in tally.unasked.most_common():
            told = f"  {tally.route} was not asked {count:,} {'request' if count == 1 else 'requests'}: {reason}"
            yield Text(printable(told), style="dim")
        if tally.level == "reference" and tally.rows:
            yield _tolerance(tally)


def _checks(run: ParityRun) -> Iterator[Text]:
    """Yield what was compared beside the baseline: other slates, and every two routes."""
    yield from _invariance(run)
    if run.pairs:
        owed = [pair for pair in run.pairs if words.pair_level(run, pair) == "bits"]
        wrong = [pair for pair in owed if words.pair_differs(run, pair)]
        counted = f"{len(owed)} {'pair' if len(owed) == 1 else 'pairs'}"
        told = f"  pairwise: {counted} at level bits, {len(wrong)} {'differs' if len(wrong) == 1 else 'differ'}"
        rest = len(run.pairs) - len(owed)
        more = f"; {rest} more at a weaker level, in the report" if rest else ""
        yield Text(told + more, style="red" if wrong else "dim")
        for pair in wrong[:_KEPT_PAIRS]:
            decisions = f"{pair.disagreed:,} other {'decision' if pair.disagreed == 1 else 'decisions'}"
            told = f"{pair.differing_bits:,} bits in {pair.differing_rows:,} rows, {decisions}"
            yield Text(printable(f"    {pair.one} and {pair.other}: {told}"), style="red")
        if len(wrong) > _KEPT_PAIRS:
            yield Text(f"    and {len(wrong) - _KEPT_PAIRS} more, in the report", style="red")


def _tolerance(tally: RouteTally) -> Text:
    bounds = sorted({head.allowed or 0.0 for head in tally.heads.values()})
    within = f"{bounds[0]:.0e}" if len(bounds) == 1 else f"{bounds[0]:.0e} to {bounds[-1]:.0e} by head"
    if 1 < len(tally.heads) <= _KEPT_HEADS:
        within = ", ".join(f"{head.name} {head.allowed:.0e}" for head in tally.heads.values())
    beyond = sum(head.beyond for head in tally.heads.values())
    orders = f"{tally.orders_tied:,} {'order differs' if tally.orders_tied == 1 else 'orders differ'}"
    tied = f"; {orders} inside ties of 2a" if tally.orders_tied else ""
    far = max((head.unjudged for head in tally.heads.values()), default=0)
    unjudged = f"; {far:,} rows of generated requests too, which a was not measured on" if far else ""
    told = f"  {tally.route} is held to |Δ| ≤ a ({within}): {beyond} beyond{unjudged}{tied}"
    return Text(printable(told), style="red" if beyond else "dim")


def _show_refusals(run: ParityRun, out: Console) -> None:
    """Print what was refused by code: once for all routes that agree on the same, once a disagreement."""
    alike: dict[str, list[str]] = {}
    for tally in run.routes:
        told, other = words.refusals(tally)
        if told:
            alike.setdefault(told, []).append(tally.route)
        if other:
            _fold(out, "  refusals differ: ", other, "red", apart="; ")
    for told, names in alike.items():
        everybody = len(names) == len(run.routes) > 1
        who = f"all {len(names)} routes" if everybody else f"{run.baseline_route} and {', '.join(names)}"
        _fold(out, f"  refused alike by {printable(who)}: ", told, "dim", apart=", ")


def _invariance(run: ParityRun) -> Iterator[Text]:
    for tally in run.routes:
        found = tally.invariance
        if found is None:
            continue
        told = f"  invariance: {tally.route} {found.differing_rows:,} of {found.rows:,} rows differ in other slates"
        first = f": {found.first}" if found.first else ""
        yield Text(printable(told + first), style="red" if found.differing_rows else "dim")


def _show_difference(run: ParityRun, tally: RouteTally, out: Console) -> None:
    """Print what is known about one route: the first difference, its finding, and why it left."""
    if tally.packed and tally.packed_equal != tally.packed:
        told = f"  {tally.route}: packed tensors equal in {tally.packed_equal:,} of {tally.packed:,} requests"
        _say(out, Text(printable(told), style="red"))
    if tally.first is not None:
        _say(out, Text(printable(f"  {tally.route}: {words.first_difference(run, tally)}"), style="red"))
    if tally.finding is not None:
        _show_finding(tally.finding, out)
    if command := words.command(run, tally):
        _say(out, Text(printable(f"    again    {command}")))
    if tally.failure is not None:
        detail = words.cut(tally.failure.detail, _KEPT_DETAIL)
        _say(out, Text(printable(f"  {tally.route} {tally.failure.reason}: {detail}"), style="yellow"))
        for line in tally.failure.evidence.splitlines()[-_KEPT_STDERR:]:
            _say(out, Text(printable(f"    | {words.cut(line.expandtabs(), _KEPT_DETAIL)}"), style="dim"))


def _show_finding(found: Finding, out: Console) -> None:
    best, *others = found.causes
    lines = [("cause", words.cause(best))]
    lines += [("proof" if best.proven else "seen", fact) for fact in best.evidence[:_KEPT_EVIDENCE]]
    lines += [("also", words.cause(other)) for other in others[:_KEPT_EVIDENCE]]
    if found.place is not None:
        lines.append(("where", words.place(found.place)))
    if found.shrunk is not None:
        size = f"{len(found.shrunk.raw):,} of {found.shrunk.before:,} bytes"
        lines.append(("request", f"{size}: {words.request_text(found.shrunk.raw, _SHOWN_REQUEST)}"))
    lines.append(("to do", best.remedy))
    notes = [note for note in found.notes if note not in best.evidence]
    lines += [("note", note) for note in notes[:_KEPT_EVIDENCE]]
    for label, told in lines:
        _fold(out, f"    {label:<8} ", told, "bold" if label == "cause" else "")


def _fold(out: Console, label: str, told: str, style: str, *, apart: str = " ") -> None:
    """Print text below itself beside its label, broken between what `apart` divides; words are never cut."""
    text = printable(told)
    if apart != " ":
        text = text.replace(" ", _STAYS).replace(apart.replace(" ", _STAYS), apart)
    indent = " " * min(len(label), 13)
    folded = textwrap.wrap(
        text.translate(_ASCII) if out.options.ascii_only else text,
        out.width,
        initial_indent=label,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in folded or [label]:
        out.print(Text(line.replace(_STAYS, " "), style=style), soft_wrap=True)


def _verification(run: ParityRun) -> Text:
    facts: Facts = run.baseline
    if facts.verification is None:
        return Text(printable(f"  {run.baseline_route}: {facts.implementation}"), style="dim")
    attested = ", attested" if facts.details.get("attested") == "yes" else ""
    signature = facts.details.get("signature", "unchecked")
    shown = f"  {run.baseline_route}: {facts.verification}{attested}, signature {signature}"
    return Text(printable(shown), style="dim" if signature in ("unchecked", "valid") else "yellow")


def _verdict_line(run: ParityRun) -> Text:
    style = {"equal": "bold green", "differs": "bold red", "unknown": "bold yellow"}[run.verdict]
    return Text(printable(f"{words.WORDS[run.verdict]}  {words.verdict(run)}"), style=style)


def _of(good: int, all_of: int) -> str:
    """Return how many of how many: `all 40`, `27 of 40`."""
    if all_of == 0:
        return "-"
    return f"all {all_of:,}" if good == all_of else f"{good:,} of {all_of:,}"


def _bits(head: HeadTally) -> Text:
    bad = head.differing_bits > 0 and (head.allowed is None or head.beyond > 0)
    return Text(f"{head.differing_bits:,}", style="bold red" if bad else "")


def _host(host_class: str | None) -> str:
    return "-" if host_class is None else host_class[:8]


def _nothing(tally: RouteTally) -> str:
    return tally.failure.reason if tally.failure is not None else "no rows"
