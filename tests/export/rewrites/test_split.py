"""The split and the delayed broadcast: the same function, no bit that depends on the slate, less work.

Where a value comes from: the graph as it was before the rewrite, or NumPy in float64. What counts as less work: the
shapes of the products that are left.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper
from slate_graphs import Feeds, feeds, run, varying
from slate_graphs import graph as graph_of_any_shape

from twinrank.export.bundle import Runner, SessionSettings
from twinrank.export.graph._compose import prune
from twinrank.export.graph.rewrites import REWRITES, Applied, SplitContext, View, run_rewrites

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "export" / "bench"))
import slate_models

Array = NDArray[Any]
RANDOM = np.random.Generator(np.random.PCG64(11))
K, C, H = 6, 5, 8  # columns of context and candidate, width of the layer
WEIGHT = RANDOM.standard_normal((K + C, H)).astype(np.float32)
BIAS = RANDOM.standard_normal(H).astype(np.float32)
SIZES = (1, 2, 3, 5, 7, 8, 16, 33, 64)


def node(operator: str, inputs: Sequence[str], output: str = "score", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), [output], **attributes)


def graph(*arguments: Any) -> onnx.ModelProto:
    """A slate graph whose score has n rows and says so, as composed graphs do."""
    model = graph_of_any_shape(*arguments)
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "n"
    return model


def repeat(source: str, output: str, width: int = K) -> list[onnx.NodeProto]:
    """What torch's ``expand(n, -1)`` becomes."""
    return [
        node("Shape", ["candidate.f32"], f"{output}.n", start=0, end=1),
        node("Constant", [], f"{output}.width", value_ints=[width]),
        node("Concat", [f"{output}.n", f"{output}.width"], f"{output}.shape", axis=0),
        node("Expand", [source, f"{output}.shape"], output),
    ]


def split(model: onnx.ModelProto, rewrites: Sequence[Any] = (SplitContext(),)) -> tuple[onnx.ModelProto, list[Applied]]:
    """The model after the rewrite: valid, not to be rewritten again, and the same bytes every time."""
    made, again = onnx.ModelProto(), onnx.ModelProto()
    made.CopyFrom(model)
    again.CopyFrom(model)
    applied = run_rewrites(made, rewrites)
    onnx.checker.check_model(made, full_check=True)
    assert SplitContext().apply(made, View(made)) == []
    assert run_rewrites(again, rewrites) == applied
    assert again.SerializeToString(deterministic=True) == made.SerializeToString(deterministic=True)
    return made, applied


def check(model: onnx.ModelProto, expected: Callable[[Feeds], Array] | None = None) -> onnx.ModelProto:
    """Splits, compares with NumPy or the graph before, and asks for bits that do not depend on the slate."""
    made, applied = split(model)
    assert applied, "nothing was found"
    values = feeds(model)
    before = run(model, values)
    wanted = (
        before if expected is None else expected({name: value.astype(np.float64) for name, value in values.items()})
    )
    found = run(made, values)
    assert found.shape == wanted.shape == before.shape
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6 * max(1.0, float(np.abs(wanted).max())))
    assert varying(made, values) == 0
    return made


def unchanged(model: onnx.ModelProto) -> None:
    before = model.SerializeToString(deterministic=True)
    assert run_rewrites(model, [SplitContext()]) == []
    assert model.SerializeToString(deterministic=True) == before


def operators(model: onnx.ModelProto) -> list[str]:
    return [entry.op_type for entry in model.graph.node]


def products(model: onnx.ModelProto) -> list[tuple[Any, ...]]:
    """The shapes of the left sides of products, in the graph's order."""
    view = View(model)
    return [view.shape(entry.input[0]) or () for entry in model.graph.node if entry.op_type in ("Gemm", "MatMul")]


def rows(values: Feeds) -> Array:
    """The plain input of the layer: the context's columns, then the candidate's."""
    many = len(values["candidate.f32"])
    return np.concatenate([np.repeat(values["context.f32"], many, axis=0), values["candidate.f32"]], axis=1)


# ---- linear layers over context and candidate


