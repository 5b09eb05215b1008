"""Each rewrite: what varied with the slate before varies no more after, and still is the same function.

Where a value comes from: NumPy in float64. That the graphs vary before is a fact of ONNX Runtime 1.29.0 on AVX2 and
AVX-512 (onnx/RATIONALE: "Which functions have a tail?"); on a CPU where one does not, the test of that one says so.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from slate_graphs import Feeds, feeds, graph, run, varying

from twinrank.export.graph.rewrites import REWRITES, PaddedTail, PoolAsProduct, SteadyProduct, View, run_rewrites
from twinrank.export.graph.rewrites._padded import TAILED

Array = NDArray[Any]


def node(operator: str, inputs: Sequence[str], output: str = "score", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), [output], **attributes)


def rewritten(model: onnx.ModelProto, rewrite: Any) -> onnx.ModelProto:
    """The model after the rewrite, which must have found something and leave nothing for a second look."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    assert run_rewrites(made, [rewrite]), "nothing was found"
    onnx.checker.check_model(made, full_check=True)
    assert rewrite.apply(made, View(made)) == []
    again = onnx.ModelProto()
    again.CopyFrom(model)
    run_rewrites(again, [rewrite])
    assert again.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)
    return made


def check(model: onnx.ModelProto, rewrite: Any, expected: Callable[[Feeds], Array], axis: int = 0) -> None:
    values = feeds(model)
    assert varying(model, values, axis) > 0, "it does not vary: nothing is tested"
    made = rewritten(model, rewrite)
    assert varying(made, values, axis) == 0
    wanted = expected({name: value.astype(np.float64) for name, value in values.items()})
    found = run(made, values)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * max(1.0, float(np.abs(wanted).max())))


AXES = np.array([1])


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(("operator", "function"), [("ReduceSum", np.sum), ("ReduceMean", np.mean)])
def test_a_sum_over_a_middle_axis_is_a_product_with_ones(operator: str, function: Any, keepdims: int) -> None:
    model = graph([node(operator, ["candidate.f32", "axes"], keepdims=keepdims)], [50, 6], constants={"axes": AXES})
    check(model, PoolAsProduct(), lambda v: function(v["candidate.f32"], axis=1, keepdims=bool(keepdims)))


