"""Shapes of a slate graph: ONNX's own inference, helped where it gives up though the sizes are known.

It does not follow Tile with computed repeats, nor a Reshape to ``[-1, 3, 4]`` of a tensor whose first axis is a symbol.
Both are what exporters of torch modules write.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from twinrank.export.graph._compose import CANDIDATES

Sizes = tuple[int | str | None, ...]
Types = dict[str, onnx.TypeProto.Tensor]

# Inference reads the values of shapes and axes, never those of weights.
_SMALL = 1024
_ROUNDS = 64


def infer_types(model: onnx.ModelProto) -> Types:
    """Element type and shape of every tensor outside subgraphs, as far as they can be told."""
    light = _light(model)
    for _ in range(_ROUNDS):
        inferred = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
        types = {value.name: value.type.tensor_type for value in (*inferred.value_info, *inferred.input)}
        types |= {value.name: value.type.tensor_type for value in inferred.output}
        for tensor in light.graph.initializer:
            types[tensor.name] = onnx.helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims)).tensor_type
        found = {name: shape for name, shape in _found(light.graph, types) if types[name].elem_type}
        if not found:
            break
        for name, shape in found.items():
            light.graph.value_info.append(onnx.helper.make_tensor_value_info(name, types[name].elem_type, shape))
    return types


def sizes_of(tensor: onnx.TypeProto.Tensor | None) -> Sizes | None:
    """A tensor type's shape; only the candidates' number is a symbol, other symbols are unknown."""
    if tensor is None or not tensor.HasField("shape"):
        return None
    return tuple(
        int(dim.dim_value) if dim.HasField("dim_value") else CANDIDATES if dim.dim_param == CANDIDATES else None
        for dim in tensor.shape.dim
    )


def _light(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its weights as inputs."""
    graph = onnx.GraphProto(name=model.graph.name)
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL and not tensor.external_data:
            graph.initializer.append(tensor)
        else:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    light = onnx.ModelProto(ir_version=model.ir_version, graph=graph)
    light.opset_import.extend(model.opset_import)
    return light


def _found(graph: onnx.GraphProto, types: Mapping[str, onnx.TypeProto.Tensor]) -> Iterator[tuple[str, Sizes]]:
    """Shapes that inference left open and that are known."""
    values: dict[str, Sizes] = {
        tensor.name: tuple(int(size) for size in np.atleast_1d(numpy_helper.to_array(tensor)))
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.INT64 and len(tensor.dims) <= 1
    }
    for node in graph.node:
        value = _value(node, values, types)
        if value is not None:
            values[node.output[0]] = value
        if node.op_type not in ("Reshape", "Tile", "Expand") or node.output[0] not in types:
            continue
        known, source = sizes_of(types[node.output[0]]), sizes_of(types.get(node.input[0]))
        wanted = values.get(node.input[1])
        if source is None or wanted is None or (known is not None and None not in known):
            continue
        shape = _RESULTS[node.op_type](node, source, wanted)
        if shape is not None and shape != known and None not in shape:
            yield node.output[0], shape


def _value(
    node: onnx.NodeProto, values: Mapping[str, Sizes], types: Mapping[str, onnx.TypeProto.Tensor]
) -> Sizes | None:
    """The numbers that a node computes from shapes."""
    attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    if node.op_type == "Shape":
        shape = sizes_of(types.get(node.input[0]))
        return None if shape is None else shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
    given = [values.get(name) for name in node.input]
    known = [value for value in given if value is not None]
    if len(known) != len(given) or not known:
        return None
    if node.op_type in ("Identity", "Squeeze", "Unsqueeze"):
        return known[0]
    if node.op_type == "Concat":
        return tuple(size for value in known for size in value)
    if node.op_type == "Gather" and all(isinstance(place, int) for place in known[1]):
        return tuple(known[0][place] for place in known[1] if isinstance(place, int))
    if node.op_type == "Slice":
        start, end, *rest = [value[0] for value in (*known[1:3], *known[4:])]
        step = rest[0] if rest else 1
        if isinstance(start, int) and isinstance(end, int) and step == 1:
            return known[0][start:end]
    return None


def _reshaped(node: onnx.NodeProto, source: Sizes, wanted: Sizes) -> Sizes | None:
    zeros = any(entry.name == "allowzero" and entry.i for entry in node.attribute)
    copied = [source[i] if size == 0 and not zeros and i < len(source) else size for i, size in enumerate(wanted)]
    if copied.count(-1) == 0:
        return tuple(copied)
    rest = [size for size in copied if size != -1]
    if copied.count(-1) > 1 or None in (*source, *rest) or 0 in rest:
        return None
    many, part = (math.prod(size for size in sizes if isinstance(size, int)) for sizes in (source, rest))
    symbols = source.count(CANDIDATES) - rest.count(CANDIDATES)
    if many % part or symbols not in (0, 1) or (symbols and many != part):
        return None
    return tuple((CANDIDATES if symbols else many // part) if size == -1 else size for size in copied)


def _tiled(node: onnx.NodeProto, source: Sizes, wanted: Sizes) -> Sizes | None:
    del node
    pairs = list(zip(source, wanted, strict=False))
    if len(source) != len(wanted) or any(1 not in pair and not all(isinstance(i, int) for i in pair) for pair in pairs):
        return None
    return tuple(
        repeats if size == 1 else size if repeats == 1 else math.prod(i for i in (size, repeats) if isinstance(i, int))
        for size, repeats in pairs
    )


def _expanded(node: onnx.NodeProto, source: Sizes, wanted: Sizes) -> Sizes | None:
    del node
    rank = max(len(source), len(wanted))
    pairs = zip(_padded(source, rank), _padded(wanted, rank), strict=True)
    merged = [a if b in (1, a) else b if a == 1 else None for a, b in pairs]
    return tuple(merged)


def _padded(sizes: Sequence[int | str | None], rank: int) -> Sizes:
    return (*[1] * (rank - len(sizes)), *sizes)


_RESULTS = {"Reshape": _reshaped, "Tile": _tiled, "Expand": _expanded}
