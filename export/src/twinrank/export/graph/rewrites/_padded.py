"""Functions whose vector body and scalar tail round differently run on a tail that nobody reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from twinrank.export.graph.rewrites._rewrite import Applied, Editor
from twinrank.export.graph.rewrites._view import View

# Acos to Softplus as far as 1.29.0 was seen to vary on AVX2 or AVX-512; the rest of their families, because another
# vector unit is one library function away.
TAILED = (
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "Celu",
    "Cos",
    "Cosh",
    "Elu",
    "Log",
    "Mish",
    "Selu",
    "Sin",
    "Sinh",
    "Softplus",
    "Tan",
)
_WIDTH = 16
"""The widest vector of float32 that a CPU kernel works on."""


@dataclass(frozen=True, slots=True)
class PaddedTail:
    """``f(x)`` becomes ``f(flat(x) ++ 15 ones)``, cut back: every value that is read passes through the vector body.

    Nothing is done where the row is a multiple of 16 wide: then there is no tail.
    """

    name: str = "padded_tail"
    exact: bool = False

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        """Replaces every such function of a tensor that follows the slate."""
        editor = Editor(model)
        done = []
        for node in view.nodes:
            if node.op_type not in TAILED or not view.depends_on_size(node.input[0]) or _is_padded(node, view):
                continue
            dtype = view.float_type(node.input[0])
            if dtype is None or _is_full(view, node.input[0]):
                continue
            editor.replace(node, _padded(node, view.rank(node.input[0]), dtype, editor))
            done.append(
                Applied(self.name, node.name, f"{node.op_type} runs on {_WIDTH - 1} values more, cut off again")
            )
        return done


def _padded(
    node: onnx.NodeProto, rank: int | None, dtype: type[np.floating[Any]], editor: Editor
) -> list[onnx.NodeProto]:
    made: list[onnx.NodeProto] = []
    source = node.input[0]
    step = f"{node.name}.padded"

    def add(operator: str, *inputs: str, **attributes: object) -> str:
        made.append(editor.node(operator, inputs, editor.fresh(step), **attributes))
        return str(made[-1].output[0])

    flat = source if rank == 1 else add("Reshape", source, editor.constant([-1], np.int64))
    size = add("Shape", flat)
    longer = add("Concat", flat, editor.constant(np.ones(_WIDTH - 1), dtype), axis=0)
    again = onnx.NodeProto()
    again.CopyFrom(node)
    again.name = editor.fresh(step)
    again.input[0], again.output[0] = longer, again.name
    made.append(again)
    start = editor.constant([0], np.int64)
    if rank == 1:
        made.append(editor.node("Slice", [again.name, start, size], node.output[0]))
    else:
        cut = add("Slice", again.name, start, size)
        made.append(editor.node("Reshape", [cut, add("Shape", source)], node.output[0]))
    return made


def _is_padded(node: onnx.NodeProto, view: View) -> bool:
    """Whether it already runs on a Concat with the tail of ones."""
    before = view.producer(node.input[0])
    if before is None or before.op_type != "Concat" or len(before.input) != 2:
        return False
    tail = view.constant(before.input[1])
    return tail is not None and tail.shape == (_WIDTH - 1,) and bool((tail == 1).all())


def _is_full(view: View, tensor: str) -> bool:
    shape = view.shape(tensor)
    if shape is None:
        return False
    known = [dim for dim in shape if isinstance(dim, int)]
    return math.prod(known) % _WIDTH == 0
