"""The probe protocol's testee in Python: ``python -m twinrank.bridge.testee [--any-release]``.

Answers frames from stdin on stdout until `bye` or the end of the input, then exits with 0; input that is no frame is
answered once and ends it with 2. Needs the base install only, and any ONNX Runtime from 1.20 on: a reader on another
release refuses this release's bundles, as the contract says. With `--any-release` such a bundle is read and checked all
the same, its goldens are replayed, and it is told as `unverified`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import twinrank.training  # noqa: F401  first of all: it keeps ONNX Runtime from sending telemetry

if TYPE_CHECKING:
    from twinrank.bridge._answering import Answering, Reply

__all__ = ["main", "native_library", "serve"]

_LENGTH = struct.Struct("<I")
_LOST_SYNC = 2
_ANY_RELEASE = "--any-release"


class _LostSyncError(Exception):
    """The input is no frame; nothing after it can be read as one."""


def main(arguments: Sequence[str]) -> int:
    """Run the testee on stdin and stdout and return its exit status."""
    if set(arguments) - {_ANY_RELEASE}:
        sys.stderr.write(f"usage: python -m twinrank.bridge.testee [{_ANY_RELEASE}]; frames on stdin and stdout\n")
        return _LOST_SYNC
    # Whatever a library prints, native code too, must not land between frames: stdout becomes stderr for all but us.
    frames = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Ctrl-C reaches a whole terminal; the end of the input is this process's sign to leave.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from twinrank.bridge._answering import Answering

    return serve(Answering(_facts(), any_release=_ANY_RELEASE in arguments), sys.stdin.buffer, frames)


def serve(answering: Answering, source: BinaryIO, sink: BinaryIO) -> int:
    """Answer frames until `bye` (0), the end of the input (0), or input that is no frame (2)."""
    from twinrank.bridge._answering import Reply

    while not answering.finished:
        try:
            frame = _frame(source)
        except _LostSyncError as error:
            told = {"ok": False, "family": "protocol", "code": "invalid_frame", "message": str(error)}
            _write(sink, Reply(told))
            return _LOST_SYNC
        if frame is None:
            break
        _write(sink, answering.answer(*frame))
    return 0


def _frame(source: BinaryIO) -> tuple[bytes, bytes] | None:
    """Read header and body; None at the end of the input."""
    prefix = source.read(_LENGTH.size)
    if not prefix:
        return None
    header = _part(source, prefix, "header")
    return header, _part(source, source.read(_LENGTH.size), "body")


def _part(source: BinaryIO, prefix: bytes, name: str) -> bytes:
    from twinrank.bridge._frames import LIMIT

    if len(prefix) < _LENGTH.size:
        raise _LostSyncError("the input ended inside a frame")
    length = int(_LENGTH.unpack(prefix)[0])
    if length > LIMIT:
        raise _LostSyncError(f"the {name} claims {length} bytes; at most {LIMIT} are allowed")
    part = source.read(length)
    if len(part) < length:
        raise _LostSyncError("the input ended inside a frame")
    return part


def _write(sink: BinaryIO, reply: Reply) -> None:
    # ASCII, because a lone surrogate in a name that a client sent has no UTF-8 but has an escape.
    header = json.dumps(reply.header, separators=(",", ":"), allow_nan=False).encode("ascii")
    sink.write(b"".join((_LENGTH.pack(len(header)), header, _LENGTH.pack(len(reply.body)), reply.body)))
    sink.flush()


def _facts() -> dict[str, Any]:
    import numpy
    import onnxruntime

    from twinrank.export.bundle import host_class, runtime_release

    library = native_library(Path(onnxruntime.__file__).parent)
    facts = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "numpy": numpy.__version__,
        "onnx": importlib.metadata.version("onnx"),
        "os": f"{platform.system()} {platform.release()}",
        "arch": platform.machine(),
        "simd": ", ".join(_simd()),
        "runtime_library": library.name,
        "runtime_library_sha256": hashlib.sha256(library.read_bytes()).hexdigest(),
    }
    return {
        "implementation": f"twinrank-python/{_own_release()}",
        "runtime": f"onnxruntime {runtime_release()}",
        "host_class": host_class(),
        "facts": facts,
    }


def _own_release() -> str:
    try:
        return importlib.metadata.version("twinrank")
    except importlib.metadata.PackageNotFoundError:
        return "sources"  # on PYTHONPATH of somebody else's interpreter, where nothing is installed


def native_library(package: Path) -> Path:
    """The extension module that the runtime is linked into."""
    return min((package / "capi").glob("onnxruntime_pybind11_state*"))


def _simd() -> list[str]:
    """What this processor, or its emulation, can do, as numpy asks it: /proc/cpuinfo would speak of the host."""
    try:
        features = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return []  # numpy's own affair, which a release of it may move
    return [name for name, there in features.items() if there]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
