"""The transform `matrix`: every value, default and state against what the schema says of it, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from twinrank.training.schema import Packing, pack, read_request
from twinrank.training.transforms import FrontGraph, Matrix, TransformError, read_front_yaml

_YAML = """
features:
  - {name: a, placement: candidate, dtype: float64, nonfinite: true, missing: {policy: default, value: NaN}}
  - {name: b, placement: candidate, dtype: int64, missing: {policy: default, value: -7}}
  - {name: c, placement: candidate, dtype: float32}
  - {name: d, placement: candidate, dtype: bool}
  - name: e
    placement: candidate
    dtype: float64
    missing: {policy: default, value: -0.0}
    invalid: {policy: default, value: 3.5}
  - {name: f, placement: candidate, dtype: float64, nonfinite: true, missing: {policy: default, value: NaN}}
  - {name: g, placement: context, dtype: float64}
transforms:
  - {kind: matrix, name: x, features: [f, d, a, c, b, e]}
  - {kind: matrix, name: context, features: [g]}
"""


def _front() -> FrontGraph:
    return read_front_yaml(_YAML.replace("value: NaN", 'value: "NaN"'))


def test_every_column_holds_what_its_feature_says() -> None:
    front = _front()
    request = {
        "context": {"g": -0.0},
        "candidates": [
            {"a": 0.1, "b": 2**53 + 1, "c": 0.1, "d": True, "e": -0.0, "f": "NaN"},
            {"a": -0.0, "b": -(2**63), "c": -0.0, "d": False, "f": "-Infinity"},
            {"c": 1.5, "d": True, "e": "three", "f": 5e-324},
        ],
    }
    blocks = pack(read_request(json.dumps(request).encode(), front.schema, max_candidates=9), Packing.of(front.schema))
    encoded = front.encode(blocks)
    nan, third = float("nan"), float(np.float32(0.1))
    # 2^53 + 1 lies between two float64 and goes to the even one.
    expected = np.array(
        [
            [nan, 1.0, 0.1, third, 2.0**53, -0.0],
            [-np.inf, 0.0, -0.0, -0.0, -(2.0**63), -0.0],
            [5e-324, 1.0, nan, 1.5, -7.0, 3.5],
        ]
    )
    assert encoded["x"].dtype == np.float64
    same = (encoded["x"].view(np.int64) == expected.view(np.int64)) | (np.isnan(encoded["x"]) & np.isnan(expected))
    assert same.all(), encoded["x"]
    assert encoded["context"].tobytes() == np.array([[-0.0]]).tobytes()


def test_a_matrix_is_saved_and_read_again(tmp_path: Path) -> None:
    front = _front()
    front.save(tmp_path / "front")
    again = FrontGraph.load(tmp_path / "front")
    assert again.transforms == front.transforms
    assert again.to_onnx() == front.to_onnx()


def test_few_nodes_read_many_columns() -> None:
    rest = 'placement: candidate, dtype: float64, nonfinite: true, missing: {policy: default, value: "NaN"}'
    features = "".join(f"  - {{name: f{i}, {rest}}}\n" for i in range(700))
    names = ", ".join(f"f{i}" for i in range(700))
    front = read_front_yaml(f"features:\n{features}transforms:\n  - {{kind: matrix, name: x, features: [{names}]}}\n")
    assert [node.op_type for node in front.to_onnx().graph.node] == ["Equal", "Where", "Identity"]
    assert [(spec.shape, spec.dtype) for spec in front.outputs] == [((-1, 700), "float64")]


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ("[]", "features are empty"),
        ("[a, a, b, c, d, e, f]", "twice"),
        ("[a, b, c, d, e, f, g]", "both placements"),
        ("[a, nowhere]", "nowhere"),
    ],
)
def test_what_is_no_matrix_is_refused(features: str, problem: str) -> None:
    text = _YAML.replace("value: NaN", 'value: "NaN"').replace("[f, d, a, c, b, e]", features)
    with pytest.raises(TransformError, match=problem):
        read_front_yaml(text)


def test_a_row_of_its_own_is_no_number() -> None:
    text = _YAML.replace("value: NaN", 'value: "NaN"').replace("{policy: default, value: -7}", "{policy: own_row}")
    with pytest.raises(TransformError, match="own_row"):
        read_front_yaml(text)
    with pytest.raises(TransformError, match="identifier"):
        FrontGraph(_front().schema, [Matrix("x y", ("a", "b", "c", "d", "e", "f")), Matrix("z", ("g",))])
