"""Our server beside a FastAPI service of the same models: throughput at equal p99.

    java-serving/server/bench/run.sh [--quick] [--cpu] [--models light,heavy] [--sizes 20,200]

The load driver has one processor and every server the other. For each model and number of candidates all contestants
are up at once and are asked in turns. First each answers every request, and the answers are compared: the same best ten
and the same bits of their scores, or for the flat model within the bundle's own tolerance. Then

1. one request at a time: the p50 of a service that has nothing else to do;
2. eight at a time: what it can do at most, and how much processor time a request costs the server, which is the figure
   that a busy machine disturbs least;
3. fixed rates, halving the interval: the highest at which the p99 from the intended start stays under a bound that all
   contestants share, five times the unloaded p50 of the slowest of them.

A ratio is of two such rates of one cell. A trial whose driver was late is made again, and void if it is late again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from requests_of import K, write
from tensors import ask_binary, ask_grpc, write_binary, write_grpc

from tools.service.programs import ROOT, Driver, Service, ours, peer
from twinrank.export.bundle import host_class, read_manifest, runtime_release

MODELS = ("light", "heavy")
SIZES = (20, 200, 1000)
CLIENT, SERVER = "0", "1"
_BOUND = 5
_LATE_US = 1000
_JSON = {"content-type": "application/json"}
_DAY = 100_000_000
_DAY_P99_MS = 50
_GOALS = {("light", "peer"): 5.0, ("heavy", "peer"): 2.0, ("heavy", "peer flat"): 5.0}


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure, in seconds.

    Attributes:
        warm: each contestant of a cell before it is measured.
        warm_requests: that it answers then at least: a JIT on a busy machine counts calls and not seconds.
        alone: one request at a time.
        most: eight at a time.
        trial: a fixed rate.
        longest: a trial that waits for 300 requests.
        trials: fixed rates that are tried.
        day: the run of a hundred million requests a day.
    """

    warm: float
    warm_requests: int
    alone: float
    most: float
    trial: float
    longest: float
    trials: int
    day: float