@pytest.mark.parametrize("form", ["Gemm", "Gemm transB", "Gemm without bias", "MatMul", "MatMul + Add", "Add + MatMul"])
def test_a_linear_layer_is_split_in_every_form(form: str) -> None:
    layers = {
        "Gemm": [node("Gemm", ["x", "w", "b"])],
        "Gemm transB": [node("Gemm", ["x", "w", "b"], transB=1)],
        "Gemm without bias": [node("Gemm", ["x", "w"])],
        "MatMul": [node("MatMul", ["x", "w"])],
        "MatMul + Add": [node("MatMul", ["x", "w"], "y"), node("Add", ["y", "b"])],
        "Add + MatMul": [node("MatMul", ["x", "w"], "y"), node("Add", ["b", "y"])],
    }
    nodes = [*repeat("context.f32", "c"), node("Concat", ["c", "candidate.f32"], "x", axis=-1), *layers[form]]
    weight = np.ascontiguousarray(WEIGHT.T) if form == "Gemm transB" else WEIGHT
    with_bias = form not in ("Gemm without bias", "MatMul")
    model = graph(nodes, [C], [1, K], {"w": weight, "b": BIAS} if with_bias else {"w": weight})
    made = check(model, lambda v: rows(v) @ WEIGHT.astype(np.float64) + with_bias * BIAS.astype(np.float64))
    assert products(made) == [(1, K), ("n", C)]
    assert operators(made) == ["MatMul" if not with_bias else "Gemm", "Gemm"]


def test_columns_may_come_in_any_order_and_in_pieces() -> None:
    nodes = [
        *repeat("context.f32", "c"),
        node("Tanh", ["candidate.f32"], "t"),
        node("Concat", ["t", "c"], "inner", axis=1),
        node("Concat", ["c", "candidate.f32", "inner", "candidate.f32", "c"], "x", axis=-1),
        node("Gemm", ["x", "w", "b"]),
    ]
    weight = RANDOM.standard_normal((3 * (K + C), H)).astype(np.float32)

    def expected(values: Feeds) -> Array:
        c, x = np.repeat(values["context.f32"], len(values["candidate.f32"]), axis=0), values["candidate.f32"]
        return np.concatenate([c, x, np.tanh(x), c, x, c], axis=1) @ weight.astype(np.float64) + BIAS

    made = check(graph(nodes, [C], [1, K], {"w": weight, "b": BIAS}), expected)
    # A tensor that occurs more than once is multiplied once, by the sum of its weights.
    assert products(made) == [(1, K), ("n", 2 * C)]


def test_several_layers_share_one_concatenation_and_others_keep_it() -> None:
    nodes = [
        *repeat("context.f32", "c"),
        node("Concat", ["c", "candidate.f32", "tail"], "x", axis=-1),
        node("Gemm", ["x", "w", "b"], "one"),
        node("Gemm", ["x", "v", "b"], "two"),
        node("Softmax", ["x"], "three", axis=-1),
        node("ReduceMax", ["three", "last"], "four", keepdims=1),
        node("Sum", ["one", "two", "four"]),
    ]
    nodes.insert(0, node("Sigmoid", ["candidate.f32"], "tail"))
    wide = np.concatenate([WEIGHT, WEIGHT[:C]])
    model = graph(nodes, [C], [1, K], {"w": wide, "v": wide * 2, "b": BIAS, "last": np.array([1])})

    def expected(values: Feeds) -> Array:
        x = np.concatenate([rows(values), 1 / (1 + np.exp(-values["candidate.f32"]))], axis=1)
        soft = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        return x @ (wide.astype(np.float64) * 3) + 2.0 * BIAS + soft.max(axis=1, keepdims=True)

    made = check(model, expected)
    assert products(made) == [(1, K), ("n", 2 * C), (1, K), ("n", 2 * C)]
    joined = [entry for entry in made.graph.node if entry.op_type == "Concat" and list(entry.input)[-1] == "tail"]
    assert sorted(len(entry.input) for entry in joined) == [2, 3]


