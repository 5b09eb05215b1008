"""The figures for a person."""

from __future__ import annotations

import sys
from typing import Any

from goals import spread
from workers import Contestant

_REFERENCE = {
    "raw": "raw",
    "ours": "raw",
    "ours/builder": "ours",
    "ours/keys": "raw",
    "raw-25": "raw",
    "ours-25": "raw-25",
}


def show(result: dict[str, Any], contestants: list[Contestant]) -> None:
    """Prints host, table and goals."""
    host = result["host"]
    _say(f"\n{host['processor']}, {host['cores']} cores, load {host['load'][0]:.1f} to {host['load_after'][0]:.1f}")
    _say(
        f"ONNX Runtime {host['onnxruntime']} (Python {host['onnxruntime_python']}), DJL {host['djl']}, {host['commit']}"
    )
    _say(", ".join(f"{name} {facts.get('java', facts.get('python'))}" for name, facts in result["processes"].items()))
    if result["not_measured"]:
        _say(f"not measured, for want of a newer JDK or of the FFM engine's jar: {', '.join(result['not_measured'])}")
    _say(f"{result['compared']:,} scores compared before timing: equal. Ratios are medians of pairs [middle half].")
    if result["clock"] == "cpu":
        _say("times are those of the calling thread: collectors and other threads are not in them")
    cells = result["cells"]
    for model, n in dict.fromkeys((key.split(" ")[0], key.split(" ")[1]) for key in cells):
        _say(f"\n{model}, n = {n}{'':<36}{'µs':>9} {'B/call':>9}   ratio to")
        for contestant in contestants:
            cell = cells.get(f"{model} {n} {contestant.label}")
            if cell is not None:
                _say(_line(cells, model, n, contestant, cell))
    _say("\ngoals")
    for goal in result["goals"]:
        met = {None: "not measured", True: "met", False: "NOT MET"}[goal["met"]]
        figure = "" if goal["met"] is None else f"{goal['figure']} [{goal['spread']}]"
        _say(f"  {met:<13} {goal['goal']:<96} {figure}")
    if result["quick"]:
        _say("\nquick: answers were compared; the times are too short to mean anything")


def _line(cells: dict[str, Any], model: str, n: str, contestant: Contestant, cell: dict[str, Any]) -> str:
    reference = _REFERENCE.get(contestant.label, "ours")
    other = cells.get(f"{model} {n} {reference}")
    ratio = ""
    if other is not None and reference != contestant.label:
        low, middle, high = spread([a / b for a, b in zip(cell["ns"], other["ns"], strict=True)])
        ratio = f"{middle:6.2f} [{low:.2f}, {high:.2f}] {reference}"
    allocated = f"{spread(cell['bytes'])[1]:9.0f}" if cell["bytes"] else f"{'':9}"
    return f"  {contestant.what:<50} {spread(cell['ns'])[1] / 1000:9.1f} {allocated}   {ratio}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
