"""Java in a process of its own, over stdin and stdout: the authority, because nothing else shares its memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twinrank.bridge import _frames
from twinrank.bridge._java import JavaMissingError, find_jar, find_java
from twinrank.bridge._process import Child
from twinrank.bridge._scorer import Reason, Route, RouteFailedError, RouteOptions, Scorer
from twinrank.bridge._testee import FrameScorer

__all__ = ["ROUTE", "Pipe", "open_command", "transport"]

_NAME = "probe"


class Pipe:
    """A testee's process as a transport. A reader thread makes every wait bounded.

    Args:
        command: program and arguments.
        route: the route's name, for messages.
        environ: the program's whole environment; None: this process's.
        after: is called once the process has ended.

    Raises:
        OSError: if the program cannot be started.
    """

    def __init__(
        self,
        command: list[str],
        *,
        route: str = _NAME,
        environ: Mapping[str, str] | None = None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._route = route
        self._after = after
        self._child = Child(command, stdin=True, stdout=True, environ=environ)
        self._answers: queue.SimpleQueue[tuple[dict[str, Any], bytes] | Exception] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes]:
        """Write a frame, wait for the answer's; kill a process that does not answer in time."""
        # Writing happens in a thread too: a testee that reads nothing would block a large request forever.
        writer = threading.Thread(target=self._send, args=(frame,), daemon=True)
        writer.start()
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            self._child.kill()
            raise self._failed("hung", f"no answer within {timeout:g} s, so it was killed") from None
        if isinstance(answer, _frames.FrameError):
            self._child.kill()
            raise answer
        if isinstance(answer, Exception):
            raise self._failed("crashed", f"the process ended without an answer: {self._child.exit_text()}")
        return answer

    def close(self) -> None:
        """End the process: end of input is its sign to leave."""
        self._child.close()
        self._after()

    def _failed(self, reason: Reason, detail: str) -> RouteFailedError:
        return RouteFailedError(
            self._route, reason, f"{detail} (pid {self._child.process.pid})", self._child.last_words()
        )

    def _send(self, frame: bytes) -> None:
        stdin = self._child.process.stdin
        try:
            if stdin is not None:
                stdin.write(frame)
                stdin.flush()
        except (OSError, ValueError):
            pass  # the process is gone; the reader thread sees the end of its output and says so

    def _receive(self) -> None:
        try:
            while True:
                self._answers.put(_frames.read(self._take))
        except Exception as error:  # handed over, and judged where somebody waits for the answer
            self._answers.put(error)

    def _take(self, count: int) -> bytes:
        stdout = self._child.process.stdout
        data = stdout.read(count) if stdout is not None else b""
        if len(data) != count:
            raise EOFError
        return data


def open_command(
    command: list[str],
    bundle: Path,
    options: RouteOptions,
    *,
    route: str = _NAME,
    environ: Mapping[str, str] | None = None,
    after: Callable[[], None] = lambda: None,
) -> Scorer:
    """Open a bundle in any program that speaks the probe protocol.

    Args:
        command: program and arguments.
        bundle: the bundle.
        options: as for `Route.open`.
        route: the route's name, for messages.
        environ: the program's whole environment; None: this process's.
        after: is called once the program has ended, or could not be started.

    Raises:
        RouteFailedError: as `Route.open`.
    """
    try:
        pipe = Pipe(command, route=route, environ=environ, after=after)
    except OSError as error:
        after()
        raise RouteFailedError(
            route,
            "unavailable",
            f"{command[0]} cannot be started: {error.strerror or error}; give a program by its path, or one on PATH",
        ) from error
    return FrameScorer(route, pipe, bundle, options)


def transport() -> Pipe:
    """Return a probe of its own that was asked nothing yet.

    Raises:
        RouteFailedError: if Java or the jar is missing, or Java does not start.
    """
    try:
        return Pipe(_command())
    except OSError as error:
        raise RouteFailedError(
            _NAME, "unavailable", f"the probe cannot be started: {error.strerror or error}"
        ) from error


def _command() -> list[str]:
    try:
        return find_java().run_jar(find_jar("probe"))
    except JavaMissingError as error:
        raise RouteFailedError(_NAME, "unavailable", str(error)) from error


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    return open_command(_command(), bundle, options)


ROUTE = Route(name=_NAME, summary="Java in its own process, over stdin and stdout", level="bits", open=_open)
