"""A server of the fixture bundle, as operators start it: what the tests of operations begin with."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from twinrank.bridge._java import JavaMissingError, find_jar, find_java

MODELS = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles"
BUNDLE = MODELS / "tiny" / "1"
_START_SECONDS = 120
_STOP_SECONDS = 60


@dataclass(frozen=True)
class Operated:
    """A running server: its process and `http://host:port`."""

    process: subprocess.Popen[bytes]
    url: str

    def stop(self) -> int:
        """Send SIGTERM as an orchestrator does, and return the exit status."""
        self.process.terminate()
        return self.process.wait(_STOP_SECONDS)


def absent(reason: str) -> None:
    """Skip a test for a reason that is printed; where every test must run, let it fail."""
    if os.environ.get("CI") == "true" or os.environ.get("TWINRANK_TIER") == "ci":
        pytest.fail(f"the tests of operations must run here, but {reason}")
    pytest.skip(reason)


@contextmanager
def operated(*options: object) -> Iterator[Operated]:
    """Serve tiny/1, whose evidence names no real host class, with further options."""
    try:
        java, jar = find_java(), find_jar("server")
    except JavaMissingError as error:
        absent(str(error))
    with tempfile.TemporaryDirectory() as folder:
        ports = Path(folder) / "port"
        command = [str(java.command), "-jar", str(jar), "--models", str(MODELS), "--require", "reference"]
        command += ["--port", "0", "--port-file", str(ports), *map(str, options)]
        process = subprocess.Popen(command)
        try:
            end = time.monotonic() + _START_SECONDS
            while not ports.exists():
                assert process.poll() is None, "the server ended before it was ready; its log is above"
                assert time.monotonic() < end, "the server is not ready"
                time.sleep(0.05)
            yield Operated(process, f"http://127.0.0.1:{ports.read_text(encoding='ascii').strip()}")
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_SECONDS)
