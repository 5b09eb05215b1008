"""A network and trees in one bundle: each half's bits, and the trees over what the network says in the graph."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from twinrank.bridge.cli import main
from twinrank.export.bundle import open_bundle
from twinrank.export.graph import ExportError, export_source, source_of_module, source_of_onnx, source_of_stack
from twinrank.export.trees import native_raw

lightgbm = importlib.import_module("lightgbm")

_SCHEMA = """
features:
  - {name: price, placement: candidate, dtype: float64, nonfinite: true, missing: {policy: default, value: "NaN"}}
  - {name: age, placement: candidate, dtype: float64}
  - {name: size, placement: candidate, dtype: float32}
transforms:
  - {kind: standardise, name: scaled, feature: size, mean: 0, scale: 1}
  - {kind: matrix, name: numbers, features: [price, age]}
"""


def _network(path: Path) -> Path:
    """clicked = size, score = 3 size: what nobody needs to be told twice."""
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["scaled"], ["clicked"]),
            helper.make_node("Mul", ["scaled", "three"], ["score"]),
        ],
        "network",
        [helper.make_tensor_value_info("scaled", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("clicked", "score")],
        [numpy_helper.from_array(np.array(3, np.float32), "three")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save_model(model, path)
    return path


def _trees(path: Path, names: list[str], classes: int = 1) -> Path:
    random = np.random.default_rng(7)
    x = random.normal(size=(400, len(names)))
    x[:, -1] *= 3
    y = (x[:, 0] + x[:, -1] > 0).astype(int) + (x[:, -1] > 2)
    parameters = {"num_leaves": 5, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    parameters |= {"objective": "multiclass", "num_class": 3} if classes > 1 else {"objective": "regression"}
    data = lightgbm.Dataset(x, np.minimum(y, classes if classes > 1 else 1), feature_name=names)
    lightgbm.train(parameters, data, 6).save_model(str(path))
    return path


def _requests(path: Path) -> Path:
    random = np.random.default_rng(8)
    lines = []
    for _ in range(8):
        candidates = [
            dict(zip(("price", "age", "size"), row, strict=True)) for row in random.normal(size=(15, 3)).tolist()
        ]
        lines.append(json.dumps({"context": {}, "candidates": candidates}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    """The network, the schema and the sample."""
    schema = tmp_path / "schema.yaml"
    schema.write_text(_SCHEMA, encoding="utf-8")
    return _network(tmp_path / "network.onnx"), schema, _requests(tmp_path / "sample.jsonl")


def _ask(rows: NDArray[np.float64]) -> bytes:
    candidates = [dict(zip(("price", "age", "size"), row, strict=True)) for row in rows.tolist()]
    return json.dumps({"context": {}, "candidates": candidates}).encode()


def test_trees_over_what_the_network_says(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    trees = _trees(tmp_path / "over.txt", ["age", "network_score"])
    network = source_of_onnx(*files)
    bundle = open_bundle(export_source(source_of_stack(network, "lightgbm", trees), tmp_path / "models"))
    rows = np.random.default_rng(9).normal(size=(300, 3))
    found = bundle.score(_ask(rows))
    size = rows[:, 2].astype(np.float32)
    assert found.heads["clicked"].tobytes() == size.tobytes()
    assert found.heads["network_score"].tobytes() == (size * np.float32(3)).tobytes()
    columns = np.stack([rows[:, 1], found.heads["network_score"].astype(np.float64)], axis=1)
    expected = native_raw("lightgbm", trees, columns)[:, 0]
    assert found.heads["trees_score"].tobytes() == expected.tobytes()
    assert found.score.tobytes() == expected.tobytes()
    assert found.score.dtype == np.float64
    document = bundle.manifest.document
    assert [head["dtype"] for head in document["heads"]] == ["float32", "float32", "float64"]
    outputs = document["evidence"]["reference"]["outputs"]
    assert (outputs["trees_score"]["max_ulp"], outputs["score"]["max_ulp"]) == (0, 0)
    assert document["provenance"]["trees"]["columns"][1] == {"tensor": "network_score", "column": None, "first": None}


def test_trees_beside_a_network_that_scores(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    trees = _trees(tmp_path / "beside.txt", ["age", "price"], classes=3)
    source = source_of_stack(source_of_onnx(*files), "lightgbm", trees, score="network_score")
    bundle = open_bundle(export_source(source, tmp_path / "models"))
    rows = np.random.default_rng(9).normal(size=(50, 3))
    found = bundle.score(_ask(rows))
    expected = native_raw("lightgbm", trees, np.stack([rows[:, 1], rows[:, 0]], axis=1))
    for index in range(3):
        assert found.heads[f"class_{index}"].tobytes() == np.ascontiguousarray(expected[:, index]).tobytes()
    assert found.score.tobytes() == found.heads["network_score"].tobytes()
    assert found.score.dtype == np.float32


def test_several_raw_scores_need_a_score(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    trees = _trees(tmp_path / "beside.txt", ["age", "price"], classes=3)
    with pytest.raises(ExportError, match="--score"):
        source_of_stack(source_of_onnx(*files), "lightgbm", trees)


def test_the_command_takes_both(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    network, schema, requests = files
    trees = _trees(tmp_path / "over.txt", ["age", "clicked"])
    given = ["--schema", str(schema), "--requests", str(requests), "--models", str(tmp_path / "models")]
    result = CliRunner().invoke(main, ["export", "--onnx", str(network), "--lightgbm", str(trees), *given])
    assert result.exit_code == 0, result.output
    assert "the trees read clicked of the network" in result.output


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--link"], "--link is for a model of trees alone"),
        (["--xgboost", "model"], "--lightgbm and --xgboost are given"),
    ],
)
def test_what_does_not_go_together_is_said(
    files: tuple[Path, Path, Path], tmp_path: Path, more: list[str], told: str
) -> None:
    network, schema, requests = files
    trees = _trees(tmp_path / "over.txt", ["age", "clicked"])
    more = [str(trees) if word == "model" else word for word in more]
    given = ["--schema", str(schema), "--requests", str(requests), "--models", str(tmp_path / "models"), *more]
    result = CliRunner().invoke(main, ["export", "--onnx", str(network), "--lightgbm", str(trees), *given])
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())


def test_trees_over_a_module(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, schema, requests = files
    trees = _trees(tmp_path / "over.txt", ["price", "network_score"])
    network = source_of_module("tests.export.trees.stacked_module:make", schema, requests)
    bundle = open_bundle(export_source(source_of_stack(network, "lightgbm", trees), tmp_path / "models"))
    rows = np.random.default_rng(10).normal(size=(200, 3))
    found = bundle.score(_ask(rows))
    columns = np.stack([rows[:, 0], found.heads["network_score"].astype(np.float64)], axis=1)
    assert found.score.tobytes() == native_raw("lightgbm", trees, columns)[:, 0].tobytes()
    assert bundle.manifest.document["evidence"]["reference"]["source"] == "torch"
