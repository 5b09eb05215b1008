"""Sums and means become products with ones, whose bits do not depend on the batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from twinrank.export.graph.rewrites._rewrite import Applied, Editor
from twinrank.export.graph.rewrites._view import Dim, View, attribute

# Rows of so many values all begin at the same place of a vector register.
_ALIGNED = 16


@dataclass(frozen=True, slots=True)
class PoolAsProduct:
    """ReduceSum and ReduceMean of candidates over known neighbouring axes, not the candidates', become products.

    - ``[n, L, E]`` over L is ``ones[1, L] @ [n, L, E]``: ONNX Runtime 1.29.0 drops the leading axis of a slate of one
      and then adds along L in another order.
    - ``[n, W]`` over W is ``[n, W] @ ones[W, 1]`` where W is no multiple of 16: the kernel adds by vectors from the
      first aligned address on, so what a row gives depends on where it lies in memory, and that on its place in the
      slate.
    """

    name: str = "pool_as_product"
    exact: bool = False

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        """Replaces every such reduction."""
        editor = Editor(model)
        done = []
        for node in view.nodes:
            if node.op_type not in ("ReduceSum", "ReduceMean"):
                continue
            made = _product(node, view, editor)
            if made:
                editor.replace(node, made)
                done.append(Applied(self.name, node.name, f"{node.op_type} is a product with ones"))
        return done


def _product(node: onnx.NodeProto, view: View, editor: Editor) -> list[onnx.NodeProto]:
    source = node.input[0]
    shape = view.shape(source)
    dtype = view.float_type(source)
    axes = view.constant(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    if shape is None or dtype is None or axes is None or not axes.size or not view.depends_on_size(source):
        return []
    rank = len(shape)
    first, last = _span(axes.tolist(), rank)
    if first < 1 or last > rank - 1:
        return []
    keep = bool(attribute(node, "keepdims", 1))
    out = node.output[0]
    step = f"{node.name}.product"
    pooled, rest, lead = shape[first : last + 1], shape[last + 1 :], shape[1:first]
    made: list[onnx.NodeProto] = []

    def add(operator: str, inputs: Sequence[str], **attributes: object) -> str:
        made.append(editor.node(operator, inputs, editor.fresh(step), **attributes))
        return str(made[-1].output[0])

    if last == rank - 1:
        width = math.prod(dim for dim in pooled if isinstance(dim, int))
        if not _known(pooled) or not _known(lead) or width % _ALIGNED == 0:
            return []
        if first != last:
            flat: list[Any] = [-1, *lead, width]
            source = add("Reshape", [source, editor.constant(flat, np.int64)])
        value = add("MatMul", [source, editor.constant(np.ones((width, 1)), dtype)])
        if node.op_type == "ReduceMean":
            value = add("Div", [value, editor.constant(width, dtype)])
        shape_out: list[Any] = [-1, *lead, *([1] * len(pooled) if keep else [])]
        made.append(editor.node("Reshape", [value, editor.constant(shape_out, np.int64)], out))
        return made
    if _known(pooled) and _known(rest) and _known(lead):
        length, width = math.prod(map(int, pooled)), math.prod(map(int, rest))  # type: ignore[arg-type]
        if rank != 3:
            source = add("Reshape", [source, editor.constant([-1, length, width], np.int64)])
        value = add("MatMul", [editor.constant(np.ones((1, length)), dtype), source])
        if node.op_type == "ReduceMean":
            value = add("Div", [value, editor.constant(length, dtype)])
        if rank == 3:
            made.append(
                editor.node("Identity", [value], out)
                if keep
                else editor.node("Squeeze", [value, editor.constant([1], np.int64)], out)
            )
        else:
            target: list[Any] = [-1, *lead, *([1] * len(pooled) if keep else []), *rest]
            made.append(editor.node("Reshape", [value, editor.constant(target, np.int64)], out))
        return made
    if first != last or last != rank - 2:
        return []
    length_of = add("Shape", [source], start=first, end=first + 1)
    ones_shape = add("Concat", [editor.constant([1], np.int64), length_of], axis=0)
    one = onnx.helper.make_tensor("one", onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), [1], [1.0])
    value = add("MatMul", [add("ConstantOfShape", [ones_shape], value=one), source])
    if node.op_type == "ReduceMean":
        value = add("Div", [value, add("CastLike", [length_of, value])])
    made.append(
        editor.node("Identity", [value], out)
        if keep
        else editor.node("Squeeze", [value, editor.constant([first], np.int64)], out)
    )
    return made


def _span(axes: Sequence[int], rank: int) -> tuple[int, int]:
    """First and last of neighbouring axes; (0, rank) where they are none."""
    found = sorted(axis % rank for axis in axes)
    if found != list(range(found[0], found[0] + len(found))):
        return 0, rank
    return found[0], found[-1]


def _known(dims: Sequence[Dim]) -> bool:
    return all(isinstance(dim, int) for dim in dims)
