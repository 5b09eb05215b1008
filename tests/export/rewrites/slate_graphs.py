"""Small slate graphs of one suspicious operator, and how far their values depend on the slate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from twinrank.export.bundle import Runner, SessionSettings

N = 193
SIZES = (1, 2, 3, 5, 7, 8, 16, 33, 64)
Feeds = dict[str, NDArray[Any]]


def graph(
    nodes: Sequence[onnx.NodeProto],
    candidate: Sequence[int],
    context: Sequence[int] = (),
    constants: dict[str, NDArray[Any]] | None = None,
) -> onnx.ModelProto:
    """``candidate.f32`` [n, ...] and, where given, ``context.f32`` to ``score``, whatever shape it has."""
    inputs = [helper.make_tensor_value_info("candidate.f32", TensorProto.FLOAT, ["n", *candidate])]
    if context:
        inputs.append(helper.make_tensor_value_info("context.f32", TensorProto.FLOAT, list(context)))
    values = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    made = helper.make_graph(
        list(nodes), "slate", inputs, [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)], values
    )
    for index, node in enumerate(made.node):
        node.name = f"back.{index}.{node.op_type}"
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    # The score's shape, whatever it is; what else inference finds is not kept.
    model.graph.output[0].CopyFrom(onnx.shape_inference.infer_shapes(model).graph.output[0])
    return model


def feeds(model: onnx.ModelProto, seed: int = 7, *, positive: bool = False) -> Feeds:
    """``N`` candidates under one context."""
    random = np.random.Generator(np.random.PCG64(seed))
    found = {}
    for value in model.graph.input:
        shape = [dim.dim_value or N for dim in value.type.tensor_type.shape.dim]
        array = random.standard_normal(shape).astype(np.float32)
        found[value.name] = np.abs(array) if positive else array
    return found


def run(model: onnx.ModelProto, values: Feeds) -> NDArray[Any]:
    return np.asarray(Runner(model.SerializeToString(), SessionSettings()).run(values)[0])


def varying(model: onnx.ModelProto, values: Feeds, axis: int = 0) -> int:
    """How many values of the score have other bits in a smaller slate than in the whole one.

    Args:
        model: the graph.
        values: the whole slate.
        axis: where the candidates are in the score.
    """
    runner = Runner(model.SerializeToString(), SessionSettings())
    whole = np.moveaxis(np.asarray(runner.run(values)[0]), axis, 0)
    assert len(whole) == N
    differing = 0
    for size in SIZES:
        for start in range(0, N, size):
            part = values | {"candidate.f32": values["candidate.f32"][start : start + size].copy()}
            found = np.moveaxis(np.asarray(runner.run(part)[0]), axis, 0)
            assert found.shape == whole[start : start + size].shape
            differing += int((found.view(np.int32) != whole[start : start + size].view(np.int32)).sum())
    return differing
