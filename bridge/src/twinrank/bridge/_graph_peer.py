"""Graphs run by another Python's testee: a file is opened once and run many times (contract, section 12)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from twinrank.bridge import _frames
from twinrank.bridge._answering import ProtocolError, read_tensors
from twinrank.bridge._peers import TESTEE, Sources
from twinrank.bridge._plain import PlainModelError
from twinrank.bridge._scorer import Array, RouteFailedError
from twinrank.bridge.routes.probe import Pipe
from twinrank.export.bundle import SessionSettings

__all__ = ["GraphPeer"]

_NAME = "python"
_LENGTH = struct.Struct("<I")


class GraphPeer:
    """A testee that runs graphs. Not thread-safe; close it by leaving its `with` block.

    Args:
        command: the interpreter's command.
        alone: whether only our sources are on its PYTHONPATH, for environments of our making.
        start_seconds: until its first answer counts as missing.
        seconds: until any other does.

    Raises:
        RouteFailedError: if it cannot be started, crashes or hangs.
    """

    def __init__(self, command: Sequence[str], *, alone: bool, start_seconds: float, seconds: float) -> None:
        self._seconds = seconds
        sources = Sources()
        try:
            self._pipe = Pipe(
                [*command, *TESTEE], route=_NAME, environ=sources.environ(alone=alone), after=sources.close
            )
        except OSError as error:
            sources.close()
            raise RouteFailedError(_NAME, "unavailable", f"{command[0]} cannot be started: {error}") from error
        try:
            self.hello = self._ask({"op": "hello"}, b"", start_seconds)[0]
        except BaseException:
            self._pipe.close()
            raise

    def open(self, model: Path, settings: SessionSettings, *, beside: Path) -> None:
        """Open a file; later runs are of it.

        Raises:
            PlainModelError: if the runtime refuses it.
            RouteFailedError: if the testee crashes or hangs.
        """
        session = settings.to_json()
        self._ask(
            {"op": "open_onnx", "model": str(model), "taps": [], "session": session, "folder": str(beside)}, b"", None
        )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the file that was opened last; strings are arrays of objects.

        Raises:
            PlainModelError: if the runtime fails.
            RouteFailedError: if the testee crashes or hangs, or answers with what is no tensor.
        """
        described, parts = [], []
        for name, value in inputs.items():
            text = value.dtype.kind in "OSU"
            described.append(
                {"name": name, "dtype": "string" if text else value.dtype.name, "shape": list(value.shape)}
            )
            parts.append(_strings(value) if text else np.ascontiguousarray(value).tobytes())
        header, body = self._ask({"op": "run", "inputs": described}, b"".join(parts), None)
        try:
            return read_tensors(header.get("outputs"), body)
        except ProtocolError as error:
            raise RouteFailedError(_NAME, "protocol", error.message) from error

    def __enter__(self) -> Self:
        """Return the peer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._pipe.close()

    def _ask(self, header: Mapping[str, Any], body: bytes, seconds: float | None) -> tuple[dict[str, Any], bytes]:
        try:
            answer, data = self._pipe.exchange(_frames.encode(header, body), seconds or self._seconds)
        except _frames.FrameError as error:
            raise RouteFailedError(_NAME, "protocol", str(error)) from error
        if answer.get("ok") is True:
            return answer, data
        if answer.get("family") == "protocol":
            raise RouteFailedError(_NAME, "protocol", f"{header['op']}: {answer.get('code')}: {answer.get('message')}")
        problems = answer.get("problems") or [{"detail": answer.get("message")}]
        raise PlainModelError(str(problems[0].get("detail")))


def _strings(value: Array) -> bytes:
    texts = [str(each).encode() for each in value.reshape(-1)]
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
