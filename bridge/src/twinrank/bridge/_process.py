"""A child process whose end is certain: its last words are kept, and it is never left behind."""

from __future__ import annotations

import collections
import contextlib
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_LAST_LINES = 40
_POLITE_SECONDS = 5.0
_LIVING: weakref.WeakSet[Child] = weakref.WeakSet()


def close_started_by(thread: int) -> None:
    """End every program that a thread of this process started and that still runs.

    For a thread that cannot be interrupted while it waits for its program: the program's end ends the wait.
    """
    for child in list(_LIVING):
        if child.starter == thread:
            child.close()


def kill_all() -> None:
    """Kill every program that this process started and that still runs, and wait for none; safe in a signal handler."""
    for child in list(_LIVING):
        with contextlib.suppress(OSError):
            child.process.kill()


class Child:
    """A started program. Its stderr is drained all the time, so that it can neither block nor flood this process."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: bool = False,
        stdout: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start the program.

        Args:
            command: program and arguments; no shell is involved.
            stdin: whether to hold the program's stdin open; closing it is then the sign to leave.
            stdout: whether stdout is ours to read; else it joins stderr.
            environ: the program's whole environment; None: this process's.

        Raises:
            OSError: if the program cannot be started.
        """
        self.command = tuple(command)
        self.process = subprocess.Popen(  # noqa: S603  our own jar, started by the Java that the user named
            self.command,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if stdout else subprocess.STDOUT,
            env=environ,
        )
        self.starter = threading.get_ident()
        _LIVING.add(self)
        self._lines: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        talk = self.process.stderr if stdout else self.process.stdout
        self._drain = threading.Thread(target=self._collect, args=(talk,), daemon=True)
        self._drain.start()

    def _collect(self, stream: IO[bytes]) -> None:
        # A stream that is closed under the reader ends the thread: that is how the process's end looks from here.
        with contextlib.suppress(ValueError, OSError):
            for line in stream:
                self._lines.append(line.decode("utf-8", "replace").rstrip())

    def last_words(self) -> str:
        """Return the last lines that the program wrote beside the protocol."""
        if self.process.poll() is not None:
            self._drain.join(timeout=_POLITE_SECONDS)
        return "\n".join(self._lines)

    def exit_text(self) -> str:
        """Return how the program ended, in words; waits a moment for it to end."""
        try:
            code = self.process.wait(timeout=_POLITE_SECONDS)
        except subprocess.TimeoutExpired:
            return "it still runs"
        return f"it was killed by signal {-code}" if code < 0 else f"it exited with {code}"

    def await_file(self, path: Path, timeout: float) -> bool:
        """Wait until the program has written a whole file (it ends with a line end).

        Returns: False if the program ended before, or the time is over.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                if path.read_bytes().endswith(b"\n"):
                    return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        """End the program at once; idempotent."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        """End the program: close its input, ask, then kill. Idempotent, never raises."""
        # A stream waits for whoever reads or writes it in another thread, so none is closed in this one.
        ends = [_closed(self.process.stdin)]
        if self.process.poll() is None:
            if self.process.stdin is None:
                self.process.terminate()
            try:
                self.process.wait(timeout=_POLITE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._drain.join(timeout=_POLITE_SECONDS)
        ends += [_closed(stream) for stream in (self.process.stdout, self.process.stderr)]
        for end in ends:
            # A program that it started may hold the other end.
            end.join(timeout=_POLITE_SECONDS)
        _LIVING.discard(self)


def _closed(stream: IO[bytes] | None) -> threading.Thread:
    """Begin to close a stream, and return the thread that does."""

    def close() -> None:
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.close()

    thread = threading.Thread(target=close, daemon=True)
    thread.start()
    return thread
