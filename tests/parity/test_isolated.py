"""The in-process JVM in a child: what a pytest run asks instead of starting a JVM beside its faulthandler."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from twinrank.bridge import RouteFailedError, RouteOptions
from twinrank.bridge._cases import collect
from twinrank.bridge._isolated import isolated
from twinrank.bridge._lockstep import Plan, compare
from twinrank.bridge._verify import Silent, bundle_facts
from twinrank.bridge.routes import jpype, ort

SECONDS = 120


def test_a_jvm_in_a_child_gives_every_bit_and_no_jvm_here(tiny: Path) -> None:
    cases = collect(tiny)
    run = compare(Plan(bundle_facts(tiny), cases, (isolated(),), ort.ROUTE), Silent())
    [tally] = run.routes
    assert (run.verdict, tally.failure, tally.route) == ("equal", None, "jpype")
    assert (tally.requests, tally.packed_equal, tally.packed) == (cases.count, tally.packed, tally.orders)
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    assert "libjvm" not in maps


def test_the_child_is_the_jpype_route_by_name_and_level() -> None:
    assert dataclasses.replace(isolated(), open=jpype.ROUTE.open) == jpype.ROUTE


def test_a_child_that_finds_no_java_says_so(tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(RouteFailedError, match=r"unavailable.*JAVA_HOME") as caught:
        isolated().open(tiny, RouteOptions())
    assert caught.value.route == "jpype"


LEAVE = """
import threading
from twinrank.bridge.routes import jpype
ready = threading.Event()
def stay():
    jpype.transport()
    ready.set()
    threading.Event().wait()
threading.Thread(target=stay, daemon=True).start()
ready.wait(120)
raise SystemExit(2)
"""


def test_a_thread_that_started_the_jvm_does_not_keep_the_process() -> None:
    # As when a run breaks off: Python leaves, and the JVM must not wait for the thread that started it.
    assert subprocess.run([sys.executable, "-c", LEAVE], check=False, timeout=SECONDS).returncode == 2
