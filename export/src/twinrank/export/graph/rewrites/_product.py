"""Products of candidates with what the context computes: the kernel must not depend on how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from twinrank.export.graph.rewrites._rewrite import Applied, Editor
from twinrank.export.graph.rewrites._view import Dim, View, attribute


@dataclass(frozen=True, slots=True)
class SteadyProduct:
    """Four forms of MatMul and Gemm that ONNX Runtime 1.29.0 runs by other kernels for one candidate than for many.

    - ``[n, K] @ [K, N]`` with a computed right side (leading ones are collapsed): one row of zeros is appended and cut
      off again, so that there are always two.
    - the same with N = 1, a matrix-vector product whose order of additions depends on n: multiply each row, and add
      it up by a product with ones, which is packed.
    - ``[1, K] @ [K, n]``, the same turned around.
    - a constant right side of more than two axes, all but two of them 1, is not packed: its shape becomes [K, N].
    """

    name: str = "steady_product"
    exact: bool = False

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        """Replaces every such product."""
        editor = Editor(model)
        done = []
        for node in view.nodes:
            if node.op_type == "Gemm":
                made, detail = _gemm(node, view, editor)
            elif node.op_type == "MatMul":
                made, detail = _matmul(node, view, editor)
            else:
                continue
            if made:
                editor.replace(node, made)
                done.append(Applied(self.name, node.name, detail))
        return done


def _gemm(node: onnx.NodeProto, view: View, editor: Editor) -> tuple[list[onnx.NodeProto], str]:
    """A Gemm with a computed right side as MatMul and Add, for `_matmul` to look at."""
    left, right = node.input[:2]
    plain = attribute(node, "alpha", 1.0) == 1.0 and attribute(node, "beta", 1.0) == 1.0
    if view.is_constant(right) or not plain or not (view.depends_on_size(left) or view.depends_on_size(right)):
        return [], ""
    step = f"{node.name}.product"
    made = []
    for key in ("transA", "transB"):
        if attribute(node, key, 0):
            source = left if key == "transA" else right
            made.append(editor.node("Transpose", [source], editor.fresh(step), perm=[1, 0]))
            left, right = (made[-1].name, right) if key == "transA" else (left, made[-1].name)
    bias = node.input[2] if len(node.input) > 2 else ""
    made.append(editor.node("MatMul", [left, right], editor.fresh(step) if bias else node.output[0]))
    if bias:
        made.append(editor.node("Add", [made[-1].name, bias], node.output[0]))
    return made, "Gemm with a computed right side is MatMul and Add"


def _matmul(node: onnx.NodeProto, view: View, editor: Editor) -> tuple[list[onnx.NodeProto], str]:
    left, right = node.input
    a, b = view.shape(left), view.shape(right)
    dtype = view.float_type(left)
    if a is None or b is None or dtype is None or len(a) < 2 or len(b) < 2:
        return [], ""
    if view.depends_on_size(left) and not view.depends_on_size(right):
        if len(b) > len(a) or any(dim != 1 for dim in b[:-2]):
            return [], ""
        if view.is_constant(right):
            return _two_axes(node, b, editor)
        if _is_longer(left, view):
            return [], ""
        if b[-1] == 1:
            return _rowwise(node, a[-1], dtype, editor)
        return one_row_more(node, a, dtype, editor)
    if view.depends_on_size(right) and not view.depends_on_size(left) and len(a) <= len(b):
        turned = a[-2] == 1 and all(dim == 1 for dim in (*a[:-2], *b[:-2])) and not isinstance(b[-1], int)
        if turned:
            return _columnwise(node, len(b), a[-1], dtype, editor)
    return [], ""


def _is_longer(left: str, view: View) -> bool:
    """Whether rows of zeros were appended already."""
    before = view.producer(left)
    if before is None or before.op_type != "Concat":
        return False
    last = view.constant(before.input[-1])
    return last is not None and not last.any()


def _two_axes(node: onnx.NodeProto, b: Sequence[Dim], editor: Editor) -> tuple[list[onnx.NodeProto], str]:
    if len(b) == 2 or not (isinstance(b[-2], int) and isinstance(b[-1], int)):
        return [], ""
    value = next((tensor for tensor in editor.graph.initializer if tensor.name == node.input[1]), None)
    if value is None:
        return [], ""
    flat = onnx.TensorProto()
    flat.CopyFrom(value)
    flat.name = editor.fresh(f"{value.name}.packed")
    del flat.dims[:]
    flat.dims.extend([b[-2], b[-1]])
    editor.graph.initializer.append(flat)
    return [editor.node("MatMul", [node.input[0], flat.name], node.output[0])], "the constant right side has two axes"


def _rowwise(
    node: onnx.NodeProto, width: Dim, dtype: type[np.floating[Any]], editor: Editor
) -> tuple[list[onnx.NodeProto], str]:
    if not isinstance(width, int):
        return [], ""
    step = f"{node.name}.row"
    vector = editor.node("Reshape", [node.input[1], editor.constant([-1], np.int64)], editor.fresh(step))
    terms = editor.node("Mul", [node.input[0], vector.name], editor.fresh(step))
    summed = editor.node("MatMul", [terms.name, editor.constant(np.ones((width, 1)), dtype)], node.output[0])
    return [vector, terms, summed], "a product with one computed column is a sum over each row"


def _columnwise(
    node: onnx.NodeProto, rank: int, width: Dim, dtype: type[np.floating[Any]], editor: Editor
) -> tuple[list[onnx.NodeProto], str]:
    if not isinstance(width, int):
        return [], ""
    step = f"{node.name}.row"
    turn = [*range(rank - 2), rank - 1, rank - 2]
    rows = editor.node("Transpose", [node.input[1]], editor.fresh(step), perm=turn)
    terms = editor.node("Mul", [rows.name, node.input[0]], editor.fresh(step))
    summed = editor.node("MatMul", [terms.name, editor.constant(np.ones((width, 1)), dtype)], editor.fresh(step))
    back = editor.node("Transpose", [summed.name], node.output[0], perm=turn)
    return [rows, terms, summed, back], "a product of one context row with the candidates is a sum over each of them"


def one_row_more(
    node: onnx.NodeProto, a: Sequence[Dim], dtype: type[np.floating[Any]], editor: Editor
) -> tuple[list[onnx.NodeProto], str]:
    """A product of rows of shape ``a`` with one computed matrix, as nodes that always see two rows."""
    free = [axis for axis, dim in enumerate(a) if not isinstance(dim, int)]
    if len(free) != 1 or free[0] == len(a) - 1:
        return [], ""
    axis = free[0]
    if any(isinstance(dim, int) and dim > 1 for dim in a[:-1]):
        # More than one row a candidate: never a single one.
        return [], ""
    padding = np.zeros([1 if i == axis else dim for i, dim in enumerate(a)])  # type: ignore[misc]
    step = f"{node.name}.rows"
    longer = editor.node("Concat", [node.input[0], editor.constant(padding, dtype)], editor.fresh(step), axis=axis)
    product = editor.node("MatMul", [longer.name, node.input[1]], editor.fresh(step))
    bounds = [editor.constant([value], np.int64) for value in (0, -1, axis)]
    cut = editor.node("Slice", [product.name, *bounds], node.output[0])
    return [longer, product, cut], "a row of zeros is appended, so that one candidate is no special case"
