"""A certificate for people and for programs: tables, sentences and JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from twinrank.bridge._certify import BundleResult, Certificate, State
from twinrank.bridge._operators import Example, OperatorTally
from twinrank.bridge._text import printable
from twinrank.bridge._words import ulps
from twinrank.export.bundle import runtime_release

__all__ = ["bundle_table", "notes", "operator_table", "to_json", "verdict_line"]

FORMAT = 1

_STATES: dict[State, tuple[str, str, str]] = {
    "equal": ("✓", "green", "equal"),
    "within": ("≈", "yellow", "within tolerance"),
    "differs": ("✗", "bold red", "differs"),
    "refused": ("✗", "bold red", "refused"),
    "unknown": ("?", "yellow", "could not tell"),
}
_NARROW = 96
_MOST_LISTED = 5


def bundle_table(certificate: Certificate, width: int) -> Table:
    """Return one line a bundle and output that differs."""
    shown = _table(width)
    shown.add_column("bundle", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    shown.add_column("output", overflow="ellipsis", max_width=16, no_wrap=True)
    for name in ("rows", "diff rows", "diff bits", "max ULP", "max abs", "order", "goldens"):
        shown.add_column(name, justify="right", no_wrap=True)
    for result in certificate.bundles:
        mark, style, word = _STATES[result.state]
        label, verdict = Text(f"{mark} {printable(result.label())}", style=style), Text(word, style=style)
        if not result.changes:
            shown.add_row(label, verdict)
            continue
        changed = [change for change in result.changes if change.differing_bits]
        for position, change in enumerate(changed or result.changes[-1:]):
            first = position == 0
            shown.add_row(
                label if first else "",
                verdict if first else "",
                change.name if changed else "all",
                f"{change.rows:,}",
                f"{change.differing_rows:,}",
                f"{change.differing_bits:,}",
                ulps(change.max_ulp),
                f"{change.max_abs:.1e}" if change.max_abs else "0",
                f"{result.orders_equal}/{result.orders}" if first else "",
                f"{result.goldens_equal}/{result.goldens}" if first else "",
            )
    return shown


def operator_table(certificate: Certificate, width: int) -> Table | None:
    """Return one line for each operator that changed or is refused; None where no operator did."""
    changed = [tally for tally in certificate.operators if tally.differing_nodes or tally.refused]
    if not changed:
        return None
    shown = _table(width)
    shown.add_column("operator", no_wrap=True)
    for name in ("nodes", "differ", "run so", "values", "diff values", "max ULP"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("in", overflow="fold")
    for tally in changed:
        shown.add_row(
            Text(
                f"{'✗' if _matters(tally) else '≈'} {printable(tally.op)}",
                style="bold red" if _matters(tally) else "yellow",
            ),
            f"{tally.nodes + tally.refused}",
            f"{tally.differing_nodes}" if not tally.refused else f"{tally.refused} refused",
            f"{tally.runs}",
            f"{tally.values:,}",
            f"{tally.differing_values:,}",
            ulps(tally.max_ulp) if tally.max_ulp else "-",
            printable(_listed(tally.bundles)),
        )
    return shown


def notes(certificate: Certificate) -> list[Text]:
    """Return the lines under the tables: what no column can say."""
    lines = []
    for result in certificate.bundles:
        if result.detail:
            lines.append(Text(printable(f"  {result.label()}: {result.detail}"), style="yellow"))
        if result.errors != result.errors_agreed:
            wrong = result.errors - result.errors_agreed
            lines.append(Text(f"  {result.label()}: {wrong} requests are decided otherwise", style="red"))
        if result.packed_differing:
            lines.append(
                Text(f"  {result.label()}: {result.packed_differing} requests are packed otherwise", style="red")
            )
        if result.replay is not None and result.replay.left_out:
            name, why = result.replay.left_out[0]
            more = f" (and {len(result.replay.left_out) - 1} more)" if len(result.replay.left_out) > 1 else ""
            lines.append(Text(printable(f"  {result.label()}: not replayed: {name}: {why}{more}"), style="dim"))
    for tally in certificate.operators:
        if tally.refusal:
            lines.append(Text(printable(f"  {tally.op} is refused: {tally.refusal}"), style="red"))
        if tally.first is not None:
            lines.append(Text(printable(f"  {tally.op}: first in {_example(tally.first)}")))
            if not _matters(tally):
                why = "no such node runs as written: all are fused into others, which are told by themselves"
                lines.append(Text(f"  {tally.op}: {why}", style="dim"))
    changed = [result for result in certificate.bundles if result.state in ("within", "differs")]
    silent = [each.label() for each in changed if each.replay is not None and not each.replay.differing]
    if silent and not certificate.failure:
        why = "no node alone computes other bits: the two runtimes make different graphs of the same file"
        lines.append(Text(printable(f"  {_listed(silent)}: {why}"), style="yellow"))
    if certificate.failure:
        lines.append(Text(printable(f"  node by node: {certificate.failure}"), style="yellow"))
    return lines


def verdict_line(certificate: Certificate) -> Text:
    """Return the one line that matters."""
    name = printable(certificate.target.name)
    by_state: dict[State, list[str]] = {}
    for result in certificate.bundles:
        by_state.setdefault(result.state, []).append(result.label())
    told = "; ".join(f"{_STATES[state][2]}: {_listed(labels)}" for state, labels in by_state.items())
    rows = sum(result.changes[-1].rows for result in certificate.bundles if result.changes)
    said = printable(f"{name} against onnxruntime {runtime_release()}, {rows:,} rows: {told}")
    match certificate.verdict:
        case "equal":
            return Text(f"EQUAL  {said}", style="bold green")
        case "differs":
            return Text(f"DIFFERS  {said}", style="bold red")
        case _:
            return Text(f"COULD NOT TELL  {said}", style="bold yellow")


def to_json(certificates: Sequence[Certificate]) -> dict[str, Any]:
    """Return every target's certificate as JSON's values; README.md says what each field means."""
    order = ("differs", "unknown", "equal")
    verdicts = {certificate.verdict for certificate in certificates}
    verdict = next(word for word in order if word in verdicts)
    return {
        "certificate": FORMAT,
        "verdict": verdict,
        "exit_code": {"equal": 0, "differs": 1, "unknown": 2}[verdict],
        "pinned": f"onnxruntime {runtime_release()}",
        "targets": [_target(certificate) for certificate in certificates],
    }


def _target(certificate: Certificate) -> dict[str, Any]:
    environment = certificate.target.environment
    return {
        "target": certificate.target.name,
        "command": list(certificate.target.command),
        "environment": None
        if environment is None
        else {
            "folder": str(environment.folder),
            "sha256": environment.digest,
            "packages": dict(environment.packages),
            "reused": environment.reused,
        },
        "verdict": certificate.verdict,
        "require": certificate.require,
        "seconds": round(certificate.seconds, 3),
        "failure": certificate.failure or None,
        "bundles": [_bundle(result) for result in certificate.bundles],
        "operators": [_operator(tally) for tally in certificate.operators],
    }


def _bundle(result: BundleResult) -> dict[str, Any]:
    return {
        "path": str(result.path),
        "name": None if result.bundle is None else result.bundle.name,
        "version": None if result.bundle is None else result.bundle.version,
        "digest": None if result.bundle is None else result.bundle.digest,
        "state": result.state,
        "detail": result.detail or None,
        "sides": {
            side: None
            if facts is None
            else {
                "implementation": facts.implementation,
                "runtime": facts.runtime,
                "host_class": facts.host_class,
                "verification": facts.verification,
                "details": dict(facts.details),
            }
            for side, facts in (("pinned", result.pinned), ("target", result.target))
        },
        "requests": result.requests,
        "goldens": {"compared": result.goldens, "equal": result.goldens_equal},
        "orders": {"compared": result.orders, "equal": result.orders_equal, "tied": result.orders_tied},
        "errors": {"compared": result.errors, "agreed": result.errors_agreed},
        "packed_differing": result.packed_differing,
        "outputs": [
            {
                "name": change.name,
                "allowed": change.allowed,
                "rows": change.rows,
                "differing_rows": change.differing_rows,
                "differing_bits": change.differing_bits,
                "beyond": change.beyond,
                "max_ulp": change.max_ulp,
                "max_abs": _number(change.max_abs),
            }
            for change in result.changes
        ],
        "nodes": None
        if result.replay is None
        else {
            "replayed": result.replay.nodes,
            "requests": result.replay.requests,
            "differing": list(result.replay.differing),
            "left_out": [{"node": node, "reason": reason} for node, reason in result.replay.left_out],
        },
        "seconds": round(result.seconds, 3),
    }


def _operator(tally: OperatorTally) -> dict[str, Any]:
    first = tally.first
    return {
        "operator": tally.op,
        "fused": tally.fused,
        "runs": tally.runs,
        "nodes": tally.nodes,
        "differing_nodes": tally.differing_nodes,
        "values": tally.values,
        "differing_values": tally.differing_values,
        "max_ulp": tally.max_ulp,
        "max_abs": _number(tally.max_abs),
        "bundles": list(tally.bundles),
        "refused": tally.refused,
        "refusal": tally.refusal or None,
        "first": None
        if first is None
        else {
            "bundle": first.bundle,
            "node": first.node,
            "position": first.position,
            "value": first.value,
            "at": list(first.at),
            "expected": first.expected,
            "actual": first.actual,
        },
    }


def _example(first: Example) -> str:
    place = f"{list(first.at)} of {first.value}" if first.at else first.value
    return f"{first.bundle}, node {first.node} (#{first.position}), {place}: {first.expected}, there {first.actual}"


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else "Infinity"


def _matters(tally: OperatorTally) -> bool:
    """Whether a node of the kind runs as it is; where nobody looked at what runs, it is taken to."""
    return tally.runs > 0 or tally.refused > 0


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _table(width: int) -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1 if width >= _NARROW else 0), pad_edge=False)