@pytest.mark.parametrize(
    ("shape", "axes", "keepdims"),
    [([5, 60, 6], [2], 0), ([60, 3, 6], [1], 1), ([10, 12, 6], [1, 2], 0), ([10, 12, 3, 2], [1, 2], 1)],
)
def test_a_sum_over_other_middle_axes_keeps_its_shape(shape: list[int], axes: list[int], keepdims: int) -> None:
    model = graph(
        [node("ReduceSum", ["candidate.f32", "axes"], keepdims=keepdims)], shape, constants={"axes": np.array(axes)}
    )
    made = rewritten(model, PoolAsProduct())
    values = feeds(model)
    assert varying(made, values) == 0
    wanted = values["candidate.f32"].astype(np.float64).sum(axis=tuple(axes), keepdims=bool(keepdims))
    np.testing.assert_allclose(run(made, values), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(("operator", "function"), [("ReduceSum", np.sum), ("ReduceMean", np.mean)])
@pytest.mark.parametrize("shape", [[31], [3, 6], [1, 7]])
def test_a_sum_over_rows_that_lie_unaligned_is_a_product_with_ones(
    operator: str, function: Any, keepdims: int, shape: list[int]
) -> None:
    """A row's sum depends on its address modulo 16 bytes, and that on its place in the slate."""
    nodes = [node("Neg", ["candidate.f32"], "x"), node(operator, ["x", "axes"], keepdims=keepdims)]
    model = graph(nodes, shape, constants={"axes": np.array([-1])})
    check(model, PoolAsProduct(), lambda v: function(-v["candidate.f32"], axis=-1, keepdims=bool(keepdims)))


@pytest.mark.parametrize("keepdims", [0, 1])
def test_so_is_one_over_all_axes_but_the_candidates(keepdims: int) -> None:
    nodes = [node("Neg", ["candidate.f32"], "x"), node("ReduceSum", ["x", "axes"], keepdims=keepdims)]
    model = graph(nodes, [3, 7], constants={"axes": np.array([1, 2])})
    check(model, PoolAsProduct(), lambda v: np.sum(-v["candidate.f32"], axis=(1, 2), keepdims=bool(keepdims)))


def test_a_sum_over_a_length_that_inference_does_not_know_is_rewritten_too() -> None:
    # The length is computed: all rows, as many as the context says.
    nodes = [
        node("Shape", ["context.f32"], "length", start=1, end=2),
        node("Concat", ["free", "length", "six"], "shape", axis=0),
        node("Reshape", ["candidate.f32", "shape"], "cube"),
        node("ReduceMean", ["cube", "axes"], keepdims=0),
    ]
    constants = {"free": np.array([-1]), "six": np.array([6]), "axes": AXES}
    model = graph(nodes, [300], [1, 50], constants)
    model.graph.input[1].type.tensor_type.shape.dim[1].dim_param = "L"
    values = feeds(model) | {"context.f32": np.zeros((1, 50), np.float32)}
    made = rewritten(model, PoolAsProduct())
    assert varying(model, values) > 0
    assert varying(made, values) == 0
    wanted = values["candidate.f32"].reshape(-1, 50, 6).astype(np.float64).mean(axis=1)
    np.testing.assert_allclose(run(made, values), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "reduction",
    [
        (["candidate.f32", "last"], "ReduceSum", [50, 32]),
        (["candidate.f32", "first"], "ReduceSum", [50, 6]),
        (["candidate.f32", "axes"], "ReduceMax", [50, 6]),
    ],
)
def test_other_reductions_are_left_alone(reduction: Any) -> None:
    inputs, operator, shape = reduction
    constants = {"last": np.array([2]), "first": np.array([0]), "axes": AXES}
    model = graph([node(operator, inputs)], shape, constants=constants)
    assert PoolAsProduct().apply(model, View(model)) == []


def test_a_sum_over_the_context_is_left_alone() -> None:
    model = graph(
        [node("ReduceSum", ["context.f32", "axes"], "pooled"), node("Mul", ["pooled", "candidate.f32"])],
        [1, 6],
        [1, 50, 6],
        {"axes": AXES},
    )
    assert PoolAsProduct().apply(model, View(model)) == []


def test_a_product_with_a_computed_right_side_gets_a_second_row() -> None:
    model = graph([node("MatMul", ["candidate.f32", "context.f32"])], [64], [64, 6])
    check(model, SteadyProduct(), lambda v: v["candidate.f32"] @ v["context.f32"])


def test_so_does_a_batched_one_whose_right_side_has_a_leading_one() -> None:
    model = graph([node("MatMul", ["candidate.f32", "context.f32"])], [1, 64], [1, 64, 6])
    check(model, SteadyProduct(), lambda v: v["candidate.f32"] @ v["context.f32"])


def test_a_product_with_one_computed_column_is_a_sum_over_rows() -> None:
    model = graph([node("MatMul", ["candidate.f32", "context.f32"])], [64], [64, 1])
    check(model, SteadyProduct(), lambda v: v["candidate.f32"] @ v["context.f32"])


def test_a_product_of_one_context_row_with_the_candidates_is_a_sum_over_rows() -> None:
    nodes = [node("Transpose", ["candidate.f32"], "turned", perm=[1, 0]), node("MatMul", ["context.f32", "turned"])]
    model = graph(nodes, [64], [1, 64])
    check(model, SteadyProduct(), lambda v: v["context.f32"] @ v["candidate.f32"].T, axis=1)


def test_a_constant_right_side_with_leading_ones_gets_two_axes() -> None:
    weight = np.random.Generator(np.random.PCG64(1)).standard_normal((1, 64, 6)).astype(np.float32)
    model = graph([node("MatMul", ["candidate.f32", "w"])], [1, 64], constants={"w": weight})
    check(model, SteadyProduct(), lambda v: v["candidate.f32"] @ weight.astype(np.float64))


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_gemm_with_computed_weights_becomes_a_product_and_a_sum(transposed: int) -> None:
    bias = np.arange(6, dtype=np.float32)
    model = graph(
        [node("Gemm", ["candidate.f32", "context.f32", "c"], transB=transposed)],
        [64],
        [6, 64] if transposed else [64, 6],
        {"c": bias},
    )

    def expected(v: Feeds) -> Array:
        right = v["context.f32"].T if transposed else v["context.f32"]
        return np.asarray(v["candidate.f32"] @ right + bias)

    check(model, SteadyProduct(), expected)


def test_products_with_packed_weights_and_with_several_rows_are_left_alone() -> None:
    weight = np.ones((64, 6), np.float32)
    nodes = [
        node("MatMul", ["candidate.f32", "w"], "packed"),
        node("MatMul", ["candidate.f32", "context.f32"], "computed"),
        node("Add", ["packed", "computed"]),
    ]
    model = graph(nodes, [3, 64], [64, 6], {"w": weight})
    assert SteadyProduct().apply(model, View(model)) == []
    assert varying(model, feeds(model)) == 0


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "Log": np.log,
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "Sin": np.sin,
    "Cos": np.cos,
    "Atan": np.arctan,
    "Elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "Mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "Asin": np.arcsin,
    "Acos": np.arccos,
}


