"""Java inside this process, through JPype: the same Testee as the probe's, without a process between.

Two copies of ONNX Runtime then live in one process, Python's and Java's; RATIONALE.md says why that is safe and how
it was measured.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import weakref
from pathlib import Path
from typing import Any

from twinrank.bridge import _frames
from twinrank.bridge._deadline import DeadlineError, Worker
from twinrank.bridge._java import JavaMissingError, find_jar, find_java
from twinrank.bridge._scorer import Route, RouteFailedError, RouteOptions, Scorer
from twinrank.bridge._testee import FrameScorer, Transport

__all__ = ["ROUTE", "transport"]

_NAME = "jpype"
_TESTEE = "dev.twinrank.probe.Testee"
_STARTING = threading.Lock()


def _start_jvm() -> None:
    """Start this process's only JVM, or join the one that runs; it stays until the process ends."""
    import jpype

    with _STARTING:
        if jpype.isJVMStarted():
            jpype.addClassPath(str(find_jar("probe")))
            return
        java = find_java()
        # -Xrs and interrupt=False leave SIGINT and SIGTERM to Python: Ctrl-C must reach the progress bar, not halt
        # the JVM under it.
        jpype.startJVM(
            "-Xrs",
            *java.flags(),
            jvmpath=str(java.library()),
            classpath=[str(find_jar("probe"))],
            interrupt=False,
            convertStrings=False,
        )
        # The thread that starts a JVM is its main thread, and the JVM's end waits for it, though Python's end does not.
        # Detached, it comes back with its next call as every other thread does: as a daemon.
        jpype.java.lang.Thread.detach()


class _Memory:
    """Memory of this process that Java sees as a direct buffer.

    The JVM holds on to it until it collects its own view, which it may never do; so it is used again as soon as nobody
    looks at what was read from it.
    """

    def __init__(self, size: int) -> None:
        import jpype

        # A type of ctypes makes the views: numpy keeps the object alive that it reads from, and this class asks
        # whether that is still so.
        self._view: Any = ctypes.c_char * size
        self._bytes = bytearray(size)
        self._lent: weakref.ref[Any] | None = None
        self.size = size
        self.java: Any = jpype.nio.convertToDirectBuffer(self._bytes)

    def free(self) -> bool:
        """Return whether nothing looks at what was lent."""
        return self._lent is None or self._lent() is None

    def lend(self, length: int) -> memoryview:
        """Return the first bytes; the memory is not free while an array over them lives."""
        view = self._view.from_buffer(self._bytes)
        self._lent = weakref.ref(view)
        return memoryview(view).cast("B")[:length]

    def take(self, frame: bytes) -> Any:
        """Lay a frame down and return Java's buffer over exactly it."""
        self._bytes[: len(frame)] = frame
        self.java.clear()
        self.java.limit(len(frame))
        return self.java


class _Answers:
    """The memory that answers are written to: as much as is looked at, and one more."""

    def __init__(self) -> None:
        self._all: list[_Memory] = []

    def free(self, least: int) -> _Memory:
        """Return memory of at least so many bytes that nobody looks at."""
        for memory in self._all:
            if memory.size >= least and memory.free():
                return memory
        self._all = [memory for memory in self._all if not memory.free()]  # too small for what comes
        memory = _Memory(_room(least))
        self._all.append(memory)
        return memory


def _room(least: int) -> int:
    return 1 << max(16, (least - 1).bit_length())


class _InProcess:
    """A Testee object in this process's JVM as a transport: frames lie in memory that both sides see."""

    def __init__(self) -> None:
        import jpype

        _start_jvm()
        self._throwable: Any = jpype.JException
        self._testee: Any = jpype.JClass(_TESTEE)()
        self._worker: Worker[memoryview] = Worker("twinrank-jpype")
        self._request = _Memory(_room(1))
        self._answers = _Answers()
        self._usual = 1

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes | memoryview]:
        """Call `Testee.handle`. A call that hangs cannot be stopped inside one process: it is named and left behind."""
        try:
            answer = self._worker.call(lambda: self._handle(frame), timeout)
        except DeadlineError:
            raise RouteFailedError(
                _NAME, "hung", f"no answer within {timeout:g} s; the call stays in this process until it ends"
            ) from None
        except self._throwable as error:
            raise RouteFailedError(_NAME, "crashed", f"Testee.handle threw {error}", str(error.stacktrace())) from error
        return _frames.decode(answer)

    def _handle(self, frame: bytes) -> memoryview:
        if len(frame) > self._request.size:
            self._request = _Memory(_room(len(frame)))
        request = self._request.take(frame)
        answer = self._answers.free(self._usual)
        length = int(self._testee.handle(request, answer.java))
        if length < 0:  # it does not fit and was kept; a request of no bytes asks for it
            self._usual = -length
            answer = self._answers.free(-length)
            request.limit(0)
            length = int(self._testee.handle(request, answer.java))
        return answer.lend(length)

    def close(self) -> None:
        """Close the model behind the testee."""
        # What went wrong was reported when it happened; closing never raises.
        with contextlib.suppress(RouteFailedError, DeadlineError, self._throwable):
            self._worker.call(self._close, timeout=10.0)
        self._worker.close()

    def _close(self) -> memoryview:
        self._testee.close()
        return memoryview(b"")


def transport() -> Transport:
    """Return a Testee in this process's JVM, which is started if it does not run.

    Raises:
        RouteFailedError: if Java, the jar or JPype is missing, or the JVM does not start.
    """
    try:
        return _InProcess()
    except JavaMissingError as error:
        raise RouteFailedError(_NAME, "unavailable", str(error)) from error
    except ImportError as error:
        raise RouteFailedError(_NAME, "unavailable", f"{error}: install twinrank[bridge]") from error
    except OSError as error:
        raise RouteFailedError(_NAME, "unavailable", f"the JVM did not start: {error}") from error


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    return FrameScorer(_NAME, transport(), bundle, options)


ROUTE = Route(name=_NAME, summary="Java inside this Python process, through JPype", level="bits", open=_open)
