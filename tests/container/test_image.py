"""What the image promises: the bits, for nobody in particular, from a root that nobody can write."""

import json
import math
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ci

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "tests" / "contract" / "vectors" / "bundles" / "tiny" / "1" / "goldens"
RANK = "/v1/models/tiny:rank"
ADMIN = 8081
NOBODY = "65532"
DRAIN_SECONDS = 30
MEBIBYTE = 1 << 20


def golden(number: int) -> tuple[bytes, dict[str, Any]]:
    request = (GOLDENS / "requests.jsonl").read_bytes().splitlines()[number]
    expected: dict[str, Any] = json.loads((GOLDENS / "rankings.jsonl").read_bytes().splitlines()[number])
    return request, expected


def number(stored: str) -> float:
    """The value of IEEE bits as a golden stores them: 8 hexadecimal digits for float32, 16 for float64."""
    form = ">f" if len(stored) == 8 else ">d"
    value: float = struct.unpack(form, bytes.fromhex(stored))[0]
    return value


def same(answered: float | str, stored: str) -> bool:
    """Whether an answered number has the stored bits; the contract prints each so that reading it gives it back."""
    value, expected = float(answered), number(stored)
    return (math.isnan(value) and math.isnan(expected)) or struct.pack(">d", value) == struct.pack(">d", expected)


def test_it_is_healthy_when_its_bundles_are_proved_and_ranks_the_bits_of_a_golden(server: Any) -> None:
    assert server.state()["Health"]["Status"] == "healthy"
    request, expected = golden(1)
    status, body = server.ask(RANK, request)
    assert status == 200, body
    answer = json.loads(body)
    assert answer["verification"] == "verified-bits"
    assert [entry["index"] for entry in answer["ranking"]] == expected["order"]
    assert [entry["index"] for entry in answer["dropped"]] == expected["dropped"]
    assert len(answer["ranking"]) + len(answer["dropped"]) == expected["n"] == 16
    for entry in answer["ranking"]:
        assert same(entry["score"], expected["score"][entry["index"]])
    for entry in answer["ranking"] + answer["dropped"]:
        assert entry["heads"].keys() == expected["heads"].keys()
        for head, value in entry["heads"].items():
            assert same(value, expected["heads"][head][entry["index"]]), (entry["index"], head)


def test_health_and_metrics_are_on_the_port_of_administration(server: Any) -> None:
    assert server.ask("/health/ready", port=ADMIN)[0] == 200
    status, metrics = server.ask("/metrics", port=ADMIN)
    assert status == 200
    assert b"rec_bundle_info{" in metrics


def test_it_runs_as_nobody_without_capabilities_on_a_root_that_it_cannot_write(server: Any) -> None:
    status = dict(line.split(":", 1) for line in server.run("cat", "/proc/1/status").splitlines())
    assert status["Name"].strip() == "java"
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {NOBODY}
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"
    code, told = server.docker.exec_run(["touch", "/models/x", "/opt/twinrank/x", "/tmp/x"])  # noqa: S108  inside the container
    assert code != 0
    assert told.count(b"Read-only file system") == 3


def test_the_natives_are_loaded_from_where_the_image_laid_them(server: Any) -> None:
    maps = server.run("cat", "/proc/1/maps")
    loaded = {line.split("/", 1)[1] for line in maps.splitlines() if ".so" in line and "/" in line}
    for library in ("libonnxruntime.so", "libonnxruntime4j_jni.so", "libnetty_transport_native_epoll"):
        assert any(path.startswith(f"opt/twinrank/native/{library}") for path in loaded), (library, sorted(loaded))
    assert not [path for path in loaded if path.startswith(("tmp/", "dev/"))]
    assert server.run("ls", "-A", "/dev/shm") == ""  # noqa: S108  inside the container


def test_nothing_but_the_server_is_in_its_log(server: Any) -> None:
    lines = server.said().splitlines()
    assert any("ready at http://0.0.0.0:8080" in line for line in lines)
    strange = [line for line in lines if not line.startswith("{") and " INFO " not in line]
    assert not strange, strange


def test_the_image_says_what_it_is(server: Any) -> None:
    image = server.docker.image
    config = image.attrs["Config"]
    assert config["User"] == f"{NOBODY}:{NOBODY}"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"][0] == "/opt/java/bin/java"
    assert config["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    assert config["Labels"]["org.opencontainers.image.revision"] not in ("", "unknown")
    assert image.attrs["Size"] < 260e6, "an image that grows by a tenth should be noticed"


def test_the_heap_is_half_of_the_containers_memory_and_the_limit_is_the_containers(server: Any) -> None:
    flags = server.run("/opt/java/bin/java", "@/opt/twinrank/jvm.options", "-XX:+PrintFlagsFinal", "-version")
    [line] = [line for line in flags.splitlines() if " MaxHeapSize " in line]
    assert int(line.split()[3]) == 256 * MEBIBYTE
    stats = server.docker.stats(stream=False)["memory_stats"]
    assert stats["limit"] == 512 * MEBIBYTE
    assert 0 < stats["usage"] < stats["limit"]


def test_sigterm_ends_it_with_143_within_the_drains_bound(start: Callable[..., Any], models: Path) -> None:
    server = start(models)
    began = time.monotonic()
    server.docker.stop(timeout=DRAIN_SECONDS + 15)
    took = time.monotonic() - began
    state = server.state()
    # 137 would say that the engine had to kill it.
    assert state["ExitCode"] == 143, server.said()
    assert not state["OOMKilled"]
    assert took < DRAIN_SECONDS + 15
    assert "draining" in server.said()


def test_a_broken_bundle_ends_the_start_with_1_and_the_problem_on_stderr(
    end: Callable[..., tuple[int, str]], broken_models: Path
) -> None:
    status, said = end(broken_models)
    assert status == 1
    assert "cannot start; nothing is served" in said
    assert "tiny" in said
    assert "model.onnx" in said


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"TWINRANK_REQUIRE": "hope"}, "TWINRANK_REQUIRE=hope in the environment"),
        ({"TWINRANK_PORT": "tcp://10.0.0.1:80"}, "enableServiceLinks: false"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(
    end: Callable[..., tuple[int, str]], models: Path, environment: dict[str, str], told: str
) -> None:
    status, said = end(models, environment)
    assert status == 2
    assert told in said


def test_the_health_check_fails_where_no_server_is_ready(make: Callable[..., Any], models: Path) -> None:
    container = make(models, {"TWINRANK_ADMIN_PORT": "1"}, entrypoint=["sleep", "60"]).start()
    command = container.get_wrapped_container().image.attrs["Config"]["Healthcheck"]["Test"]
    assert command[0] == "CMD"
    code, told = container.get_wrapped_container().exec_run(command[1:])
    assert code == 1
    assert b"http://127.0.0.1:1/health/ready does not answer" in told
