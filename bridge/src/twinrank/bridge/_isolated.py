"""The in-process JVM in a process of its own, for hosts that a JVM must not share: pytest has a faulthandler.

The child runs the very Testee that the jpype route runs, behind the very transport, and carries its frames over stdin
and stdout.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from twinrank.bridge import _frames
from twinrank.bridge._scorer import Route, RouteFailedError, RouteOptions, Scorer
from twinrank.bridge.routes import jpype, probe


def isolated() -> Route:
    """Return the jpype route, its JVM in a child process."""
    return dataclasses.replace(jpype.ROUTE, open=_open)


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    command = [sys.executable, "-c", f"from {__name__} import main; main()"]
    return probe.open_command(command, bundle, options, route="jpype")


def main() -> None:
    """Answer frames until the input ends."""
    # A library that prints, the JVM's own included, must not write among the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        transport = jpype.transport()
    except RouteFailedError as failure:
        _refuse(sys.stdin.buffer, answers, failure)
        return
    try:
        while (frame := _receive(sys.stdin.buffer)) is not None:
            # The parent bounds every wait, and kills what does not answer.
            header, body = transport.exchange(frame, threading.TIMEOUT_MAX)
            answers.write(_frames.encode(header, bytes(body)))
            answers.flush()
    finally:
        transport.close()


def _refuse(requests: BinaryIO, answers: BinaryIO, failure: RouteFailedError) -> None:
    """Say why there is no JVM where the parent waits to hear of one."""
    if _receive(requests) is not None:
        told = {"ok": False, "family": "protocol", "code": failure.reason, "message": failure.detail}
        answers.write(_frames.encode(told))
        answers.flush()


def _receive(source: BinaryIO) -> bytes | None:
    def take(count: int) -> bytes:
        data = source.read(count)
        if len(data) != count:
            raise EOFError
        return data

    try:
        header, body = _frames.read(take)
    except EOFError:
        return None
    return _frames.encode(header, body)
