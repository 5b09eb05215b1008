"""What the graph says of vocabularies: every lookup with its keys, and the features that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from twinrank.training.schema import Packing

_ML_DOMAIN = "ai.onnx.ml"
_ENCODER = "LabelEncoder"


@dataclass(frozen=True, slots=True, eq=False)
class GraphLookup:
    """One vocabulary as the graph holds it.

    Attributes:
        node: the name of the first node that looks it up.
        features: what it reads, in schema order; empty where the graph does not show it.
        keys: int64, ascending.
    """

    node: str
    features: tuple[str, ...]
    keys: NDArray[np.int64]


def lookups_of(model: onnx.ModelProto, packing: Packing) -> tuple[GraphLookup, ...]:
    """The vocabularies of a slate graph in its order; nodes that read the same features by the same keys count once.

    Only encoders of int64 keys are vocabularies; features are found by walking back from the node's input to the
    columns that are read from the blocks.
    """
    walk = _Walk(model.graph, packing)
    found: dict[tuple[tuple[str, ...], bytes], GraphLookup] = {}
    for node in model.graph.node:
        if (node.domain, node.op_type) != (_ML_DOMAIN, _ENCODER):
            continue
        keys = _keys(node)
        if keys is None:
            continue
        features = walk.features(node.input[0])
        found.setdefault((features, keys.tobytes()), GraphLookup(node.name or node.output[0], features, keys))
    return tuple(found.values())


def _keys(node: onnx.NodeProto) -> NDArray[np.int64] | None:
    for attribute in node.attribute:
        if attribute.name == "keys_int64s":
            return np.sort(np.array(attribute.ints, dtype=np.int64))
        if attribute.name == "keys_tensor" and attribute.t.data_type == onnx.TensorProto.INT64:
            return np.sort(numpy_helper.to_array(attribute.t).astype(np.int64).ravel())
    return None


class _Walk:
    """Which features a tensor is computed from; lengths and states are no features."""

    def __init__(self, graph: onnx.GraphProto, packing: Packing) -> None:
        self._producers = {output: node for node in graph.node for output in node.output if output}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        self._blocks = {block.name: block for block in packing.blocks}
        self._order = {feature.name: place for place, feature in enumerate(packing.schema.features)}

    def features(self, tensor: str) -> tuple[str, ...]:
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [tensor]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self._blocks:
                found.update(self._columns(name, None))
            node = self._producers.get(name)
            if node is None:
                continue
            read = self._read_columns(node)
            if read is None:
                waiting += [source for source in node.input if source]
            else:
                found.update(read)
        return tuple(sorted(found, key=self._order.__getitem__))

    def _read_columns(self, node: onnx.NodeProto) -> list[str] | None:
        """The features of the columns that a node picks from a block; None if it is no such node."""
        block = self._blocks.get(node.input[0]) if node.input else None
        if block is None:
            return None
        last = len(block.shape) - 1
        if node.op_type == "Gather" and self._axis(node) in (last, -1):
            chosen = self._integers(node.input[1])
            return None if chosen is None else list(self._columns(block.name, set(chosen)))
        if node.op_type == "Slice" and len(node.input) == 4:
            bounds = [self._integers(name) for name in node.input[1:]]
            if all(bound is not None and len(bound) == 1 for bound in bounds):
                start, end, axis = (bound[0] for bound in bounds if bound is not None)
                if axis in (last, -1):
                    width = max(column.offset + column.width for column in block.columns)
                    return list(self._columns(block.name, set(range(width)[start:end])))
        return None

    def _columns(self, block: str, offsets: set[int] | None) -> Iterator[str]:
        for column in self._blocks[block].columns:
            if column.feature is None or column.role not in ("value", "values"):
                continue
            if offsets is None or offsets & set(range(column.offset, column.offset + column.width)):
                yield column.feature

    @staticmethod
    def _axis(node: onnx.NodeProto) -> int:
        return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)

    def _integers(self, name: str) -> list[int] | None:
        tensor = self._constants.get(name)
        if tensor is None:
            node = self._producers.get(name)
            if node is None or node.op_type != "Constant":
                return None
            tensor = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
        if tensor is None or tensor.data_type != onnx.TensorProto.INT64 or tensor.external_data:
            return None
        return [int(value) for value in numpy_helper.to_array(tensor).ravel()]
