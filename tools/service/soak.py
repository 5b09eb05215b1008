"""A long run with reloads: the memory of the process does not grow."""

from __future__ import annotations

import time
from pathlib import Path

from tools.service.stage import Stage, Verdict, activate, knee

_LOAD = 0.6
_RELOAD_SECONDS = 5.0
_JVM = ("-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch")
_HOUR = 3600
_SETTLE = 0.25
_LEAST_SETTLE = 15.0
_MB_AN_HOUR = 16.0
_MB_SHORT = 16.0


def run(stage: Stage, seconds: int) -> Verdict:
    """Sends at 60 % of the knee with a reload every five seconds, and watches the resident memory.

    The heap is fixed and touched at the start, so that what grows is native memory. The first quarter settles (JIT,
    arenas, at least 15 s); then the slope of a straight line through the rest is taken. A run of less than half an hour
    has no slope to speak of: there the growth of that line over the rest must be under 16 MB.
    """
    answers = stage.record()
    service = stage.start(jvm=_JVM)
    driver = stage.driver(answers, "--connections", "16")
    rate = _LOAD * knee(driver)
    driver.tell(f"phase soak={rate:.1f}/s,told")
    serving, reloads, memory = stage.served(service), 0, []
    wrong: list[str] = []
    began = time.monotonic()
    due = began + _RELOAD_SECONDS
    while (now := time.monotonic()) - began < seconds:
        memory.append((now - began, _resident_mb(service.process.pid)))
        if now >= due:
            due += _RELOAD_SECONDS
            status, said = activate(service, 3 - serving)
            if status != 200:
                wrong.append(f"the reload at {now - began:.0f} s got {status}: {said[:200]!r}")
                break
            serving, reloads = 3 - serving, reloads + 1
        time.sleep(0.5)
    driver.tell("next")
    phase = driver.read()
    bad = phase["due"] - phase["outcomes"]["admitted"] - phase["outcomes"]["refused"]
    if bad or phase["by_answer"].get("mixed"):
        wrong.append(f"{bad} failed: {phase['by_status']} {phase['errors']}, answers {phase['by_answer']}")
    settled = [each for each in memory if each[0] >= max(_LEAST_SETTLE, _SETTLE * seconds)]
    slope = _slope(settled)
    length = settled[-1][0] - settled[0][0]
    grown = slope * length
    if (slope * _HOUR > _MB_AN_HOUR) if seconds >= _HOUR / 2 else (grown > _MB_SHORT):
        wrong.append(f"memory grew: {slope * _HOUR:+.1f} MB an hour, {grown:+.1f} MB in the {length:.0f} s that count")
    series = stage.folder / "memory.csv"
    series.write_text("seconds,mb\n" + "".join(f"{at:.1f},{mb:.1f}\n" for at, mb in memory), encoding="ascii")
    return Verdict(
        f"{seconds} s at {rate:.0f}/s with {reloads} reloads: {phase['due']} requests, {bad} failed, resident "
        f"{memory[0][1]:.0f} MB at first, {settled[0][1]:.0f} settled, {memory[-1][1]:.0f} at last, "
        f"slope {slope * _HOUR:+.1f} MB an hour ({grown:+.1f} MB in {length:.0f} s); {series}",
        wrong,
    )


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("the server has ended")


def _slope(points: list[tuple[float, float]]) -> float:
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
