"""Every planted difference is found, located and named; equal routes get no finding."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import planted

PLANTS = [
    pytest.param(each, id=each.name, marks=[pytest.mark.ci] if each.tier == "ci" else []) for each in planted.PLANTS
]


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_difference_is_found_located_and_named(plant: planted.Plant, tmp_path: Path) -> None:
    result = planted.run(plant, tmp_path)
    assert result.problems == [], result.finding
