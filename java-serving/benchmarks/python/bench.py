"""Paired ratios of the core, the bare runtime under it, and its peers, from one interleaved run.

    .venv/bin/python java-serving/benchmarks/python/bench.py [--quick] [--models heavy,light] [--sizes 200]
        [--contestants raw,ours,djl]

Every contestant is a process (or shares one) that scores for some milliseconds when it is asked to and sleeps between.
A round asks each of them once, in an order that turns from round to round; a ratio is of two blocks of one round, and
the table gives its median and middle half. Before anything is timed, every contestant's answers to all requests are
compared: bits of scores, and the best ten. A difference ends the run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from facts import host_facts
from goals import judge
from table import show
from workers import CONTESTANTS, ROOT, Contestant, Worker, started

from twinrank.export.bundle import read_manifest

MODELS = ("heavy", "light", "attention")
SIZES = (1, 20, 200, 1000)
_LINEAR = 10_000
_GOALS_AT = 200
_OURS = "jni17"
_FLAT_MOST = 200


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Attributes:
        warm: seconds that each contestant warms up for, for each model and size.
        block: seconds of a block.
        rounds: blocks of each contestant.
        rounds_at_goals: the same at the size that goals speak of.
    """

    warm: float
    block: float
    rounds: int
    rounds_at_goals: int


FULL = Effort(warm=0.5, block=0.05, rounds=13, rounds_at_goals=31)
QUICK = Effort(warm=0.02, block=0.01, rounds=3, rounds_at_goals=3)


@dataclass(slots=True)
class Cell:
    """What was measured of one contestant, model and size.

    Attributes:
        ns: of a call, by round.
        bytes: of heap that a call allocated, by round.
    """

    ns: list[float] = field(default_factory=list)
    bytes: list[float] = field(default_factory=list)


Cells = dict[tuple[str, int, str], Cell]


class Comparison:
    """One run.

    Args:
        models: the folder.
        workers: by name of the process.
        contestants: who takes part.
        effort: how long.
        clock: `ns`, what passes, or `cpu`, what the calling thread takes.
    """

    def __init__(
        self, models: Path, workers: dict[str, Worker], contestants: list[Contestant], effort: Effort, clock: str
    ) -> None:
        self._models, self._workers, self._effort, self._clock = models, workers, effort, clock
        self.contestants = contestants
        self.cells: Cells = {}
        self.compared = 0

    def compare(self, model: str, sizes: Iterable[int]) -> None:
        """Asserts that all give the same; the first exact contestant's answers are what the others must give.

        Raises:
            SystemExit: naming contestant, request and candidate, if one gives something else.
        """
        manifest = read_manifest(self._models / model / "1")
        allowed = manifest.tolerances["score"].a
        exact = [contestant for contestant in self.contestants if contestant.exact]
        for n in sizes:
            first: list[dict[str, Any]] = []
            ordered: list[dict[str, Any]] = []
            for contestant in sorted(self._at(n), key=lambda each: not each.exact):
                answers = self._ask(contestant, "scores", model, n)
                where = f"{contestant.label} on {model}, n = {n}"
                if not first:
                    first = answers
                if contestant.ranks and not ordered and exact:
                    ordered = answers
                _same(where, first, ordered, answers, contestant, allowed)
                self.compared += len(answers) * n

    def measure(self, model: str, n: int) -> None:
        """Times everybody at one size, in turns."""
        taking_part = self._at(n)
        effort = self._effort
        for contestant in taking_part:
            self._block(contestant, model, n, effort.warm)
        rounds = effort.rounds_at_goals if n == _GOALS_AT else effort.rounds
        for turn in range(rounds):
            shift = turn % len(taking_part)
            for contestant in taking_part[shift:] + taking_part[:shift]:
                found = self._block(contestant, model, n, effort.block)
                cell = self.cells.setdefault((model, n, contestant.label), Cell())
                cell.ns.append(found[self._clock])
                if found["bytes"] is not None:
                    cell.bytes.append(found["bytes"])

    def pairs(
        self, first: dict[str, Any], second: dict[str, Any], rounds: int, seconds: float, clock: str
    ) -> list[float]:
        """Ratios of two blocks that follow each other, for what is no contestant's own line: ours, on one JVM."""
        worker = self._workers[_OURS]
        ratios = []
        for turn in range(rounds + 1):
            asked = (first, second) if turn % 2 else (second, first)
            found = {id(each): worker.ask("block", nanos=int(seconds * 1e9), **each) for each in asked}
            ratios.append(found[id(first)][clock] / found[id(second)][clock])
        return ratios[1:]

    def load(self, bundle: Path, clock: str) -> float:
        """Seconds from nothing to ready in the process that has ours."""
        return float(self._workers[_OURS].ask("load", bundle=str(bundle))[clock]) / 1e9

    def drop(self) -> None:
        """Lets every process forget the model."""
        for worker in self._workers.values():
            worker.ask("drop")

    def facts(self) -> dict[str, Any]:
        """What each process says of itself."""
        return {name: worker.ask("facts") for name, worker in self._workers.items()}

    def _at(self, n: int) -> list[Contestant]:
        return [each for each in self.contestants if each.exact or n <= _FLAT_MOST]

    def _block(self, contestant: Contestant, model: str, n: int, seconds: float) -> Any:
        return self._ask(contestant, "block", model, n, nanos=int(seconds * 1e9))

    def _ask(self, contestant: Contestant, do: str, model: str, n: int, **more: object) -> Any:
        return self._workers[contestant.process].ask(do, contestant=contestant.name, model=model, n=n, **more)