def test_a_difference_of_target_and_history_is_split_like_its_parts() -> None:
    length, width = 4, 6
    shape = np.array([1, length, 1])
    nodes = [
        node("Shape", ["candidate.f32"], "n", start=0, end=1),
        node("Concat", ["n", "sizes"], "shape", axis=0),
        node("Unsqueeze", ["candidate.f32", "one"], "target"),
        node("Expand", ["target", "shape"], "t"),
        node("Expand", ["context.f32", "shape"], "h"),
        node("Sub", ["t", "h"], "difference"),
        node("Mul", ["t", "h"], "product"),
        node("Concat", ["t", "h", "difference", "product"], "x", axis=-1),
        node("MatMul", ["x", "w"], "y"),
        node("Add", ["y", "b"]),
    ]
    weight = RANDOM.standard_normal((4 * width, H)).astype(np.float32)
    constants = {"sizes": shape[1:] * [1, width], "one": np.array([1]), "w": weight, "b": BIAS}
    model = graph(nodes, [width], [1, length, width], constants)

    def expected(values: Feeds) -> Array:
        h, t = np.broadcast_arrays(values["context.f32"], values["candidate.f32"][:, None, :])
        return np.concatenate([t, h, t - h, t * h], axis=-1) @ weight.astype(np.float64) + BIAS

    made = check(model, expected)
    assert products(made) == [(1, length, width), ("n", 1, width), ("n", length, width)]
    assert "Expand" not in operators(made)


def test_a_difference_alone_is_split_too() -> None:
    nodes = [*repeat("context.f32", "c"), node("Sub", ["c", "candidate.f32"], "x"), node("MatMul", ["x", "w"])]
    # The candidate's part varies as the whole does: two products would be no less work than one.
    made, applied = split(graph(nodes, [K], [1, K], {"w": WEIGHT[:K]}))
    assert products(made) == [("n", K)]
    assert [entry.node for entry in applied] == ["back.4.Sub"]


def test_a_layer_over_the_context_alone_runs_once() -> None:
    nodes = [
        *repeat("context.f32", "c"),
        node("Gemm", ["c", "w", "b"], "y"),
        node("Relu", ["y"], "z"),
        node("Mul", ["z", "candidate.f32"]),
    ]
    made = check(graph(nodes, [H], [1, K], {"w": WEIGHT[:K], "b": BIAS}))
    assert products(made) == [(1, K)]
    assert operators(made) == ["Gemm", "Relu", "Mul"]


def test_an_output_of_the_context_alone_is_repeated_at_last() -> None:
    nodes = [*repeat("context.f32", "c"), node("Gemm", ["c", "w", "b"], "y"), node("Exp", ["y"])]
    made = check(graph(nodes, [C], [1, K], {"w": WEIGHT[:K], "b": BIAS}))
    assert operators(made)[-1] == "Expand"
    assert products(made) == [(1, K)]


def test_a_product_with_a_repeated_history_is_one_product() -> None:
    nodes = [
        node("Shape", ["candidate.f32"], "n", start=0, end=1),
        node("Concat", ["n", "sizes"], "shape", axis=0),
        node("Expand", ["context.f32", "shape"], "h"),
        node("Unsqueeze", ["candidate.f32", "one"], "a"),
        node("MatMul", ["a", "h"]),
    ]
    model = graph(nodes, [50], [1, 50, 6], {"sizes": np.array([50, 6]), "one": np.array([1])})
    made = check(model, lambda v: np.matmul(v["candidate.f32"][:, None, :], v["context.f32"]))
    assert "Expand" not in operators(made)


# ---- what must be left alone


@pytest.mark.parametrize(
    "layer",
    [
        [node("Gemm", ["x", "w", "b"], alpha=0.5)],
        [node("Gemm", ["x", "w", "b"], beta=2.0)],
        [node("Softmax", ["x"], axis=1)],
        [node("LayerNormalization", ["x", "scale"])],
        [node("CumSum", ["x", "one"])],
    ],
    ids=["alpha", "beta", "softmax", "layer norm", "cumulated sum"],
)
def test_what_is_no_plain_linear_layer_keeps_the_concatenation(layer: list[onnx.NodeProto]) -> None:
    nodes = [*repeat("context.f32", "c"), node("Concat", ["c", "candidate.f32"], "x", axis=-1), *layer]
    constants = {"w": WEIGHT, "b": BIAS, "scale": np.ones(K + C, np.float32), "one": np.array(1)}
    used = {name: value for name, value in constants.items() if any(name in entry.input for entry in nodes)}
    unchanged(graph(nodes, [C], [1, K], used))


