"""`make parity`: every bundle over every route, to the bit.

    python -m tools.parity full        ten million scores (20 minutes)
    python -m tools.parity ci          300,000 scores
    python -m tools.parity ci --only trees --only words --scores 1000000

Makes the bundles where they are not there yet, runs `twinrank verify` on each, and sums up. Exit code 0: every route of
every bundle is equal; 1: one differs; 2: could not tell (a bundle was not made, a route did not run).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.parity import bundles, rankers
from tools.parity.bundles import BUILD, ROOT, Recipe
from tools.parity.summary import EXIT, MARKS, BundleResult, RouteResult, judge, to_json, total, write

ROUTES = ("http", "jpype", "probe", "py4j", "python", "torch", "lightgbm", "xgboost")
"""Every route; torch is there for bundles of a run, a library of trees for those that it trained."""
_LOG_WIDTH = 140
_SEED = 6
# Seconds for one request: a busy machine's slate of 10,000 is no route that hangs.
_PATIENCE = 300
_STYLES = {"equal": "green", "differs": "bold red", "unknown": "bold yellow"}


@dataclass(frozen=True)
class Size:
    """How much is proven.

    Attributes:
        scores: candidate scores over all bundles that every route is compared in, at least.
        fuzz: requests that are generated from each bundle's schema, beside those of its traffic.
    """

    scores: int
    fuzz: int


SIZES = {"full": Size(10_000_000, 2_000), "ci": Size(300_000, 200)}


def main() -> int:
    """Run the suite and return the exit code."""
    parser = argparse.ArgumentParser(prog="parity", description=__doc__.partition("\n")[0])
    parser.add_argument("size", choices=SIZES, help="ten million scores, or 300,000")
    names = [recipe.name for recipe in bundles.recipes()]
    parser.add_argument("--only", action="append", choices=names, metavar="BUNDLE", help=f"one of {', '.join(names)}")
    parser.add_argument("--scores", type=int, metavar="N", help="another number of scores over the chosen bundles")
    parser.add_argument("--out", type=Path, default=BUILD, metavar="DIR", help="where the summary and the reports go")
    arguments = parser.parse_args()
    # Without this, SIGTERM would end Python at once and leave a verification, and its JVMs, behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    began = time.monotonic()
    chosen = [recipe for recipe in bundles.recipes() if arguments.only is None or recipe.name in arguments.only]
    size = SIZES[arguments.size]
    weights = sum(recipe.weight for recipe in chosen)
    every = sum(recipe.weight for recipe in bundles.recipes())
    least = int(size.scores * weights / every) if arguments.scores is None else arguments.scores
    reports = arguments.out.resolve() / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    results = []
    for number, recipe in enumerate(chosen, start=1):
        console.print(f"\n[bold]{number}/{len(chosen)}  {recipe.name}[/bold]  {recipe.summary}")
        scores = math.ceil(least * recipe.weight / weights)
        results.append(_verified(recipe, scores, size.fuzz, reports / recipe.name))
    whole = total(results, len(names), least, time.monotonic() - began)
    document = to_json(results, whole, arguments.size)
    console.print(_table(results))
    for result in results:
        if result.why:
            console.print(Text(f"  {result.name}: {result.why}", style=_STYLES[result.verdict]), soft_wrap=True)
    for path in write(arguments.out, document, ROUTES):
        console.print(Text(f"  {path}"), soft_wrap=True)
    console.print(Text(f"{whole.line} ({whole.seconds:,.0f} s)", style=_STYLES[whole.verdict]), soft_wrap=True)
    return EXIT[whole.verdict]


def _verified(recipe: Recipe, scores: int, fuzz: int, report: Path) -> BundleResult:
    began = time.monotonic()
    try:
        if not bundles.is_made(recipe):
            print("  making it", file=sys.stderr, flush=True)
        bundle = bundles.made(recipe)
        requests = bundles.request_file(recipe, scores)
    except Exception as error:  # whatever a trainer or an exporter says: the other bundles are verified all the same
        traceback.print_exc()
        why = f"was not made: {error!r}"
        return BundleResult(recipe.name, recipe.summary, "unknown", time.monotonic() - began, why=why)
    absent = {"torch"} if recipe.run is None else set()
    absent |= rankers.FILES.keys() - {recipe.library}
    routes = [name for name in ROUTES if name not in absent]
    code = _verify(recipe, bundle, requests, routes, report, fuzz)
    return judge(
        recipe.name, recipe.summary, _read(report), code, routes, bundle / "model.onnx", time.monotonic() - began
    )


def _verify(recipe: Recipe, bundle: Path, requests: Path, routes: Sequence[str], report: Path, fuzz: int) -> int:
    command = [str(Path(sys.executable).with_name("twinrank")), "verify", str(bundle), "--requests", str(requests)]
    command += [word for name in routes for word in ("--route", name)]
    command += ["--python", sys.executable, "--fuzz", str(fuzz), "--seed", str(_SEED)]
    command += ["--pairwise", "--invariance", "--timeout", str(_PATIENCE), "--report", str(report)]
    command += ["--run", str(recipe.run)] if recipe.run is not None else []
    if recipe.native is not None:
        command += ["--native", str(recipe.native), "--schema", str(rankers.SCHEMA)]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "COLUMNS": "120"}) as child:
        try:
            return child.wait()
        except BaseException:
            # Ctrl-C reached the child too; a signal to this process alone did not. Nothing is left behind either way.
            child.terminate()
            child.wait()
            raise


def _read(report: Path) -> dict[str, Any] | None:
    path = report / "report.json"
    if not path.is_file():
        return None
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _table(results: Sequence[BundleResult]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("", "left"), ("bundle", "left"), *((name, "right") for name in _COLUMNS)):
        table.add_column(name, justify="left" if justify == "left" else "right", no_wrap=True)
    for name in ROUTES:
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        found = {route.name: route for route in result.routes}
        table.add_row(
            Text(MARKS[result.verdict], style=_STYLES[result.verdict]),
            result.name,
            f"{result.operators}",
            f"{result.requests:,}",
            f"{result.scores:,}",
            f"{result.comparisons:,}",
            f"{result.refusals:,}",
            f"{result.seconds:,.0f}",
            *(_bits(found.get(name)) for name in ROUTES),
        )
    return table


_COLUMNS = ("ops", "requests", "scores", "comparisons", "refusals", "s")


def _bits(route: RouteResult | None) -> Text:
    """What a route's column shows: differing bits, or whether it is within the tolerance that its level allows."""
    if route is None:
        return Text("-", style="dim")
    if route.verdict == "unknown":
        return Text("?", style=_STYLES["unknown"])
    within = "≤ a" if route.verdict == "equal" else "> a"
    shown = within if route.level == "reference" else f"{route.differing_bits:,}"
    return Text(shown, style=_STYLES[route.verdict])


if __name__ == "__main__":
    sys.exit(main())
