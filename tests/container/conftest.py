"""The image on a real engine. Without one these tests say why they skip; in CI they fail."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy

from twinrank.bridge._java import JavaMissingError, find_jar
from twinrank.export.bundle import host_class

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "contract" / "vectors" / "bundles" / "tiny" / "1"
IMAGE = "twinrank-server:test"
START_SECONDS = 60
SERVICE, ADMIN = 8080, 8081


def _absent(reason: str) -> None:
    if os.environ.get("CI") == "true" or os.environ.get("TWINRANK_TIER") == "ci":
        pytest.fail(f"the container tests must run here, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """An engine that answers: the one that is there, else one of our own, which goes on for the next run."""
    script = ROOT / "tools" / "engine.sh"
    started = subprocess.run([script, "start"], capture_output=True, text=True, timeout=200, check=False)
    if started.returncode != 0:
        _absent(f"no container engine starts: {started.stderr.strip()}")
    told = subprocess.run([script, "env"], capture_output=True, text=True, check=True).stdout
    with pytest.MonkeyPatch.context() as patch:
        for line in told.splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            patch.setenv(name, shlex.split(value)[0])
        yield


@pytest.fixture(scope="session")
def image(engine: None) -> str:  # noqa: ARG001  it needs the engine to be there, and no value of it
    """The image that container/build.sh makes of the jar that was built last."""
    try:
        find_jar("server")
    except JavaMissingError as error:
        _absent(str(error))
    script = ROOT / "container" / "build.sh"
    built = subprocess.run([script, IMAGE], capture_output=True, text=True, timeout=280, check=False)
    assert built.returncode == 0, built.stderr
    return IMAGE


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny/1, whose evidence names this host's class: it computes the same bits on every host."""
    folder = tmp_path_factory.mktemp("models")
    bundle = folder / "tiny" / "1"
    shutil.copytree(TINY, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["evidence"]["host_class"] = host_class()
    text = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    (bundle / "manifest.json").write_bytes(text)
    (bundle / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n", encoding="ascii")
    return _readable(folder)


@pytest.fixture(scope="session")
def broken_models(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bundle with one bit of its graph turned."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(models / "tiny", folder / "tiny")
    graph = folder / "tiny" / "1" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    return _readable(folder)


def _readable(folder: Path) -> Path:
    """Lets the container's user in: pytest makes its folders for their owner alone, the mount is of this one."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@dataclass
class Server:
    """A container of the image, and what a client asks it."""

    container: DockerContainer
    docker: Container = field(init=False)

    def __post_init__(self) -> None:
        self.docker = self.container.get_wrapped_container()

    def ask(self, path: str, body: bytes | None = None, port: int = SERVICE) -> tuple[int, bytes]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.container.get_exposed_port(port)}{path}",
            data=body,
            headers={"Content-Type": "application/json"} if body is not None else {},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  our own container, on loopback
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def state(self) -> dict[str, Any]:
        self.docker.reload()
        state: dict[str, Any] = self.docker.attrs["State"]
        return state

    def run(self, *command: str) -> str:
        code, output = self.docker.exec_run(list(command))
        assert code == 0, output
        return str(output.decode())

    def said(self) -> str:
        """What it wrote to stderr."""
        return str(self.docker.logs(stdout=False, stderr=True).decode())


HARDENED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "mem_limit": "512m",
    "healthcheck": {"interval": 500_000_000},
}
"""How the README says to run it, with a health check twice a second."""


@pytest.fixture(scope="session")
def make(image: str) -> Iterator[Callable[..., DockerContainer]]:
    """Makes containers that are removed in the end."""
    made: list[DockerContainer] = []

    def new(models: Path, environment: dict[str, str] | None = None, **options: Any) -> DockerContainer:
        container = DockerContainer(image).with_volume_mapping(str(models), "/models", "ro")
        container.with_exposed_ports(SERVICE, ADMIN).with_kwargs(**{**HARDENED, **options})
        for name, value in (environment or {}).items():
            container.with_env(name, value)
        made.append(container)
        return container

    yield new
    for container in made:
        container.stop()


@pytest.fixture(scope="session")
def start(make: Callable[..., DockerContainer]) -> Callable[..., Server]:
    """Starts a server and waits until the engine calls it healthy, which the image's own check decides."""

    def started(models: Path, environment: dict[str, str] | None = None, **options: Any) -> Server:
        container = make(models, environment, **options)
        container.waiting_for(HealthcheckWaitStrategy().with_startup_timeout(START_SECONDS))
        return Server(container.start())

    return started


@pytest.fixture(scope="session")
def end(make: Callable[..., DockerContainer]) -> Callable[..., tuple[int, str]]:
    """Starts a server that cannot serve; returns its exit status and what it wrote to stderr."""

    def ended(models: Path, environment: dict[str, str] | None = None, **options: Any) -> tuple[int, str]:
        server = Server(make(models, environment, **options).start())
        status = server.docker.wait(timeout=START_SECONDS)["StatusCode"]
        return status, server.said()

    return ended


@pytest.fixture(scope="session")
def server(start: Callable[..., Server], models: Path) -> Server:
    """One server for all who only ask it."""
    return start(models)
