"""The exactness table is worth what its red is worth: a bit that differs, and a release that is not there, are said."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tools.trees import exactness
from tools.trees.cells import LOCKED, RELEASES, Release, cells_of
from twinrank.export.trees import Forest, read_lightgbm


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *arguments: str) -> int:
    first = list(cells_of("lightgbm", True))[:3]
    monkeypatch.setattr(exactness, "cells_of", lambda _library, _quick: iter(first))
    given = ["exactness", "--quick", "--only", "lightgbm 4.7.0", "--java-every", "0", "--rows", "200", *arguments]
    monkeypatch.setattr(sys, "argv", [*given, "--out", str(out)])
    return exactness.main()


@pytest.mark.ci
def test_equal_bits_are_said_with_what_was_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path) == 0
    found = json.loads((tmp_path / "exactness.json").read_text(encoding="utf-8"))
    assert found["totals"]["models"] == len(found["lines"]) == 3
    assert (found["totals"]["rows"], found["totals"]["differing"]) == (750, 0)
    assert "750 scores in Python" in capsys.readouterr().out


@pytest.mark.ci
def test_one_score_that_differs_in_its_last_bit_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def off(path: Path) -> Forest:
        forest = read_lightgbm(path)
        forest.leaves[-1] = np.nextafter(forest.leaves[-1], 9)
        return forest

    monkeypatch.setattr(exactness, "read_lightgbm", off)
    assert run(monkeypatch, tmp_path) == 1
    assert "differs: Line(release='lightgbm 4.7.0'" in capsys.readouterr().out.replace("\n", "")


@pytest.mark.ci
def test_a_release_that_cannot_be_had_is_neither_equal_nor_different(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exactness, "RELEASES", (Release("lightgbm", "4.7.0", "lightgbm", "numpy>=2"),))
    monkeypatch.setattr(exactness, "interpreter", lambda _release, _folder: Path("/usr/bin/false"))
    assert run(monkeypatch, tmp_path) == 2
    assert "missing: lightgbm 4.7.0: its worker ended with 1" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_the_quick_table_meets_every_objective_booster_rule_and_category(library: str) -> None:
    full, quick = list(cells_of(library, False)), list(cells_of(library, True))
    for key in ("objective", "booster", "missing", "categories"):
        assert {getattr(cell, key) for cell in quick} == {getattr(cell, key) for cell in full}
    assert LOCKED[library] in {release.version for release in RELEASES if release.library == library}
    assert importlib.import_module(library).__version__ == LOCKED[library], (
        "the locked release moved: name it in cells.py"
    )
    # A million rows in all, at full size.
    assert sum(2000 * len(list(cells_of(release.library, False))) for release in RELEASES) > 10**6
