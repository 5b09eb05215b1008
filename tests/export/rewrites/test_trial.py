"""Rewrites on trial: one that breaks its promise is undone, and said so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from slate_graphs import graph

from twinrank.export.graph._rewriting import rewritten
from twinrank.export.graph._tables import Tables
from twinrank.export.graph.rewrites import Applied, SplitContext, View
from twinrank.training.schema import Feature, Packing, Schema, VectorSpec

WIDTH, CONTEXT, HIDDEN = 600, 500, 300
PACKING = Packing.of(
    Schema(
        [
            Feature("user", "context", "float32", vector=VectorSpec(CONTEXT)),
            Feature("item", "candidate", "float32", vector=VectorSpec(WIDTH)),
        ]
    )
)
RANDOM = np.random.Generator(np.random.PCG64(3))
SLATES = [
    {
        "context.f32": RANDOM.standard_normal((1, CONTEXT)).astype(np.float32),
        "candidate.f32": RANDOM.standard_normal((n, WIDTH)).astype(np.float32),
    }
    for n in (70, 33)
]


def model(weight: Any) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Shape", ["candidate.f32"], ["n"], start=0, end=1),
        helper.make_node("Concat", ["n", "width"], ["shape"], axis=0),
        helper.make_node("Expand", ["context.f32", "shape"], ["c"]),
        helper.make_node("Concat", ["c", "candidate.f32"], ["x"], axis=-1),
        helper.make_node("Gemm", ["x", "w"], ["y"]),
        helper.make_node("ReduceMax", ["y", "last"], ["score"], keepdims=0),
    ]
    constants = {"width": np.array([CONTEXT]), "last": np.array([1]), "w": weight}
    made = graph(nodes, [WIDTH], [1, CONTEXT], constants)
    made.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "n"
    return made


@dataclass(frozen=True)
class Nudge:
    """Adds a little to the score."""

    exact: bool
    by: float
    name: str = "nudge"

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        del view
        if model.graph.node[-1].op_type == "Add":
            return []
        model.graph.initializer.append(numpy_helper.from_array(np.float32(self.by), "by"))
        model.graph.node[-1].output[0] = "before"
        model.graph.node.append(helper.make_node("Add", ["before", "by"], ["score"], name="nudge"))
        return [Applied(self.name, "back.5.ReduceMax", "nudged")]


def trial(
    plain: onnx.ModelProto, rewrites: Sequence[Any], tables: Tables
) -> tuple[onnx.ModelProto, list[str], list[str]]:
    told: list[str] = []
    made, applied = rewritten(plain, PACKING, SLATES, ["score"], tables, told.append, rewrites)
    return made, [entry.rewrite for entry in applied], told


@pytest.mark.parametrize(
    ("exact", "by", "kept", "reason"),
    [
        (True, 0.0, True, ""),
        (True, 5e-5, False, "other bits"),
        (False, 5e-5, True, ""),
        (False, 1.0, False, "moves by 1,"),
    ],
)
def test_a_rewrite_keeps_what_it_promises_or_is_undone(exact: bool, by: float, kept: bool, reason: str) -> None:
    weight = RANDOM.standard_normal((CONTEXT + WIDTH, 16)).astype(np.float32)
    plain = model(weight)
    before = plain.SerializeToString(deterministic=True)
    with Tables() as tables:
        made, applied, told = trial(plain, [Nudge(exact, by)], tables)
    assert (applied == ["nudge"]) == kept
    assert plain.SerializeToString(deterministic=True) == before
    if kept:
        assert told == []
    else:
        assert made is plain
        assert "nudge is undone" in told[0]
        assert reason in told[0]


def test_a_large_layer_whose_weights_lie_outside_the_graph_is_split_too() -> None:
    weight = RANDOM.standard_normal((CONTEXT + WIDTH, HIDDEN)).astype(np.float32)
    plain = model(weight)
    with Tables() as tables:
        assert Tables.takes(weight.dtype, weight.nbytes)
        stub = tables.keep("w", weight)
        next(tensor for tensor in plain.graph.initializer if tensor.name == "w").CopyFrom(stub)
        made, applied, told = trial(plain, [SplitContext()], tables)
        assert not tables.weights_of(made), "the whole weight is still there"
    assert (applied, told) == (["split_context"], [])
    values = {tuple(t.dims): numpy_helper.to_array(t) for t in made.graph.initializer if len(t.dims) == 2}
    assert (values[CONTEXT, HIDDEN] == weight[:CONTEXT]).all()
    assert (values[WIDTH, HIDDEN] == weight[CONTEXT:]).all()
