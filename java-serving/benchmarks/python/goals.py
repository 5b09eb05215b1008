"""The goals of the project, and whether a run met them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

_AT = 200
_WEIGHTY = 30_000_000


class Measured(Protocol):
    """What was measured of one contestant."""

    ns: list[float]
    bytes: list[float]


Cells = dict[tuple[str, int, str], Any]
Spread = tuple[float, float, float]


def spread(values: Sequence[float]) -> Spread:
    """Lower quartile, median, upper quartile."""
    low, middle, high = np.quantile(np.asarray(values, np.float64), [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def ratio(cells: Cells, model: str, n: int, slow: str, fast: str) -> Spread | None:
    """How many times as long the one takes as the other, over the pairs of rounds."""
    first, second = cells.get((model, n, slow)), cells.get((model, n, fast))
    if first is None or second is None:
        return None
    return spread(np.asarray(first.ns) / np.asarray(second.ns))


def judge(cells: Cells, extras: dict[str, Any]) -> list[dict[str, Any]]:
    """Each goal with its figure; ``met`` is None where nothing was measured."""
    goals: list[dict[str, Any]] = []

    def goal(text: str, found: Spread | None, met: Callable[[float], bool], form: str = "{:.2f}") -> None:
        entry: dict[str, Any] = {"goal": text, "figure": None, "spread": None, "met": None}
        if found is not None:
            low, middle, high = found
            entry |= {
                "figure": form.format(middle),
                "spread": f"{form.format(low)} to {form.format(high)}",
                "met": met(middle),
            }
        goals.append(entry)

    def extra(model: str, name: str) -> Spread | None:
        values = extras.get(model, {}).get(name)
        return spread(values) if values else None

    for ours, raw in (("ours", "raw"), ("ours-25", "raw-25")):
        found = ratio(cells, "heavy", _AT, ours, raw)
        own = None if found is None else tuple(100 * (each - 1) for each in found)
        goal(
            f"own share at n = 200 at most 3.5 % of the heavy model's raw run: {ours} beyond {raw}",
            own,  # type: ignore[arg-type]
            lambda value: value <= 3.5,
            "{:.1f} %",
        )
    fill, run = extra("heavy", "fill"), ratio(cells, "heavy", _AT, "ours", "raw")
    noise = None if fill is None or run is None else tuple(each / (1 + fill[1]) for each in run)
    goal(
        "ours is raw plus its packing, within 3 %: heavy, n = 200",
        noise,  # type: ignore[arg-type]
        lambda value: abs(value - 1) <= 0.03,
        "{:.3f}",
    )
    for label, most in (("engine-ffm", 0), ("engine", 600)):
        for model in ("heavy", "light", "attention"):
            goal(
                f"{label}: at most {most} B of heap a call in the tensor path, {model}, n = 200",
                _bytes(cells, model, label),
                lambda value, most=most: value <= most + 0.5,  # type: ignore[misc]
                "{:.0f} B",
            )
    for label in ("ours", "ours-ffm"):
        most = _result_bytes() + (0 if label == "ours-ffm" else 600)
        goal(
            f"{label}: at most {most} B a call from typed values to a ranking of 10 with its {_AT} scores, heavy",
            _bytes(cells, "heavy", label),
            lambda value, most=most: value <= most,  # type: ignore[misc]
            "{:.0f} B",
        )
    for n in (1, 20, 200):
        for ours in ("ours", "ours-ffm"):
            goal(
                f"heavy at least 1.15 times as fast as DJL on the same graph, n = {n}: {ours}",
                ratio(cells, "heavy", n, "djl", ours),
                lambda value: value >= 1.15,
            )
    for model, slow, least in (
        ("light", "djl", 2.0),
        ("light", "per-feature", 5.0),
        ("attention", "djl-flat", 5.0),
    ):
        for ours in ("ours", "ours-ffm", *(("ours/keys",) if model == "light" else ())):
            goal(
                f"{model} at least {least:g} times as fast as {slow}, n = 200: {ours}",
                ratio(cells, model, _AT, slow, ours),
                lambda value, least=least: value >= least,  # type: ignore[misc]
            )
    for model in ("heavy", "light", "attention"):
        goal(
            f"two threads at least 1.9 times one: {model}, n = 200",
            extra(model, "threads"),
            lambda value: value >= 1.9,
        )
    for model in ("heavy", "light", "attention"):
        bare = extra(model, "linear raw")
        bound = 1.1 if bare is None else max(1.1, 1.05 * bare[1])
        beside = "" if bare is None else f" (the bare run: {bare[1]:.2f})"
        goal(
            f"linear: a candidate of 10,000 costs {bound:.2f} times one of 1,000 or less, {model}{beside}",
            extra(model, "linear slate"),
            lambda value, bound=bound: value <= bound,  # type: ignore[misc]
        )
    for model, found in extras.items():
        # Of a small bundle most is the goldens' replay, which does not grow with the weights.
        if "load" in found and found["load"]["bytes"] >= _WEIGHTY:
            size, seconds = found["load"]["bytes"], found["load"]["seconds"]
            goal(
                f"from nothing to ready at most 1 s per 100 MB: {model}, {size / 1e6:.0f} MB",
                spread([each * 1e8 / size for each in seconds]),
                lambda value: value <= 1,
                "{:.2f} s",
            )
    return goals


def _bytes(cells: Cells, model: str, label: str) -> Spread | None:
    cell = cells.get((model, _AT, label))
    return spread(cell.bytes) if cell is not None and cell.bytes else None


def _result_bytes() -> int:
    """What a ranking of ten with the scores of a slate must take, headers included."""
    return 4 * _AT + 10 * 32 + 400
