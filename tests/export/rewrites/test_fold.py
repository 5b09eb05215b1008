"""Folding: what weights alone decide is computed once, in the bits that the whole graph would compute.

Where a value comes from: the graph as it was before (bits), and for batch normalisation NumPy in float64.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from slate_graphs import feeds, graph, run, varying

from twinrank.export.bundle import weight_stub
from twinrank.export.graph.rewrites import FoldBatchNorm, FoldConstants, View, run_rewrites

Array = NDArray[Any]
RANDOM = np.random.Generator(np.random.PCG64(5))
K, H = 33, 17


def numbers(*shape: int) -> Array:
    return RANDOM.standard_normal(shape).astype(np.float32)


def node(operator: str, inputs: Sequence[str], output: str = "score", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), [output], **attributes)


def folded(model: onnx.ModelProto, rewrite: Any) -> onnx.ModelProto:
    made, again = onnx.ModelProto(), onnx.ModelProto()
    made.CopyFrom(model)
    again.CopyFrom(model)
    assert run_rewrites(made, [rewrite]), "nothing was found"
    run_rewrites(again, [rewrite])
    onnx.checker.check_model(made, full_check=True)
    assert rewrite.apply(made, View(made)) == []
    assert again.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)
    return made


def operators(model: onnx.ModelProto) -> list[str]:
    return [entry.op_type for entry in model.graph.node]


def unchanged(model: onnx.ModelProto, rewrite: Any) -> None:
    before = model.SerializeToString(deterministic=True)
    assert run_rewrites(model, [rewrite]) == []
    assert model.SerializeToString(deterministic=True) == before


WEIGHT_NORM = [
    node("Mul", ["v", "v"], "squares"),
    node("ReduceSum", ["squares", "columns"], "sums", keepdims=1),
    node("Sqrt", ["sums"], "norm"),
    node("Div", ["v", "norm"], "direction"),
    node("Mul", ["direction", "g"], "rows"),
    node("Transpose", ["rows"], "w", perm=[1, 0]),
    node("MatMul", ["candidate.f32", "w"], "y"),
]
SOFT = [
    node("Exp", ["v"], "e"),
    node("Softmax", ["e"], "s", axis=1),
    node("Tanh", ["s"], "t"),
    node("Log", ["t"], "l"),
    node("Transpose", ["l"], "w", perm=[1, 0]),
    node("Gemm", ["candidate.f32", "w"], "y"),
]
PRODUCT = [node("MatMul", ["u", "v"], "uv"), node("MatMul", ["candidate.f32", "uv"], "y")]


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        (WEIGHT_NORM, {"v": numbers(H, K), "g": numbers(H, 1), "columns": np.array([1])}),
        (SOFT, {"v": numbers(H, K)}),
        (PRODUCT, {"u": numbers(K, 5), "v": numbers(5, H)}),
    ],
    ids=["weight normalisation", "transcendental", "low rank"],
)
def test_what_weights_decide_is_computed_once_and_keeps_every_bit(
    nodes: list[onnx.NodeProto], constants: dict[str, Array]
) -> None:
    model = graph([*nodes, node("Relu", ["y"])], [K], (), constants)
    made = folded(model, FoldConstants())
    assert operators(made)[-2:] == operators(model)[-2:]
    assert len(made.graph.node) == 2
    values = feeds(model)
    assert (run(made, values).view(np.int32) == run(model, values).view(np.int32)).all()
    assert varying(made, values) == 0


def test_a_constant_that_would_grow_is_not_stored() -> None:
    nodes = [
        node("Expand", ["v", "shape"], "wide"),
        node("ReduceSum", ["wide", "rows"], "w", keepdims=0),
        node("Mul", ["candidate.f32", "w"]),
    ]
    constants = {"v": numbers(1, K), "shape": np.array([1000, K]), "rows": np.array([0])}
    model = graph(nodes, [K], (), constants)
    made = folded(model, FoldConstants())
    # The sum of the wide tensor is small and is folded; the wide one then is read by nobody.
    assert operators(made) == ["Mul"]
    assert sum(len(tensor.raw_data) for tensor in made.graph.initializer) == 4 * K
    unchanged(
        graph(
            [nodes[0], node("Add", ["candidate.f32", "wide"], "y"), node("Exp", ["y"])],
            [1000, K],
            (),
            {k: constants[k] for k in ("v", "shape")},
        ),
        FoldConstants(),
    )


def test_a_quantised_table_stays_small() -> None:
    nodes = [
        node("DequantizeLinear", ["table", "scale"], "wide", axis=0),
        node("Cast", ["candidate.f32"], "ids", to=7),
        node("Gather", ["wide", "ids"]),
    ]
    table = RANDOM.integers(-128, 128, (50, 8)).astype(np.int8)
    unchanged(graph(nodes, [], (), {"table": table, "scale": np.float32(0.1)}), FoldConstants())


def test_equal_weights_are_stored_once() -> None:
    weight = numbers(K, K)
    nodes = [
        node("MatMul", ["candidate.f32", "one"], "x"),
        node("Tanh", ["x"], "t"),
        node("MatMul", ["t", "two"], "y"),
        node("MatMul", ["y", "three"]),
    ]
    other = weight.copy()
    other[3, 4] = -other[3, 4]
    model = graph(nodes, [K], (), {"one": weight, "two": weight.copy(), "three": other})
    made = folded(model, FoldConstants())
    assert [list(entry.input)[1] for entry in made.graph.node if entry.op_type == "MatMul"] == ["one", "one", "three"]
    assert sorted(tensor.name for tensor in made.graph.initializer) == ["one", "three"]
    values = feeds(model)
    assert (run(made, values).view(np.int32) == run(model, values).view(np.int32)).all()


def test_equal_bytes_of_another_type_or_shape_stay_apart() -> None:
    zeros = np.zeros((8, 16), np.float32)
    nodes = [
        node("MatMul", ["candidate.f32", "a"], "x"),
        node("Reshape", ["b", "shape"], "c"),
        node("MatMul", ["x", "b"], "y"),
        node("Cast", ["i"], "f", to=1),
        node("ReduceMax", ["f"], "m", keepdims=0),
        node("Add", ["y", "m"]),
    ]
    constants = {"a": zeros, "b": zeros.reshape(16, 8), "i": np.zeros((8, 16), np.int32), "shape": np.array([8, 16])}
    model = graph(
        [entry for entry in nodes if entry.op_type != "Reshape"],
        [8],
        (),
        {k: v for k, v in constants.items() if k != "shape"},
    )
    made = folded(model, FoldConstants())
    assert {"a", "b"} <= {tensor.name for tensor in made.graph.initializer}


def test_a_weight_outside_the_graph_is_not_touched() -> None:
    model = graph(
        [node("Transpose", ["w"], "v", perm=[1, 0]), node("MatMul", ["candidate.f32", "v"])],
        [K],
        (),
        {"w": numbers(H, K)},
    )
    stub = weight_stub("w", numpy_helper.to_array(model.graph.initializer[0]))
    model.graph.initializer[0].CopyFrom(stub)
    assert FoldConstants().apply(model, View(model)) == []


def test_a_constant_that_is_an_output_keeps_its_name() -> None:
    model = graph([node("Exp", ["candidate.f32"])], [K])
    model.graph.node.append(node("Exp", ["w"], "fixed"))
    model.graph.initializer.append(numpy_helper.from_array(numbers(3), "w"))
    model.graph.output.append(helper.make_tensor_value_info("fixed", 1, [3]))
    unchanged(model, FoldConstants())


# ---- batch normalisation


def normalised(**gemm: Any) -> tuple[onnx.ModelProto, dict[str, Array]]:
    constants = {
        "w": numbers(H, K) if gemm.get("transB") else numbers(K, H),
        "b": numbers(H),
        "gamma": numbers(H),
        "beta": numbers(H),
        "mean": numbers(H),
        "variance": np.abs(numbers(H)) + np.float32(0.1),
    }
    inputs = ["candidate.f32", "w", *(["b"] if gemm.pop("bias", True) else [])]
    nodes = [
        node("Gemm", inputs, "y", **gemm),
        node("BatchNormalization", ["y", "gamma", "beta", "mean", "variance"], epsilon=1e-3),
    ]
    used = {name for entry in nodes for name in entry.input}
    return graph(nodes, [K], (), {name: value for name, value in constants.items() if name in used}), constants


@pytest.mark.parametrize("gemm", [{}, {"transB": 1}, {"bias": False}, {"alpha": 0.5}])
def test_a_batch_normalisation_goes_into_the_layer_before_it(gemm: dict[str, Any]) -> None:
    model, c = normalised(**gemm)
    made = folded(model, FoldBatchNorm())
    assert operators(made) == ["Gemm"]
    values = feeds(model)
    weight = c["w"].T if gemm.get("transB") else c["w"]
    linear = gemm.get("alpha", 1.0) * (values["candidate.f32"].astype(np.float64) @ weight.astype(np.float64))
    linear = linear + (c["b"] if gemm.get("bias", True) else 0.0)
    wanted = (linear - c["mean"]) / np.sqrt(c["variance"].astype(np.float64) + 1e-3) * c["gamma"] + c["beta"]
    np.testing.assert_allclose(run(made, values), wanted, rtol=0, atol=2e-6 * float(np.abs(wanted).max()))
    assert varying(made, values) == 0


def test_a_batch_normalisation_of_what_others_read_too_stays() -> None:
    model, _ = normalised()
    model.graph.node[1].output[0] = "z"
    model.graph.node.append(node("Add", ["y", "z"]))
    unchanged(model, FoldBatchNorm())


def test_a_batch_normalisation_with_a_variance_of_zero_stays() -> None:
    model, _ = normalised()
    model.graph.node[1].attribute[0].f = 0.0
    zero = numpy_helper.from_array(np.zeros(H, np.float32), "variance")
    next(tensor for tensor in model.graph.initializer if tensor.name == "variance").CopyFrom(zero)
    with np.errstate(divide="ignore", invalid="ignore"):
        unchanged(model, FoldBatchNorm())