def test_a_weight_that_is_computed_is_no_weight() -> None:
    nodes = [
        *repeat("context.f32", "c"),
        node("Concat", ["c", "candidate.f32"], "x", axis=-1),
        node("Transpose", ["context.f32"], "w"),
        node("Concat", ["w", "more"], "v", axis=0),
        node("MatMul", ["x", "v"]),
    ]
    unchanged(graph(nodes, [C], [1, K], {"more": np.ones((C, 1), np.float32)}))


def test_a_softmax_over_the_candidates_is_not_delayed() -> None:
    nodes = [*repeat("context.f32", "c"), node("Softmax", ["c"], "s", axis=0), node("Add", ["s", "candidate.f32"])]
    unchanged(graph(nodes, [K], [1, K]))


def test_a_sum_over_the_candidates_is_not_delayed() -> None:
    nodes = [
        *repeat("context.f32", "c"),
        node("ReduceSum", ["c", "first"], "s", keepdims=1),
        node("Add", ["s", "candidate.f32"]),
    ]
    unchanged(graph(nodes, [K], [1, K], {"first": np.array([0])}))


def test_a_graph_without_a_context_is_left_alone() -> None:
    unchanged(graph([node("Gemm", ["candidate.f32", "w", "b"])], [C], (), {"w": WEIGHT[:C], "b": BIAS}))


def test_columns_that_are_all_the_same_are_no_narrow_rows() -> None:
    nodes = [
        node("Constant", [], "shape", value_ints=[1, K]),
        node("Expand", ["context.f32", "shape"], "c"),
        node("MatMul", ["c", "w"], "y"),
        node("Mul", ["y", "candidate.f32"]),
    ]
    unchanged(graph(nodes, [H], [1, 1], {"w": WEIGHT[:K]}))


# ---- the delayed broadcast, operator by operator

_L = 4
CARRIED: dict[str, tuple[list[onnx.NodeProto], dict[str, Array]]] = {
    "Relu": ([node("Relu", ["h"])], {}),
    "Cast": ([node("Cast", ["h"], "d", to=11), node("Exp", ["d"], "e"), node("Cast", ["e"], to=1)], {}),
    "Where": ([node("Greater", ["h", "half"], "g"), node("Where", ["g", "h", "half"])], {"half": np.float32(0.5)}),
    "Clip": ([node("Clip", ["h", "half"])], {"half": np.float32(0.5)}),
    "PRelu": ([node("PRelu", ["h", "slope"])], {"slope": np.full(6, 0.3, np.float32)}),
    "Softmax": ([node("Softmax", ["h"], axis=1)], {}),
    "LayerNormalization": ([node("LayerNormalization", ["h", "s"], axis=-1)], {"s": np.full(6, 1.5, np.float32)}),
    "ReduceMax": ([node("ReduceMax", ["h", "a"], keepdims=1)], {"a": np.array([-1])}),
    "ReduceMean": (
        [
            node("ReduceMean", ["h", "a"], keepdims=0),
        ],
        {"a": np.array([2])},
    ),
    "Transpose": ([node("Transpose", ["h"], "t", perm=[0, 2, 1]), node("Exp", ["t"])], {}),
    "Transpose thrice": (
        [
            node("Transpose", ["h"], "t", perm=[1, 2, 0]),
            node("Exp", ["t"], "e"),
            node("Transpose", ["e"], perm=[2, 0, 1]),
        ],
        {},
    ),
    "Gather": ([node("Gather", ["h", "i"], "t", axis=1), node("Exp", ["t"])], {"i": np.array([2, 0])}),
    "Gather one": ([node("Gather", ["h", "i"], "t", axis=1), node("Exp", ["t"])], {"i": np.array(2)}),
    "Squeeze": (
        [node("Unsqueeze", ["h", "a"], "u"), node("Exp", ["u"], "e"), node("Squeeze", ["e", "a"])],
        {"a": np.array([1])},
    ),
    "Slice": ([node("Slice", ["h", "a", "b", "a"], "t"), node("Exp", ["t"])], {"a": np.array([1]), "b": np.array([3])}),
    "Split": (
        [helper.make_node("Split", ["h"], ["p", "q"], axis=2, num_outputs=2), node("Mul", ["p", "q"])],
        {},
    ),
    "Reshape": ([node("Reshape", ["h", "s"], "t"), node("Exp", ["t"])], {"s": np.array([-1, 8, 3])}),
    "Concat": ([node("Tanh", ["h"], "t"), node("Concat", ["h", "t"], axis=1)], {}),
    "MatMul": ([node("Transpose", ["h"], "t", perm=[0, 2, 1]), node("MatMul", ["h", "t"])], {}),
    "Linear": ([node("MatMul", ["h", "w"])], {"w": WEIGHT[:6]}),
}


