"""The programs of a run: the load driver, our server and the peer of the comparison, pinned where that is asked."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_JARS = ROOT / "java-serving"
_START_SECONDS = 180
_STOP_SECONDS = 15


class Program:
    """A process that is ended with us.

    Args:
        command: what to start.
        processors: as ``taskset -c`` takes them; none for all.
        log: where its errors go, and its output unless that is piped.
        piped: whether we speak with it through its standard input and output.
        more: of its environment.
    """

    def __init__(
        self,
        command: list[str],
        processors: str | None,
        log: Path,
        *,
        piped: bool = False,
        more: dict[str, str] | None = None,
    ) -> None:
        self.log, self.what = log, " ".join(command)
        pinned = ["taskset", "-c", processors] if processors else []
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [*pinned, *command],
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else errors,
                stderr=errors,
                text=True,
                env=os.environ | (more or {}),
            )

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]

    def cpu_seconds(self) -> float:
        """Processor time of it and of the processes that it started."""
        return sum(_ticks(each) for each in _family(self.process.pid)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """Ends it by SIGTERM, and by SIGKILL if that is not enough; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Service(Program):
    """A program that listens.

    Args:
        port: of loopback.
        ready: a path that answers 200 when it can be used.
        rest: of ``Program``.
    """

    def __init__(self, port: int, ready: str, *rest: Any, **more: Any) -> None:
        super().__init__(*rest, **more)
        self.port = port
        self.admin_port = port
        self._ready = ready

    def ready(self) -> bool:
        """Whether it answers now that it is ready."""
        try:
            return self.get(self._ready)[0] == http.client.OK
        except OSError:
            return False

    def await_ready(self) -> None:
        """Waits until it answers.

        Raises:
            SystemExit: with the end of its log, if it ends or does not answer in three minutes.
        """
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if self.ready():
                return
            time.sleep(0.02)
        self.stop()
        raise SystemExit(f"{self.what} does not answer:\n{self.said()}")

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body."""
        return self._ask("POST", path, body, headers)

    def ask_admin(self, path: str) -> tuple[int, bytes]:
        """Status and body of what the admin listener says there."""
        return self._ask("GET", path, None, {}, self.admin_port)

    def administer(self, path: str, command: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of a command to the admin listener."""
        body = json.dumps(command).encode()
        return self._ask("POST", path, body, {"content-type": "application/json"}, self.admin_port)

    def ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], port: int | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, header fields by their names in lower case, and body."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], port: int | None = None
    ) -> tuple[int, bytes]:
        status, _, answer = self.ask(method, path, body, headers, port)
        return status, answer


class Driver(Program):
    """The load driver, told its phases one at a time.

    Args:
        url: where to; its path is that of every request that names none.
        arguments: of the driver, which say what is sent.
        processors: that it is pinned to.
        log: where its errors go.
    """

    def __init__(self, url: str, arguments: list[str], processors: str | None, log: Path) -> None:
        super().__init__(
            [
                *(java(), "-XX:+UseSerialGC", "-Xms256m", "-Xmx512m"),
                *("-jar", str(jar("load")), "--control", "--url", url),
                *arguments,
            ],
            processors,
            log,
            piped=True,
        )

    def phase(self, name: str, load: str, end: str) -> dict[str, Any]:
        """Runs a phase and waits until the last of its requests has ended.

        Args:
            name: of the phase.
            load: ``500/s`` or ``x8``.
            end: ``2s`` or a number of requests.

        Returns:
            what the driver reports of it.
        """
        self.tell(f"phase {name}={load},{end}")
        return self.read()

    def tell(self, line: str) -> None:
        """One line of the driver's standard input."""
        if self.process.stdin is None:
            raise SystemExit("the driver has no input")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next phase that is over."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise SystemExit(f"the driver died:\n{self.said()}")
        found: dict[str, Any] = json.loads(line)
        return found


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def java() -> str:
    """The JVM's executable."""
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin/java" if home else shutil.which("java") or "java"


def jar(module: str) -> Path:
    """A module's runnable jar.

    Raises:
        SystemExit: if it is not built.
    """
    folder = Path(os.environ.get("TWINRANK_JARS") or _JARS / module / "target")
    found = sorted(folder.glob(f"twinrank-{module}-*-all.jar")) or sorted(
        (_JARS / module / "target").glob(f"twinrank-{module}-*-all.jar")
    )
    if not found:
        raise SystemExit(
            f"no jar of {module}: tools/maven.sh -Pload -pl core,micrometer,server,load package -Dmaven.test.skip=true"
        )
    return found[-1]


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def server(
    models: Path,
    log: Path,
    *arguments: str,
    processors: str | None = None,
    jvm: tuple[str, ...] = (),
    port: int | None = None,
    admin_port: int | None = None,
) -> Service:
    """Starts our server over a directory of bundles; it may not be ready yet.

    Args:
        models: the directory.
        log: where what it says goes.
        arguments: more options of the server.
        processors: that it is pinned to; none for all.
        jvm: options of the JVM.
        port: of the service; a free one otherwise.
        admin_port: of administration; a free one otherwise.
    """
    taken = port or free_port()
    admin = admin_port or free_port()
    made = Service(
        taken,
        "/health/ready",
        [
            *(java(), *jvm, "-jar", str(jar("server")), "--models", str(models)),
            *("--port", str(taken), "--admin-port", str(admin), *arguments),
        ],
        processors,
        log,
    )
    made.admin_port = admin
    return made


def ours(models: Path, processors: str | None, log: Path, *more: str) -> Service:
    """Our server, ready, with what a JVM does by itself."""
    made = server(models, log, "--log-level", "warn", *more, processors=processors)
    made.await_ready()
    return made


def peer(models: Path, names: list[str], processors: str | None, workers: int, log: Path) -> Service:
    """The FastAPI service."""
    port = free_port()
    roots = ":".join(str(ROOT / room / "src") for room in ("training", "export", "bridge"))
    service = Service(
        port,
        "/ready",
        [
            *(sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "java-serving/server/bench"), "peer:app"),
            *("--port", str(port), "--workers", str(workers), "--loop", "uvloop", "--http", "httptools"),
            *("--no-access-log", "--log-level", "warning"),
        ],
        processors,
        log,
        more={"PEER_MODELS": str(models), "PEER_NAMES": ",".join(names), "PYTHONPATH": roots},
    )
    service.await_ready()
    return service
