"""What a rewrite or a check wants to know of a graph: who makes and reads a tensor, its shape, its value, its taint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from twinrank.export.bundle import Weights, is_stub
from twinrank.export.graph._compose import reads
from twinrank.export.graph.rewrites._shapes import infer_types, sizes_of

Dim = int | str | None
"""A size: a number, the symbol ``n`` of the candidates, or None where it is not known."""

# A shape says how many there are, never which: what is computed from it alone is no candidate's value.
_SIZES = ("Shape", "Size")
_FLOATS: dict[int, type[np.floating[Any]]] = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.DOUBLE: np.float64,
}


class View:
    """A read-only look at a slate graph; made anew after every edit.

    Tensors inside subgraphs are not seen; what a subgraph captures counts as read by the node that holds it.

    Args:
        model: a composed slate graph.
        weights: the values of initialisers that are kept outside it, by name.
    """

    def __init__(self, model: onnx.ModelProto, weights: Weights | None = None) -> None:
        self.model = model
        self._weights = weights or {}
        self.opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
        graph = model.graph
        self.nodes: tuple[onnx.NodeProto, ...] = tuple(graph.node)
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._producers = {name: node for node in graph.node for name in node.output if name}
        self._consumers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in sorted(reads(node)):
                self._consumers.setdefault(name, []).append(node)
        self.outputs = frozenset(value.name for value in graph.output)
        self._tainted = _taint(graph, _SIZES)
        self._sized = _taint(graph, ())
        self._types = infer_types(model)

    def producer(self, tensor: str) -> onnx.NodeProto | None:
        """The node that writes it; None for a graph input and an initialiser."""
        return self._producers.get(tensor)

    def consumers(self, tensor: str) -> Sequence[onnx.NodeProto]:
        """The nodes that read it, in the graph's order; a graph's output is none."""
        return self._consumers.get(tensor, ())

    def is_constant(self, tensor: str) -> bool:
        """Whether it is an initialiser or a Constant node's output."""
        if tensor in self._initializers:
            return True
        node = self.producer(tensor)
        return node is not None and node.op_type == "Constant"

    def constant(self, tensor: str) -> npt.NDArray[Any] | None:
        """The value of a constant; None where it is none, or a large weight that is kept outside the graph."""
        if tensor in self._initializers:
            if is_stub(self._initializers[tensor]):
                return None
            return numpy_helper.to_array(self._initializers[tensor])
        node = self.producer(tensor)
        if node is None or node.op_type != "Constant":
            return None
        attribute = node.attribute[0]
        if attribute.name == "value":
            return numpy_helper.to_array(attribute.t)
        value: Any = onnx.helper.get_attribute_value(attribute)
        if attribute.name not in ("value_int", "value_ints", "value_float", "value_floats"):
            return None
        return np.asarray(value, "int64" if "int" in attribute.name else "float32")

    def weight(self, tensor: str) -> npt.NDArray[Any] | None:
        """The value of a constant, also of a large one that is kept outside the graph; None where it is none."""
        return self._weights[tensor] if tensor in self._weights else self.constant(tensor)

    def dtype(self, tensor: str) -> int | None:
        """The element type as TensorProto numbers it, where inference knows it."""
        found = self._types.get(tensor)
        return None if found is None or not found.elem_type else found.elem_type

    def float_type(self, tensor: str) -> type[np.floating[Any]] | None:
        """float32 or float64 where the tensor is known to be it, else None."""
        found = self._types.get(tensor)
        return None if found is None else _FLOATS.get(found.elem_type)

    def shape(self, tensor: str) -> tuple[Dim, ...] | None:
        """The shape as far as inference knows it; None where not even the rank is known."""
        found = self._types.get(tensor)
        return sizes_of(found)

    def rank(self, tensor: str) -> int | None:
        """The number of axes, where inference knows it."""
        shape = self.shape(tensor)
        return None if shape is None else len(shape)

    def depends_on_candidates(self, tensor: str) -> bool:
        """Whether the values of a tensor are computed from a ``candidate.*`` input.

        Its shape may depend on the number of candidates and its values not: that does not count.
        """
        return tensor in self._tainted

    def depends_on_size(self, tensor: str) -> bool:
        """Whether the values or the shape of a tensor may depend on the candidates, their number included."""
        return tensor in self._sized


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute, or the default where it is absent."""
    for entry in node.attribute:
        if entry.name == name:
            return onnx.helper.get_attribute_value(entry)
    return default


def _taint(graph: onnx.GraphProto, stops: Sequence[str]) -> frozenset[str]:
    tainted = {value.name for value in graph.input if value.name.startswith("candidate.")}
    for node in graph.node:
        if node.op_type not in stops and tainted & reads(node):
            tainted.update(name for name in node.output if name)
    return frozenset(tainted)
