"""Two halves become one graph that holds what its outputs need and nothing else."""

import onnx
import pytest
from onnx import TensorProto, helper
from small_run import front

from twinrank.export.bundle import Runner, SessionSettings
from twinrank.export.graph import ExportError
from twinrank.export.graph._compose import compose
from twinrank.training.schema import Packing

FRONT = front()
PACKING = Packing.of(FRONT.schema)


def back(*nodes: onnx.NodeProto, opset: int = 20) -> onnx.ModelProto:
    """A hand-made back half over ``price`` and ``item`` with one head, which is also the score."""
    inputs = [
        helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, ["n"])
        if spec.dtype == "float32"
        else helper.make_tensor_value_info(spec.name, TensorProto.INT64, ["n"])
        for spec in FRONT.outputs
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("watched", "score")]
    graph = helper.make_graph(list(nodes), "back", inputs, outputs)
    graph.doc_string = "made at /home/somebody"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    for node in model.graph.node:
        node.doc_string = "File /home/somebody/model.py, line 1"
        node.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="File /home/somebody/model.py")
    return model


PLAIN = (helper.make_node("Neg", ["price"], ["watched"]), helper.make_node("Identity", ["watched"], ["score"]))


def composed(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    return compose(FRONT.to_onnx(), back(*nodes), PACKING, FRONT.outputs, ("watched", "score"))


def test_what_no_output_needs_is_left_out_but_every_block_stays_an_input() -> None:
    model = composed(*PLAIN)
    assert [value.name for value in model.graph.input] == [block.name for block in PACKING.blocks]
    operators = {node.op_type for node in model.graph.node}
    assert "LabelEncoder" not in operators, "only the price is read"
    read = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= read


def test_one_tensor_may_be_a_head_and_the_score() -> None:
    model = composed(PLAIN[0], helper.make_node("Identity", ["watched"], ["score"]))
    assert [value.name for value in model.graph.output] == ["head.watched", "score"]
    assert Runner(model.SerializeToString(), SessionSettings()).outputs == ("head.watched", "score")


def test_names_come_from_positions_and_metadata_is_dropped() -> None:
    renamed = [onnx.NodeProto.FromString(node.SerializeToString()) for node in PLAIN]
    for node in renamed:
        node.name = "something_the_tracer_counted_17"
    model = composed(*renamed)
    assert model.SerializeToString(deterministic=True) == composed(*PLAIN).SerializeToString(deterministic=True)
    assert b"somebody" not in model.SerializeToString()


def test_a_subgraph_reads_what_is_renamed_around_it() -> None:
    branches = {}
    for name, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
        output = helper.make_tensor_value_info("inner", TensorProto.FLOAT, ["n"])
        branches[name] = helper.make_graph([helper.make_node(op, ["price"], ["inner"])], name, [], [output])
    sums = [
        helper.make_node("ReduceSum", ["price"], ["total"], keepdims=0),
        helper.make_node("IsNaN", ["total"], ["unknown"]),
        helper.make_node("If", ["unknown"], ["watched"], **branches),
        PLAIN[1],
    ]
    model = composed(*sums)
    assert {"If", "ReduceSum"} <= {node.op_type for node in model.graph.node}
    Runner(model.SerializeToString(), SessionSettings())


def test_halves_of_different_opsets_do_not_compose() -> None:
    with pytest.raises(ExportError, match="20 and 19"):
        compose(FRONT.to_onnx(), back(*PLAIN, opset=19), PACKING, FRONT.outputs, ("watched", "score"))


def test_the_front_half_follows_a_newer_opset() -> None:
    model = compose(FRONT.to_onnx(), back(*PLAIN, opset=23), PACKING, FRONT.outputs, ("watched", "score"))
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 23, "ai.onnx.ml": 4}
    Runner(model.SerializeToString(), SessionSettings())


def test_a_graph_that_is_no_onnx_is_refused() -> None:
    with pytest.raises(ExportError) as caught:
        composed(helper.make_node("Neg", ["nothing"], ["watched"]), PLAIN[1])
    assert caught.value.reason == "graph_refused"