@pytest.mark.parametrize("name", CARRIED)
def test_an_operator_runs_before_the_broadcast(name: str) -> None:
    nodes, constants = CARRIED[name]
    before = [
        node("Shape", ["candidate.f32"], "n", start=0, end=1),
        node("Concat", ["n", "sizes"], "shape", axis=0),
        node("Expand", ["context.f32", "shape"], "h"),
    ]
    model = graph([*before, *nodes], [3], [1, _L, 6], {"sizes": np.array([_L, 6]), **constants})
    made = check(model)
    assert operators(made)[-1] == "Expand"
    view = View(made)
    worked = [entry for entry in made.graph.node if entry.op_type not in ("Shape", "Concat", "Expand")]
    assert worked
    assert not [entry for entry in worked if "n" in (view.shape(entry.output[0]) or ("n",))]


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("Softmax", ["h"], "t", axis=0), node("Exp", ["t"])], {}),
        ([node("Gather", ["h", "i"], "t", axis=0), node("Mul", ["t", "candidate.f32"])], {"i": np.array([0])}),
        (
            [node("Slice", ["h", "a", "b"], "t"), node("Mul", ["t", "candidate.f32"])],
            {"a": np.array([0]), "b": np.array([1])},
        ),
        ([node("LayerNormalization", ["h", "s"], axis=0)], {"s": np.ones(1, np.float32)}),
    ],
    ids=["softmax", "gather", "slice", "normalised over rows"],
)
def test_an_operator_that_mixes_the_candidates_waits(nodes: list[onnx.NodeProto], constants: dict[str, Array]) -> None:
    model = graph([*repeat("context.f32", "h"), *nodes], [K], [1, K], constants)
    applied = run_rewrites(model, [SplitContext()])
    assert not [entry for entry in applied if entry.node == "back.4." + nodes[0].op_type]


def test_the_shape_of_what_is_repeated_is_told_without_it() -> None:
    nodes = [
        *repeat("context.f32", "c"),
        node("Exp", ["c"], "e"),
        node("Shape", ["e"], "all"),
        node("ConstantOfShape", ["all"], "zeros"),
        node("Add", ["zeros", "e"], "f"),
        node("Mul", ["f", "candidate.f32"]),
    ]
    made = check(graph(nodes, [K], [1, K]), lambda v: np.exp(v["context.f32"]) * v["candidate.f32"])
    assert operators(made) == ["Exp", "Add", "Mul"]


def test_pieces_that_repeat_along_the_axis_of_a_concatenation_are_joined_whole() -> None:
    nodes = [
        node("Constant", [], "shape", value_ints=[1, _L, 6]),
        node("Expand", ["context.f32", "shape"], "h"),
        node("Tanh", ["h"], "t"),
        node("Concat", ["h", "t"], "x", axis=1),
        node("Exp", ["x"], "e"),
        node("Mul", ["e", "candidate.f32"]),
    ]

    def expected(values: Feeds) -> Array:
        h = np.repeat(values["context.f32"], _L, axis=1)
        return np.exp(np.concatenate([h, np.tanh(h)], axis=1)) * values["candidate.f32"]

    check(graph(nodes, [2 * _L, 6], [1, 1, 6]), expected)


def test_a_concatenation_that_exists_is_used_again_and_a_longer_one_is_not() -> None:
    nodes = [
        node("Tanh", ["candidate.f32"], "t"),
        node("Concat", ["candidate.f32", "t", "t"], "long", axis=-1),
        node("Concat", ["candidate.f32", "t"], "short", axis=-1),
        *repeat("context.f32", "c"),
        node("Concat", ["candidate.f32", "c", "t"], "x", axis=-1),
        node("MatMul", ["x", "w"], "y"),
        node("ReduceMax", ["long", "last"], "a", keepdims=1),
        node("ReduceMin", ["short", "last"], "b", keepdims=1),
        node("Sum", ["y", "a", "b"]),
    ]
    weight = np.concatenate([WEIGHT[K:], WEIGHT])  # C rows, K rows, C rows

    def expected(values: Feeds) -> Array:
        x, t = values["candidate.f32"], np.tanh(values["candidate.f32"])
        c = np.repeat(values["context.f32"], len(x), axis=0)
        both = np.concatenate([x, t], axis=1)
        extremes = both.max(axis=1, keepdims=True) + both.min(axis=1, keepdims=True)
        return np.concatenate([x, c, t], axis=1) @ weight.astype(np.float64) + extremes

    made = check(graph(nodes, [C], [1, K], {"w": weight, "last": np.array([1])}), expected)
    assert sum(entry.op_type == "Concat" for entry in made.graph.node) == 2


