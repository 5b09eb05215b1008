"""A running server with the fixture bundle: in CI its absence is a failure, elsewhere a skip that says why."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinrank.bridge._java import JavaMissingError, find_jar, find_java

BUNDLES = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles"
SECONDS = 120


def must_run() -> bool:
    return os.environ.get("CI") == "true" or os.environ.get("TWINRANK_TIER") == "ci"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The service's URL; the fixture was made on another host class, so it is verified at reference level."""
    try:
        java, jar = find_java(), find_jar("server")
    except JavaMissingError as error:
        if must_run():
            pytest.fail(f"the service's tests must run here, but {error}")
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("server")
    port = folder / "port"
    command = [
        str(java.command),
        "-jar",
        str(jar),
        "--models",
        str(BUNDLES),
        "--require",
        "reference",
        "--queue-age",
        "60000",
    ]
    with (folder / "err").open("wb") as err:
        process = subprocess.Popen([*command, "--port", "0", "--port-file", str(port)], stderr=err)
    try:
        end = time.monotonic() + SECONDS
        while not port.exists():
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail("the server did not start: " + (folder / "err").read_text(encoding="utf-8"))
            time.sleep(0.05)
        yield "http://127.0.0.1:" + port.read_text(encoding="ascii").strip()
    finally:
        process.terminate()
        process.wait(SECONDS)
