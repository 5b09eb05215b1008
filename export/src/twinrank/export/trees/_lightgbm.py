"""LightGBM's text model, read strictly; the rules are those of its own prediction (include/LightGBM/tree.h, release 4).

- Numeric: x <= threshold goes left. NaN goes the default way where missing is NaN; else it counts as 0.
- Missing "Zero" (``zero_as_missing``): NaN and what is at most 1e-35f in absolute value go the default way.
- Rows of the dense interface lose values of at most 1e-35f before any tree sees them: they are 0. So a threshold in
  that range is moved to its edge: what is at most 1e-35f then goes where 0 goes.
- Category: the integer part is looked up in a bit set; whatever is in no set, NaN among it, goes right.

Nothing is skipped because it looks harmless: a line with a key that this reader does not know may change what the
others mean, as ``is_linear`` once did.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._check import MAX_MEMBERS, MAX_SPLITS, check_forest
from twinrank.export.trees._emit import ZERO_THRESHOLD
from twinrank.export.trees._errors import TreeModelError
from twinrank.export.trees._forest import Column, Forest, Link, Mode, Rule
from twinrank.export.trees._lightgbm_text import (
    BY_LEAF_MAYBE,
    BY_SPLIT_MAYBE,
    INTEGER,
    MAX_BYTES,
    Block,
    LightGbmSource,
    blocks,
    invalid,
    text_of,
    unsupported,
)

VERSIONS = ("v3", "v4")
"""Of the file: LightGBM 3 and 4 write these."""
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NONE, _AS_ZERO, _AS_NAN = 0, 1, 2
_WORD = 32
_IDENTITY = (
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "lambdarank",
    "rank_xendcg",
    "custom",
)


@dataclass(frozen=True, slots=True)
class LightGbmFile:
    """A text model.

    Attributes:
        forest: its trees.
        pandas_categories: for each feature the values that the codes 0, 1, ... of its category stood for when the model
            was trained on a pandas frame with ``categorical_feature="auto"``; None where it was a number, or coded
            already, or where the file does not say whose categories those are.
        notes: what a person should know, one sentence each.
    """

    forest: Forest
    pandas_categories: tuple[tuple[object, ...] | None, ...]
    notes: tuple[str, ...]


def read_lightgbm(source: LightGbmSource) -> Forest:
    """Reads a text model of LightGBM 3 or 4; see `read_lightgbm_file`."""
    return read_lightgbm_file(source).forest


def read_lightgbm_file(source: LightGbmSource) -> LightGbmFile:
    """Reads a text model of LightGBM 3 or 4. LightGBM itself is not needed.

    Raw scores are those of ``Booster.predict(x, raw_score=True)`` for a dense matrix of float64. A sparse matrix keeps
    values of at most 1e-35f, which a dense one loses.

    Args:
        source: a path, a text, a Booster (whose best iteration counts, as in its own prediction), or an estimator.

    Raises:
        TreeModelError: ``tree_model_invalid`` with the line if it is damaged, edited, or no such file;
            ``tree_model_unsupported`` for another version and for linear trees; ``tree_model_too_large``.
        OSError: if it cannot be read.
    """
    lines = text_of(source).split("\n")
    if lines[0].rstrip("\r") != "tree":
        what = f"a text model begins with 'tree'; this begins with {lines[0][:40]!r}"
        if lines[0].startswith('{"learner"'):
            raise TreeModelError("tree_model_invalid", "line 1", what, "It looks like XGBoost's: give it to --xgboost")
        raise invalid(1, what)
    if lines[0] != "tree":
        raise TreeModelError(
            "tree_model_invalid",
            "line 1",
            "its lines end as in Windows, so the sizes of its trees are wrong and LightGBM cannot read it either",
            "Copy the file as it is, byte by byte",
        )
    head, trees, end = blocks(lines)
    features, per_iteration, sizes = _head(head)
    if len(trees) != len(sizes):
        raise invalid(end, f"{len(trees)} trees stand before 'end of trees', and tree_sizes speaks of {len(sizes)}")
    for tree, following, size in zip(trees, [*(each.line for each in trees[1:]), end], sizes, strict=True):
        found = sum(len(line.encode()) + 1 for line in lines[tree.line - 1 : following - 1])
        if found != size:
            raise invalid(tree.line, f"{tree.name} has {found} bytes, and tree_sizes says {size}: it was edited")
    if len(trees) % per_iteration:
        raise invalid(end, f"{len(trees)} trees are no multiple of num_tree_per_iteration, {per_iteration}")
    if "parameters:" in lines[end:] and "end of parameters" not in lines[end:]:
        raise invalid(len(lines), "the file ends among the parameters: it is cut off")
    _check_end(lines, end)
    forest = _forest(head, trees, features, per_iteration)
    check_forest(forest)
    return LightGbmFile(forest, *_pandas(lines, end, forest))


def _check_end(lines: list[str], end: int) -> None:
    """Nothing but the words of categories may follow the parameters: cut, they would be left without a word."""
    last = lines.index("end of parameters", end) if "end of parameters" in lines[end:] else len(lines)
    for number, line in enumerate(lines[last + 1 :], start=last + 2):
        if line and not line.startswith("pandas_categorical:"):
            raise invalid(
                number, f"{line[:40]!r} follows the parameters, where only pandas_categorical may: it was edited"
            )


def _head(head: Block) -> tuple[tuple[str, ...], int, list[int]]:
    """Names of features, trees an iteration, and the bytes that each tree should have."""
    version = head.text("version")
    if version not in VERSIONS:
        raise unsupported(
            f"line {head.line_of('version')}",
            f"the file's version is {version!r}; {' and '.join(VERSIONS)} are read, which LightGBM 3 and 4 write",
            "Load and save it with LightGBM 4",
        )
    per_iteration = head.integer("num_tree_per_iteration", 1)
    if head.integer("num_class", 1) != per_iteration:
        raise invalid(head.line_of("num_class"), "num_class and num_tree_per_iteration differ")
    count = head.integer("max_feature_idx", 0) + 1
    features = tuple(head.text("feature_names").split(" "))
    if len(features) != count:
        raise invalid(
            head.line_of("feature_names"), f"{len(features)} names for the {count} features of max_feature_idx"
        )
    if len(head.text("feature_infos").split(" ")) != count:
        raise invalid(head.line_of("feature_infos"), f"not as many entries as features, {count}")
    if "monotone_constraints" in head.values:
        head.integers("monotone_constraints", count, -1, 1)
    head.integer("label_index", -1)
    if not head.values.get("objective", ("custom", 0))[0].strip():
        # LightGBM reads past the end of such a line; the model of an objective of one's own has none.
        raise invalid(head.line_of("objective"), "objective is empty")
    trees = head.text("tree_sizes").count(" ") + 1 if head.text("tree_sizes") else 0
    return features, per_iteration, head.integers("tree_sizes", trees, 1, MAX_BYTES).tolist()


@dataclass
class _Growing:
    """The arrays of all trees so far."""

    features: int
    columns: dict[Column, int] = field(default_factory=dict)
    roots: list[int] = field(default_factory=list)
    parts: list[tuple[NDArray[np.generic], ...]] = field(default_factory=list)
    leaves: list[NDArray[np.float64]] = field(default_factory=list)
    members: list[NDArray[np.int64]] = field(default_factory=list)
    named: dict[int, list[NDArray[np.int64]]] = field(default_factory=dict)
    splits: int = 0
    leaf_count: int = 0
    member_count: int = 0

    def categories(self) -> tuple[tuple[int, ...], ...]:
        found = (self.named.get(feature) for feature in range(self.features))
        return tuple(tuple(np.unique(np.concatenate(each)).tolist()) if each else () for each in found)


def _forest(head: Block, trees: list[Block], features: tuple[str, ...], per_iteration: int) -> Forest:
    growing = _Growing(len(features))
    for tree in trees:
        _grow(growing, tree)
    arrays: list[NDArray[np.generic]] = [np.concatenate(part) for part in zip(*growing.parts, strict=True)]
    columns, modes, thresholds, trues, falses, missing, sizes = arrays or [np.zeros(0)] * 7
    starts = np.zeros(growing.splits + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    return Forest(
        source="lightgbm",
        source_version=head.text("version"),
        dtype="float64",
        features=features,
        columns=tuple(growing.columns),
        categories=growing.categories(),
        targets=per_iteration,
        roots=np.array(growing.roots, np.int32),
        tree_targets=(np.arange(len(trees)) % per_iteration).astype(np.int32),
        split_columns=columns.astype(np.int32),
        split_modes=modes.astype(np.uint8),
        thresholds=thresholds.astype(np.float64),
        trues=trues.astype(np.int32),
        falses=falses.astype(np.int32),
        missing_true=missing.astype(np.bool_),
        member_starts=starts,
        members=np.concatenate([np.zeros(0, np.int64), *growing.members]),
        leaves=np.concatenate([np.zeros(0), *growing.leaves]),
        base=None,
        link=_link(head, len(trees) // per_iteration),
        objective=head.values.get("objective", ("custom", 0))[0],
    )


def _grow(growing: _Growing, tree: Block) -> None:
    leaves = tree.integer("num_leaves", 1, MAX_SPLITS + 1)
    splits = leaves - 1
    if growing.splits + splits > MAX_SPLITS:
        raise _too_large(tree, f"more than {MAX_SPLITS:,} splits", "trees")
    if "is_linear" in tree.values and tree.integer("is_linear", 0, 1):
        raise unsupported(
            f"line {tree.line_of('is_linear')}",
            f"{tree.name} has linear models in its leaves, and no operator of ONNX sums them as LightGBM does",
            "Train with linear_tree=false",
        )
    if "shrinkage" in tree.values:
        tree.words("shrinkage", 1)
    values = tree.numbers("leaf_value", leaves)
    for index in np.flatnonzero(~np.isfinite(values)):
        raise invalid(tree.line_of("leaf_value"), f"leaf {index} of {tree.name} is {values[index]}, no score")
    growing.leaves.append(values)
    growing.roots.append(growing.splits if splits else ~growing.leaf_count)
    if splits:
        _grow_splits(growing, tree, splits)
    growing.splits += splits
    growing.leaf_count += leaves


def _too_large(tree: Block, what: str, less: str) -> TreeModelError:
    return TreeModelError(
        "tree_model_too_large",
        f"line {tree.line}",
        f"the model has {what} up to {tree.name}",
        f"Train fewer or smaller {less}",
    )


def _grow_splits(growing: _Growing, tree: Block, splits: int) -> None:
    for keys, due in ((BY_SPLIT_MAYBE, splits), (BY_LEAF_MAYBE, splits + 1), (("split_gain",), splits)):
        for key in keys:
            if key in tree.values:
                # LightGBM ends the process at a word here that is no number.
                tree.words(key, due)
    features = tree.integers("split_feature", splits, 0, growing.features - 1)
    stated = tree.numbers("threshold", splits)
    kinds = tree.integers("decision_type", splits, 0, 15)
    children = [tree.integers(key, splits, -splits - 1, splits - 1) for key in ("left_child", "right_child")]
    trues, falses = (np.where(side >= 0, side + growing.splits, ~(~side + growing.leaf_count)) for side in children)
    by_set, missing = (kinds & _CATEGORICAL) > 0, kinds >> 2
    for index in np.flatnonzero(missing > _AS_NAN):
        raise invalid(
            tree.line_of("decision_type"),
            f"decision {index} of {tree.name} is {kinds[index]}, of no missing type known",
        )
    for index in np.flatnonzero(np.isnan(stated)):
        raise invalid(tree.line_of("threshold"), f"threshold {index} of {tree.name} is NaN")
    columns = _columns(growing, features, np.where(by_set, 2, missing == _AS_ZERO))
    goes_left = np.where(missing == _NONE, stated >= 0, (kinds & _DEFAULT_LEFT) > 0)
    sizes = _sets(growing, tree, features, np.where(by_set, stated, -1))
    modes = np.where(by_set, Mode.MEMBER, Mode.LEQ)
    thresholds = np.where(by_set, 0, _moved(stated))
    growing.parts.append((columns, modes, thresholds, trues, falses, goes_left & ~by_set, sizes))


def _moved(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """What LightGBM takes for 0 goes where 0 goes."""
    at_zero = np.abs(thresholds) <= ZERO_THRESHOLD
    edges = np.where(thresholds >= 0, ZERO_THRESHOLD, np.nextafter(-ZERO_THRESHOLD, -np.inf))
    moved: NDArray[np.float64] = np.where(at_zero, edges, thresholds)
    return moved


def _columns(growing: _Growing, features: NDArray[np.int64], rules: NDArray[np.int64]) -> NDArray[np.int64]:
    """The column of each split."""
    by_number = (Rule.PLAIN, Rule.ZERO_IS_MISSING, Rule.TRUNCATED)
    pairs, of_split = np.unique(np.stack([features, rules]), axis=1, return_inverse=True)
    known = [
        growing.columns.setdefault(Column(feature, by_number[rule]), len(growing.columns))
        for feature, rule in pairs.T.tolist()
    ]
    return np.array(known, np.int64)[of_split]


def _sets(
    growing: _Growing, tree: Block, features: NDArray[np.int64], wanted: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Adds the members of every split; returns how many each has. ``wanted`` is a set's number, or -1 for a number."""
    count = tree.integer("num_cat", 0, len(wanted))
    bounds, words = np.zeros(1, np.int64), np.zeros(0, np.int64)
    if count:
        bounds = tree.integers("cat_boundaries", count + 1, 0, 2**31 - 1)
        if bounds[0] != 0 or (np.diff(bounds) < 0).any():
            raise invalid(tree.line_of("cat_boundaries"), f"cat_boundaries of {tree.name} do not ascend from 0")
        words = tree.integers("cat_threshold", int(bounds[-1]), 0, 2**_WORD - 1)
    sets = [_members(words[start:end]) for start, end in itertools.pairwise(bounds.tolist())]
    sizes = np.zeros(len(wanted), np.int64)
    for index in np.flatnonzero(wanted != -1):
        number = wanted[index]
        if not number.is_integer() or not 0 <= number < count:
            raise invalid(
                tree.line_of("threshold"), f"split {index} of {tree.name} names set {number:g}; there are {count}"
            )
        members = sets[int(number)]
        sizes[index] = members.size
        growing.members.append(members)
        growing.named.setdefault(int(features[index]), []).append(members)
    growing.member_count += int(sizes.sum())
    if growing.member_count > MAX_MEMBERS:
        raise _too_large(tree, f"more than {MAX_MEMBERS:,} members of sets of categories", "sets (max_cat_threshold)")
    return sizes


