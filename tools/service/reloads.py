"""Reloads at 60 % load: nothing fails, and each answer is wholly one version's."""

from __future__ import annotations

import time

from tools.service import bundles
from tools.service.programs import Service
from tools.service.stage import CannotTellError, Stage, Verdict, activate, knee

_LOAD = 0.6
_BY_POINTER = 10
_PATIENCE = 20.0
_SHED = "overloaded"


def run(stage: Stage, count: int) -> Verdict:
    """Swaps two versions to and fro while requests come at 60 % of the knee.

    One reload in ten is by the pointer file, the others by the admin call.

    Raises:
        CannotTellError: if the server has no admin call.
    """
    answers = stage.record()
    service = stage.start("--previous", "0")
    first = stage.served(service)
    other = 3 - first
    status, said = activate(service, other)
    if status != 200:
        raise CannotTellError(f"the admin call to activate a version got {status}: {said[:200]!r}")
    driver = stage.driver(answers, "--connections", "16")
    rate = _LOAD * knee(driver)
    driver.tell(f"phase reloads={rate:.1f}/s,told")
    wrong: list[str] = []
    slowest, by_pointer, serving = 0.0, 0, other
    for number in range(count):
        serving = 3 - serving
        driver.tell(f"mark reload {number} to {serving}")
        began = time.monotonic()
        if number % _BY_POINTER == _BY_POINTER - 1:
            by_pointer += 1
            bundles.point(stage.models, serving)
            if not _arrives(stage, service, serving):
                wrong.append(f"reload {number}: the pointer's version {serving} did not come in {_PATIENCE:.0f} s")
                break
        else:
            status, said = activate(service, serving)
            slowest = max(slowest, time.monotonic() - began)
            if status != 200:
                wrong.append(f"reload {number}: {status} {said[:300]!r}")
                break
    driver.tell("next")
    phase = driver.read()
    served = dict(phase["by_answer"])
    mixed = int(served.get("mixed", 0))
    shed = int(phase["by_code"].get(_SHED, 0))
    failed = phase["due"] - phase["outcomes"]["admitted"] - shed
    if failed:
        wrong.append(f"{failed} failed: {phase['by_status']} {phase['by_code']} {phase['errors']}")
    if mixed:
        wrong.append(f"{mixed} answers are neither version's: {stage.folder}")
    if count > 1 and not (served.get("v1") and served.get("v2")):
        wrong.append(f"the versions did not change: {served}")
    latency = phase["latency_us"]["admitted"]
    return Verdict(
        f"{number + 1} reloads ({by_pointer} by pointer) at {rate:.0f}/s, 60 % of the knee: {phase['due']} requests, "
        f"{failed} failed, {mixed} mixed, {shed} shed as overload, v1 {served.get('v1', 0)}, v2 {served.get('v2', 0)}; "
        f"p99 {latency['p99'] / 1000:.1f} ms; slowest admin call {slowest:.2f} s",
        wrong,
    )


def _arrives(stage: Stage, service: Service, version: int) -> bool:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if stage.served(service) == version:
            return True
        time.sleep(0.05)
    return False
