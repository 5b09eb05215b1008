"""Java inside this process, through JPype: the same Testee as the probe's, without a process between.

Two copies of ONNX Runtime then live in one process, Python's and Java's; RATIONALE.md says why that is safe and how
it was measured.
"""

from __future__ import annotations

import contextlib
import threading
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


class _InProcess:
    """A Testee object in this process's JVM as a transport."""

    def __init__(self) -> None:
        import jpype

        _start_jvm()
        self._bytes: Any = jpype.JArray(jpype.JByte)
        self._throwable: Any = jpype.JException
        self._testee: Any = jpype.JClass(_TESTEE)()
        self._worker: Worker[bytes] = Worker("twinrank-jpype")

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes]:
        """Call `Testee.handle`. A call that hangs cannot be stopped inside one process: it is named and left behind."""
        try:
            answer = self._worker.call(lambda: bytes(self._testee.handle(self._bytes(frame))), timeout)
        except DeadlineError:
            raise RouteFailedError(
                _NAME, "hung", f"no answer within {timeout:g} s; the call stays in this process until it ends"
            ) from None
        except self._throwable as error:
            raise RouteFailedError(_NAME, "crashed", f"Testee.handle threw {error}", str(error.stacktrace())) from error
        return _frames.decode(answer)

    def close(self) -> None:
        """Close the model behind the testee."""
        # What went wrong was reported when it happened; closing never raises.
        with contextlib.suppress(RouteFailedError, DeadlineError, self._throwable):
            self._worker.call(lambda: self._testee.close(), timeout=10.0)
        self._worker.close()


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
