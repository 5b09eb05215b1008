"""One tree of an XGBoost model file, checked and numbered anew: splits and leaves that the root leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._check import MAX_DEPTH
from twinrank.export.trees._errors import TreeModelError

_LARGEST_CATEGORY = (1 << 24) - 1
"""Of those above, a float32 does not hold each, and the library takes them for none."""

_INT32 = np.iinfo(np.int32)
_T = TypeVar("_T", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Shape:
    """What every tree of a model must fit: number of features, number of targets."""

    features: int
    targets: int


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A tree of N splits and L leaves; a child of 0 or more is a split, else leaf ``~child``.

    Attributes:
        target: what it adds to.
        root: int32 [1].
        features: int64 [N], positions.
        is_set: bool [N], whether a split asks for a category's membership.
        conditions: float32 [N]; 0 for sets.
        trues: int32 [N]: where a value below the condition goes, or one that is in the set.
        falses: int32 [N].
        missing_true: bool [N].
        set_sizes: int64 [N].
        members: int64, set after set, ascending in each.
        leaves: float32 [L].
    """

    target: int
    root: NDArray[np.int32]
    features: NDArray[np.int64]
    is_set: NDArray[np.bool_]
    conditions: NDArray[np.float32]
    trues: NDArray[np.int32]
    falses: NDArray[np.int32]
    missing_true: NDArray[np.bool_]
    set_sizes: NDArray[np.int64]
    members: NDArray[np.int64]
    leaves: NDArray[np.float32]

    @property
    def splits(self) -> int:
        """N."""
        return len(self.features)

    def scaled(self, weight: np.float32) -> Tree:
        """Return the tree with its leaves multiplied in float32."""
        return replace(self, leaves=self.leaves * weight)


def read_tree(given: Mapping[str, Any], position: int, target: int, shape: Shape) -> list[Tree]:
    """Return a tree; of one whose leaves are vectors, one for each target, which differ in their leaves alone.

    Args:
        given: the tree's object in the file.
        position: its position in the model, for messages.
        target: what a tree with single leaves adds to.
        shape: of the model.

    Raises:
        TreeModelError: ``tree_model_invalid`` if it is no tree.
    """
    return _Reader(given, position, shape).trees(target)


