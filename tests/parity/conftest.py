"""The parity suite needs jars and a JVM: in CI it fails without them, elsewhere it says why it skips."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from twinrank.bridge._environments import Environment, make_environment
from twinrank.bridge._errors import UserError
from twinrank.bridge._java import JavaMissingError, find_jar, find_java
from twinrank.export.bundle import host_class

TINY = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles" / "tiny" / "1"
SECONDS = 240


def must_run() -> bool:
    return os.environ.get("CI") == "true" or os.environ.get("TWINRANK_TIER") == "ci"


@pytest.fixture(scope="session", autouse=True)
def java() -> None:
    try:
        find_java()
        for artifact in ("probe", "server", "gateway"):
            find_jar(artifact)
    except JavaMissingError as error:
        if must_run():
            pytest.fail(f"the parity suite must run here, but {error}")
        pytest.skip(str(error))


def reseal(bundle: Path, manifest: dict[str, Any]) -> None:
    """Writes a changed manifest with a digest that fits, as a writer would."""
    text = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    (bundle / "manifest.json").write_bytes(text)
    (bundle / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n", encoding="ascii")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny/1 with this host's class in its evidence: it computes the same bits on every host, so that is no lie."""
    bundle = tmp_path_factory.mktemp("models") / "tiny" / "1"
    shutil.copytree(TINY, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["evidence"]["host_class"] = host_class()
    reseal(bundle, manifest)
    return bundle


@pytest.fixture(scope="session")
def other(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model under another manifest: what a service holds after somebody deployed something else."""
    bundle = tmp_path_factory.mktemp("others") / "tiny" / "1"
    shutil.copytree(tiny, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["provenance"] = {"planted": "another export"}
    reseal(bundle, manifest)
    return bundle


@pytest.fixture(scope="session")
def other_release() -> Environment:
    """An environment with ONNX Runtime 1.23.2, whose LayerNorm and Log compute other bits; `.python` is its command.

    The first use on a machine installs it from the package index, so tests that need it are of the tier `ci`.
    """
    try:
        return make_environment("1.23.2")
    except UserError as error:
        if must_run():
            pytest.fail(f"another release must be installable here, but {error}")
        pytest.skip(str(error))


@dataclass(frozen=True)
class Verified:
    """What one run of `twinrank verify` left behind."""

    code: int
    out: str
    err: str
    report: dict[str, Any]

    def route(self, name: str) -> dict[str, Any]:
        return next(side for side in self.report["routes"] if side["route"] == name)


@pytest.fixture(scope="session")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Verified]:
    """Runs the command line in a process of its own: a JVM inside pytest would meet its faulthandler."""

    def run(bundle: Path, *arguments: object) -> Verified:
        folder = tmp_path_factory.mktemp("report")
        command = [sys.executable, "-c", "from twinrank.bridge.cli import main; main()", "verify", str(bundle)]
        command += [str(argument) for argument in (*arguments, "--report", folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        path = folder / "report.json"
        report = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return Verified(done.returncode, done.stdout, done.stderr, report)

    return run