def test_a_slope_that_varies_where_its_input_repeats_waits_for_the_rows() -> None:
    nodes = [
        node("Constant", [], "shape", value_ints=[1, _L, 6]),
        node("Expand", ["context.f32", "shape"], "h"),
        node("PRelu", ["h", "slope"], "p"),
        node("Exp", ["p"], "e"),
        node("Mul", ["e", "candidate.f32"]),
    ]
    model = graph(nodes, [_L, 6], [1, 1, 6], {"slope": np.linspace(0.1, 0.9, _L, dtype=np.float32)[:, None]})
    unchanged(model)


@pytest.mark.parametrize(("target", "shape"), [([_L, -1, 6], (_L, "n", 6)), ([-1, 6], (None, 6))])
def test_a_reshape_that_mixes_candidates_and_steps_is_left_alone(target: list[int], shape: tuple[Any, ...]) -> None:
    nodes = [
        node("Shape", ["candidate.f32"], "n", start=0, end=1),
        node("Concat", ["n", "sizes"], "shape", axis=0),
        node("Expand", ["context.f32", "shape"], "h"),
        node("Reshape", ["h", "target"], "r"),
        node("Exp", ["r"]),
    ]
    constants = {"sizes": np.array([_L, 6]), "target": np.array(target)}
    model = graph_of_any_shape(nodes, [3], [1, _L, 6], constants)
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    for _ in shape:
        model.graph.output[0].type.tensor_type.shape.dim.add()
    assert View(model).shape("r") == shape
    unchanged(model)


# ---- what torch writes


def _patterns() -> dict[str, Any]:
    import torch

    functional = torch.nn.functional

    def encoder(m: Any, c: Any, x: Any, n: Any) -> Any:
        h = m.query(c.expand(n, -1)).view(n, 3, 4)
        h = functional.gelu(m.inner(h)).unsqueeze(1)
        h = functional.layer_norm(functional.scaled_dot_product_attention(h, h, h).squeeze(1), (4,))
        return m.score(torch.cat([h.transpose(1, 2).reshape(n, 12)[:, :6], x], -1))

    def gated(m: Any, c: Any, x: Any, n: Any) -> Any:
        z = torch.cat([c.expand(n, -1), x], -1)
        return m.score(z) * m.out(m.norm(z)).sigmoid().squeeze(-1) + m.score(z * 2)

    return {
        "expand": lambda m, c, x, n: m.score(torch.cat([c.expand(n, -1), x], -1)),
        "expand_as": lambda m, c, x, n: m.score(torch.cat([c[:, :5].expand_as(x), x, c[:, 5:].expand(n, 1)], -1)),
        "broadcast_to": lambda m, c, x, n: m.score(torch.cat([x, torch.broadcast_to(c, (n, 6))], -1)),
        "repeat": lambda m, c, x, n: m.score(torch.cat([c.repeat(n, 1), x], -1)),
        "repeat_interleave": lambda m, c, x, n: m.score(torch.cat([c.repeat_interleave(n, 0), x], -1)),
        "an index of zeros": lambda m, c, x, n: m.score(torch.cat([c[torch.zeros(n, dtype=torch.int64)], x], -1)),
        "plus zeros": lambda m, c, x, n: m.score(torch.cat([c + torch.zeros(n, 1), x], -1)),
        "plus new_zeros": lambda m, c, x, n: m.score(torch.cat([c + x.new_zeros(n, 6), x], -1)),
        "times ones": lambda m, c, x, n: m.score(torch.cat([x, c * torch.ones(n, 1)], -1)),
        "where": lambda m, c, x, n: m.score(torch.cat([torch.where(c > 0, c, 0.0).expand(n, -1), x], -1)),
        "an encoder behind it": encoder,
        "gated": gated,
    }