def _same(
    where: str,
    first: list[dict[str, Any]],
    ordered: list[dict[str, Any]],
    answers: list[dict[str, Any]],
    contestant: Contestant,
    allowed: float,
) -> None:
    for request, (expected, given) in enumerate(zip(first, answers, strict=True)):
        left, right = (np.array(each["bits"], np.int32) for each in (expected, given))
        if left.shape != right.shape:
            raise SystemExit(f"{where}, request {request}: {right.size} scores instead of {left.size}")
        apart = np.abs(left.view(np.float32) - right.view(np.float32))
        wrong = np.flatnonzero(left != right if contestant.exact else ~(apart <= allowed))
        if wrong.size:
            i = int(wrong[0])
            raise SystemExit(
                f"{where}, request {request}: {wrong.size} of {left.size} are not those of the others; candidate "
                f"{i} has {right.view(np.float32)[i]} instead of {left.view(np.float32)[i]}. Nothing was timed."
            )
        best = ordered[request]["best"] if contestant.exact and contestant.ranks else given["best"]
        if given["best"] != best:
            raise SystemExit(
                f"{where}, request {request}: orders {given['best']} instead of {best}. Nothing was timed."
            )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build/bench/models", help="where models.py wrote")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/java.json")
    parser.add_argument(
        "--quick", action="store_true", help="asserts equality, and measures too short to mean anything"
    )
    parser.add_argument("--models", default=",".join(MODELS), help="some of %(default)s")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of candidates")
    parser.add_argument("--contestants", default="", help="labels; all if not said")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="time of the calling thread instead of the clock on the wall: for a busy machine",
    )
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    wanted = set(filter(None, arguments.contestants.split(",")))
    chosen = [each for each in CONTESTANTS if not wanted or each.label in wanted]
    if wanted - {each.label for each in chosen}:
        parser.error(f"contestants are {', '.join(each.label for each in CONTESTANTS)}")
    clock = "cpu" if arguments.cpu else "ns"
    sizes = [int(size) for size in arguments.sizes.split(",")]
    begin = time.monotonic()
    with started(arguments.folder, arguments.out.parent / "log", {each.process for each in chosen}) as workers:
        absent = sorted({each.process for each in chosen} - set(workers))
        comparison = Comparison(
            arguments.folder, workers, [each for each in chosen if each.process in workers], effort, clock
        )
        result: dict[str, Any] = {
            "host": host_facts(),
            "processes": comparison.facts(),
            "not_measured": absent,
            "quick": arguments.quick,
            "clock": clock,
        }
        extras: dict[str, Any] = {}
        for model in arguments.models.split(","):
            _say(f"{model}: comparing answers")
            comparison.compare(model, sizes)
            for n in sizes:
                comparison.measure(model, n)
                _say(f"{model}: n = {n} measured, {time.monotonic() - begin:.0f} s")
            extras[model] = _extras(comparison, model, arguments.folder, effort, clock)
            comparison.drop()
        large = arguments.folder / "large" / "1"
        if large.exists() and "jni17" in workers:
            extras["large"] = {"load": _load(comparison, large, clock)}
    result |= {"compared": comparison.compared, "seconds": round(time.monotonic() - begin, 1)}
    result["cells"] = {
        f"{model} {n} {label}": {"ns": cell.ns, "bytes": cell.bytes}
        for (model, n, label), cell in comparison.cells.items()
    }
    result["extras"] = extras
    result["goals"] = judge(comparison.cells, extras)
    result["host"]["load_after"] = host_facts()["load"]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1))
    show(result, comparison.contestants)
    _say(f"\nwritten: {arguments.out}")


def _extras(comparison: Comparison, model: str, folder: Path, effort: Effort, clock: str) -> dict[str, Any]:
    """What is asked of ours alone: its packing without a run, two threads, 10,000 candidates, loading."""
    if not any(each.label == "ours" for each in comparison.contestants):
        return {}
    ours = {"contestant": "slate", "model": model}
    at = {"n": _GOALS_AT}
    rounds, seconds = effort.rounds, effort.block
    found: dict[str, Any] = {
        "threads": comparison.pairs(ours | at, ours | at | {"threads": 2}, rounds, 2 * seconds, "ns"),
    }
    for contestant in ("slate", "raw"):
        large, small = ({"contestant": contestant, "model": model, "n": n} for n in (_LINEAR, 1000))
        ratios = comparison.pairs(large, small, max(3, rounds // 2), 2 * seconds, clock)
        found[f"linear {contestant}"] = [ratio * 1000 / _LINEAR for ratio in ratios]
    fill, raw = (ours | at | {"contestant": contestant} for contestant in ("fill", "raw"))
    found["fill"] = comparison.pairs(fill, raw, rounds, seconds, clock)
    found["load"] = _load(comparison, folder / model / "1", clock)
    return found


def _load(comparison: Comparison, bundle: Path, clock: str) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    return {"bytes": size, "seconds": [comparison.load(bundle, clock) for _ in range(3)]}


if __name__ == "__main__":
    main()
