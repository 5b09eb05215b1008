"""`tools/overload.sh`: what the service does when more comes than it can do, and when clients are slow on purpose.

    tools/overload.sh full                   heavy (n = 200) and light (n = 100): 1, 2, 5, 10 times the knee
    tools/overload.sh ci                     heavy alone, 2 and 10 times, 4 s each, and the slow clients
    tools/overload.sh full light             one model alone, or ``slow`` alone

The knee is what a closed loop of eight gets answered a second, and normal is 60 % of it, by Poisson from then on. The
driver has one processor and the server the other. Goals, of each factor: goodput at least 90 % of the knee, p99 of what
was admitted at most twice the normal p99, the admin listener answers within 100 ms at p99; and within five seconds of
normal load nothing is refused and p99 is normal again. While slowhttptest holds connections (-H headers, -B body, -X
reading), p99 of the others rises by less than 20 %, and its connections are closed.

A factor at which the driver itself was late (p99 over 1 ms) judges the driver: it is shown and not counted. Exit code
0: every goal was met; 1: one was not; 2: could not tell.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.service.programs import ROOT, Driver, Service, ours

_CLIENT, _SERVER = "0", "1"
_SLATES = {"heavy": 200, "light": 100}
_NORMAL = 0.6
_GOODPUT, _P99, _RECOVERY, _HEALTH_MS, _SLOW = 0.9, 2.0, 5.0, 100.0, 1.2
_LATE_US = 1000.0
_CONNECTIONS = 128
_SLOW_WAYS = {
    "-H": "headers that trickle",
    "-B": "bodies that trickle",
    "-X": "answers that nobody reads",
}


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each, in seconds.

    Attributes:
        models: which.
        factors: of the knee.
        warm: before anything is measured.
        normal: at 60 % of the knee.
        over: at each factor.
        slow: beside each kind of slow clients.
    """

    models: tuple[str, ...]
    factors: tuple[int, ...]
    warm: float
    normal: float
    over: float
    slow: float


SIZES = {
    "full": Size(("heavy", "light"), (1, 2, 5, 10), 10.0, 20.0, 15.0, 20.0),
    "ci": Size(("heavy",), (2, 10), 4.0, 6.0, 4.0, 5.0),
}


class Watch:
    """Asks the admin listener for health and metrics, twenty times a second, from a thread of its own.

    Args:
        service: whose.
    """

    def __init__(self, service: Service) -> None:
        self._service, self._over = service, threading.Event()
        self._times: list[float] = []
        self.failed = 0
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        paths = ("/health/ready", "/metrics")
        at = 0
        while not self._over.wait(0.05):
            began = time.monotonic()
            try:
                status, _ = self._service.ask_admin(paths[at % 2])
            except OSError:
                status = 0
            at += 1
            self.failed += status != 200
            self._times.append(time.monotonic() - began)

    def stop(self) -> float:
        """Ends it; the p99 in milliseconds, connecting included."""
        self._over.set()
        self._thread.join()
        times = sorted(self._times) or [0.0]
        return 1000 * times[min(len(times) - 1, int(0.99 * len(times)))]


@dataclass(slots=True)
class Judge:
    """Which goals were met.

    Attributes:
        missed: those that were not, as lines.
        untold: what could not be told, as lines.
    """

    missed: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)

    def need(self, met: bool, what: str) -> str:
        """Notes a goal; the mark that its figure gets."""
        if not met:
            self.missed.append(what)
        return "" if met else " (!)"


