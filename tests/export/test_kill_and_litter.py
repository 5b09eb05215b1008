"""An export that is killed or fails leaves nothing that a reader takes for a bundle, and the next run leaves no litter.

The children are forked from a process that is not this one (``kill_export.py``): pytest's has threads.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# 30 s of work that waits for discs and forks: on a machine that is busy with other tests it may take minutes.
pytestmark = pytest.mark.timeout(900)

HERE = Path(__file__).resolve().parent
SEED = 20261122


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    models = tmp_path_factory.mktemp("killed")
    command = [sys.executable, str(HERE / "kill_export.py"), str(models), str(SEED)]
    done = subprocess.run(
        command, capture_output=True, check=False, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def named(seen: list[dict[str, Any]], *what: str) -> list[dict[str, Any]]:
    found = [one for one in seen if one["what"] in what]
    assert found
    return found


def test_fifty_kills_leave_a_complete_bundle_or_none(seen: list[dict[str, Any]]) -> None:
    kills = named(seen, "anywhere", "writing")
    assert len(kills) == 50
    for one in kills:
        assert one["bad"] == [], "a version that readers refuse"
        assert one["same"], "a version with other bytes than an export that lived"
        assert set(one["left"]) - {"1"} == {name for name in one["left"] if name.startswith(".tmp-")}


def test_the_kills_met_every_stage(seen: list[dict[str, Any]]) -> None:
    kills = named(seen, "anywhere", "writing")
    # Those that count events, not seconds, die wherever they are told to, however fast the machine is.
    assert sum(one["killed"] for one in kills) >= 30
    assert any(not one["left"] for one in kills), "before anything was written"
    assert sum(any(name.startswith(".tmp-1-") for name in one["left"]) for one in kills) >= 10, "while writing"


def test_the_next_run_leaves_one_version_and_nothing_else(seen: list[dict[str, Any]]) -> None:
    after = named(seen, "next run")
    assert len(after) == 3
    for one in after:
        assert (one["left"], one["good"], one["bad"], one["same"]) == (["1"], [1], [], True)


def test_a_next_run_that_has_nothing_to_write_cleans_up_too(seen: list[dict[str, Any]]) -> None:
    (before,) = named(seen, "before another run")
    (after,) = named(seen, "the same run again")
    assert before["left"] == ["1"]
    assert (after["left"], after["good"], after["same"]) == (["1"], [1], True)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("full disk", "OSError: [Errno 27]"),
        ("full disk for weights", "OSError: [Errno 27]"),
        ("unwritable", "PermissionError: "),
        ("no folder", "NotADirectoryError: "),
        ("invalid module", "ExportError: "),
    ],
)
def test_an_export_that_fails_leaves_nothing(seen: list[dict[str, Any]], what: str, error: str) -> None:
    (one,) = named(seen, what)
    assert one["error"].startswith(error)
    assert one["left"] == []
