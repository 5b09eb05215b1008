"""How much a slate costs: as exported plainly, after the rewrites, and as flat rows.

    .venv/bin/python export/bench/slates.py [--quick]

Every ratio is the median over pairs of runs that follow each other in one process, in alternating order; the brackets
hold the middle half of the pairs. ONNX Runtime under the session options of a bundle: one thread, everything optimised.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from slate_models import MODELS, export, flat_rows, make, slate

from twinrank.export.bundle import Runner, SessionSettings, runtime_release
from twinrank.export.graph.rewrites import REWRITES, run_rewrites

Blocks = dict[str, NDArray[np.generic]]

SIZES = (1, 20, 100, 200, 1000)
FLAT_SIZES = (20, 100)
_SECONDS = 0.8
_PAIRS = (15, 400)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two ways of computing the same, timed against each other.

    Attributes:
        left: seconds of each run of the first.
        right: of the second.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]

    def line(self, label: str, n: int) -> str:
        """Medians in µs, the ratio and its middle half."""
        ratio = self.left / self.right
        low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
        left, right = np.median(self.left) * 1e6, np.median(self.right) * 1e6
        return f"{label:<52} {n:>5} {left:>9.0f} {right:>9.0f} {middle:>7.2f}x  [{low:.2f}, {high:.2f}]"


def paired(left: Callable[[], object], right: Callable[[], object], seconds: float) -> Pairs:
    """Times two calls in turn, for about so many seconds."""
    begin = time.perf_counter()
    left()
    right()
    once = time.perf_counter() - begin
    count = int(np.clip(seconds / once, *_PAIRS))
    for _ in range(count // 10 + 1):
        left()
        right()
    times = np.zeros((count, 2))
    for pair in range(count):
        for side in (0, 1) if pair % 2 else (1, 0):
            call = (left, right)[side]
            begin = time.perf_counter()
            call()
            times[pair, side] = time.perf_counter() - begin
    return Pairs(times[:, 0], times[:, 1])


def _write(line: str = "") -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _model(name: str, seconds: float) -> None:
    ranker = make(name)
    plain = export(ranker)
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(plain)
    run_rewrites(rewritten, REWRITES)
    before, after = (Runner(model.SerializeToString(), SessionSettings()) for model in (plain, rewritten))
    _compare(name, before, after, lambda n: slate(ranker, n), seconds)
    flat = Runner(export(ranker, flat=True).SerializeToString(), SessionSettings())
    for n in FLAT_SIZES:
        blocks = slate(ranker, n)
        rows = flat_rows(blocks, n)
        found = paired(lambda rows=rows: flat.run(rows), lambda blocks=blocks: after.run(blocks), seconds)
        _write(found.line(f"{name}: flat rows / rewritten", n))
    _write()


def _compare(name: str, before: Runner, after: Runner, draw: Callable[[int], Blocks], seconds: float) -> None:
    apart = 0.0
    for n in SIZES:
        blocks = draw(n)
        apart = max(apart, *(float(np.abs(a - b).max()) for a, b in zip(*_both(before, after, blocks), strict=True)))
        found = paired(lambda blocks=blocks: before.run(blocks), lambda blocks=blocks: after.run(blocks), seconds)
        _write(found.line(f"{name}: plain / rewritten", n))
    _write(f"  at most {apart:.2g} apart")


def _both(before: Runner, after: Runner, blocks: Blocks) -> tuple[list[NDArray[np.generic]], ...]:
    return before.run(blocks), after.run(blocks)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the time, for looking at the shape of the table"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    _write(f"ONNX Runtime {runtime_release()}, one thread; µs a slate, medians")
    _write(f"{'':<52} {'n':>5} {'first':>9} {'second':>9} {'ratio':>8}  middle half")
    for name in MODELS:
        _model(name, _SECONDS / (10 if arguments.quick else 1))


if __name__ == "__main__":
    main()
