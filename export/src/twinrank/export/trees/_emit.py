"""A forest as ONNX: its columns under their rules, and one operator TreeEnsemble (ai.onnx.ml 5) that sums its trees.

What is emitted, all of it, for those who read the graph instead of running it. From ``x`` [n, F]:

* PLAIN columns are ``x`` itself, whole, where there is any.
* Every other rule takes its features by ``Gather(x, int64 indices, axis=1)``, or ``x`` itself where it takes them all
  in order, and does one thing to the block ``c``:

  * ZERO_IS_MISSING: ``Where(LessOrEqual(Abs(c), 1e-35f), NaN, c)``.
  * TRUNCATED: ``Where(Greater(c, -1), Floor(Max(c, 0)), -1)``; NaN is not greater than -1 and so becomes -1.
  * FLOORED: ``Floor(c)``.
  * FLOAT32: ``Cast(Cast(c, float), double)``, or nothing in a float32 forest.

* ``Concat(axis=1)`` of those blocks in the order of `Rule` where there are several.
* ``TreeEnsemble``: ``aggregate_function`` 1 (sum), ``post_transform`` 0. Trees are in the forest's order after one tree
  per target for the base. A tree of one leaf is a node with two leaves of one value, so that no leaf has two parents. A
  set without members is a node "less than -inf", which no value is.

There is no cast from float to integer: those have no meaning outside the integer's range, and processors differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from twinrank.export.trees._forest import Column, Forest, Mode, Rule

ML_DOMAIN = "ai.onnx.ml"
ML_OPSET = 5
OPSET = 20
_IR_VERSION = 10
ZERO_THRESHOLD = float(np.float32(1e-35))
"""What LightGBM takes for 0: a float constant of C++, met by doubles."""


def forest_nodes(forest: Forest, x: str, scores: str, prefix: str) -> tuple[list[NodeProto], list[TensorProto]]:
    """Returns nodes and initializers that score a matrix; they add in the library's order on one intra-op thread only.

    Args:
        forest: a checked one.
        x: the name of a matrix [n, F] of ``forest.dtype``, columns in the order of ``forest.features``.
        scores: the name that the raw scores [n, K] of ``forest.dtype`` get.
        prefix: what every other name begins with, a slash behind it.
    """
    block = _Blocks(forest, x, prefix)
    positions = block.positions()
    ensemble = _ensemble(forest, positions)
    ensemble.input.append(block.result)
    ensemble.output.append(scores)
    ensemble.name = f"{prefix}/trees"
    return [*block.nodes, ensemble], block.initializers


def forest_model(forest: Forest) -> ModelProto:
    """Returns the forest alone as a model: input ``x`` [n, F], output ``scores`` [n, K]; needs no schema."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(forest.dtype))
    nodes, constants = forest_nodes(forest, "x", "scores", "forest")
    graph = helper.make_graph(
        nodes,
        "forest",
        [helper.make_tensor_value_info("x", kind, ["n", len(forest.features)])],
        [helper.make_tensor_value_info("scores", kind, ["n", forest.targets])],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)


class _Blocks:
    """The operator's input, one rule after the other."""

    def __init__(self, forest: Forest, x: str, prefix: str) -> None:
        self.forest = forest
        self.x = x
        self.prefix = prefix
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.result = x

    def positions(self) -> NDArray[np.int64]:
        """Writes the nodes; returns where each column of the forest stands in the result."""
        forest, width = self.forest, len(self.forest.features)
        at: dict[Column, int] = {}
        parts: list[str] = []
        start = 0
        for rule in Rule:
            taken = [column.feature for column in forest.columns if column.rule is rule]
            if not taken:
                continue
            if rule is Rule.PLAIN:
                taken = list(range(width))
            parts.append(self._apply(rule, taken))
            at |= {Column(feature, rule): start + i for i, feature in enumerate(taken)}
            start += len(taken)
        if len(parts) > 1:
            self.result = self._add("Concat", parts, "columns", axis=1)
        elif parts:
            self.result = parts[0]
        return np.array([at[column] for column in forest.columns], np.int64)

    def _apply(self, rule: Rule, features: list[int]) -> str:
        name = rule.value
        block = self.x
        if features != list(range(len(self.forest.features))):
            indices = self._constant(np.array(features, np.int64), f"{name}_features")
            block = self._add("Gather", [self.x, indices], f"{name}_values", axis=1)
        if rule is Rule.ZERO_IS_MISSING:
            size = self._add("Abs", [block], "size")
            zero = self._add("LessOrEqual", [size, self._number(ZERO_THRESHOLD, "zero_threshold")], "zero")
            return self._add("Where", [zero, self._number(np.nan, "missing"), block], name)
        if rule is Rule.TRUNCATED:
            minus_one = self._number(-1, "no_category")
            holds = self._add("Greater", [block, minus_one], "category")
            not_below = self._add("Max", [block, self._number(0, "first_category")], "not_below")
            whole = self._add("Floor", [not_below], "whole")
            return self._add("Where", [holds, whole, minus_one], name)
        if rule is Rule.FLOORED:
            return self._add("Floor", [block], name)
        if rule is Rule.FLOAT32 and self.forest.dtype == "float64":
            rounded = self._add("Cast", [block], "rounded", to=TensorProto.FLOAT)
            return self._add("Cast", [rounded], name, to=TensorProto.DOUBLE)
        return block

    def _number(self, value: float, name: str) -> str:
        return self._constant(np.array(value, self.forest.dtype), name)

    def _constant(self, value: NDArray[np.generic], name: str) -> str:
        full = f"{self.prefix}/{name}"
        self.initializers.append(numpy_helper.from_array(value, full))
        return full

    def _add(self, op: str, inputs: list[str], name: str, **attributes: int) -> str:
        full = f"{self.prefix}/{name}"
        node = helper.make_node(op, inputs, [full], full)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return full


