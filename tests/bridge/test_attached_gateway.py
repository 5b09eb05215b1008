"""Attaching to a gateway that is somebody else's: whatever is wrong with it has a name, and what to do."""

import gc
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from twinrank.bridge import RouteFailedError, RouteOptions
from twinrank.bridge.routes import route

# Py4J leaves the socket of a connection that failed to the collector, who must not come in the middle of another test.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

# What Py4J's gateway answers to a token that is not its own, and to one that is.
REFUSED, TAKEN = b"!x\n", b"!yv\n"


def connection_file(folder: Path, port: int) -> Path:
    path = folder / "gateway.json"
    told = {"host": "127.0.0.1", "port": port, "token": "00" * 32, "pid": 1, "protocol": 1}
    path.write_text(json.dumps(told), "ascii")
    path.chmod(0o600)
    return path


@contextmanager
def gateway(answer: bytes) -> Iterator[int]:
    """Answers the token, and leaves."""

    def serve() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller:
                caller.recv(4096)
                caller.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def attach(tiny: Path) -> Callable[[Path], RouteFailedError]:
    def run(path: Path) -> RouteFailedError:
        with pytest.raises(RouteFailedError) as raised:
            route("py4j").open(tiny, RouteOptions(gateway=path, load_timeout=20.0))
        return raised.value

    return run


def test_a_void_token_is_named(attach: Callable[[Path], RouteFailedError], tmp_path: Path) -> None:
    with gateway(REFUSED) as port:
        path = connection_file(tmp_path, port)
        failure = attach(path)
    assert failure.reason == "unavailable"
    assert failure.detail.startswith(f"the gateway at 127.0.0.1:{port} refuses the token in {path}: ")
    assert "00" * 32 not in failure.detail


def test_a_gateway_that_is_gone_is_named(attach: Callable[[Path], RouteFailedError], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = attach(connection_file(tmp_path, port))
    assert failure.reason == "unavailable"
    assert failure.detail.startswith(f"nothing listens at 127.0.0.1:{port}, where ")


def test_a_gateway_that_hangs_up_has_crashed(
    attach: Callable[[Path], RouteFailedError], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with gateway(TAKEN) as port:
        failure = attach(connection_file(tmp_path, port))
    assert failure.reason == "crashed"
    assert not caplog.records
    assert failure.detail.startswith(f"the connection to 127.0.0.1:{port} failed: ")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_read_is_refused(
    mode: int, attach: Callable[[Path], RouteFailedError], tmp_path: Path
) -> None:
    path = connection_file(tmp_path, 1)
    path.chmod(mode)
    failure = attach(path)
    assert failure.reason == "unavailable"
    assert "can be read by others" in failure.detail
