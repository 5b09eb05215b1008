"""The service holds what its own description says: Schemathesis makes requests from it, right ones and wrong ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = Path(__file__).with_name("schemathesis.toml")


def explore(server: str, folder: Path, examples: int, phases: str) -> str:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    command += ["run", f"{server}/openapi.json", "--checks", "all", "--seed", "1", "--max-examples", str(examples)]
    command += ["--phases", phases, "--no-color"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    told = ran.stdout + ran.stderr
    assert ran.returncode == 0, told[-6000:]
    return told


def test_what_the_description_promises_holds(server: str, tmp_path: Path) -> None:
    told = explore(server, tmp_path, 10, "examples,coverage,fuzzing")
    assert "Selected: 15/15" in told or "15 selected" in told, told[-3000:]


@pytest.mark.ci
def test_it_holds_for_many_more(server: str, tmp_path: Path) -> None:
    explore(server, tmp_path, int(os.environ.get("TWINRANK_API_EXAMPLES", "200")), "coverage,fuzzing")
