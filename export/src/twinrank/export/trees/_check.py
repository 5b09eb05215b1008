"""The structural truth of a forest: whoever reads one made by `check_forest` meets no surprise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._errors import TreeModelError
from twinrank.export.trees._forest import Column, Forest, Mode, Rule

MAX_SPLITS = 999_999
"""More splits are refused: a ranker of so many is a mistake, and every reader would have to hold it."""
MAX_MEMBERS = 10_000_000
"""Members of all sets together."""
MAX_DEPTH = 1_000
"""Deeper trees are refused: ONNX Runtime walks down a tree by recursion while it loads, on threads of 1 MiB in Java."""

_SETS = {Rule.TRUNCATED: 2**31, Rule.FLOORED: 2**24}
"""Rules whose columns are split by sets, and what every member is below."""
_REMEDY = "Export the model again from the library that trained it; a file is never to be edited by hand."


def check_forest(forest: Forest) -> int:
    """Checks everything that `Forest` promises.

    Returns:
        The depth of the deepest tree, in splits.

    Raises:
        TreeModelError: ``tree_model_too_large`` beyond `MAX_SPLITS`, `MAX_MEMBERS` or `MAX_DEPTH`;
            ``tree_model_unsupported`` where a score could be -0 natively, which no sum from 0 is;
            ``tree_model_invalid`` for all else.
    """
    if forest.split_columns.size > MAX_SPLITS:
        _too_large(
            "the forest", f"{forest.split_columns.size} splits, allowed are {MAX_SPLITS}", "fewer trees or leaves"
        )
    if forest.members.size > MAX_MEMBERS:
        _too_large("the forest", f"{forest.members.size} members of sets, allowed are {MAX_MEMBERS}", "smaller sets")
    _check_arrays(forest)
    _check_columns(forest)
    _check_splits(forest)
    _check_sets(forest)
    depth = _check_trees(forest)
    _check_sums(forest)
    return depth


def categories_of(
    features: int,
    columns: tuple[Column, ...],
    split_columns: NDArray[np.int32],
    member_starts: NDArray[np.int64],
    members: NDArray[np.int64],
) -> tuple[tuple[int, ...], ...]:
    """Returns ``Forest.categories`` for the splits of a forest."""
    owners = np.array([column.feature for column in columns], np.int64)
    of_members = owners[np.repeat(split_columns, np.diff(member_starts))] if columns else np.empty(0, np.int64)
    return tuple(tuple(np.unique(members[of_members == feature]).tolist()) for feature in range(features))


def _invalid(where: str, detail: str) -> None:
    raise TreeModelError("tree_model_invalid", where, detail, _REMEDY)


def _too_large(where: str, detail: str, what: str) -> None:
    raise TreeModelError("tree_model_too_large", where, detail, f"Train with {what}.")


def _check_arrays(forest: Forest) -> None:
    splits, trees = forest.split_columns.size, forest.roots.size
    floating = np.dtype(forest.dtype)
    expected: list[tuple[str, np.dtype[np.generic], int]] = [
        ("roots", np.dtype(np.int32), trees),
        ("tree_targets", np.dtype(np.int32), trees),
        ("split_columns", np.dtype(np.int32), splits),
        ("split_modes", np.dtype(np.uint8), splits),
        ("thresholds", floating, splits),
        ("trues", np.dtype(np.int32), splits),
        ("falses", np.dtype(np.int32), splits),
        ("missing_true", np.dtype(np.bool_), splits),
        ("member_starts", np.dtype(np.int64), splits + 1),
        ("members", np.dtype(np.int64), forest.members.size),
        ("leaves", floating, forest.leaves.size),
    ]
    for name, dtype, size in expected:
        array = getattr(forest, name)
        if array.dtype != dtype or array.shape != (size,):
            _invalid(name, f"{array.dtype} of shape {list(array.shape)}, expected {dtype} of shape [{size}]")
    if forest.targets < 1:
        _invalid("targets", f"{forest.targets}, at least 1 is needed")
    if trees == 0 and forest.base is None:
        _invalid("roots", "the model holds no tree")
    base = forest.base
    if base is not None and (base.dtype != floating or base.shape != (forest.targets,)):
        _invalid("base", f"{base.dtype} of shape {list(base.shape)}, expected {floating} of shape [{forest.targets}]")


def _check_columns(forest: Forest) -> None:
    if not forest.features:
        _invalid("features", "the model has none")
    seen: set[str] = set()
    for position, name in enumerate(forest.features):
        if not name or name in seen:
            _invalid(f"feature {position}", f"the name {name!r} is empty or comes twice")
        seen.add(name)
    if len(set(forest.columns)) != len(forest.columns):
        _invalid("columns", "one comes twice")
    for position, column in enumerate(forest.columns):
        if not 0 <= column.feature < len(forest.features):
            _invalid(f"column {position}", f"feature {column.feature} of {len(forest.features)}")
    if len(forest.categories) != len(forest.features):
        _invalid("categories", f"{len(forest.categories)} entries for {len(forest.features)} features")


def _check_splits(forest: Forest) -> None:
    splits, leaves = forest.split_columns.size, forest.leaves.size
    known = np.array([mode.value for mode in Mode], np.uint8)
    _refuse_splits(forest, ~np.isin(forest.split_modes, known), "a mode that does not exist")
    outside = (forest.split_columns < 0) | (forest.split_columns >= len(forest.columns))
    _refuse_splits(forest, outside, f"a column outside 0 to {len(forest.columns) - 1}")
    _refuse_splits(forest, np.isnan(forest.thresholds), "a threshold that is NaN")
    for name in ("trues", "falses"):
        child = getattr(forest, name)
        _refuse_splits(forest, (child >= splits) | (child < -leaves), f"a child in {name} that does not exist")
    for tree, root in enumerate(forest.roots):
        if not -leaves <= root < splits:
            _invalid(f"tree {tree}", f"root {root} does not exist")
    wrong = np.flatnonzero((forest.tree_targets < 0) | (forest.tree_targets >= forest.targets))
    if wrong.size:
        _invalid(f"tree {wrong[0]}", f"target {forest.tree_targets[wrong[0]]} of {forest.targets}")
    for name, values in (("leaf", forest.leaves), ("base", forest.base)):
        if values is not None and not np.isfinite(values).all():
            position = int(np.flatnonzero(~np.isfinite(values))[0])
            _invalid(f"{name} {position}", f"{values[position]} is no finite number")


def _check_sets(forest: Forest) -> None:
    starts, members = forest.member_starts, forest.members
    if starts[0] != 0 or starts[-1] != members.size or (np.diff(starts) < 0).any():
        _invalid("member_starts", f"not ascending from 0 to {members.size}")
    is_set = forest.split_modes == Mode.MEMBER
    by_sets = np.array([column.rule in _SETS for column in forest.columns], np.bool_)
    _refuse_splits(forest, by_sets[forest.split_columns] != is_set, "a set on a number, or a threshold on a category")
    _refuse_splits(forest, ~is_set & (np.diff(starts) > 0), "a set beside a threshold")
    _refuse_splits(forest, is_set & (forest.thresholds != 0), "a threshold beside a set")
    owner = np.repeat(np.arange(is_set.size), np.diff(starts))
    falling = np.zeros(members.size, np.bool_)
    falling[1:] = (np.diff(members) <= 0) & (np.diff(owner) == 0)
    limits = np.array([_SETS.get(column.rule, 0) for column in forest.columns], np.int64)
    bad = falling | (members < 0) | (members >= limits[forest.split_columns[owner]]) if members.size else falling
    refused = np.zeros(is_set.size, np.bool_)
    refused[owner[bad]] = True
    _refuse_splits(forest, refused, "a set whose members do not ascend, or are no categories")
    found = categories_of(len(forest.features), forest.columns, forest.split_columns, starts, members)
    for name, stated, real in zip(forest.features, forest.categories, found, strict=True):
        if stated != real:
            _invalid(f"categories of {name!r}", f"{len(stated)} are stated, the sets name {len(real)}")


def _check_trees(forest: Forest) -> int:
    """Every split and every leaf has one parent, and is reached from a root; returns the depth."""
    splits, leaves = forest.split_columns.size, forest.leaves.size
    children = np.concatenate([forest.roots, forest.trues, forest.falses])
    parents = np.bincount(children[children >= 0], minlength=splits)
    leaf_parents = np.bincount(~children[children < 0], minlength=leaves)
    _refuse_splits(forest, parents != 1, "not exactly one parent")
    if (leaf_parents != 1).any():
        leaf = int(np.flatnonzero(leaf_parents != 1)[0])
        _invalid(f"leaf {leaf}", f"{leaf_parents[leaf]} parents, it needs one")
    level = forest.roots[forest.roots >= 0]
    reached = depth = 0
    while level.size:
        reached, depth = reached + level.size, depth + 1
        if depth > MAX_DEPTH:
            _too_large("the forest", f"a tree is deeper than {MAX_DEPTH} splits", "a bound on the depth of trees")
        below = np.concatenate([forest.trues[level], forest.falses[level]])
        level = below[below >= 0]
    if reached != splits:
        _invalid("the forest", f"{splits - reached} splits are reached from no root: they form a circle")
    return depth


def _check_sums(forest: Forest) -> None:
    """A sum from 0 is never -0; the native one, from a base of -0, is where every leaf that is hit is -0, too."""
    if forest.base is None:
        return
    for target in np.flatnonzero((forest.base == 0) & np.signbit(forest.base)):
        roots = forest.roots[forest.tree_targets == target]
        if all(_may_be_negative_zero(forest, root) for root in roots):
            raise TreeModelError(
                "tree_model_unsupported",
                f"target {target}",
                "its base is -0 and so is a leaf of each of its trees: some rows would score -0, and here 0",
                "Train with a base score that is not 0, or until the trees differ from 0.",
            )


def _may_be_negative_zero(forest: Forest, root: int) -> bool:
    level = np.array([root])
    while level.size:
        hit = forest.leaves[~level[level < 0]]
        if ((hit == 0) & np.signbit(hit)).any():
            return True
        inner = level[level >= 0]
        level = np.concatenate([forest.trues[inner], forest.falses[inner]])
    return False


def _refuse_splits(forest: Forest, refused: NDArray[np.bool_], detail: str) -> None:
    if refused.any():
        split = int(np.flatnonzero(refused)[0])
        _invalid(place_of(forest, split), detail)


def place_of(forest: Forest, split: int) -> str:
    """Names a split as people look for it; readers number splits tree by tree."""
    starts = [(int(root), tree) for tree, root in enumerate(forest.roots) if root >= 0]
    for (root, tree), (following, _) in pairwise([*starts, (forest.split_columns.size, -1)]):
        if root <= split < following:
            return f"tree {tree}, split {split - root}"
    return f"split {split}"
