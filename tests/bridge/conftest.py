import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from twinrank.bridge import Route, RouteOptions
from twinrank.bridge._cases import Case, collect, listed
from twinrank.bridge._lockstep import Plan, compare, tell_packed
from twinrank.bridge._verify import ParityRun, bundle_facts
from twinrank.bridge.routes import probe
from twinrank.bridge.routes import route as of_catalogue
from twinrank.export.bundle import host_class

ROOT = Path(__file__).resolve().parents[2]
# A sample is another team's project: a test runs it in a folder of its own.
collect_ignore = ["samples"]
TINY = ROOT / "tests" / "contract" / "vectors" / "bundles" / "tiny" / "1"


@dataclass
class Heard:
    """A Progress that remembers, for tests that ask whether a person saw anything."""

    events: list[tuple[str, ...]] = field(default_factory=list)

    def start(self, route: str, requests: int) -> None:
        self.events.append(("start", route, str(requests)))

    def advance(self, route: str, requests: int = 1, rows: int = 0) -> None:
        self.events.append(("advance", route, str(requests), str(rows)))

    def finish(self, route: str, outcome: str) -> None:
        self.events.append(("finish", route, outcome))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny/1 with this host's class in its evidence: it computes the same bits on every host, so that is no lie."""
    bundle = tmp_path_factory.mktemp("models") / "tiny" / "1"
    shutil.copytree(TINY, bundle)
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["evidence"]["host_class"] = host_class()
    text = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    (bundle / "manifest.json").write_bytes(text)
    (bundle / "manifest.sha256").write_text(hashlib.sha256(text).hexdigest() + "\n", encoding="ascii")
    return bundle


@pytest.fixture(scope="session")
def fake() -> Callable[[str], Route]:
    """Makes a route whose testee has one planted fault."""

    def make(fault: str) -> Route:
        command = [sys.executable, str(Path(__file__).parent / "fake_testee.py"), fault]
        return Route(fault, f"plants: {fault}", "bits", lambda path, given: probe.open_command(command, path, given))

    return make


@pytest.fixture(scope="session")
def parity(tiny: Path) -> Callable[..., ParityRun]:
    """Runs routes over the bundle's goldens."""

    def run(
        routes: Sequence[Route],
        *,
        score_timeout: float = 60.0,
        cases: Sequence[Case] | None = None,
        progress: Heard | None = None,
        baseline: Route | None = None,
        **more: Any,
    ) -> ParityRun:
        chosen = collect(tiny, run=None, requests=None, most=None) if cases is None else listed(tuple(cases))
        options = RouteOptions(score_timeout=score_timeout, load_timeout=60.0)
        base = baseline or of_catalogue("ort")
        plan = Plan(bundle_facts(tiny), chosen, tuple(routes), base, options, **more)
        return compare(plan, progress or Heard(), [tell_packed])

    return run


@pytest.fixture
def java_home(tmp_path: Path) -> Path:
    """A JAVA_HOME whose `java` says that it is version 17 and can do nothing else."""
    command = tmp_path / "java-home" / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho 'openjdk version \"17.0.15\" 2026-01-20' >&2\n", encoding="ascii")
    command.chmod(0o755)
    return command.parents[1]
