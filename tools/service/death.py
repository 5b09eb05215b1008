"""The end of a server under load: SIGTERM loses nothing, and after kill -9 the next one serves at once."""

from __future__ import annotations

import contextlib
import http.client
import random
import signal
import threading
import time
from pathlib import Path

from tools.service import bundles
from tools.service.programs import Service
from tools.service.stage import Stage, Verdict, activate, add

_RATE = 150
_LEAST, _MOST = 0.2, 1.2
_EXIT = 143
_STOP_SECONDS = 60
_START_SECONDS = 5.0
_NO_LOSS = {"unread", "connect"}
_SEED = 7


def sigterms(stage: Stage, count: int) -> Verdict:
    """Stops servers by SIGTERM while requests come over HTTP/1.1 and HTTP/2; every second one amid a reload.

    A request is lost if the server had read it and ended the connection without an answer. One that arrived at a
    connection that was over (``unread``), or found nobody (``connect``), was accepted by nobody.
    """
    answers = stage.record()
    drivers = [
        stage.driver(answers, "--connections", "8"),
        stage.driver(answers, "--protocol", "h2", "--connections", "2"),
    ]
    chance = random.Random(_SEED)  # noqa: S311  # moments, not secrets
    wrong: list[str] = []
    errors: dict[str, int] = {}
    statuses: dict[str, int] = {}
    requests, slowest, amid, starting = 0, 0.0, 0, 0
    for number in range(count):
        if number % 10 == 4:
            starting += 1
            wrong += _stopped(stage.start(ready=False), number, stage, after=chance.uniform(0.3, 2.0), starting=True)
            continue
        service = stage.start()
        for driver in drivers:
            driver.tell(f"phase warm-term-{number}={_RATE}/s,told")
        time.sleep(chance.uniform(_LEAST, _MOST))
        if number % 2:
            amid += 1
            _reload_soon(service, chance.choice(bundles.VERSIONS))
            time.sleep(chance.uniform(0, 0.3))
        began = time.monotonic()
        wrong += _stopped(service, number, stage, after=0)
        slowest = max(slowest, time.monotonic() - began)
        for driver, protocol in zip(drivers, ("HTTP/1.1", "HTTP/2"), strict=True):
            driver.tell("next")
            phase = driver.read()
            requests += phase["due"]
            add(errors, phase["errors"])
            add(statuses, phase["by_status"])
            lost = {name: n for name, n in phase["errors"].items() if name not in _NO_LOSS}
            odd = {name: n for name, n in phase["by_status"].items() if name not in ("200", "503")}
            mixed = phase["by_answer"].get("mixed", 0)
            if lost or odd or mixed:
                wrong.append(f"SIGTERM {number}, {protocol}: lost {lost}, answers {odd}, mixed {mixed}")
    lost_count = sum(n for name, n in errors.items() if name not in _NO_LOSS)
    return Verdict(
        f"{count} SIGTERMs ({amid} amid a reload, {starting} while starting): {requests} requests, {lost_count} lost, "
        f"{sum('crash' in line for line in wrong)} crashes, answers {statuses}, accepted by nobody {errors}; "
        f"slowest stop {slowest:.1f} s",
        wrong,
    )


def _stopped(service: Service, number: int, stage: Stage, after: float, *, starting: bool = False) -> list[str]:
    time.sleep(after)
    service.process.send_signal(signal.SIGTERM)
    try:
        status = service.process.wait(_STOP_SECONDS)
    except Exception:
        service.process.kill()
        return [f"SIGTERM {number}: it had not ended after {_STOP_SECONDS} s"]
    wrong = []
    if status != (_EXIT if not starting else status) or (starting and status not in (_EXIT, -signal.SIGTERM)):
        wrong.append(f"SIGTERM {number}: exit status {status} instead of {_EXIT}\n{service.said()[-500:]}")
    if stage.crash.exists():
        wrong.append(f"SIGTERM {number}: crash, {stage.crash.rename(stage.crash.with_name(f'crash-{number}.log'))}")
    return wrong


def _reload_soon(service: Service, version: int) -> None:
    def call() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # it is being stopped: this call may end too
            activate(service, version)

    threading.Thread(target=call, daemon=True).start()


def kills(stage: Stage, count: int) -> Verdict:
    """Kills servers at random moments: while starting, under load, amid a reload. What starts next serves in 5 s."""
    answers = stage.record()
    driver = stage.driver(answers, "--connections", "8")
    chance = random.Random(_SEED)  # noqa: S311
    wrong: list[str] = []
    starts: list[float] = []
    moments = {"while starting": 0, "under load": 0, "amid a reload": 0}
    before = _tree(stage.models)
    mixed = requests = 0
    for number in range(count):
        moment = list(moments)[number % 3]
        moments[moment] += 1
        service = stage.start("--port-file", str(stage.folder / "port"), ready=False)
        driver.tell(f"phase warm-kill-{number}={_RATE}/s,told")
        if moment == "while starting":
            time.sleep(chance.uniform(0.05, 2.5))
        else:
            service.await_ready()
            time.sleep(chance.uniform(0, 1))
            if moment == "amid a reload":
                _reload_soon(service, chance.choice(bundles.VERSIONS))
                time.sleep(chance.uniform(0, 0.3))
        service.process.kill()
        service.process.wait()
        driver.tell("next")
        phase = driver.read()
        requests += phase["due"]
        mixed += phase["by_answer"].get("mixed", 0)
        began = time.monotonic()
        successor = stage.start("--port-file", str(stage.folder / "port"))
        starts.append(time.monotonic() - began)
        if starts[-1] > _START_SECONDS:
            wrong.append(f"kill {number} {moment}: the next one served after {starts[-1]:.1f} s")
        again = driver.phase(f"warm-after-{number}", "x2", "40")
        mixed += again["by_answer"].get("mixed", 0)
        if again["outcomes"]["admitted"] != again["due"]:
            wrong.append(f"kill {number} {moment}: the next one answered {again['by_status']} {again['errors']}")
        if left := _tree(stage.models) - before:
            wrong.append(f"kill {number} {moment}: left {sorted(map(str, left))}")
        successor.process.kill()
        successor.process.wait()
    if mixed:
        wrong.append(f"{mixed} answers are neither version's")
    return Verdict(
        f"{2 * count} kill -9 ({', '.join(f'{n} {moment}' for moment, n in moments.items())}, and each successor): "
        f"{requests} requests, {mixed} mixed; the next one served after {sorted(starts)[len(starts) // 2]:.1f} s, "
        f"at most {max(starts):.1f} s; files left {sum('left' in line for line in wrong)}",
        wrong,
    )


def _tree(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}
