"""ONNX files as the static comparison needs them: nodes, constants wherever they lie, trees, lookups, copies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from twinrank.bridge.explain._inquiry import MODEL

_EXTERNAL = onnx.TensorProto.EXTERNAL
_DATA = "model.onnx.data"
_MOST_COPIED = 256 * 1024 * 1024
_THRESHOLDS = ("nodes_splits", "nodes_values_as_tensor", "nodes_values")


@dataclass(frozen=True)
class Model:
    """A bundle's graph, its external weights left where they are.

    Attributes:
        folder: the bundle's directory.
        proto: the model without external data.
    """

    folder: Path
    proto: onnx.ModelProto

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """The nodes of the main graph, in its order, which is topological."""
        return list(self.proto.graph.node)

    def constants(self) -> dict[str, onnx.TensorProto]:
        """Return the initialisers by name."""
        return {tensor.name: tensor for tensor in self.proto.graph.initializer}

    def values(self, tensor: onnx.TensorProto) -> npt.NDArray[Any]:
        """Return a constant's values; external ones are mapped, not read."""
        if tensor.data_location != _EXTERNAL:
            return np.asarray(numpy_helper.to_array(tensor))
        entries = {entry.key: entry.value for entry in tensor.external_data}
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        offset, shape = int(entries.get("offset", "0")), tuple(tensor.dims)
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(self.folder / entries["location"], dtype, "r", offset, shape)


def load(folder: Path) -> Model:
    """Return a bundle's graph."""
    return Model(folder, onnx.load_model(str(folder / MODEL), load_external_data=False))


@contextmanager
def saved(proto: onnx.ModelProto, folder: Path) -> Iterator[Path]:
    """Yield a file that holds a changed graph, the bundle's external weights beside it, for as long as it is needed.

    Raises:
        OSError: if weights too large to copy cannot be linked.
    """
    with tempfile.TemporaryDirectory(prefix="twinrank-explain-") as name:
        path = Path(name) / MODEL
        path.write_bytes(proto.SerializeToString())
        if (folder / _DATA).exists():
            _place(folder / _DATA, Path(name) / _DATA)
        yield path


def _place(source: Path, target: Path) -> None:
    # No symbolic link: the runtime refuses external data that lie outside the model's folder.
    try:
        os.link(source.resolve(), target)
    except OSError:
        if source.stat().st_size > _MOST_COPIED:
            raise
        shutil.copyfile(source, target)


def is_tree(node: onnx.NodeProto) -> bool:
    """Return whether a node is an ensemble of trees."""
    return node.domain == "ai.onnx.ml" and node.op_type.startswith("TreeEnsemble")


def thresholds(node: onnx.NodeProto) -> npt.NDArray[Any] | None:
    """Return a tree ensemble's thresholds in the graph's order, in the type that it keeps them in."""
    found = {attribute.name: attribute for attribute in node.attribute}
    for name in _THRESHOLDS:
        attribute = found.get(name)
        if attribute is None:
            continue
        if attribute.type == onnx.AttributeProto.TENSOR:
            return np.asarray(numpy_helper.to_array(attribute.t))
        return np.array(attribute.floats, np.float32)
    return None


def trees(node: onnx.NodeProto) -> int:
    """Return how many trees an ensemble holds."""
    for attribute in node.attribute:
        if attribute.name == "tree_roots":
            return len(attribute.ints)
        if attribute.name == "nodes_treeids":
            return len(set(attribute.ints))
    return 0


def lookup(node: onnx.NodeProto) -> tuple[list[Any], list[Any]] | None:
    """Return a LabelEncoder's keys and values in its order; None for any other node."""
    if (node.domain, node.op_type) != ("ai.onnx.ml", "LabelEncoder"):
        return None
    sides: dict[str, list[Any]] = {}
    for attribute in node.attribute:
        side = attribute.name.split("_", 1)[0]
        if side not in ("keys", "values"):
            continue
        if attribute.type == onnx.AttributeProto.TENSOR:
            sides[side] = numpy_helper.to_array(attribute.t).ravel().tolist()
        else:
            sides[side] = list(attribute.ints or attribute.floats or attribute.strings)
    return (sides["keys"], sides["values"]) if len(sides) == 2 else None


def name_of(node: onnx.NodeProto, position: int) -> str:
    """Return a node's name, or its operator and position."""
    return str(node.name) or f"{node.op_type}#{position}"


def operator_of(node: onnx.NodeProto) -> str:
    """Return the operator with its domain, unless that is ONNX's own."""
    return f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)


def inputs_of(node: onnx.NodeProto) -> list[str]:
    """Return what flows into a node, the values that its subgraphs take from outside included."""
    found = [name for name in node.input if name]
    for attribute in node.attribute:
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            inside = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            for inner in graph.node:
                found += [name for name in inputs_of(inner) if name not in inside]
                inside.update(inner.output)
            found += [value.name for value in graph.output if value.name not in inside]
    return list(dict.fromkeys(found))