@pytest.mark.parametrize("width", [6, 64])
def test_a_product_with_one_computed_column_does_not_depend_on_the_place_in_the_slate(width: int) -> None:
    model = graph([node("MatMul", ["candidate.f32", "context.f32"])], [1, width], [1, width, 1])
    check(model, SteadyProduct(), lambda v: v["candidate.f32"] @ v["context.f32"])


@pytest.mark.parametrize("operator", TAILED)
@pytest.mark.parametrize("width", [1, 6, 17])
def test_a_function_with_a_tail_runs_past_it(operator: str, width: int) -> None:
    # The domain of each: Acosh from 1 on, Asin, Acos and Atanh inside (-1, 1), Log above 0.
    inside = node("Sigmoid", ["candidate.f32"], "inside")
    shifted = node("Add", ["inside", "shift"], "x")
    shift = np.array(1.0 if operator == "Acosh" else -0.001, np.float32)
    model = graph([inside, shifted, node(operator, ["x"])], [width], constants={"shift": shift})
    values = feeds(model)
    made = rewritten(model, PaddedTail())
    assert varying(made, values) == 0
    plain = run(model, values)
    np.testing.assert_allclose(run(made, values), plain, rtol=2e-6, atol=1e-7)
    if operator in FUNCTIONS:
        x = 1 / (1 + np.exp(-values["candidate.f32"].astype(np.float64))) + shift
        np.testing.assert_allclose(run(made, values), FUNCTIONS[operator](x), rtol=2e-5, atol=2e-6)


def test_functions_that_do_vary_on_this_host_are_among_them() -> None:
    """The other way round: of all the functions of one tensor in the allow-list, those that vary have a rewrite."""
    unary = [
        "Abs",
        "Ceil",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "LeakyRelu",
        "Neg",
        "Reciprocal",
        "Relu",
        "Round",
        "Sigmoid",
        "Sign",
    ]
    unary += ["Softmax", "LogSoftmax", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu"]
    for operator in unary:
        model = graph([node(operator, ["candidate.f32"])], [17])
        assert varying(model, feeds(model, positive=operator == "Sqrt")) == 0, operator
    seen = []
    for operator in TAILED:
        inside = node("Sigmoid", ["candidate.f32"], "x")
        model = graph([inside, node(operator, ["x"])], [17])
        if varying(model, feeds(model)):
            seen.append(operator)
    assert len(seen) >= 3, f"only {seen} vary here: the rewrite may no longer be needed"


def test_a_function_of_one_value_a_candidate_runs_past_its_tail() -> None:
    """A vector of the slate's length, without an axis to flatten."""
    nodes = [
        node("ReduceMax", ["candidate.f32", "axes"], "one", keepdims=0),
        node("Log", ["one"]),
    ]
    model = graph(nodes, [6], constants={"axes": AXES})
    (applied,) = PaddedTail().apply(model, View(model))
    assert applied.node.endswith("Log")
    assert varying(model, feeds(model, positive=True)) == 0


def test_a_function_of_full_vectors_is_left_alone() -> None:
    model = graph([node("Log", ["candidate.f32"])], [32])
    assert PaddedTail().apply(model, View(model)) == []
    assert varying(model, feeds(model, positive=True)) == 0


def test_a_function_of_the_context_is_left_alone() -> None:
    model = graph([node("Log", ["context.f32"], "l"), node("Mul", ["l", "candidate.f32"])], [6], [1, 6])
    assert PaddedTail().apply(model, View(model)) == []


def test_all_rewrites_together_find_nothing_twice() -> None:
    nodes = [
        node("ReduceSum", ["candidate.f32", "axes"], "pooled", keepdims=0),
        node("MatMul", ["pooled", "context.f32"], "logits"),
        node("Softplus", ["logits"]),
    ]
    model = graph(nodes, [50, 6], [6, 5], {"axes": AXES})
    applied = run_rewrites(model, REWRITES)
    assert [entry.rewrite for entry in applied] == ["pool_as_product", "steady_product", "padded_tail"]
    assert [entry.node for entry in applied] == ["back.0.ReduceSum", "back.1.MatMul", "back.2.Softplus"]
    assert varying(model, feeds(model)) == 0
    assert run_rewrites(model, REWRITES) == []
