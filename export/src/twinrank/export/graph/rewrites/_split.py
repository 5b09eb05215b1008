"""Computes once a slate what is the same for every candidate: delayed broadcasts and split linear layers.

Two changes, one pass over the graph, both exact in real numbers:

- *narrow*: an operator behind an Expand or a Tile runs on the tensor before it, and the broadcast happens behind the
  operator, or never, where the next operator broadcasts by itself.
- *split*: ``concat(a, b) @ W + bias`` is ``a @ W[:k] + (b @ W[k:] + bias)``. Where ``b`` does not vary along an axis of
  ``a`` (it belongs to the context, say), its product is computed once and added by broadcasting. A difference or sum of
  two such parts is split too: ``(a - b) @ W`` is ``a @ W - b @ W``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from twinrank.export.graph._compose import CANDIDATES, prune
from twinrank.export.graph.rewrites._broadcast import (
    ELEMENTWISE,
    Shape,
    broadcast,
    carried,
    narrow_axes,
    narrowed,
)
from twinrank.export.graph.rewrites._linear import (
    Linear,
    Narrow,
    count,
    groups_of,
    joins_columns,
    layer_of,
    source_of,
)
from twinrank.export.graph.rewrites._product import one_row_more
from twinrank.export.graph.rewrites._rewrite import Applied, Editor
from twinrank.export.graph.rewrites._view import Dim, View, attribute

# These only say how the same numbers lie: alone they are no reason to change a graph.
_FREE = frozenset(
    [
        "Cast",
        "Concat",
        "Expand",
        "Flatten",
        "Identity",
        "Reshape",
        "Slice",
        "Split",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    ]
)


class SplitContext:
    """The rewrite; stateless."""

    name = "split_context"
    exact = False

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        """Edits the graph in place; see the module for what it does and `Rewrite` for what it promises."""
        return _Pass(model, view).run(self.name)


class _Pass:
    """One walk over a graph, from its inputs to its outputs."""

    def __init__(self, model: onnx.ModelProto, view: View) -> None:
        self._graph = model.graph
        self._view = view
        self._edit = Editor(model)
        self._nodes: list[onnx.NodeProto] = []
        self._narrow: dict[str, Narrow] = {}
        self._applied: dict[str, tuple[str, str]] = {}
        self._gained = False
        self._absorbed: dict[str, Linear] = {}
        self._joined: dict[tuple[str, ...], str] = {}
        self._targets: dict[Shape, str] = {}

    def run(self, rewrite: str) -> list[Applied]:
        for node in self._view.nodes:
            self._visit(node)
        if not self._gained:
            prune(self._graph)  # of constants that were made in vain
            return []
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in self._nodes]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        prune(self._graph)
        alive = {name for node in self._graph.node for name in node.output}
        return [Applied(rewrite, node, detail) for made, (node, detail) in self._applied.items() if made in alive]

    # ---- what may happen to a node, first match wins

    def _visit(self, node: onnx.NodeProto) -> None:
        if len(node.output) == 1 and node.output[0] in self._absorbed:
            self._split(node, self._absorbed.pop(node.output[0]))
        elif node.op_type in ("Expand", "Tile", "ConstantOfShape"):
            self._broadcasts(node)
        elif not self._linear(node) and not self._elementwise(node) and not self._carries(node):
            self._keep(node)

    def _keep(self, node: onnx.NodeProto) -> None:
        if node.op_type == "Concat" and joins_columns(self._view, node):
            self._joined.setdefault(tuple(node.input), node.output[0])
        self._emit(node)

    def _broadcasts(self, node: onnx.NodeProto) -> None:
        """Notes what an Expand, a Tile or a ConstantOfShape repeats, and leaves it to those that need it whole."""
        self._keep(node)
        full = self._view.shape(node.output[0])
        if full is None or None in full:
            return
        if node.op_type == "ConstantOfShape":
            value = attribute(node, "value", None)
            filler = onnx.numpy_helper.to_array(value) if value is not None else np.zeros(1, np.float32)
            if CANDIDATES in full:
                shape: Shape = (1,) * len(full)
                name = self._edit.constant(filler.reshape(1).reshape((1,) * len(full)), filler.dtype)
                self._narrow[node.output[0]] = Narrow(name, shape)
            return
        source = source_of(self._view, self._narrow, node.input[0])
        if source is None:
            return
        shape = (1,) * (len(full) - len(source.shape)) + source.shape
        if broadcast([shape, full]) != full:
            return
        if len(source.shape) < len(full):
            name = self._edit.fresh(f"{node.output[0]}.narrow")
            axes = self._edit.constant(range(len(full) - len(source.shape)), np.int64)
            self._emit(self._edit.node("Unsqueeze", [source.name, axes], name))
            source = Narrow(name, shape)
        if shape != full:
            self._narrow[node.output[0]] = source

    def _elementwise(self, node: onnx.NodeProto) -> bool:
        if node.op_type not in ELEMENTWISE or not any(name in self._narrow for name in node.input):
            return False
        full = self._view.shape(node.output[0])
        sources = [source_of(self._view, self._narrow, name) for name in node.input]
        if full is None or any(source is None for source in sources):
            return False
        known = [source for source in sources if source is not None]
        shape = broadcast([source.shape for source in known])
        if shape is None or len(shape) != len(full) or broadcast([shape, full]) != full:
            return False
        return self._narrowed(node, [source.name for source in known], [narrow_axes(shape, full)])

    def _carries(self, node: onnx.NodeProto) -> bool:
        """Runs an operator that treats slices one by one on the one slice that its input repeats."""
        if node.op_type == "Concat":
            return self._concat(node)
        if node.op_type == "Reshape":
            return self._reshape(node)
        if node.op_type == "MatMul":
            return self._product(node)
        if node.op_type == "Shape":
            return self._shape(node)
        for position, name in enumerate(node.input):
            source = self._narrow.get(name)
            full = self._view.shape(name)
            if source is None or full is None:
                continue
            axes = carried(node, self._view, position, narrow_axes(source.shape, full))
            if axes:
                inputs = [source.name if i == position else other for i, other in enumerate(node.input)]
                return self._narrowed(node, inputs, [axes] * len(node.output))
        return False

    def _concat(self, node: onnx.NodeProto) -> bool:
        sources = [self._narrow.get(name) for name in node.input]
        shapes = [self._view.shape(name) for name in node.input]
        axes = {
            narrow_axes(source.shape, full)
            for source, full in zip(sources, shapes, strict=True)
            if source is not None and full is not None
        }
        known = [source.name for source in sources if source is not None]
        if len(known) < len(sources) or len(axes) != 1:
            return False
        along = axes.pop()
        if int(attribute(node, "axis", 0)) % len(shapes[0] or ()) in along:
            return False
        return self._narrowed(node, known, [along])

    def _reshape(self, node: onnx.NodeProto) -> bool:
        """Reshapes what is narrow along the candidates' axis, when that axis survives."""
        source = self._narrow.get(node.input[0])
        before, after = self._view.shape(node.input[0]), self._view.shape(node.output[0])
        if source is None or not before or not after or None in after:
            return False
        if before.count(CANDIDATES) != 1 or after.count(CANDIDATES) != 1:
            return False
        here, there = before.index(CANDIDATES), after.index(CANDIDATES)
        if narrow_axes(source.shape, before) != frozenset({here}) or count(before[:here]) != count(after[:there]):
            return False
        shape = self._edit.constant([size if isinstance(size, int) else 1 for size in after], np.int64)
        return self._narrowed(node, [source.name, shape], [frozenset({there})])

    def _shape(self, node: onnx.NodeProto) -> bool:
        """Tells the shape of what is repeated without repeating it."""
        full = self._view.shape(node.input[0])
        if node.input[0] not in self._narrow or full is None or None in full:
            return False
        told = full[attribute(node, "start", 0) : attribute(node, "end", len(full))]
        if not told:
            return False
        self._emit(self._edit.node("Identity", [self._target(told)], node.output[0]))
        return True

    def _product(self, node: onnx.NodeProto) -> bool:
        """A product whose right side is the same for every candidate; if the left side is too, it is computed once."""
        left, right = (self._narrow.get(name) for name in node.input)
        shapes = [self._view.shape(name) for name in node.input]
        if right is None or any(shape is None for shape in shapes):
            return False
        a, b = (shape for shape in shapes if shape is not None)
        along = narrow_axes(right.shape, b)
        # Rows and columns stay as many as they were: a product of one row is computed by another kernel.
        if len(a) != len(b) or max(along) >= len(b) - 2:
            return False
        if left is not None and narrow_axes(left.shape, a) == along:
            return self._narrowed(node, [left.name, right.name], [along])
        return self._one_matrix(node, right, a)

    def _one_matrix(self, node: onnx.NodeProto, right: Narrow, a: Shape) -> bool:
        """A product of each candidate's row with one matrix: all rows at once, and never a single one."""
        kind = self._view.float_type(node.input[0])
        if kind is None or self._view.is_constant(right.name) or any(size != 1 for size in right.shape[:-2]):
            return False
        if right.shape[-1] == 1 or any(size not in (1, CANDIDATES) for size in a[:-1]):
            return False
        copy = self._edit.node("MatMul", [node.input[0], right.name], node.output[0])
        made, detail = one_row_more(copy, a, kind, self._edit)
        for step in made:
            self._emit(step)
        if made:
            self._note(node.output[0], node, f"one matrix for all candidates; {detail}")
        return bool(made)

    # ---- linear layers

    def _linear(self, node: onnx.NodeProto) -> bool:
        layer = layer_of(node, self._view)
        if layer is None or not groups_of(layer, self._view, self._narrow):
            return False
        if layer.output == node.output[0]:
            self._split(node, layer)
        else:
            self._absorbed[layer.output] = layer
        return True

    def _split(self, node: onnx.NodeProto, layer: Linear) -> None:
        """Writes the sum of the groups' products, the smallest first, so that the large sum happens once."""
        groups = groups_of(layer, self._view, self._narrow)
        kind = layer.weight.dtype
        wide = [(self._join(layer, list(group.weights)), np.concatenate([*group.weights.values()])) for group in groups]
        whole = (self._view.shape(layer.input) or ())[:-1]
        lead, total = groups[0].lead, ""
        for place, (group, (name, weight)) in enumerate(zip(groups, wide, strict=True)):
            lead = broadcast([lead, group.lead]) or lead
            is_whole = place == len(groups) - 1 and lead == whole
            output = layer.output if is_whole else self._edit.fresh(f"{layer.output}.narrow")
            rows = self._edit.constant(weight, kind)
            added = total or ("" if layer.bias is None else self._edit.constant(layer.bias, kind))
            if not added:
                self._emit(self._edit.node("MatMul", [name, rows], output))
            elif len(lead) == 1 and lead == group.lead:
                self._emit(self._edit.node("Gemm", [name, rows, added], output))
            else:
                product = self._edit.fresh(f"{layer.output}.product")
                self._emit(self._edit.node("MatMul", [name, rows], product))
                self._emit(self._edit.node("Add", [product, added], output))
            total = output
        if total != layer.output:
            columns = layer.weight.shape[1]
            self._repeat(layer.output, Narrow(total, (*lead, columns)), (*whole, columns))
        parts = " + ".join(
            f"{_text((*group.lead, len(weight)))} @ {_text(weight.shape)}"
            for group, (_, weight) in zip(groups, wide, strict=True)
        )
        self._note(total, node, f"linear layer over {_text(self._view.shape(layer.input))}: {parts}")

    def _join(self, layer: Linear, names: Sequence[str]) -> str:
        if len(names) == 1:
            return names[0]
        key = tuple(names)
        if key not in self._joined:
            self._joined[key] = self._edit.fresh(f"{layer.output}.part")
            self._emit(self._edit.node("Concat", names, self._joined[key], axis=-1))
        return self._joined[key]

    # ---- writing

    def _narrowed(self, node: onnx.NodeProto, inputs: Sequence[str], axes: Sequence[frozenset[int]]) -> bool:
        """Writes the node with other inputs; outputs that are narrow then are repeated behind it."""
        shapes = [self._view.shape(name) for name in node.output]
        if any(shape is None or (along and None in shape) for shape, along in zip(shapes, axes, strict=True)):
            return False
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        del copy.input[:], copy.output[:]
        copy.input.extend(inputs)
        made = [
            self._edit.fresh(f"{name}.narrow") if along else name for name, along in zip(node.output, axes, strict=True)
        ]
        copy.output.extend(made)
        copy.name = made[0]
        self._emit(copy)
        for name, narrow, full, along in zip(node.output, made, shapes, axes, strict=True):
            if full is None:
                continue
            shape = narrowed(full, along)
            if along:
                self._repeat(name, Narrow(narrow, shape), full)
            gain = f"runs on {_text(shape)}" if along else "reads its inputs before they are repeated"
            self._note(narrow, node, f"{node.op_type} of {_text(full)} {gain}")
        return True

    def _note(self, made: str, node: onnx.NodeProto, detail: str) -> None:
        """Notes what became of a node; it counts if what was made is read in the end."""
        self._gained |= node.op_type not in _FREE
        self._applied[made] = (node.name, detail)

    def _repeat(self, name: str, narrow: Narrow, full: Shape) -> None:
        """Writes the whole tensor for those that need it; nobody may."""
        self._narrow[name] = narrow
        self._emit(self._edit.node("Expand", [narrow.name, self._target(full)], name))

    def _target(self, full: Shape) -> str:
        """A shape as a tensor; the number of candidates is read from an input."""
        if CANDIDATES not in full:
            return self._edit.constant([size for size in full if isinstance(size, int)], np.int64)
        if full not in self._targets:
            block = next(v.name for v in self._graph.input if (self._view.shape(v.name) or (0,))[0] == CANDIDATES)
            size = self._edit.fresh("rewrite.size")
            self._emit(self._edit.node("Shape", [block], size, start=0, end=1))
            name = self._edit.fresh("rewrite.shape")
            parts = [self._edit.constant([dim], np.int64) if isinstance(dim, int) else size for dim in full]
            self._emit(self._edit.node("Concat", parts, name, axis=0))
            self._targets[full] = name
        return self._targets[full]

    def _emit(self, node: onnx.NodeProto) -> None:
        self._nodes.append(node)


def _text(shape: Sequence[Dim] | None) -> str:
    return "?" if shape is None else f"[{', '.join(map(str, shape))}]"
