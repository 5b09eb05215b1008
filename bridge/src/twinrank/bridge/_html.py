"""The parity report as one self-contained HTML page: no script, no external resource, readable in dark and in light."""

from __future__ import annotations

from pathlib import Path

import jinja2

from twinrank.bridge import _words as words
from twinrank.bridge._console import MARKS
from twinrank.bridge._parity import RouteTally
from twinrank.bridge._plots import score_plots, ulp_histogram
from twinrank.bridge._report import to_json
from twinrank.bridge._scorer import SCORE
from twinrank.bridge._text import printable
from twinrank.bridge._verify import ParityRun

_TEMPLATES = Path(__file__).parent / "templates"


def render(run: ParityRun) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ulps=words.ulps, thousands=lambda value: f"{value:,}", small=_small, printable=printable)
    report = to_json(run)
    return environment.get_template("report.html.j2").render(
        report=report,
        verdict_text=words.verdict(run),
        baseline=run.baseline_route,
        marks={status: mark for status, (mark, _) in MARKS.items()},
        plots=[
            (
                tally.route,
                tally.summary,
                ulp_histogram(tally),
                score_plots(tally) if tally.heads[SCORE].differing_rows else "",
            )
            for tally in run.routes
            if _worth_a_plot(tally)
        ],
    )


def _worth_a_plot(tally: RouteTally) -> bool:
    """Where every bit is equal, a plot shows a straight line and nothing else."""
    return tally.rows > 0 and any(head.differing_rows for head in tally.heads.values())


def _small(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "-"
    return "0" if value == 0 else f"{value:.2e}"
