"""Which axes of a tensor may stay 1: how operators carry a broadcast that has not happened yet.

A tensor is *narrow* along an axis when every slice along it is the same, because an Expand or a Tile made it so. Then
an operator that treats the slices one by one may run on one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx

from twinrank.export.graph.rewrites._view import Dim, View, attribute

Shape = tuple[Dim, ...]

ELEMENTWISE = frozenset(
    [
        "Abs",
        "Acos",
        "Acosh",
        "Add",
        "And",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "BitShift",
        "BitwiseAnd",
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXor",
        "Cast",
        "Ceil",
        "Celu",
        "Cos",
        "Cosh",
        "Div",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "IsInf",
        "IsNaN",
        "LabelEncoder",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Mean",
        "Min",
        "Mish",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pow",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Shrink",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Sum",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "Where",
        "Xor",
    ]
)
"""Operators whose every output element is a function of the elements at its place, inputs broadcast as NumPy does."""

Axes = frozenset[int]
_Rule = Callable[[onnx.NodeProto, View, int, int, Axes], Axes | None]


def broadcast(shapes: Sequence[Shape]) -> Shape | None:
    """The shape that inputs of these shapes broadcast to, as NumPy does; None where it cannot be told."""
    rank = max(len(shape) for shape in shapes)
    found: list[Dim] = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if -axis <= len(shape)} - {1}
        if None in sizes or len(sizes) > 1:
            return None
        found.append(sizes.pop() if sizes else 1)
    return tuple(found)


def narrowed(full: Shape, axes: Axes) -> Shape:
    """The shape with 1 at the given axes."""
    return tuple(1 if axis in axes else size for axis, size in enumerate(full))


def narrow_axes(narrow: Shape, full: Shape) -> Axes:
    """The axes that are 1 in the first of two shapes of one rank and not in the second."""
    return frozenset(axis for axis, size in enumerate(narrow) if size == 1 and full[axis] != 1)


def carried(node: onnx.NodeProto, view: View, position: int, axes: Axes) -> Axes | None:
    """The axes of the outputs along which a node stays narrow when one input is.

    Args:
        node: one whose other inputs stay as they are.
        view: the graph.
        position: of the narrow input.
        axes: of that input, along which it is narrow.

    Returns:
        None where the node mixes slices along such an axis, or is not known not to.
    """
    rule = _RULES.get(node.op_type)
    rank = view.rank(node.input[position])
    if rule is None or rank is None or node.domain not in ("", "ai.onnx"):
        return None
    return rule(node, view, position, rank, axes)


def _constants(view: View, node: onnx.NodeProto, position: int) -> list[int] | None:
    if len(node.input) <= position or not node.input[position]:
        return None
    value = view.constant(node.input[position])
    return None if value is None else [int(entry) for entry in np.atleast_1d(value)]


def _along(axis: int, rank: int, axes: Axes) -> Axes | None:
    return None if axis % rank in axes else axes


def _one_axis(default: int) -> _Rule:
    def rule(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
        del view
        return _along(int(attribute(node, "axis", default)), rank, axes) if position == 0 else None

    return rule


def _normalised_from(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    del view
    first = int(attribute(node, "axis", -1)) % rank
    return axes if position == 0 and len(node.output) == 1 and max(axes) < first else None


def _reduced(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    given = _constants(view, node, 1)
    if position or given is None:
        return None
    gone = {axis % rank for axis in given}
    if gone & axes:
        return None
    if attribute(node, "keepdims", 1):
        return axes
    return _without(axes, gone)


def _without(axes: Axes, gone: set[int]) -> Axes:
    return frozenset(axis - sum(other < axis for other in gone) for axis in axes)


def _transposed(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    del view, position
    order = list(attribute(node, "perm", list(range(rank))[::-1]))
    return frozenset(order.index(axis) for axis in axes)


def _squeezed(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    given = _constants(view, node, 1)
    if position or given is None:
        return None
    gone = {axis % rank for axis in given}
    return None if gone & axes else _without(axes, gone)


def _unsqueezed(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    given = _constants(view, node, 1)
    if position or given is None:
        return None
    new = {axis % (rank + len(given)) for axis in given}
    kept = [axis for axis in range(rank + len(given)) if axis not in new]
    return frozenset(kept[axis] for axis in axes)


def _gathered(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    data, indices = view.rank(node.input[0]), view.rank(node.input[1])
    if data is None or indices is None:
        return None
    axis = int(attribute(node, "axis", 0)) % data
    if position == 1:
        return frozenset(axis + place for place in axes)
    if _along(axis, rank, axes) is None:
        return None
    return frozenset(place if place < axis else place - 1 + indices for place in axes)


def _clipped(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    del node, view, rank
    return axes if position == 0 else None


def _sloped(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    slope = view.shape(node.input[1])
    if position or slope is None:
        return None
    # The slope broadcasts to the input and never the other way round.
    fits = all(rank - axis > len(slope) or slope[axis - rank] == 1 for axis in axes)
    return axes if fits else None


def _gathered_nd(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    del view
    return axes if position == 1 and rank - 1 not in axes and not attribute(node, "batch_dims", 0) else None


def _sliced(node: onnx.NodeProto, view: View, position: int, rank: int, axes: Axes) -> Axes | None:
    starts, given = _constants(view, node, 1), _constants(view, node, 3)
    if position or starts is None:
        return None
    taken = range(len(starts)) if given is None and len(node.input) <= 3 else given
    return None if taken is None or {axis % rank for axis in taken} & axes else axes


_RULES: dict[str, _Rule] = {
    "Clip": _clipped,
    "Gather": _gathered,
    "GatherND": _gathered_nd,
    "Hardmax": _one_axis(-1),
    "LayerNormalization": _normalised_from,
    "LogSoftmax": _one_axis(-1),
    "LpNormalization": _one_axis(-1),
    "PRelu": _sloped,
    "RMSNormalization": _normalised_from,
    "Slice": _sliced,
    "Softmax": _one_axis(-1),
    "Split": _one_axis(0),
    "Squeeze": _squeezed,
    "Transpose": _transposed,
    "Unsqueeze": _unsqueezed,
    **dict.fromkeys(
        [
            "ReduceL1",
            "ReduceL2",
            "ReduceLogSum",
            "ReduceLogSumExp",
            "ReduceMax",
            "ReduceMean",
            "ReduceMin",
            "ReduceProd",
            "ReduceSum",
            "ReduceSumSquare",
        ],
        _reduced,
    ),
}
