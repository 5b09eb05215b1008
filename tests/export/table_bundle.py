"""A model whose score is a table's row sum: the smallest draft with a table as large as asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from twinrank.export.bundle import (
    Draft,
    Evidence,
    Expectation,
    Golden,
    Head,
    Runner,
    SessionSettings,
    Tolerance,
    host_class,
    order_of,
    runtime_release,
    weight_stub,
)
from twinrank.training.schema import Packing, Schema, pack, read_request

SCHEMA = Schema.from_json(
    {
        "features": [
            {
                "name": "row",
                "placement": "candidate",
                "dtype": "int64",
                "missing": {"policy": "error"},
                "invalid": {"policy": "error"},
            }
        ]
    }
)
REQUEST = b'{"context":{},"candidates":[{"row":3},{"row":0},{"row":3}]}'
# Rows 3 and 0 of the table are 12 + 0 + 1 + 2 and 0 + 1 + 2 + 3.
SCORES = [15.0, 6.0, 15.0]
# 16 MiB of rows of 16 bytes.
LIMIT = 2**20


def table(rows: int) -> NDArray[Any]:
    """Small whole numbers, so that every sum is exact."""
    return np.arange(rows * 4, dtype=np.float32).reshape(rows, 4) % 13


def draft(rows: int = 8, request: bytes = REQUEST, *, outside: bool = False) -> Draft:
    """The draft.

    Args:
        rows: of the table.
        request: the one golden.
        outside: whether the draft gives the table beside the graph.
    """
    values = table(rows)
    constants = [numpy_helper.from_array(values, "table"), numpy_helper.from_array(np.array(0, np.int64), "zero")]
    constants.append(numpy_helper.from_array(np.ones((4, 1), np.float32), "ones"))
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "last"))
    nodes = [
        helper.make_node("Gather", ["candidate.i64", "zero"], ["row"], axis=1),
        helper.make_node("Gather", ["table", "row"], ["values"]),
        helper.make_node("MatMul", ["values", "ones"], ["sums"]),
        helper.make_node("Squeeze", ["sums", "last"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "t",
        [helper.make_tensor_value_info("candidate.i64", TensorProto.INT64, ["n", 1])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    checked = read_request(request, SCHEMA, max_candidates=10)
    blocks = pack(checked, Packing.of(SCHEMA))
    outputs = tuple(Runner(model.SerializeToString(), SessionSettings()).run(blocks))
    order, dropped = order_of(outputs[-1])
    ranking = (tuple(order.tolist()), tuple(dropped.tolist()))
    expected = Expectation(checked.n, None, tuple(blocks.values()), outputs, *ranking)
    if outside:
        model.graph.initializer[0].CopyFrom(weight_stub("table", values))
    return Draft(
        name="table",
        schema=SCHEMA,
        heads=(),
        score=Head("score", "score", "float32"),
        model=model,
        goldens=(Golden(request, expected),),
        evidence=Evidence(host_class(), 3, {"score": Tolerance(1e-6, 0.0, 0)}, (1, 3), 6),
        provenance={},
        max_candidates=10,
        release=runtime_release(),
        weights={"table": values} if outside else {},
    )