def _ensemble(forest: Forest, positions: NDArray[np.int64]) -> NodeProto:
    """The operator without its names."""
    splits, leaves = forest.split_columns.size, forest.leaves.size
    lone = np.flatnonzero(forest.roots < 0)
    # Behind the forest's splits and leaves: one node with two leaves for each base, then for each tree that is a leaf.
    base = np.empty(0, forest.dtype) if forest.base is None else forest.base
    values = np.concatenate([base, forest.leaves[~forest.roots[lone]]])
    targets = np.concatenate([np.arange(base.size), forest.tree_targets[lone]])
    nothing = np.zeros(values.size, np.int64)
    first = leaves + 2 * np.arange(values.size)
    roots = forest.roots.astype(np.int64)
    roots[lone] = splits + base.size + np.arange(lone.size)
    modes, thresholds = forest.split_modes.copy(), forest.thresholds.copy()
    # ONNX Runtime asks an empty set for its largest member.
    empty = (modes == Mode.MEMBER) & (np.diff(forest.member_starts) == 0)
    modes[empty], thresholds[empty] = Mode.LT, -np.inf

    node = NodeProto(op_type="TreeEnsemble", domain=ML_DOMAIN)
    _int(node, "aggregate_function", 1)
    _int(node, "n_targets", forest.targets)
    _int(node, "post_transform", 0)
    _ints(node, "tree_roots", np.concatenate([splits + np.arange(base.size), roots]))
    _ints(node, "nodes_featureids", np.concatenate([positions[forest.split_columns], nothing]))
    _tensor(node, "nodes_modes", np.concatenate([modes, nothing.astype(np.uint8)]))
    _tensor(node, "nodes_splits", np.concatenate([thresholds, nothing.astype(forest.dtype)]))
    for side, children, added in (("true", forest.trues, first), ("false", forest.falses, first + 1)):
        ids = np.where(children < 0, ~children, children)
        _ints(node, f"nodes_{side}nodeids", np.concatenate([ids, added]))
        _ints(node, f"nodes_{side}leafs", np.concatenate([children < 0, nothing == 0]))
    _ints(node, "nodes_missing_value_tracks_true", np.concatenate([_missing_true(forest), nothing]))
    if (modes == Mode.MEMBER).any():
        _tensor(node, "membership_values", _memberships(forest, modes))
    _ints(node, "leaf_targetids", np.concatenate([_leaf_targets(forest), np.repeat(targets, 2)]))
    _tensor(node, "leaf_weights", np.concatenate([forest.leaves, np.repeat(values, 2)]))
    return node


def _missing_true(forest: Forest) -> NDArray[np.bool_]:
    """Where missing is true, with the same scores as in the forest.

    Of two sets on one column, one on the other's false side, whose true leaves are alike ONNX Runtime makes one, and
    takes the first's word for what is missing. So the first says what comes of both.
    """
    missing = forest.missing_true.copy()
    above = np.flatnonzero((forest.split_modes == Mode.MEMBER) & (forest.falses >= 0))
    below = forest.falses[above]
    alike = (forest.split_modes[below] == Mode.MEMBER) & (forest.split_columns[above] == forest.split_columns[below])
    alike &= (forest.trues[above] < 0) & (forest.trues[below] < 0)
    above, below = above[alike], below[alike]
    alike = forest.leaves[~forest.trues[above]] == forest.leaves[~forest.trues[below]]
    above, below = above[alike], below[alike]
    while (changed := missing[below] & ~missing[above]).any():
        missing[above[changed]] = True
    return missing


def _memberships(forest: Forest, modes: NDArray[np.uint8]) -> NDArray[np.floating]:
    """The sets in the order of their nodes, a NaN after each."""
    ends = forest.member_starts[1:][modes == Mode.MEMBER]
    values: NDArray[np.floating] = np.insert(forest.members.astype(forest.dtype), ends, np.nan)
    return values


def _leaf_targets(forest: Forest) -> NDArray[np.int64]:
    """What each leaf adds to: its tree's target, handed down level by level."""
    targets = np.zeros(forest.leaves.size, np.int64)
    level, of_level = forest.roots, forest.tree_targets
    while level.size:
        is_leaf = level < 0
        targets[~level[is_leaf]] = of_level[is_leaf]
        inner = level[~is_leaf]
        level = np.concatenate([forest.trues[inner], forest.falses[inner]])
        of_level = np.tile(of_level[~is_leaf], 2)
    return targets


def _int(node: NodeProto, name: str, value: int) -> None:
    node.attribute.add(name=name, type=AttributeProto.INT, i=value)


def _ints(node: NodeProto, name: str, values: NDArray[np.generic]) -> None:
    node.attribute.add(name=name, type=AttributeProto.INTS, ints=values.astype(np.int64).tolist())


def _tensor(node: NodeProto, name: str, values: NDArray[np.generic]) -> None:
    node.attribute.add(name=name, type=AttributeProto.TENSOR, t=numpy_helper.from_array(values, name))