def _members(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bits of a set, ascending."""
    used = np.flatnonzero(words)
    bits = np.unpackbits(words[used].astype("<u4").view(np.uint8), bitorder="little").reshape(-1, _WORD)
    row, bit = np.nonzero(bits)
    found: NDArray[np.int64] = used[row] * _WORD + bit
    return found


def _link(head: Block, iterations: int) -> Link:
    divisor = max(1, iterations) if "average_output" in head.values else 1
    name, *options = head.values.get("objective", ("custom", 0))[0].split(" ")
    given: Mapping[str, str] = dict(option.split(":", 1) for option in options if ":" in option)
    if name in ("binary", "multiclassova"):
        try:
            return Link("sigmoid", float(given.get("sigmoid", "1")), divisor)
        except ValueError:
            raise invalid(head.line_of("objective"), f"sigmoid is {given['sigmoid']!r}, no number") from None
    if name == "multiclass":
        return Link("softmax", 1.0, divisor)
    if name == "cross_entropy":
        return Link("sigmoid", 1.0, divisor)
    if name in ("poisson", "gamma", "tweedie"):
        return Link("exp", 1.0, divisor)
    return Link("identity" if name in _IDENTITY and "sqrt" not in options else "other", 1.0, divisor)


def _pandas(
    lines: list[str], end: int, forest: Forest
) -> tuple[tuple[tuple[object, ...] | None, ...], tuple[str, ...]]:
    """What codes stood for, by feature: the last line, and the parameter that says which features were categories."""
    none = (None,) * len(forest.features)
    rest = lines[end:]
    found = next((line for line in reversed(rest) if line.startswith("pandas_categorical:")), None)
    if found is None:
        return none, ()
    line = end + len(rest) - rest[::-1].index(found)
    try:
        categories = json.loads(found.removeprefix("pandas_categorical:"))
    except ValueError as e:
        raise invalid(line, f"pandas_categorical is no JSON: {e}") from e
    if categories is None or categories == []:
        return none, ()
    if not isinstance(categories, list) or not all(isinstance(each, list) for each in categories):
        raise invalid(line, "pandas_categorical is neither null nor a list of lists")
    listed = next((each for each in rest if each.startswith("[categorical_feature: ")), "[categorical_feature: ]")
    words = listed.removeprefix("[categorical_feature: ").removesuffix("]").split(",")
    positions = [int(word) for word in words if INTEGER.fullmatch(word)]
    by_feature = dict(zip(positions, categories, strict=False))
    if len(positions) != len(categories) or not all(
        0 <= feature < len(forest.features) and max(forest.categories[feature], default=0) < len(values)
        for feature, values in by_feature.items()
    ):
        note = (
            f"The model was trained on a data frame with {len(categories)} columns of categories, and the file does "
            "not say which they are: give the codes of those columns, not their words."
        )
        return none, (note,)
    return tuple(tuple(by_feature[index]) if index in by_feature else None for index in range(len(forest.features))), ()
