"""The directory of a run of trees: what is written is read again, checked, and never taken for a module."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from twinrank.training.run import RunError, check_run, load_run, load_trees_run, run_kind, write_trees_run
from twinrank.training.schema import Feature, Policy, Schema
from twinrank.training.transforms import FrontGraph, Matrix

_MODEL = b"tree\nversion=v4\n"


def write(path: Path, **changes: Any) -> Path:
    path.mkdir(parents=True)
    price = Feature("price", "candidate", "float64", missing=Policy("default", "NaN"), nonfinite=True)
    arguments: dict[str, Any] = {
        "name": "small",
        "config": "name: small\n",
        "front": FrontGraph(Schema((price,)), [Matrix("x", ("price",))]),
        "library": "lightgbm",
        "model": _MODEL,
        "plots": {},
        "metrics": {"test": {}},
        "data": {"rows": 1},
        "versions": {"lightgbm": "4.7.0"},
        "settings": {"seed": 3},
        "requests": (b'{"context":{},"candidates":[]}',),
        "watched_after": ((),),
        "titles": {},
        "max_candidates": 10,
        "fingerprint": "f",
    }
    write_trees_run(path, **{**arguments, **changes})
    return path


@pytest.mark.parametrize(("library", "file"), [("lightgbm", "model.lightgbm.txt"), ("xgboost", "model.xgboost.ubj")])
def test_a_run_of_trees_is_read_as_it_was_written(tmp_path: Path, library: str, file: str) -> None:
    run = load_trees_run(write(tmp_path / "run", library=library))
    assert (run.name, run.library, run.heads, run.max_candidates) == ("small", library, (), 10)
    assert run.model == tmp_path / "run" / file
    assert run.model.read_bytes() == _MODEL
    assert run.model_sha256 == hashlib.sha256(_MODEL).hexdigest()
    assert run.requests == (b'{"context":{},"candidates":[]}',)
    assert run.provenance["seed"] == 3
    assert run_kind(tmp_path / "run") == "trees"


def test_trees_are_not_taken_for_a_module(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    with pytest.raises(RunError, match="is a run of kind 'trees', wanted is 'module'; load_trees_run reads it"):
        load_run(path)


def test_a_changed_model_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    (path / "model.lightgbm.txt").write_bytes(_MODEL + b" ")
    for read in (load_trees_run, check_run):
        with pytest.raises(RunError, match=r"model.lightgbm.txt differs from the digest"):
            read(path)


def test_an_unknown_kind_is_refused_and_none_is_a_module(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    document = json.loads((path / "run.json").read_bytes())
    (path / "run.json").write_text(json.dumps({**document, "kind": "forest"}), encoding="utf-8")
    with pytest.raises(RunError, match="kind must be 'module' or 'trees', not 'forest'"):
        run_kind(path)
    del document["kind"]
    (path / "run.json").write_text(json.dumps(document), encoding="utf-8")
    assert run_kind(path) == "module"


def test_a_plot_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plots are"):
        write(tmp_path / "run", plots={"loss.png": b""})
