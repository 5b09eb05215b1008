"""The parity report as one self-contained HTML page: no script, no external resource, readable in dark and in light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from twinrank.bridge import _words as words
from twinrank.bridge._console import MARKS
from twinrank.bridge._parity import RouteTally
from twinrank.bridge._pictures import bits, place_picture
from twinrank.bridge._plots import score_plots, ulp_histogram
from twinrank.bridge._report import to_json
from twinrank.bridge._scorer import SCORE
from twinrank.bridge._text import printable
from twinrank.bridge._verify import ParityRun

_TEMPLATES = Path(__file__).parent / "templates"
_MANY_HEADS = 8
_SHOWN_STDERR = _LONGEST_TEXT = 4_000


def render(run: ParityRun) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ulps=words.ulps, thousands=lambda value: f"{value:,}", small=_small, printable=_shown, gap=_gap, of=_of
    )
    report = to_json(run)
    # What asks for a person comes first; within that, the order of the run.
    urgency = {"differs": 0, "unknown": 1, "equal": 2}
    views = [_view(report, place, tally) for place, tally in enumerate(run.routes)]
    return environment.get_template("report.html.j2").render(
        report=report,
        baseline=run.baseline_route,
        split=words.split(run),
        marks={status: mark for status, (mark, _) in MARKS.items()},
        totals=_totals(run),
        made=None if report["run"] is None else _made(report["run"]),
        matrix=_matrix(report["pairs"]),
        routes=views,
        sections=sorted(views, key=lambda view: urgency[view["status"]]),
        many_heads=_MANY_HEADS,
    )


def _totals(run: ParityRun) -> dict[str, Any]:
    owed = [tally for tally in run.routes if tally.level in ("bits", "trees")]
    return {
        "scores": sum(tally.rows for tally in run.routes),
        "equal": sum(tally.status == "equal" for tally in run.routes),
        "bits": sum(head.differing_bits for tally in owed for head in tally.heads.values() if head.allowed is None),
        "compared_bits": any(tally.rows for tally in owed),
        "bit_levels": " and ".join(dict.fromkeys(tally.level for tally in owed)) or "bits",
        "packed": any(tally.packed for tally in run.routes),
        "invariance": any(tally.invariance is not None for tally in run.routes),
    }


def _matrix(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the lower half of the table of all routes against all; None where no pair was compared."""
    names = list(dict.fromkeys([pair["one"] for pair in pairs] + [pair["other"] for pair in pairs]))
    found = {(pair["one"], pair["other"]): pair for pair in pairs}
    rows = [
        (name, [found.get((other, name), found.get((name, other))) for other in names[:place]])
        for place, name in enumerate(names)
    ]
    return (
        {"names": names, "rows": [(name, row + [None] * (len(names) - 1 - len(row))) for name, row in rows[1:]]}
        if names
        else None
    )


def _made(made: Mapping[str, Any]) -> dict[str, str]:
    started, ended = (datetime.fromisoformat(made[name]) for name in ("started", "ended"))
    host = made["host"]
    cores = f"{host['cores']} {'core' if host['cores'] == '1' else 'cores'}" if "cores" in host else ""
    return {
        "when": f"{started.day} {started:%B %Y, %H:%M:%S} UTC",
        "took": f"{(ended - started).total_seconds():,.1f} s",
        "where": ", ".join(part for part in (host.get("cpu", ""), cores, host.get("os", "")) if part),
    }


def _view(report: Mapping[str, Any], place: int, tally: RouteTally) -> dict[str, Any]:
    """Return a route's part of the report with what only the page shows."""
    told = report["routes"][place]
    sides = words.bits_of(tally.first) if tally.first is not None else None
    found = tally.finding
    differs_somewhere = tally.rows > 0 and any(head.differing_rows for head in tally.heads.values())
    return {
        **told,
        "anchor": f"route-{place + 1}",
        "what": words.what(tally),
        "sums": {
            "bits": sum(head.differing_bits for head in tally.heads.values()),
            "beyond": sum(head.beyond for head in tally.heads.values()),
            "max_ulp": max(head.max_ulp for head in tally.heads.values()),
            "max_abs": max((head.max_abs for head in tally.heads.values()), default=0.0),
        },
        "open": tally.status != "equal" or len(tally.heads) <= _MANY_HEADS,
        "bits": None if sides is None else (bits(*sides), bits(sides[1], sides[0])),
        "fingerprints": _fingerprints(report["baseline"]["facts"], told["facts"]),
        "cause": "" if found is None else words.cause(words.best(found)),
        "where": "" if found is None or found.place is None else words.place(found.place),
        "picture": "" if found is None or found.place is None else place_picture(found.place),
        "stderr": "" if tally.failure is None else _stderr(tally.failure.evidence),
        # Where every bit is equal, a plot shows a straight line and nothing else.
        "histogram": ulp_histogram(tally) if differs_somewhere else "",
        "scatter": score_plots(tally) if differs_somewhere and tally.heads[SCORE].differing_rows else "",
    }


def _fingerprints(
    baseline: Mapping[str, Any], facts: Mapping[str, Any] | None
) -> list[tuple[str, str | None, str | None]]:
    """Return each fact by name with both sides: those that both have and that differ, then the others."""
    if facts is None:
        return []
    left, right = _flat(baseline), _flat(facts)
    rows = [(name, left.get(name), right.get(name)) for name in dict.fromkeys([*left, *right])]
    return sorted(rows, key=lambda row: 2 if None in row else row[1] == row[2] or row[0] == "implementation")


def _flat(facts: Mapping[str, Any]) -> dict[str, str]:
    named = {name: value for name, value in facts.items() if name != "details"} | facts["details"]
    return {name.replace("_", " "): str(value) for name, value in named.items() if value is not None}


def _stderr(text: str) -> str:
    # Line by line: the lines are the testee's, the characters in them must not be obeyed.
    return "\n".join(printable(line.expandtabs()) for line in text[-_SHOWN_STDERR:].splitlines())


def _shown(text: object) -> str:
    return printable(words.cut(str(text), _LONGEST_TEXT))


def _small(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "-"
    return "0" if value == 0 else f"{value:.2e}"


def _gap(swap: Mapping[str, Any]) -> str:
    first, second = swap["first_score"], swap["second_score"]
    # Infinities and NaN come as words; between them no gap is a number.
    return "-" if isinstance(first, str) or isinstance(second, str) else _small(abs(first - second))


def _of(good: int, every: int) -> str:
    if every == 0:
        return "-"
    return f"all {every:,}" if good == every else f"{good:,} of {every:,}"
