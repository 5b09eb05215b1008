"""What every part of the reliability run stands on: two versions, their answers on record, a server, drivers."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tools.service import bundles
from tools.service.bundles import NAME, VERSIONS
from tools.service.programs import ROOT, Driver, Program, Service, free_port, jar, java, server

PATH = f"/v1/models/{NAME}:rank"
_MADE = ROOT / "build/service/models"


class CannotTellError(Exception):
    """A part could not be run at all, so nothing is known; says why."""


@dataclass(slots=True)
class Verdict:
    """What a part found.

    Attributes:
        figures: one line for a person.
        wrong: each thing that should not be; kept if there is none.
    """

    figures: str
    wrong: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether the promise was."""
        return not self.wrong


class Stage:
    """A folder, its models, and whatever was started, which ends with it.

    Args:
        name: of the part.
    """

    def __init__(self, name: str) -> None:
        self.folder = ROOT / "build/service" / name
        self.models = self.folder / "models"
        self.port, self.admin_port = free_port(), free_port()
        self._programs: list[Program] = []

    def __enter__(self) -> Stage:
        _MADE.mkdir(parents=True, exist_ok=True)
        bundles.make(_MADE)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.models.mkdir(parents=True)
        shutil.copytree(_MADE / NAME, self.models / NAME)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs:
            program.stop()

    def start(
        self, *arguments: str, jvm: tuple[str, ...] = (), ready: bool = True, models: Path | None = None
    ) -> Service:
        """Starts a server at the stage's ports; a crash would leave ``crash.log`` in its folder."""
        started = server(
            models or self.models,
            self.folder / "server.log",
            *("--log-level", "warn", *arguments),
            jvm=(f"-XX:ErrorFile={self.crash}", *jvm),
            port=self.port,
            admin_port=self.admin_port,
        )
        self._programs.append(started)
        if ready:
            started.await_ready()
        return started

    @property
    def crash(self) -> Path:
        """What a JVM that crashed writes."""
        return self.folder / "crash.log"

    @property
    def requests(self) -> Path:
        """The requests of the run."""
        return bundles.requests(_MADE)

    def record(self) -> dict[str, Path]:
        """Has each version, alone in a directory, answer every request while nothing else happens.

        Returns:
            the answers by version.

        Raises:
            CannotTellError: if the versions cannot be told apart by their answers.
        """
        answers = {}
        for version in VERSIONS:
            alone = self.folder / f"models-v{version}"
            shutil.copytree(_MADE / NAME / str(version), alone / NAME / str(version))
            quiet = self.start(models=alone)
            answers[f"v{version}"] = self.folder / f"v{version}.answers"
            self._record(answers[f"v{version}"])
            quiet.stop()
        first, second = (path.read_text(encoding="ascii").splitlines() for path in answers.values())
        if any(left == right for left, right in zip(first, second, strict=True)):
            raise CannotTellError("both versions give one answer to a request, so that it would not say who gave it")
        return answers

    def _record(self, into: Path) -> None:
        count = sum(1 for _ in self.requests.open(encoding="utf-8"))
        subprocess.run(
            [
                *(java(), "-jar", str(jar("load")), "--url", self.url, "--bodies", str(self.requests)),
                *("--record", str(into), "--phase", f"warm=x1,{count}", "--report", str(into.with_suffix(".json"))),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        """Where requests go."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    def served(self, service: Service) -> int:
        """The version that answers now."""
        body = self.requests.read_bytes().splitlines()[0]
        status, answer = service.post(PATH, body, {"content-type": "application/json"})
        if status != 200:
            raise CannotTellError(f"a request got {status}: {answer[:300]!r}")
        return int(json.loads(answer)["version"])

    def driver(self, answers: dict[str, Path], *more: str, bodies: bool = True) -> Driver:
        """A driver that holds every answer against those on record."""
        expected = [word for name, path in answers.items() for word in ("--expect", f"{name}={path}")]
        made = Driver(
            self.url,
            [*(("--bodies", str(self.requests)) if bodies else ()), *expected, *more],
            None,
            self.folder / f"driver-{len(self._programs)}.log",
        )
        self._programs.append(made)
        return made


def activate(service: Service, version: int) -> tuple[int, bytes]:
    """The admin call that changes the version."""
    return service.administer(f"/admin/models/{NAME}:activate", {"version": version})


def knee(driver: Driver, seconds: float = 2.0) -> float:
    """Requests a second with eight at a time, after as long a warm-up."""
    driver.phase("warm", "x8", f"{2 * seconds}s")
    return float(driver.phase("warm-knee", "x8", f"{seconds}s")["admitted_per_second"])


def add(into: dict[str, int], more: dict[str, Any]) -> None:
    """Adds counts to counts."""
    for name, count in more.items():
        into[name] = into.get(name, 0) + int(count)
