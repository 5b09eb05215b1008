"""What is generated is what its generator makes."""

import subprocess
import sys
from pathlib import Path

import pytest

CONTRACT = Path(__file__).resolve().parents[1] / "contract"
GENERATORS = (
    "hostile/generate_models.py",
    "hostile/generate_signatures.py",
    "vectors/bundles/generate_tiny.py",
    "vectors/forests/generate_trees.py",
    "vectors/canary/generate_canary.py",
    "vectors/generate_operators.py",
    "vectors/generate_order.py",
)


@pytest.mark.parametrize("generator", GENERATORS)
def test_generated_files_are_current(generator: str) -> None:
    done = subprocess.run(
        [sys.executable, str(CONTRACT / generator), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