FULL = Effort(warm=4.0, warm_requests=1000, alone=1.5, most=2.0, trial=2.5, longest=5.0, trials=6, day=30.0)
QUICK = Effort(warm=0.5, warm_requests=0, alone=0.2, most=0.3, trial=0.3, longest=0.5, trials=2, day=3.0)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A way to ask a service.

    Attributes:
        label: as the table has it.
        service: whom.
        path: where.
        form: which of the files of requests: ``rows``, ``columns``, ``binary`` or ``grpc``.
        flat: whether its scores are the flat model's, so not the bundle's bits.
    """

    label: str
    service: Service
    path: str
    form: str
    flat: bool = False

    @property
    def url(self) -> str:
        """Of every request."""
        return f"http://127.0.0.1:{self.service.port}{self.path}"


@dataclass(slots=True)
class Found:
    """What was measured of a contestant in a cell; microseconds and requests a second.

    Attributes:
        alone: p50 with one request at a time.
        most: with eight at a time.
        cpu: processor time of the server for a request, with eight at a time.
        rate: the highest fixed rate under the bound; 0 if none was.
        p99: at that rate.
        trials: every one of them: rate, p99, whether it was under the bound, and whether the driver was late.
        voids: how many trials failed while the driver itself was late, so that the rate may be too low.
    """

    alone: float = 0.0
    most: float = 0.0
    cpu: float = 0.0
    rate: float = 0.0
    p99: float = 0.0
    trials: list[dict[str, Any]] = field(default_factory=list)
    voids: int = 0


def main() -> int:
    """Measures and prints; exit status 1 if answers differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="every path in a minute; the figures mean nothing")
    parser.add_argument("--cpu", action="store_true", help="processor time only, on a machine that others use")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--sizes", default=None)
    parser.add_argument("--workers", type=int, default=2, help="uvicorn workers of the peer (2)")
    parser.add_argument("--bundles", type=Path, default=ROOT / "build/bench/models")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench/server.json")
    asked = parser.parse_args()
    names = asked.models.split(",")
    sizes = [int(n) for n in asked.sizes.split(",")] if asked.sizes else ([20] if asked.quick else list(SIZES))
    effort = QUICK if asked.quick else replace(FULL, trials=0) if asked.cpu else FULL
    bench = Bench(asked.bundles, names, asked.workers, effort)
    began = time.monotonic()
    try:
        for name in names:
            for n in sizes:
                bench.cell(name, n)
        bench.floors(names[-1], max(n for n in sizes if n <= 200))
        bench.stop()
        if "light" in names and not asked.cpu:
            bench.day()
    finally:
        bench.stop()
    bench.judge()
    seconds, load = time.monotonic() - began, os.getloadavg()[0]
    _say(f"{seconds:.0f} s; processors: client {CLIENT}, servers {SERVER}; load of the machine {load:.1f}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(bench.report(), indent=1), encoding="utf-8")
    _say(f"all of it: {asked.out}")
    return 0


class Bench:
    """The comparison.

    Args:
        bundles: what ``models.py`` made.
        names: of the models.
        workers: of the peer.
        effort: how long.
    """

    def __init__(self, bundles: Path, names: list[str], workers: int, effort: Effort) -> None:
        self._bundles, self._effort, self._names = bundles, effort, names
        self._work = ROOT / "build/bench/service"
        served = self._work / "models"
        shutil.rmtree(served, ignore_errors=True)
        for name in names:
            shutil.copytree(bundles / name / "1", served / name / "1")
        self._served = served
        self._facts = _facts(workers)
        _say(json.dumps(self._facts))
        self._ours = ours(served, SERVER, self._work / "ours.log")
        self._peer = peer(bundles, names, SERVER, workers, self._work / "peer.log")
        self.cells: dict[str, dict[str, Found]] = {}
        self._floors: dict[str, dict[str, float]] = {}
        self._day: dict[str, Any] = {}

    def stop(self) -> None:
        """Ends the servers."""
        self._ours.stop()
        self._peer.stop()

    # ---- a cell

    def cell(self, model: str, n: int) -> None:
        """Compares and measures everybody at one model and number of candidates."""
        files = write(self._bundles, model, n, self._work)
        files["binary"] = write_binary(model, files["columns"], self._work)
        files["grpc"] = write_grpc(model, files["columns"], self._work)
        taking_part = self._same(model, self._contestants(model), files)
        size = files["rows"].stat().st_size / sum(1 for _ in files["rows"].open(encoding="utf-8"))
        _say(f"\n{model}, n = {n} ({size / 1000:.1f} kB by rows): {len(taking_part)} contestants give the same answers")
        drivers = {each.label: self._driver(each, files) for each in taking_part}
        try:
            found = self._measure(drivers, {each.label: each.service for each in taking_part})
        finally:
            for driver in drivers.values():
                driver.stop()
        self.cells[f"{model} {n}"] = found
        self._show(found)

    def _contestants(self, model: str) -> list[Contestant]:
        path = f"/v1/models/{model}:rank"
        every = [
            Contestant("ours", self._ours, path, "rows"),
            Contestant("ours columns", self._ours, path, "columns"),
            Contestant("ours binary", self._ours, "/v2", "binary"),
            Contestant("ours gRPC", self._ours, "/v2", "grpc"),
            Contestant("peer", self._peer, f"/models/{model}:slate", "rows"),
            Contestant("peer columns", self._peer, f"/models/{model}:slate", "columns"),
            Contestant("peer flat", self._peer, f"/models/{model}:flat", "rows", flat=True),
        ]
        return every

    def _same(self, model: str, every: list[Contestant], files: dict[str, Path]) -> list[Contestant]:
        """Those who are there, all of whose answers are the first one's."""
        allowed = read_manifest(self._served / model / "1").tolerances["score"].a
        expected: list[list[tuple[int, float]]] = []
        there = []
        for each in every:
            given = _ask(each, files[each.form])
            if given is None:
                _say(f"{each.label}: not there")
                continue
            there.append(each)
            expected = expected or given
            for number, (left, right) in enumerate(zip(expected, given, strict=True)):
                same = (
                    all(abs(a[1] - b[1]) <= allowed for a, b in zip(left, right, strict=True))
                    if each.flat
                    else left == right
                )
                if not same:
                    raise SystemExit(
                        f"{each.label} on {model}, request {number}: {right} instead of {left}. Nothing was timed."
                    )
        return there

    def _driver(self, each: Contestant, files: dict[str, Path]) -> Driver:
        log = self._work / f"driver-{each.label.replace(' ', '-')}.log"
        planned = each.form in ("binary", "grpc")
        sent = ["--plan" if planned else "--bodies", str(files[each.form]), "--timeout", "30"]
        spoken = ["--protocol", "h2", "--connections", "4"] if each.form == "grpc" else []
        return Driver(each.url, sent + spoken, CLIENT, log)

    def _measure(self, drivers: dict[str, Driver], services: dict[str, Service]) -> dict[str, Found]:
        effort = self._effort
        found = {label: Found() for label in drivers}
        for driver in drivers.values():
            done = driver.phase("warm", "x4", f"{effort.warm}s")["answered"]
            if done < effort.warm_requests:
                driver.phase("warm-more", "x4", f"{effort.warm_requests - done}")
        for label, driver in drivers.items():
            found[label].alone = driver.phase("warm-alone", "x1", f"{effort.alone}s")["latency_us"]["admitted"]["p50"]
            spent = services[label].cpu_seconds()
            most = driver.phase("warm-most", "x8", f"{effort.most}s")
            found[label].most = most["admitted_per_second"]
            found[label].cpu = (services[label].cpu_seconds() - spent) / most["answered"] * 1e6
        bound = _BOUND * max(each.alone for each in found.values())
        between = {label: (0.3 * each.most, 1.1 * each.most) for label, each in found.items()}
        at = {label: 0.85 * each.most for label, each in found.items()}
        for _ in range(effort.trials):
            for label, driver in drivers.items():
                p99, good, late = self._trial(driver, at[label], bound)
                found[label].trials.append({"rate": at[label], "p99_us": p99, "good": good, "late": late})
                found[label].voids += late and not good
                low, high = between[label]
                between[label] = (at[label], high) if good else (low, at[label])
                if good and at[label] > found[label].rate:
                    found[label].rate, found[label].p99 = at[label], p99
                at[label] = sum(between[label]) / 2
        return found

    def _trial(self, driver: Driver, rate: float, bound: float) -> tuple[float, bool, bool]:
        """The p99, whether it is under the bound, and whether the driver was late both times that it tried."""
        effort = self._effort
        seconds = max(effort.trial, min(effort.longest, 300 / rate))
        p99, late = float("inf"), True
        for _ in range(2):
            phase = driver.phase("warm-trial", f"{rate:.3f}/s", f"{seconds:.3f}s")
            if phase["errors"] or phase["outcomes"]["admitted"] < phase["due"]:
                return float("inf"), False, False
            p99 = min(p99, phase["latency_us"]["admitted"]["p99"])
            late = phase["lateness_us"]["p99"] > _LATE_US
            if p99 <= bound or not late:
                break
        return p99, p99 <= bound, late

    def _show(self, found: dict[str, Found]) -> None:
        bound = _BOUND * max(each.alone for each in found.values())
        _say(f"  bound on p99: {bound / 1000:.2f} ms")
        _say(
            f"  {'':14} {'p50 alone µs':>12} {'most/s':>9} {'CPU µs':>8} {'at p99/s':>9} {'p99 ms':>8}"
            "   ours is × by p99, × by CPU"
        )
        for label, each in found.items():
            ratio = found["ours"].rate / each.rate if each.rate else float("nan")
            _say(
                f"  {label:14} {each.alone:12.0f} {each.most:9.1f} {each.cpu:8.0f} {each.rate:9.1f}"
                f" {each.p99 / 1000:8.2f}   {ratio:15.2f} {each.cpu / found['ours'].cpu:8.2f}"
                + (f"   {each.voids} trials void: the driver was late" if each.voids else "")
            )

    # ---- what is no cell

    def floors(self, model: str, n: int) -> None:
        """What each stack costs when it reads the body of a request and does nothing with it."""
        files = write(self._bundles, model, n, self._work)
        nowhere = f"/v1/models/{model}/nowhere"
        _say(f"\nfloors, with the bodies of {model}, n = {n}")
        for label, service, path in (("ours", self._ours, nowhere), ("peer", self._peer, "/null")):
            url = f"http://127.0.0.1:{service.port}{path}"
            driver = Driver(url, ["--bodies", str(files["rows"])], CLIENT, self._work / "driver-floor.log")
            try:
                driver.phase("warm", "x4", f"{self._effort.warm}s")
                alone = driver.phase("warm-alone", "x1", f"{self._effort.alone}s")["latency_us"]["all"]["p50"]
                most = driver.phase("warm-most", "x8", f"{self._effort.most}s")["answered_per_second"]
            finally:
                driver.stop()
            self._floors[label] = {"alone_us": alone, "most_per_second": most}
            what = "404 to a path that is none, a problem document" if label == "ours" else "an empty answer"
            _say(f"  {label:14} {alone:12.0f} {most:9.1f}   {what}")

    def day(self) -> None:
        """A hundred million requests a day of 100 candidates, on two processors that client and server share."""
        rate = _DAY / 86_400
        files = write(self._bundles, "light", 100, self._work)
        service = ours(self._served, None, self._work / "ours-day.log")
        url = f"http://127.0.0.1:{service.port}/v1/models/light:rank"
        driver = Driver(url, ["--bodies", str(files["rows"])], None, self._work / "driver-day.log")
        try:
            driver.phase("warm", f"{rate:.1f}/s", f"{max(3.0, self._effort.day / 3)}s")
            phase = driver.phase("day", f"{rate:.1f}/s", f"{self._effort.day}s")
            most = driver.phase("warm-most", "x8", f"{self._effort.most}s")["admitted_per_second"]
        finally:
            driver.stop()
            service.stop()
        latency = phase["latency_us"]["admitted"]
        self._day = {"asked_per_second": rate, "most_per_second": most, **phase}
        _say(
            f"\na day of 100 million, light, n = 100, nothing pinned: "
            f"{phase['admitted_per_second']:.0f} of {rate:.0f}/s for {phase['seconds']:.0f} s, "
            f"errors {phase['errors'] or 'none'}, p50 {latency['p50'] / 1000:.2f} ms, "
            f"p99 {latency['p99'] / 1000:.2f} ms, driver late {phase['lateness_us']['p99']:.0f} µs at p99; "
            f"eight at a time {most:.0f}/s"
        )

    def judge(self) -> None:
        """Holds what was found against the goals."""
        _say("\ngoals (throughput at equal p99, by rows)")
        for (model, other), goal in _GOALS.items():
            ratios = {
                cell.split()[1]: found["ours"].rate / found[other].rate
                for cell, found in self.cells.items()
                if cell.startswith(model) and found[other].rate
            }
            for n, ratio in ratios.items():
                word = "met" if ratio >= goal else "missed"
                _say(f"  {model} against {other}, n = {n}: {ratio:.2f} (goal {goal:.0f}) {word}")
        if self._day:
            late = self._day["latency_us"]["admitted"]["p99"] / 1000
            kept = self._day["outcomes"]["admitted"] == self._day["due"] and late <= _DAY_P99_MS
            _say(f"  100 million a day, each answered, p99 at most {_DAY_P99_MS} ms: {'met' if kept else 'missed'}")

    def report(self) -> dict[str, Any]:
        """Everything, for ``build/bench/server.json``."""
        return {
            "facts": self._facts,
            "cells": {
                cell: {label: asdict(each) for label, each in found.items()} for cell, found in self.cells.items()
            },
            "floors": self._floors,
            "day": self._day,
        }


def _ask(each: Contestant, file: Path) -> list[list[tuple[int, float]]] | None:
    """The best of each request, index and score; nothing if the service has no such form."""
    if each.form == "binary":
        return ask_binary(each.service, file, K)
    if each.form == "grpc":
        return ask_grpc(each.service, file, K)
    answers = []
    for line in file.read_bytes().splitlines():
        status, body = each.service.post(each.path, line, _JSON)
        if status != 200:
            raise SystemExit(f"{each.label}: {status} {body[:500]!r}\n{each.service.said()}")
        answers.append([(row["index"], row["score"]) for row in json.loads(body)["ranking"]])
    return answers


def _facts(workers: int) -> dict[str, Any]:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), "")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load": list(os.getloadavg()),
        "host_class": host_class(),
        "onnxruntime": runtime_release(),
        "python": platform.python_version(),
        "uvicorn_workers": workers,
        "commit": commit.stdout.strip(),
    }


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
