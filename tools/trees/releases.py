"""Environments of other releases, and the workers that run in them."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.trees.cells import Release

WORKER = Path(__file__).with_name("worker.py")
_UV = Path(sys.executable).with_name("uv")


class ReleaseMissingError(Exception):
    """A release that cannot be had, or does not start."""


def interpreter(release: Release, folder: Path) -> Path:
    """Return the Python that has a release, in an environment made below a folder unless this one has it."""
    for wheel in {release.wheel, release.library}:
        try:
            if importlib.metadata.version(wheel) == release.version:
                return Path(sys.executable)
        except importlib.metadata.PackageNotFoundError:
            continue
    home = folder / f"{release.library}-{release.version}"
    python = home / "bin" / "python"
    done = home / "requirements.json"
    if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == release.requirements:
        return python
    _uv(release, "venv", "--quiet", "--clear", "--python", "3.11", str(home))
    _uv(release, "pip", "install", "--quiet", "--python", str(python), *release.requirements)
    done.write_text(json.dumps(release.requirements), encoding="utf-8")
    return python


def _uv(release: Release, *arguments: str) -> None:
    try:
        subprocess.run([_UV, *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError as e:
        raise ReleaseMissingError(f"{release.name}: {_UV} does not exist; it is among the extras of dev") from e
    except subprocess.CalledProcessError as e:
        raise ReleaseMissingError(f"{release.name}: uv {arguments[0]} failed: {e.stderr.strip()}") from e


class Worker:
    """A process of one release."""

    def __init__(self, release: Release, python: Path) -> None:
        self.release = release
        self._process = subprocess.Popen(
            [python, "-I", WORKER, release.library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        try:
            found = self._answer().get("version")
            if found != self.release.version:
                raise ReleaseMissingError(f"{self.release.name}: its environment has {found}")
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def ask(self, **job: Any) -> str | None:
        """Do a job; return what went wrong."""
        if self._process.stdin is None:
            raise ReleaseMissingError(f"{self.release.name}: its worker has no input")
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        error = self._answer().get("error")
        return None if error is None else str(error)

    def _answer(self) -> dict[str, Any]:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise ReleaseMissingError(f"{self.release.name}: its worker ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
