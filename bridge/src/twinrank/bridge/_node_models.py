"""A graph taken apart: each node as a model of its own, so that two runtimes can be fed the same bits at every node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twinrank.bridge._scorer import Array

if TYPE_CHECKING:
    import onnx

__all__ = ["Dissected", "Node", "dissect"]


@dataclass(frozen=True)
class Node:
    """One node of a graph.

    Attributes:
        position: its position in the graph, from 0.
        name: its name, or `<op>#<position>` where it has none.
        op: operator with its domain unless that is ONNX's own: `Gemm`, `ai.onnx.ml.TreeEnsemble`.
        inputs: values that flow in and depend on the graph's inputs; also those that only a subgraph of it uses.
        constants: values that flow in and do not, but for initialisers.
        outputs: values that flow out.
    """

    position: int
    name: str
    op: str
    inputs: tuple[str, ...]
    constants: tuple[str, ...]
    outputs: tuple[str, ...]


class Dissected:
    """A model's nodes in order, and a model for each.

    Attributes:
        nodes: every node of the main graph but Constant, which computes nothing.
        values: what has to be known of a run to feed every node: all that nodes take and give.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        graph = model.graph
        self._initialisers = {tensor.name: tensor for tensor in graph.initializer}
        varies = {value.name for value in graph.input} - set(self._initialisers)
        nodes = []
        for position, node in enumerate(graph.node):
            taken = dict.fromkeys(name for name in _taken(node) if name)
            outputs = tuple(name for name in node.output if name)
            if any(name in varies for name in taken):
                varies.update(outputs)
            if node.op_type == "Constant" and not node.domain:
                continue
            nodes.append(
                Node(
                    position,
                    node.name or f"{node.op_type}#{position}",
                    f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
                    tuple(name for name in taken if name in varies),
                    tuple(name for name in taken if name not in varies and name not in self._initialisers),
                    outputs,
                )
            )
        self.nodes = tuple(nodes)
        inputs = {value.name for value in graph.input}
        named = (name for node in self.nodes for name in (*node.inputs, *node.constants, *node.outputs))
        self.values = tuple(name for name in dict.fromkeys(named) if name not in inputs)

    def alone(self, node: Node, values: Mapping[str, Array]) -> bytes:
        """Return a model of one node. What is a constant of the graph is one of the model too: runtimes pack those.

        Args:
            node: one of `nodes`.
            values: the bits of its inputs, for their types, and of its constants.
        """
        import onnx
        from onnx import helper, numpy_helper

        source = self._model.graph.node[node.position]
        used = [self._initialisers[name] for name in dict.fromkeys(_taken(source)) if name in self._initialisers]
        used += [numpy_helper.from_array(np.asarray(values[name]), name) for name in node.constants]
        graph = helper.make_graph(
            [source],
            "node",
            [
                helper.make_tensor_value_info(name, _element_type(values[name]), [None] * values[name].ndim)
                for name in node.inputs
            ],
            # Without a type: the runtime infers it.
            [onnx.ValueInfoProto(name=name) for name in node.outputs],
            used,
        )
        domains = set(_domains(source)) | {""}
        imports = [entry for entry in self._model.opset_import if entry.domain in domains]
        model = helper.make_model(graph, ir_version=self._model.ir_version, opset_imports=imports)
        return bytes(model.SerializeToString(deterministic=True))


def dissect(model: Path) -> Dissected:
    """Take a bundle's graph apart; external weights stay where they are.

    Raises:
        OSError: if the file cannot be read.
    """
    import onnx

    return Dissected(onnx.load(model, load_external_data=False))


def _taken(node: onnx.NodeProto) -> Iterator[str]:
    """Names of the values that a node takes from its graph, in order; those that its subgraphs take too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            yield from _captured(graph)


def _domains(node: onnx.NodeProto) -> Iterator[str]:
    yield node.domain
    for attribute in node.attribute:
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            for inner in graph.node:
                yield from _domains(inner)


def _captured(graph: onnx.GraphProto) -> Iterator[str]:
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        yield from (name for name in _taken(node) if name not in own)
        own.update(node.output)
    yield from (value.name for value in graph.output if value.name not in own)


def _element_type(value: Any) -> int:
    import onnx
    from onnx import helper

    if value.dtype.kind in "OSU":
        return int(onnx.TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(value.dtype))