class _Reader:
    def __init__(self, given: Mapping[str, Any], position: int, shape: Shape) -> None:
        self.given = given
        self.where = f"tree {position}"
        self.shape = shape
        parameters = given.get("tree_param")
        if not isinstance(parameters, dict):
            raise self.invalid("tree_param is no object")
        self.nodes = self.count(parameters, "num_nodes")
        self.deleted = self.count(parameters, "num_deleted")
        self.width = max(1, self.count(parameters, "size_leaf_vector"))
        if self.count(parameters, "num_feature") != shape.features:
            raise self.invalid(f"it has {parameters['num_feature']} features, the model {shape.features}")
        if self.width not in (1, shape.targets):
            raise self.invalid(f"leaves of {self.width} targets, the model has {shape.targets}")
        if self.nodes == 0:
            raise self.invalid("it has no nodes")
        self.lefts = self.integers("left_children", self.nodes)
        self.rights = self.integers("right_children", self.nodes)

    def trees(self, target: int) -> list[Tree]:
        reached = self.reached()
        is_leaf = self.lefts == -1
        inner, outer = np.flatnonzero(reached & ~is_leaf), np.flatnonzero(reached & is_leaf)
        numbers = np.zeros(self.nodes, np.int32)
        numbers[inner] = np.arange(len(inner))
        numbers[outer] = ~np.arange(len(outer))
        features = self.integers("split_indices", self.nodes)[inner]
        if ((features < 0) | (features >= self.shape.features)).any():
            bad = inner[(features < 0) | (features >= self.shape.features)][0]
            raise self.invalid(f"it splits on a feature outside 0 to {self.shape.features - 1}", int(bad))
        conditions = self.floats("split_conditions", self.nodes)
        is_set = self.set_splits()[inner]
        values = np.where(is_set, np.float32(0), conditions[inner]).astype(np.float32)
        if np.isnan(values).any():
            raise self.invalid("it compares with NaN", int(inner[np.isnan(values)][0]))
        sizes, members = self.sets(inner, is_set)
        below, rest = numbers[self.lefts[inner]], numbers[self.rights[inner]]
        missing_left = self.flags("default_left")[inner]
        tree = Tree(
            target=target,
            root=numbers[:1],
            features=features,
            is_set=is_set,
            conditions=values,
            # A value goes left where it is below the condition, and where it is not in the set.
            trues=np.where(is_set, rest, below),
            falses=np.where(is_set, below, rest),
            missing_true=missing_left != is_set,
            set_sizes=sizes,
            members=members,
            leaves=np.zeros(0, np.float32),
        )
        if self.width == 1:
            return [replace(tree, leaves=self.finite(conditions[outer], outer))]
        leaves = self.finite(self.vectors(outer), outer)
        return [replace(tree, target=output, leaves=leaves[:, output].copy()) for output in range(self.width)]

    def reached(self) -> NDArray[np.bool_]:
        """Return which nodes the root leads to, each by one way; the others must be those that pruning deleted."""
        parents = self.integers("parents", self.nodes)
        if parents[0] not in (-1, _INT32.max):
            raise self.invalid("the root has a parent", 0)
        seen = np.zeros(self.nodes, np.bool_)
        seen[0] = True
        level = np.zeros(1, np.int64)
        for _ in range(MAX_DEPTH):
            level = level[self.lefts[level] != -1]
            if not len(level):
                break
            children = np.concatenate([self.lefts[level], self.rights[level]])
            above = np.concatenate([level, level])
            out = (children < 0) | (children >= self.nodes)
            if out.any():
                raise self.invalid(f"a child outside 0 to {self.nodes - 1}", int(above[out][0]))
            again = seen[children] | (parents[children] != above)
            if again.any() or len(np.unique(children)) != len(children):
                bad = above[again][0] if again.any() else above[0]
                raise self.invalid("a child that hangs elsewhere too: a loop, or two parents", int(bad))
            seen[children] = True
            level = children
        else:
            raise TreeModelError(
                "tree_model_too_large", self.where, f"deeper than {MAX_DEPTH:,}", "Train fewer or smaller trees"
            )
        lost = self.nodes - int(np.count_nonzero(seen))
        if lost != self.deleted:
            raise self.invalid(f"{lost} nodes hang nowhere, and {self.deleted} were deleted")
        single = seen & (self.lefts == -1) & (self.rights != -1)
        if self.width == 1 and single.any():
            raise self.invalid("one child", int(np.flatnonzero(single)[0]))
        return seen

    def set_splits(self) -> NDArray[np.bool_]:
        if "split_type" not in self.given:
            return np.zeros(self.nodes, np.bool_)
        kinds = self.integers("split_type", self.nodes)
        if not np.isin(kinds, (0, 1)).all():
            raise self.invalid("a split_type other than 0 and 1", int(np.flatnonzero(~np.isin(kinds, (0, 1)))[0]))
        return np.asarray(kinds == 1)

    def sets(self, inner: NDArray[np.int64], is_set: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each split's number of categories, and the categories of all."""
        sizes = np.zeros(len(inner), np.int64)
        if "split_type" not in self.given:
            return sizes, np.zeros(0, np.int64)
        nodes, starts = self.integers("categories_nodes"), self.integers("categories_segments")
        counts, every = self.integers("categories_sizes"), self.integers("categories")
        if not len(nodes) == len(starts) == len(counts):
            raise self.invalid(f"{len(nodes)} nodes with categories, {len(starts)} segments, {len(counts)} sizes")
        if (
            (starts < 0).any()
            or (counts < 1).any()
            or (counts > len(every)).any()
            or (starts > len(every) - counts).any()
        ):
            raise self.invalid("a segment outside its categories")
        if len(np.unique(nodes)) != len(nodes):
            raise self.invalid("a node with two sets of categories")
        if ((every < 0) | (every > _LARGEST_CATEGORY)).any():
            raise self.invalid(f"a category outside 0 to {_LARGEST_CATEGORY}")
        if int(counts.sum()) > len(every):
            raise self.invalid("sets that share their categories")
        at = {int(node): index for index, node in enumerate(nodes)}
        members = []
        for split in np.flatnonzero(is_set):
            index = at.get(int(inner[split]))
            if index is None:
                raise self.invalid("a split by categories without any", int(inner[split]))
            found = np.unique(every[starts[index] : starts[index] + counts[index]])
            sizes[split] = len(found)
            members.append(found)
        return sizes, np.concatenate([np.zeros(0, np.int64), *members])

    def vectors(self, outer: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the leaves' vectors, float32 [L, targets]."""
        if "leaf_weights" not in self.given:
            # Until 3.1 every node has a vector, and a leaf's is its value.
            return self.floats("base_weights", self.nodes * self.width).reshape(self.nodes, self.width)[outer]
        leaves = self.floats("leaf_weights")
        places = self.rights[outer]
        if len(leaves) % self.width or ((places < 0) | (places >= len(leaves) // self.width)).any():
            raise self.invalid(f"a leaf outside the {len(leaves)} leaf_weights of {self.width} targets each")
        return leaves.reshape(-1, self.width)[places]

    def finite(self, leaves: NDArray[np.float32], outer: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = np.isfinite(leaves).reshape(len(outer), -1).all(1)
        if not rows.all():
            raise self.invalid("a leaf that is no finite number", int(outer[~rows][0]))
        return leaves

    def count(self, parameters: Mapping[str, Any], key: str) -> int:
        text = parameters.get(key)
        if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 10:
            raise self.invalid(f"tree_param.{key} is {str(text)[:40]!r}, no count")
        return int(text)

    def integers(self, key: str, length: int | None = None) -> NDArray[np.int64]:
        """Return a field of integers; an unsigned 32 bit one is read as it was meant."""
        found = self.field(key)
        if isinstance(found, list):
            if not all(type(value) is int for value in found):
                raise self.invalid(f"an element of {key} is no integer")
            try:
                values = np.array(found, np.int64)
            except OverflowError:
                raise self.invalid(f"an element of {key} is larger than any that XGBoost writes") from None
        elif np.issubdtype(found.dtype, np.integer):
            values = found.astype(np.int64)
        else:
            raise self.invalid(f"{key} has elements of type {found.dtype}")
        return self.sized(key, values, length)

    def floats(self, key: str, length: int | None = None) -> NDArray[np.float32]:
        found = self.field(key)
        if isinstance(found, list):
            # XGBoost writes an exponent at every float; a float of JSON is one of float32 already.
            if not all(type(value) in (float, np.float32) for value in found):
                raise self.invalid(f"an element of {key} is no floating-point number")
            values = np.array(found, np.float32)
        elif found.dtype == np.float32:
            values = found
        else:
            raise self.invalid(f"{key} has elements of type {found.dtype}")
        return self.sized(key, values, length)

    def flags(self, key: str) -> NDArray[np.bool_]:
        found = self.field(key)
        if isinstance(found, list) and all(type(value) is bool for value in found):
            return self.sized(key, np.array(found, np.bool_), self.nodes)
        values = self.integers(key, self.nodes)
        if not np.isin(values, (0, 1)).all():
            raise self.invalid(f"an element of {key} is neither 0 nor 1")
        return np.asarray(values == 1)

    def field(self, key: str) -> list[Any] | NDArray[Any]:
        found = self.given.get(key)
        if not isinstance(found, list | np.ndarray):
            raise self.invalid(f"{key} is {'missing' if found is None else 'no list'}")
        return found

    def sized(self, key: str, values: NDArray[_T], length: int | None) -> NDArray[_T]:
        if length is not None and len(values) != length:
            raise self.invalid(f"{key} has {len(values)} elements, not {length}")
        return values

    def invalid(self, detail: str, node: int | None = None) -> TreeModelError:
        place = self.where if node is None else f"{self.where}, node {node}"
        return TreeModelError(
            "tree_model_invalid", place, detail, "Save it again with Booster.save_model as .ubj or .json"
        )