@pytest.fixture(scope="module")
def exported_patterns() -> dict[str, onnx.ModelProto]:
    """Each pattern as torch exports it, all in one trace; ``m(x)`` is a perceptron over 11 columns."""
    import torch

    class Patterns(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inputs = (slate_models.Input("context.f32", (6,)), slate_models.Input("candidate.f32", (5,)))
            self.layer, self.top = torch.nn.Linear(11, 8), torch.nn.Linear(8, 1)
            self.norm, self.out = torch.nn.LayerNorm(11), torch.nn.Linear(11, 1)
            self.query, self.inner = torch.nn.Linear(6, 12), torch.nn.Linear(4, 4)

        def score(self, row: Any) -> Any:
            return self.top(self.layer(row).relu()).squeeze(-1)

        def forward(self, *tensors: Any) -> Any:
            return tuple(pattern(self, *tensors, tensors[1].shape[0]) for pattern in _patterns().values())

    torch.manual_seed(7)
    names = {name: f"score.{index}" for index, name in enumerate(_patterns())}
    whole = slate_models.export(Patterns().eval(), outputs=list(names.values()))  # type: ignore[arg-type]
    found = {}
    for name, output in names.items():
        found[name] = onnx.ModelProto()
        found[name].CopyFrom(whole)
        kept = [value for value in whole.graph.output if value.name == output]
        del found[name].graph.output[:]
        found[name].graph.output.extend(kept)
        prune(found[name].graph)
    return found


@pytest.mark.parametrize("name", _patterns())
def test_what_torch_makes_of_a_repeated_context_is_split(
    name: str, exported_patterns: dict[str, onnx.ModelProto]
) -> None:
    made = check(exported_patterns[name])
    of_context = [shape for shape in products(made) if shape[0] == 1]
    of_candidates = [shape for shape in products(made) if shape[0] == "n"]
    assert of_context
    assert ("n", C) in of_candidates
    if name != "gated":
        assert ("n", K + C) not in of_candidates
        view = View(made)
        assert not [entry for entry in made.graph.node if entry.op_type == "Tile"]
        assert ("n", K) not in [view.shape(entry.output[0]) for entry in made.graph.node]


# ---- whole rankers


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("embedding + MLP", ["linear layer over [n, 335]: [1, 134] @ [134, 256] + [n, 201] @ [201, 256]"]),
        ("DCNv2, 3 cross layers", ["linear layer over [n, 335]: [1, 134] @ [134, 335] + [n, 201] @ [201, 335]"]),
        (
            "DIN + transformer",
            [
                "Mul of [n, 50, 32] reads its inputs before they are repeated",
                "linear layer over [n, 50, 128]: "
                "[1, 50, 32] @ [32, 64] + [n, 1, 32] @ [32, 64] + [n, 50, 32] @ [32, 64]",
                "one matrix for all candidates; a row of zeros is appended, so that one candidate is no special case",
                "linear layer over [n, 100]: [1, 4] @ [4, 128] + [n, 96] @ [96, 128]",
            ],
        ),
    ],
)
def test_a_ranker_costs_less_and_scores_the_same(name: str, nodes: list[str]) -> None:
    ranker = slate_models.make(name)
    model = slate_models.export(ranker)
    made, applied = split(model, REWRITES)
    found = [
        entry.detail for entry in applied if entry.rewrite == "split_context" and "[1, 4, 50, 50]" not in entry.detail
    ]
    assert found == nodes
    top = 300
    blocks = slate_models.slate(ranker, top)
    plain = Runner(model.SerializeToString(), SessionSettings()).run(blocks)[0]
    runner = Runner(made.SerializeToString(), SessionSettings())
    whole = runner.run(blocks)[0]
    assert plain.std() > 1e-3
    np.testing.assert_allclose(whole, plain, rtol=0, atol=1e-6)
    order = np.random.Generator(np.random.PCG64(3)).permutation(top)
    for size in (*SIZES, top):
        for rows in (np.arange(top), order):
            for start in range(0, min(top, 128), size):
                taken = rows[start : start + size]
                part = {k: v if k.startswith("context.") else v[taken] for k, v in blocks.items()}
                assert (runner.run(part)[0].view(np.int32) == whole[taken].view(np.int32)).all()