def main() -> int:
    """Runs what was asked for, and prints it; the exit code."""
    parser = argparse.ArgumentParser(
        prog="overload.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("size", choices=list(SIZES))
    parser.add_argument("parts", nargs="*", help="of heavy, light, slow")
    parser.add_argument("--bundles", type=Path, default=ROOT / "build/bench/models", help="what models.py made")
    asked = parser.parse_args()
    size = SIZES[asked.size]
    parts = asked.parts or [*size.models, "slow"]
    unknown = [part for part in parts if part not in (*_SLATES, "slow")]
    if unknown:
        parser.error(f"{unknown[0]} is none of heavy, light, slow")
    judge, began = Judge(), time.monotonic()
    work = ROOT / "build/overload"
    for part in parts:
        if part == "slow":
            slow_clients(asked.bundles, work, size, judge)
        else:
            overload(part, asked.bundles, work, size, judge)
    _say(f"overload: {time.monotonic() - began:.0f} s, load of the machine {os.getloadavg()[0]:.1f}")
    for line in judge.untold:
        _say(f"overload: could not tell: {line}")
    for line in judge.missed:
        _say(f"overload: goal missed: {line}")
    return 1 if judge.missed else 2 if judge.untold else 0


def overload(model: str, bundles: Path, work: Path, size: Size, judge: Judge) -> None:
    """One model: knee, normal, the factors, and back."""
    n = _SLATES[model]
    service, driver = _start(model, n, bundles, work)
    try:
        knee = _knee(driver, size)
        rate = _NORMAL * knee
        driver.phase("warm-normal", f"{rate:.1f}/s", f"{size.warm / 2}s")
        normal = driver.phase("normal", f"{rate:.1f}/s", f"{size.normal}s")
        normal_p99 = normal["latency_us"]["admitted"]["p99"] / 1000
        _say(
            f"\n{model}, n = {n}: knee {knee:.0f}/s; normal ({rate:.0f}/s): p50 "
            f"{normal['latency_us']['admitted']['p50'] / 1000:.2f} ms, p99 {normal_p99:.2f} ms, "
            f"refused {normal['outcomes']['refused']} of {normal['due']}"
        )
        for factor in size.factors:
            _factor(f"{model} at {factor}x", driver, service, knee, factor, normal_p99, size, judge)
        seconds = _recovery(driver, rate, normal_p99)
        mark = judge.need(seconds < _RECOVERY, f"{model}: recovery took {seconds:.1f} s")
        _say(f"  back at normal load: as before within {seconds:.1f} s{mark}")
    finally:
        driver.stop()
        service.stop()


def _start(model: str, n: int, bundles: Path, work: Path, *arguments: str) -> tuple[Service, Driver]:
    sys.path.insert(0, str(ROOT / "java-serving/server/bench"))
    write = importlib.import_module("requests_of").write  # it stands beside the programs of the comparison

    shutil.rmtree(work, ignore_errors=True)
    served = work / "models"
    shutil.copytree(bundles / model / "1", served / model / "1")
    bodies = write(bundles, model, n, work)["rows"]
    service = ours(served, _SERVER, work / "server.log", *arguments)
    driver = Driver(
        f"http://127.0.0.1:{service.port}/v1/models/{model}:rank",
        ["--bodies", str(bodies), "--connections", str(_CONNECTIONS), "--poisson"],
        _CLIENT,
        work / "driver.log",
    )
    return service, driver


def _knee(driver: Driver, size: Size) -> float:
    driver.phase("warm-knee", "x8", f"{size.warm}s")
    return max(float(driver.phase("knee", "x8", f"{size.warm / 2}s")["admitted_per_second"]) for _ in range(2))


def _factor(
    label: str, driver: Driver, service: Service, knee: float, factor: int, normal_p99: float, size: Size, judge: Judge
) -> None:
    watch = Watch(service)
    found = driver.phase(label.replace(" ", "-"), f"{factor * knee:.1f}/s", f"{size.over}s")
    health = watch.stop()
    late = found["lateness_us"].get("p99", 0.0)
    admitted, refused = found["latency_us"]["admitted"], found["latency_us"]["refused"]
    goodput = found["admitted_per_second"] / knee
    p99 = admitted.get("p99", float("inf")) / 1000
    told = late <= _LATE_US
    if not told:
        judge.untold.append(f"{label}: the driver was {late:.0f} µs late at p99, so it was the limit")
    marks = [""] * 3
    if told and factor > 1:
        marks = [
            judge.need(goodput >= _GOODPUT, f"{label}: goodput is {goodput:.0%} of the knee"),
            judge.need(p99 <= _P99 * normal_p99, f"{label}: p99 is {p99 / normal_p99:.1f} times the normal one"),
            judge.need(
                health <= _HEALTH_MS and watch.failed == 0,
                f"{label}: health and metrics took {health:.0f} ms at p99, {watch.failed} failed",
            ),
        ]
    unexpected = found["due"] - found["outcomes"]["admitted"] - found["outcomes"]["refused"]
    judge.need(
        unexpected == 0, f"{label}: {unexpected} neither admitted nor refused: {found['by_code']} {found['errors']}"
    )
    said = f"refused {found['outcomes']['refused']}"
    if refused.get("count"):
        said += f" in p50 {refused['p50'] / 1000:.2f}, p99 {refused['p99'] / 1000:.2f} ms"
    _say(
        f"  {factor:3d}x {found['offered_per_second']:7.0f}/s: goodput {goodput:4.0%}{marks[0]}, admitted p50 "
        f"{admitted.get('p50', 0) / 1000:.2f}, p99 {p99:.2f} ms = {p99 / normal_p99:.2f} x normal{marks[1]}; {said}; "
        f"health p99 {health:.0f} ms{marks[2]}; driver late {late:.0f} µs"
    )


def _recovery(driver: Driver, rate: float, normal_p99: float) -> float:
    """Seconds of normal load until half a second of it was as normal as it was before."""
    began = time.monotonic()
    while True:
        elapsed = time.monotonic() - began
        found = driver.phase("back", f"{rate:.1f}/s", "0.5s")
        p99 = found["latency_us"]["admitted"].get("p99", float("inf")) / 1000
        if (found["outcomes"]["refused"] == 0 and p99 <= _P99 * normal_p99) or elapsed > 4 * _RECOVERY:
            return elapsed


def slow_clients(bundles: Path, work: Path, size: Size, judge: Judge) -> None:
    """Other clients beside slow ones."""
    program = shutil.which("slowhttptest")
    if program is None:
        judge.untold.append("slow clients: no slowhttptest; install Debian's package of that name")
        return
    model = "light"
    # An answer that the kernel holds is taken, as far as the server can see: its connection is an idle one.
    limit = "--transfer-timeout", "3000", "--idle-timeout", "5000"
    service, driver = _start(model, _SLATES[model], bundles, work, *limit)
    try:
        rate = 0.3 * _knee(driver, size)
        driver.phase("warm-normal", f"{rate:.1f}/s", f"{size.warm}s")
        for way, what in _SLOW_WAYS.items():
            _beside(way, what, program, service, driver, rate, size, judge)
    finally:
        driver.stop()
        service.stop()


def _beside(
    way: str, what: str, program: str, service: Service, driver: Driver, rate: float, size: Size, judge: Judge
) -> None:
    url = f"http://127.0.0.1:{service.port}" + ("/v1/models" if way == "-X" else "/v1/models/light:rank")
    more = {
        "-X": ["-w", "64", "-y", "128", "-n", "2", "-z", "4", "-k", "3"],
        "-B": ["-i", "1", "-s", "8192", "-x", "8"],
    }
    command = [
        *("taskset", "-c", _CLIENT, program, way, "-c", "300", "-r", "150", "-l", "600", "-p", "3", "-u", url),
        *more.get(way, ["-i", "1", "-x", "8"]),
        *(["-t", "POST", "-f", "application/json"] if way == "-B" else []),
    ]
    # In turns, so that a machine that is busy otherwise weighs on both.
    without, beside, most = [], [], 0
    for _ in range(3):
        without.append(_p99(driver, rate, size.slow / 3))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as attack:
            time.sleep(2.0)
            held = _held(service) - _CONNECTIONS
            most = max(most, held)
            beside.append(_p99(driver, rate, size.slow / 3))
            until = time.monotonic() + 30
            while time.monotonic() < until and _held(service) > _CONNECTIONS and attack.poll() is None:
                time.sleep(0.2)
            left = _held(service) - _CONNECTIONS
            attack.terminate()
    before, after = statistics.median(without), statistics.median(beside)
    quick = judge.need(after <= _SLOW * before, f"{what}: p99 of the others rose by {after / before - 1:.0%}")
    closed = judge.need(left <= 0, f"{what}: {left} connections are still open after 30 s")
    if most < 50:
        judge.untold.append(f"{what}: slowhttptest held only {most} connections")
    _say(
        f"  {what}: {most} connections held; p99 of the others {before / 1000:.2f} -> {after / 1000:.2f} ms "
        f"({after / before - 1:+.0%}){quick}; {max(0, left)} still open 3 s after their time{closed}"
    )


def _p99(driver: Driver, rate: float, seconds: float) -> float:
    found: dict[str, Any] = driver.phase("beside", f"{rate:.1f}/s", f"{seconds:.1f}s")
    return float(found["latency_us"]["admitted"]["p99"])


def _held(service: Service) -> int:
    """Connections of the service's port that the server has open, by the kernel's table."""
    wanted = f":{service.port:04X}"
    lines = [*_lines("/proc/net/tcp"), *_lines("/proc/net/tcp6")]
    return sum(1 for line in lines if line.split()[1].endswith(wanted) and line.split()[3] == "01")


def _lines(table: str) -> list[str]:
    return Path(table).read_text(encoding="ascii").splitlines()[1:]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
