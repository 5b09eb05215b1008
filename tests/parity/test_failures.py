"""Real processes that fail for real: what is running, deployed or attached wrongly is never green."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from twinrank.bridge import RouteFailedError, RouteOptions, RouteScores
from twinrank.bridge._java import find_jar, find_java
from twinrank.bridge.routes import route
from twinrank.bridge.routes.http import serving

pytestmark = pytest.mark.parity


def first_request(bundle: Path) -> bytes:
    return (bundle / "goldens" / "requests.jsonl").read_bytes().split(b"\n")[0]


def jvms() -> set[int]:
    """The JVMs that this process started and that live."""
    command = ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {int(line.split()[0]) for line in listed.splitlines() if line.split()[1] == "java"}


def test_a_killed_jvm_is_a_finding(tiny: Path) -> None:
    before = jvms()
    with route("probe").open(tiny, RouteOptions()) as scorer:
        assert isinstance(scorer.score(first_request(tiny)), RouteScores)
        (jvm,) = jvms() - before
        os.kill(jvm, signal.SIGKILL)
        with pytest.raises(RouteFailedError, match="signal 9") as caught:
            scorer.score(first_request(tiny))
    assert caught.value.reason == "crashed"


def test_a_stopped_jvm_is_killed_and_named(tiny: Path) -> None:
    before = jvms()
    with route("probe").open(tiny, RouteOptions(score_timeout=1.0)) as scorer:
        (jvm,) = jvms() - before
        os.kill(jvm, signal.SIGSTOP)
        with pytest.raises(RouteFailedError, match="killed") as caught:
            scorer.score(first_request(tiny))
        assert caught.value.reason == "hung"
    assert jvm not in jvms()


def test_a_service_that_holds_another_bundle_differs(tiny: Path, other: Path, verify) -> None:  # type: ignore[no-untyped-def]
    with serving(other.parents[1]) as url:
        done = verify(tiny, "--route", "http", "--against", url)
    assert done.code == 1, done.out + done.err
    assert done.route("http")["failure"]["reason"] == "refused"
    assert "deploy this bundle there" in done.out


def test_a_running_service_is_verified_in_place(tiny: Path, verify) -> None:  # type: ignore[no-untyped-def]
    with serving(tiny.parents[1]) as url:
        done = verify(tiny, "--route", "http", "--against", url)
        assert done.code == 0, done.out + done.err
        assert done.route("http")["facts"]["details"]["address"] == url


def test_a_bundle_that_java_refuses_is_named_with_its_code(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "1").mkdir()
    (tmp_path / "tiny" / "1" / "manifest.json").write_bytes((tiny / "manifest.json").read_bytes())
    for name in ("probe", "py4j"):
        with pytest.raises(RouteFailedError, match="file_missing") as caught:
            route(name).open(tmp_path / "tiny" / "1", RouteOptions())
        assert caught.value.reason == "refused"
    with pytest.raises(RouteFailedError, match="exited with 1") as caught, serving(tmp_path):
        pass
    assert caught.value.reason == "refused"
    assert "file_missing" in caught.value.evidence


def test_no_service_behind_a_url_could_not_tell(tiny: Path, verify) -> None:  # type: ignore[no-untyped-def]
    done = verify(tiny, "--route", "http", "--route", "probe", "--against", "http://127.0.0.1:9")
    assert done.code == 2, done.out + done.err
    assert done.route("http")["status"] == "unknown"
    assert done.route("probe")["status"] == "equal"


@contextmanager
def gateway(folder: Path, *arguments: object) -> Iterator[Path]:
    file = folder / "gateway.json"
    command = find_java().run_jar(find_jar("gateway"), "--connection-file", str(file), "--until-stdin-ends")
    with subprocess.Popen([*command, *(str(argument) for argument in arguments)], stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not file.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield file
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("live", [True, False])
def test_a_running_jvm_is_verified_in_place(live: bool, tiny: Path, tmp_path: Path, verify) -> None:  # type: ignore[no-untyped-def]
    with gateway(tmp_path, *(("--bundle", tiny) if live else ())) as file:
        for _ in range(2):
            done = verify(tiny, "--route", "py4j", "--gateway", file)
            assert done.code == 0, done.out + done.err
            assert done.route("py4j")["rows"] == 26


def test_a_live_model_of_another_bundle_differs(tiny: Path, other: Path, tmp_path: Path, verify) -> None:  # type: ignore[no-untyped-def]
    with gateway(tmp_path, "--bundle", other) as file:
        done = verify(tiny, "--route", "py4j", "--gateway", file)
    assert done.code == 1, done.out + done.err


def test_a_wrong_token_opens_nothing(tiny: Path, tmp_path: Path) -> None:
    with gateway(tmp_path) as file:
        told = json.loads(file.read_text(encoding="utf-8"))
        forged = tmp_path / "forged.json"
        forged.write_text(json.dumps({**told, "token": "0" * 64}), encoding="utf-8")
        forged.chmod(0o600)
        with pytest.raises(RouteFailedError) as caught:
            route("py4j").open(tiny, RouteOptions(gateway=forged))
        assert caught.value.reason == "unavailable"
        assert "0" * 64 not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "host", "told"), [(0o644, "127.0.0.1", "read by others"), (0o600, "192.0.2.1", "on loopback only")]
)
def test_a_connection_file_that_gives_the_token_away_is_refused(
    mode: int, host: str, told: str, tiny: Path, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.json"
    file.write_text(json.dumps({"host": host, "port": 1, "token": "0" * 64}), encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(RouteFailedError, match=told) as caught:
        route("py4j").open(tiny, RouteOptions(gateway=file))
    assert caught.value.reason == "unavailable"


def test_serve_is_the_server_and_ends_with_its_status(tiny: Path, tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-c", "from twinrank.bridge.cli import main; main()", "serve", str(tiny.parents[1])]
    command += ["--port", "0", "--port-file", str(port_file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        log = process.stderr.read()
        assert process.wait(timeout=60) == 143, log
    assert "tiny/1" in log
