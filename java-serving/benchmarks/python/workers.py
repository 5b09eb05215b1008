"""The processes of the comparison: what each is started with, and how it is spoken to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODULE = Path(__file__).resolve().parents[1]
JAVA_SERVING = MODULE.parent
ROOT = JAVA_SERVING.parent

_HEAP = ("-Xms512m", "-Xmx1g")
_DJL = ("-DOPT_OUT_TRACKING=true", "-Dai.djl.offline=true", "-Dai.djl.onnx.disable_alternative=true")
_FFM = ("-Dtwinrank.engine=ffm", "--enable-native-access=ALL-UNNAMED")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A way of scoring, and the process that has it.

    Attributes:
        label: as the table has it.
        process: which process.
        name: as the worker knows it.
        exact: whether its scores must be the bundle's bits; else within the bundle's tolerance.
        ranks: whether it orders candidates too.
        what: one line for the reader.
    """

    label: str
    process: str
    name: str
    what: str
    exact: bool = True
    ranks: bool = True


CONTESTANTS = (
    Contestant("raw", "jni17", "raw", "a. the bare runtime on ready tensors", ranks=False),
    Contestant("ours", "jni17", "slate", "b. Slate by columns to the best ten, JNI"),
    Contestant("ours/builder", "jni17", "builder", "b. RankRequest.Builder, row by row"),
    Contestant("ours/keys", "jni17", "keys", "b. the same, keys of the candidates kept by the caller"),
    Contestant("engine", "jni17", "engine", "our engine alone on packed inputs, JNI", ranks=False),
    Contestant("raw-25", "jni25", "raw", "a. on the newer JDK", ranks=False),
    Contestant("ours-25", "jni25", "slate", "b. Slate by columns, JNI on the newer JDK"),
    Contestant("engine-ffm", "ffm25", "engine", "our engine alone on packed inputs, FFM", ranks=False),
    Contestant("ours-ffm", "ffm25", "slate", "b. Slate by columns, FFM on the newer JDK"),
    Contestant("djl", "djl17", "djl", "c. DJL, packed, same graph"),
    Contestant("djl-flat", "djl17", "djl-flat", "d. DJL, the flat rows that torch exports", exact=False),
    Contestant("per-feature", "jni17", "per-feature", "e. official binding, a tensor a feature, getValue"),
    Contestant("python", "python", "python", "f. Python onnxruntime from dicts of lists"),
)
"""In the order of the table; the worker's ``fill`` is none: it packs and runs nothing."""


class Worker:
    """A process that answers one command at a time.

    Args:
        command: what to start.
        log: where its standard error goes.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"OPT_OUT_TRACKING": "true"},
            )

    def ask(self, do: str, **arguments: object) -> Any:
        """The answer; a process that gives none ends the comparison with what it said."""
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("a worker has no pipes")
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker died at {do} {arguments}:\n{self._log.read_text()[-3000:]}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()


def newer_jdk() -> Path | None:
    """A JDK of release 22 or later, which the FFM engine needs, as the rest of the build finds it."""
    found = subprocess.run([ROOT / "tools/newer_jdk.sh"], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def class_path(*more: Path) -> str:
    """The benchmarks and what they need."""
    return os.pathsep.join([str(MODULE / "target/classes"), str(MODULE / "target/lib/*"), *map(str, more)])


def ffm_jar() -> Path | None:
    """The FFM engine, if it was built."""
    return next(
        (p for p in sorted((JAVA_SERVING / "ffm/target").glob("twinrank-ffm-*.jar")) if "-sources" not in p.name), None
    )


def commands(models: Path) -> dict[str, list[str]]:
    """How each process is started; one whose JDK or jar is not there is left out."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin/java") if home else "java"
    main = ["dev.twinrank.benchmarks.Worker", str(models)]
    jni = [*_HEAP, "-Dtwinrank.engine=jni", "-cp", class_path(), *main]
    found = {
        "jni17": [java, *jni],
        "djl17": [java, *_HEAP, *_DJL, "-cp", class_path(), *main],
        "python": [sys.executable, str(Path(__file__).with_name("peer.py")), str(models)],
    }
    newer, ffm = newer_jdk(), ffm_jar()
    if newer is not None:
        found["jni25"] = [str(newer / "bin/java"), "--enable-native-access=ALL-UNNAMED", *jni]
        if ffm is not None:
            found["ffm25"] = [str(newer / "bin/java"), *_FFM, *_HEAP, "-cp", class_path(ffm), *main]
    return found


@contextmanager
def started(models: Path, log: Path, only: set[str]) -> Iterator[dict[str, Worker]]:
    """Every process that is wanted and can be had."""
    log.mkdir(parents=True, exist_ok=True)
    workers: dict[str, Worker] = {}
    try:
        for name, command in commands(models).items():
            if name in only:
                workers[name] = Worker(command, log / f"{name}.log")
        yield workers
    finally:
        for worker in workers.values():
            worker.close()
