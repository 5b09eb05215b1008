"""What each route costs: rows a second at several slate sizes, a crossing of its border, and 10^6 scores verified.

    .venv/bin/python bridge/bench/bridge.py BUNDLE --requests FILE [--quick]

Every figure is the median over rounds in which all routes are asked one after another, `ort` beside them each time; the
brackets hold the middle half of the rounds, and ratios are taken within a round, so that what else the machine does
meets both sides.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import twinrank.bridge
from twinrank.bridge import RouteOptions, RouteScores, Scorer
from twinrank.bridge._slates import apart
from twinrank.bridge.routes import route

ROUTES = ("ort", "jpype", "py4j", "probe", "http")
SIZES = (1, 20, 200, 1000)
BATCH_ROWS = 4_000
MILLION = 1_000_000


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return lower quartile, median and upper quartile."""
    if len(values) < 2:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def seconds(function: Callable[[], object]) -> float:
    """Return what one call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def slates_of(requests: Path, size: int, count: int) -> list[bytes]:
    """Return requests of exactly so many candidates, each with the context of a real one."""
    made: list[bytes] = []
    with requests.open("rb") as file:
        parts = [apart(line) for line in itertools.islice(file, 200)]
    parts = [each for each in parts if each.candidates]
    if not parts:
        raise SystemExit(f"{requests} holds no request with candidates")
    for each in itertools.islice(itertools.cycle(parts), count):
        made.append(each.slate(list(itertools.islice(itertools.cycle(each.candidates), size))))
    return made


def told(name: str, rounds: dict[str, list[float]], rows: int) -> str:
    """Return one route's cells: rows a second with its quartiles, and the ratio of times to ort's."""
    low, middle, high = (rows / value for value in reversed(spread(rounds[name])))
    ratio = statistics.median(mine / base for mine, base in zip(rounds[name], rounds["ort"], strict=True))
    return f"{middle:>10,.0f} [{low:,.0f}-{high:,.0f}]  x{ratio:.2f}"


def measure(scorers: dict[str, Scorer], requests: Path, rounds: int) -> None:
    """Print rows a second: one request a call, and as many as a chunk of the engine holds."""
    for size in SIZES:
        raws = slates_of(requests, size, max(1, min(64, BATCH_ROWS // size)))
        for kind in ("single", "batch"):
            taken: dict[str, list[float]] = {name: [] for name in scorers}
            for turn in range(rounds + 1):
                for name, scorer in scorers.items():

                    def single(scorer: Scorer = scorer, raws: Sequence[bytes] = raws) -> list[object]:
                        return [scorer.score(raw) for raw in raws]

                    def batch(scorer: Scorer = scorer, raws: Sequence[bytes] = raws) -> object:
                        return scorer.score_batch(raws)

                    spent = seconds(single if kind == "single" else batch)
                    if turn:  # the first round warms up
                        taken[name].append(spent)
            for name in scorers:
                print(f"{size:>6}  {kind:<6}  {name:<6} {told(name, taken, size * len(raws))}")


def crossing(scorers: dict[str, Scorer], null: bytes, rounds: int) -> None:
    """Print what a request without candidates takes: nothing is computed, so the border is what costs."""
    for name, scorer in scorers.items():
        for _ in range(50):
            scorer.score(null)
        low, middle, high = spread([1e6 * seconds(lambda s=scorer: s.score(null)) for _ in range(100 * rounds)])  # type: ignore[misc]
        print(f"  {name:<6} {middle:>8,.0f} µs [{low:,.0f}-{high:,.0f}]")


def million(bundle: Path, requests: Path) -> None:
    """Print how long verifying 10^6 scores over four routes takes, the opening of all included."""
    with tempfile.TemporaryDirectory(prefix="twinrank-bench-") as folder:
        path = Path(folder) / "requests.jsonl"
        lines = requests.read_bytes()
        with route("ort").open(bundle, RouteOptions()) as scorer:
            answers = [scored.answer for scored in scorer.score_batch(lines.splitlines())]
        rows = sum(answer.n for answer in answers if isinstance(answer, RouteScores))
        path.write_bytes(lines * -(-MILLION // rows))
        began = time.perf_counter()
        run = twinrank.bridge.verify(bundle, routes=ROUTES[1:], requests=path, explain=False)
        spent = time.perf_counter() - began
    asked = f"{run.baseline_rows:,} scores of {run.baseline_route} over {len(run.routes)} routes"
    print(f"  {run.verdict}: {asked}: {spent:.1f} s")
    for tally in run.routes:
        print(f"  {tally.route:<6} {tally.rows:>10,} rows compared, {tally.seconds:.1f} s in the route")


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--requests", type=Path, required=True, help="raw requests, one a line: the run's")
    parser.add_argument("--quick", action="store_true", help="few rounds, and no 10^6 scores")
    given = parser.parse_args()
    rounds = 3 if given.quick else 15
    with ExitStack() as stack:
        scorers = {name: stack.enter_context(route(name).open(given.bundle, RouteOptions())) for name in ROUTES}
        print("  rows  calls   route   rows/s [middle half]   time against ort")
        measure(scorers, given.requests, rounds)
        context = json.loads(next(iter(given.requests.read_bytes().splitlines())))["context"]
        print("\na request without candidates")
        crossing(scorers, json.dumps({"context": context, "candidates": []}).encode(), rounds)
    if not given.quick:
        print("\n10^6 scores")
        million(given.bundle, given.requests)


if __name__ == "__main__":
    main()
