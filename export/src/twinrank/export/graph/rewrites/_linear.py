"""Linear layers with constant weights, and what their inputs are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx

from twinrank.export.graph._compose import CANDIDATES
from twinrank.export.graph.rewrites._broadcast import Shape, broadcast
from twinrank.export.graph.rewrites._view import Dim, View, attribute


@dataclass(frozen=True, slots=True)
class Narrow:
    """What broadcasts to a tensor: another one of the same rank."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class _Piece:
    """Columns of a linear layer's input: ``sign`` times what broadcasts to them, from column ``offset`` on."""

    name: str
    shape: Shape
    offset: int
    width: int
    sign: int


@dataclass(slots=True)
class Group:
    """Pieces of one shape but for the last axis: the distinct tensors and their weights."""

    lead: Shape
    weights: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer: ``input @ weight + bias`` written to ``output``, ``weight`` [K, N]."""

    input: str
    weight: npt.NDArray[np.floating]
    bias: npt.NDArray[np.floating] | None
    output: str


def layer_of(node: onnx.NodeProto, view: View) -> Linear | None:
    """The node as a linear layer with constant weights, the bias that is added next included."""
    if node.op_type not in ("MatMul", "Gemm") or node.domain not in ("", "ai.onnx"):
        return None
    if view.float_type(node.input[0]) is None:
        return None
    weight = view.weight(node.input[1])
    if weight is None or weight.ndim != 2:
        return None
    if node.op_type == "Gemm":
        if attribute(node, "transA", 0) or attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1:
            return None
        weight = weight.T if attribute(node, "transB", 0) else weight
        if len(node.input) < 3 or not node.input[2]:
            return Linear(node.input[0], weight, None, node.output[0])
        bias = _bias(view, node.input[2], weight.shape[1])
        return None if bias is None else Linear(node.input[0], weight, bias, node.output[0])
    readers = view.consumers(node.output[0])
    if len(readers) == 1 and readers[0].op_type == "Add" and node.output[0] not in view.outputs:
        other = [name for name in readers[0].input if name != node.output[0]]
        bias = _bias(view, other[0], weight.shape[1]) if other else None
        if bias is not None:
            return Linear(node.input[0], weight, bias, readers[0].output[0])
    return Linear(node.input[0], weight, None, node.output[0])


def groups_of(layer: Linear, view: View, narrow: Mapping[str, Narrow]) -> list[Group]:
    """The layer's input by shape, the smallest first; none where all of it varies as the result does."""
    full = view.shape(layer.input)
    pieces = _pieces(view, narrow, layer.input, 0, 1)
    if full is None or not pieces:
        return []
    groups: dict[Shape, Group] = {}
    for piece in pieces:
        group = groups.setdefault(piece.shape[:-1], Group(piece.shape[:-1]))
        rows = piece.sign * layer.weight[piece.offset : piece.offset + piece.width].astype(np.float64)
        group.weights[piece.name] = group.weights.get(piece.name, 0.0) + rows
    lead = broadcast(list(groups))
    if list(groups) == [full[:-1]] or lead is None or (lead != full[:-1] and None in full):
        return []
    return sorted(groups.values(), key=_extent)


def source_of(view: View, narrow: Mapping[str, Narrow], name: str) -> Narrow | None:
    """What broadcasts to a tensor, itself at worst; None where its shape is not known."""
    shape = view.shape(name)
    return narrow.get(name) or (None if shape is None else Narrow(name, shape))


def joins_columns(view: View, node: onnx.NodeProto) -> bool:
    """Whether a Concat joins columns."""
    rank = view.rank(node.output[0])
    return rank is not None and int(attribute(node, "axis", 0)) % rank == rank - 1


def count(sizes: Sequence[Dim]) -> int:
    """The product of the sizes that are numbers."""
    return math.prod(size for size in sizes if isinstance(size, int))


def _pieces(view: View, narrow: Mapping[str, Narrow], name: str, offset: int, sign: int) -> list[_Piece]:
    """What a linear layer's input is made of, as far as that is smaller than the input; empty if not known."""
    full = view.shape(name)
    if not full or len(full) < 2 or not isinstance(full[-1], int):
        return []
    width = full[-1]
    before = narrow.get(name)
    if before is not None and before.shape[-1] == width:
        return [_Piece(before.name, before.shape, offset, width, sign)]
    whole = [_Piece(name, full, offset, width, sign)]
    node = view.producer(name)
    if node is None or len(node.output) != 1:
        return whole
    if node.op_type == "Identity":
        return _pieces(view, narrow, node.input[0], offset, sign)
    if node.op_type == "Concat" and joins_columns(view, node):
        found, place = [], offset
        for part in node.input:
            pieces = _pieces(view, narrow, part, place, sign)
            found += pieces
            place += sum(_last(view, part))
            if not pieces:
                return whole
        return found if any(piece.shape[:-1] != full[:-1] for piece in found) else whole
    if node.op_type in ("Add", "Sub"):
        sources = [source_of(view, narrow, operand) for operand in node.input]
        if all(source is not None and _is_part(source.shape, full) for source in sources):
            signs = (sign, -sign if node.op_type == "Sub" else sign)
            return [
                _Piece(source.name, source.shape, offset, width, its)
                for source, its in zip(sources, signs, strict=True)
                if source is not None
            ]
    return whole


def _last(view: View, name: str) -> tuple[int, ...]:
    shape = view.shape(name)
    return (shape[-1],) if shape and isinstance(shape[-1], int) else ()


def _bias(view: View, name: str, width: int) -> npt.NDArray[np.floating] | None:
    """A constant that adds one number to each column, and no axis."""
    value = view.constant(name)
    return value.reshape(width) if value is not None and value.shape in ((width,), (1, width)) else None


def _is_part(shape: Shape, full: Shape) -> bool:
    """Whether what has this shape varies less than the whole, and in its columns as the whole does."""
    return len(shape) == len(full) and shape[-1] == full[-1] and shape[:-1] != full[:-1]


def _extent(group: Group) -> tuple[bool, int, str]:
    return CANDIDATES in group.lead, count(group.lead), str(group.lead)
