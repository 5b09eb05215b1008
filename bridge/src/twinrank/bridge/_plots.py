"""The report's plots as inline SVG that takes its colours from the page, so that dark and light both work."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import numpy as np
from matplotlib.figure import Figure

from twinrank.bridge._parity import ULP_EDGES, HeadTally, RouteTally
from twinrank.bridge._scorer import SCORE, Array
from twinrank.bridge._text import printable

# Colours that occur nowhere else stand for the page's own; matplotlib cannot write CSS variables itself.
_STAND_INS = {"#010203": "var(--ink)", "#040506": "var(--soft)", "#070809": "var(--rule)"}
_SERIES = ("#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06")
_STAND_INS |= {colour: f"var(--series-{place})" for place, colour in enumerate(_SERIES)}
# Narrower bars, and bins of four digits, have no room for more.
_LABELLED = 0.5
_COARSE = 256
_LONGEST_NAME = 28
_INK, _SOFT, _RULE = list(_STAND_INS)[:3]

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "twinrank",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _SOFT,
    "axes.titlecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "grid.color": _RULE,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
}


def ulp_histogram(tally: RouteTally) -> str:
    """Return the histogram of ULP distances to the baseline, one group of bars for each head, in share of rows."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(8.4, 3.0)
        last = max(
            (place for head in tally.heads.values() for place, count in enumerate(head.histogram) if count), default=0
        )
        shown = min(max(last + 2, 4), len(ULP_EDGES))
        heads = _plotted(tally)
        width = 0.86 / len(heads)
        tallest = max(100 * max(head.histogram) / max(head.rows, 1) for head in heads)
        for place, head in enumerate(heads):
            share = np.asarray(head.histogram[:shown]) / max(head.rows, 1) * 100
            left = np.arange(shown) - 0.43 + width * (place + 0.5)
            axes.bar(left, share, width=width * 0.92, color=_SERIES[place], label=_name(head.name))
            for x, height, count in zip(left, share, head.histogram, strict=False):
                if count and height >= _LABELLED:
                    axes.annotate(
                        f"{height:.0f}" if height >= 10 else f"{height:.1f}",
                        (x, height),
                        (0, 2),
                        textcoords="offset points",
                        ha="center",
                        fontsize=7.5,
                        color=_SOFT,
                    )
        axes.set_xticks(range(shown), [_bin(place) for place in range(shown)])
        axes.set_xlabel("units in the last place")
        axes.set_ylabel("% of rows")
        axes.set_ylim(0, 1.15 * tallest)
        # Above the axes, where no bar is: which corner is free depends on the data.
        figure.legend(loc="outside upper left", ncols=3 if max(len(head.name) for head in heads) > 16 else len(heads))
        return _svg(figure, f"Histogram: distance of {tally.route} from the baseline in units in the last place")


def _plotted(tally: RouteTally) -> list[HeadTally]:
    """Return at most as many heads as there are colours: those that differ most, and the score."""
    heads = sorted(tally.heads.values(), key=lambda head: (-head.beyond, -head.differing_bits))[: len(_SERIES)]
    kept = heads if tally.heads[SCORE] in heads else [*heads[:-1], tally.heads[SCORE]]
    return [head for head in tally.heads.values() if head in kept]


def _name(text: str) -> str:
    # matplotlib reads `$` as mathematics and a leading underscore as "not in the legend".
    shown = printable(text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…")
    return shown.replace("$", r"\$") if not shown.startswith("_") else f"\u200b{shown}"


def score_plots(tally: RouteTally) -> str:
    """Return score against score, and the difference over the score with the band that is allowed."""
    expected, actual = tally.samples()
    fine = np.isfinite(expected) & np.isfinite(actual)
    expected, actual = expected[fine], actual[fine]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axes in (left, right):
            axes.grid(visible=True, linewidth=0.6)
            axes.set_axisbelow(True)
        _points(left, expected, actual)
        if len(expected):
            ends = [float(expected.min()), float(expected.max())]
            left.plot(ends, ends, color=_SOFT, linewidth=0.8, linestyle="--")
        left.set_title(f"score: {_name(tally.route)} against baseline")
        left.set_xlabel("baseline score")
        left.set_ylabel(f"{_name(tally.route)} score")
        _points(right, expected, actual - expected)
        allowed = tally.heads[SCORE].allowed
        if allowed is not None:
            for sign in (-1, 1):
                right.axhline(
                    sign * allowed,
                    color=_SERIES[1],
                    linewidth=1.2,
                    linestyle="--",
                    label="±a, allowed" if sign > 0 else None,
                )
            right.set_ylim(-1.5 * max(allowed, _reach(expected, actual)), 1.5 * max(allowed, _reach(expected, actual)))
            right.legend(loc="upper right")
        right.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        right.set_title("difference over score")
        right.set_xlabel("baseline score")
        right.set_ylabel(f"{_name(tally.route)} - baseline")
        return _svg(figure, f"Scatter: score of {tally.route} against the baseline, and their difference")


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=True, axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _points(axes: Any, x: Array, y: Array) -> None:
    axes.plot(x, y, linestyle="none", marker="o", markersize=2.4, markeredgewidth=0, alpha=0.45, color=_SERIES[0])


def _reach(expected: Array, actual: Array) -> float:
    return float(np.abs(actual - expected).max()) if len(expected) else 0.0


def _bin(place: int) -> str:
    low = ULP_EDGES[place]
    if place + 1 == len(ULP_EDGES):
        return f"{low}+"
    if low >= _COARSE:
        return f"{low}+"
    high = ULP_EDGES[place + 1] - 1
    return str(low) if low == high else f"{low}-{high}"


def _svg(figure: Figure, label: str) -> str:
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, variable in _STAND_INS.items():
        svg = svg.replace(stand_in, variable)
    # The page decides size and font; the label is what a screen reader says.
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"font: ([0-9.]+px)[^;\"]*", r"font-size: \1", svg)
    # Names that nothing refers to would be there twice on a page with two plots.
    svg = re.sub(r' id="[A-Za-z0-9]+_\d+"', "", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(printable(label))}" ', 1).strip()
