"""XGBoost's model files, JSON and UBJSON, read strictly into forests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._check import MAX_SPLITS, check_forest
from twinrank.export.trees._forest import Column, Forest, Mode, Rule
from twinrank.export.trees._xgboost_file import (
    XgboostSource,
    bytes_of,
    count_of,
    float32_of,
    integers_of,
    invalid,
    list_of,
    numbers_of,
    object_of,
    parsed,
    text_of,
    too_large,
    unsupported,
)
from twinrank.export.trees._xgboost_margin import base_margins, link_of
from twinrank.export.trees._xgboost_trees import Shape, Tree, read_tree

_OLDEST = (1, 7)
_NEWEST_MAJOR = 3
_FEATURES = 1 << 20


@dataclass(frozen=True, slots=True)
class XgboostModel:
    """A model file and what a forest has no place for.

    Attributes:
        forest: the trees.
        categories: by feature, its categories in the order of their codes, where the model was trained on a data frame
            with categories (XGBoost 3.1 and later): a string or number there is the code (0, 1, …) here.
        best_iteration: the round (from 0) at which early stopping found the model best; None where the file names none.
        notes: what a person should know, one sentence each.
    """

    forest: Forest
    categories: Mapping[str, tuple[str | int | float, ...]]
    best_iteration: int | None
    notes: tuple[str, ...]


def read_xgboost(source: XgboostSource | object, *, iterations: int | Literal["best"] | None = None) -> Forest:
    """Return the forest of an XGBoost model; see `open_xgboost`."""
    return open_xgboost(source, iterations=iterations).forest


def open_xgboost(source: XgboostSource | object, *, iterations: int | Literal["best"] | None = None) -> XgboostModel:
    """Return an XGBoost model of a release from 1.7 to 3.x, booster gbtree or dart.

    Raw scores are margins in float32: what ``Booster.predict(…, output_margin=True)`` gives on one thread of an x86-64
    machine. Columns are compared in float32, so a matrix of float64 is rounded to the nearest float32 first, as
    DMatrix does. NaN is missing; where the caller's DMatrix was made with another ``missing``, that value must be
    turned to NaN first. Infinities are values, as ``Booster.inplace_predict`` takes them.

    Args:
        source: a file, its bytes, a Booster, or an sklearn wrapper.
        iterations: boosting rounds to take, from the first on. None takes all, as ``Booster.predict`` does;
            ``"best"`` those up to the best of early stopping, as ``XGBRanker.predict`` does.

    Raises:
        TreeModelError: ``tree_model_invalid`` for a file that is not one or is damaged; ``tree_model_unsupported``
            for what cannot be given to the bit, and for other releases; ``tree_model_too_large``.
        OSError: if the file cannot be read.
    """
    data = bytes_of(source)
    document = parsed(data)
    version = _version(document)
    learner = object_of(document, "learner", "the file")
    name, booster, weights = _booster(learner)
    parameters = _Parameters.read(object_of(learner, "learner_model_param", "learner"))
    objective = text_of(object_of(learner, "objective", "learner"), "name", "learner.objective")
    model = object_of(booster, "model", "learner.gradient_booster")
    names = _names(learner, parameters.features)
    rounds = _Rounds.read(model, parameters.targets)
    best = _best_iteration(learner)
    taken = rounds.trees_of(iterations, best)
    trees = _trees(model, rounds, taken, Shape(parameters.features, parameters.targets), weights)
    notes = []
    if iterations is None and best is not None and best + 1 < rounds.count:
        notes.append(
            f"early stopping found round {best} best, and all {rounds.count} rounds are taken, as Booster.predict "
            'does; XGBRanker.predict stops there (iterations="best")'
        )
    if name == "dart" or weights is not None:
        notes.append("dropout (dart): every leaf is scaled by its tree's weight in float32, as the library does")
    categories, lost = _category_names(model, names)
    if categories:
        notes.append(
            "trained on a data frame with categories: requests say the words, and the file gives each its code "
            f"({', '.join(sorted(categories))})"
        )
    if lost:
        notes.append(
            "XGBoost cut categories that are not ASCII when it wrote the file, so their names are not told "
            f"({', '.join(lost)})"
        )
    forest = _forest(trees, names, parameters, version, objective)
    check_forest(forest)
    return XgboostModel(forest, categories, best, tuple(notes))


def _version(document: Mapping[str, Any]) -> tuple[int, int, int]:
    found = document.get("version")
    parts = found.tolist() if isinstance(found, np.ndarray) else found
    if not isinstance(parts, list) or len(parts) != 3 or not all(type(part) is int for part in parts):
        raise invalid("version", f"{found!r} is no release; a model file of XGBoost has three numbers there")
    version = (parts[0], parts[1], parts[2])
    if version[:2] < _OLDEST or version[0] > _NEWEST_MAJOR:
        raise unsupported(
            "version",
            f"written by XGBoost {'.'.join(map(str, version))}; files of 1.7 to {_NEWEST_MAJOR}.x are read",
            "Load it with a release between them and save it again",
        )
    return version


def _booster(learner: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Sequence[Any] | None]:
    """Return the booster's name, the object that holds its model, and the trees' weights of dart."""
    where = "learner.gradient_booster"
    booster = object_of(learner, "gradient_booster", "learner")
    name = text_of(booster, "name", where)
    if name == "gblinear":
        raise unsupported(
            f"{where}.name", "gblinear is a linear model: it has no trees", "Train with booster gbtree or dart"
        )
    if name == "gbtree":
        model = object_of(booster, "model", where)
        return name, booster, list_of(model, "weight_drop", where) if "weight_drop" in model else None
    if name == "dart":
        return name, object_of(booster, "gbtree", where), list_of(booster, "weight_drop", where)
    raise invalid(f"{where}.name", f"no booster is called {name!r}")


@dataclass(frozen=True, slots=True)
class _Parameters:
    features: int
    targets: int
    base_scores: tuple[float, ...]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> _Parameters:
        where = "learner.learner_model_param"
        features = count_of(given, "num_feature", where)
        classes = count_of(given, "num_class", where)
        outputs = count_of(given, "num_target", where, 1)
        if features == 0:
            raise invalid(f"{where}.num_feature", "the model was never trained")
        if features > _FEATURES:
            raise too_large(f"{where}.num_feature", f"{features:,} features; {_FEATURES:,} are read")
        if classes > 1 and outputs > 1:
            raise invalid(where, f"{classes} classes of {outputs} targets; XGBoost has no such models")
        targets = max(classes, outputs, 1)
        if targets > _FEATURES:
            raise too_large(where, f"{targets:,} targets; {_FEATURES:,} are read")
        text = text_of(given, "base_score", where)
        number = r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
        if not re.fullmatch(rf"{number}|\[{number}(?:,{number})*\]", text):
            raise invalid(f"{where}.base_score", f"{text[:80]!r} is neither a number nor a list of numbers")
        scores = tuple(float32_of(part) for part in text.strip("[]").split(","))
        if not np.isfinite(scores).all():
            raise invalid(f"{where}.base_score", f"{text[:80]!r} is more than a float32 holds")
        # Before 3.1 there was one number for all targets.
        scores = scores * targets if len(scores) == 1 else scores
        if len(scores) != targets:
            raise invalid(f"{where}.base_score", f"{len(scores)} numbers for {targets} targets")
        return cls(features, targets, scores)


def _names(learner: Mapping[str, Any], count: int) -> tuple[str, ...]:
    names = list_of(learner, "feature_names", "learner") if "feature_names" in learner else []
    if not names:
        return tuple(f"f{position}" for position in range(count))
    if not all(isinstance(name, str) for name in names):
        raise invalid("learner.feature_names", "a name is no text")
    if len(names) != count:
        raise invalid("learner.feature_names", f"{len(names)} names for {count} features")
    if len(set(names)) != count:
        raise invalid("learner.feature_names", "two features have one name")
    return tuple(names)


@dataclass(frozen=True, slots=True)
class _Rounds:
    """Which trees belong to which boosting round: round i has those from ``starts[i]`` to ``starts[i + 1]``."""

    starts: tuple[int, ...]
    targets: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def read(cls, model: Mapping[str, Any], outputs: int) -> _Rounds:
        where = "learner.gradient_booster.model"
        parameters = object_of(model, "gbtree_model_param", where)
        trees = count_of(parameters, "num_trees", f"{where}.gbtree_model_param")
        parallel = count_of(parameters, "num_parallel_tree", f"{where}.gbtree_model_param", 1)
        info = integers_of(model, "tree_info", where)
        if len(info) != trees or len(list_of(model, "trees", where)) != trees:
            raise invalid(where, f"num_trees is {trees}, and there are {len(model['trees'])}, with {len(info)} targets")
        if any(not 0 <= target < outputs for target in info):
            raise invalid(f"{where}.tree_info", f"a target outside 0 to {outputs - 1}")
        if "iteration_indptr" in model:
            starts = integers_of(model, "iteration_indptr", where)
        else:
            # Before 2.0 every round had the same number of trees.
            each = parallel * (max(info, default=0) + 1)
            starts = list(range(0, trees + 1, each)) if each else []
        if not starts or starts[0] != 0 or starts[-1] != trees or sorted(starts) != starts:
            raise invalid(f"{where}.iteration_indptr", f"it does not lead from 0 to all {trees} trees")
        return cls(tuple(starts), tuple(info))

    def trees_of(self, iterations: int | Literal["best"] | None, best: int | None) -> int:
        """Return how many trees the first ``iterations`` rounds have."""
        if iterations is None:
            return self.starts[-1]
        if iterations == "best":
            if best is None:
                raise unsupported(
                    "learner.attributes.best_iteration", "the file names no best round", "Say a number of rounds"
                )
            iterations = best + 1
        if not 1 <= iterations <= self.count:
            raise unsupported(
                "learner.gradient_booster", f"{iterations} of {self.count} rounds are asked for", "Say a number in it"
            )
        return self.starts[iterations]


def _best_iteration(learner: Mapping[str, Any]) -> int | None:
    attributes = object_of(learner, "attributes", "learner")
    return count_of(attributes, "best_iteration", "learner.attributes") if "best_iteration" in attributes else None


def _trees(
    model: Mapping[str, Any], rounds: _Rounds, taken: int, shape: Shape, weights: Sequence[Any] | None
) -> list[Tree]:
    """Return the trees in the order in which their leaves are added."""
    where = "learner.gradient_booster.weight_drop"
    scales: NDArray[np.float32] | None = None
    if weights is not None:
        # From 3.3 on a model may go on without dropout, and the trees after the weights count whole.
        if len(weights) > len(rounds.targets) or not all(
            isinstance(weight, int | float | np.float32) for weight in weights
        ):
            raise invalid(where, f"{len(weights)} weights for {len(rounds.targets)} trees, or no numbers")
        scales = np.ones(len(rounds.targets), np.float32)
        scales[: len(weights)] = weights
        if not np.isfinite(scales).all():
            raise invalid(where, "a weight that is no finite number")
    trees: list[Tree] = []
    splits = 0
    for position, (found, target) in enumerate(zip(model["trees"][:taken], rounds.targets[:taken], strict=True)):
        if not isinstance(found, dict):
            raise invalid(f"tree {position}", "no object")
        if found.get("id") != position:
            raise invalid(f"tree {position}", f"its id is {found.get('id')!r}")
        made = read_tree(found, position, target, shape)
        if scales is not None:
            if len(made) > 1:
                raise unsupported(
                    f"tree {position}", "dropout over trees with a leaf for several targets", "Train without either"
                )
            made = [tree.scaled(scales[position]) for tree in made]
        splits += sum(tree.splits for tree in made)
        if splits > MAX_SPLITS:
            raise too_large(f"tree {position}", f"more than {MAX_SPLITS:,} splits so far")
        trees += made
    return trees


def _forest(
    trees: Sequence[Tree],
    names: tuple[str, ...],
    parameters: _Parameters,
    version: tuple[int, int, int],
    objective: str,
) -> Forest:
    """Put trees behind one another: splits, leaves and sets are numbered through."""

    def joined(arrays: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype, copy=False)

    splits = np.cumsum([0, *(tree.splits for tree in trees)])
    leaves = np.cumsum([0, *(len(tree.leaves) for tree in trees)])

    def children(which: Callable[[Tree], NDArray[np.int32]]) -> NDArray[np.int32]:
        moved = []
        for tree, split, leaf in zip(trees, splits, leaves, strict=False):
            child = which(tree)
            moved.append(np.where(child >= 0, child + split, child - leaf))
        return cast("NDArray[np.int32]", joined(moved, np.int32))

    features = joined([tree.features for tree in trees], np.int64)
    is_set = joined([tree.is_set for tree in trees], np.bool_)
    sizes = joined([tree.set_sizes for tree in trees], np.int64)
    members = joined([tree.members for tree in trees], np.int64)
    keys, inverse = np.unique(features * 2 + is_set, return_inverse=True)
    columns = tuple(Column(int(key) // 2, Rule.FLOORED if key % 2 else Rule.PLAIN) for key in keys)
    owners = np.repeat(features, sizes)
    categories = [()] * len(names)
    for feature in np.unique(owners):
        categories[feature] = tuple(np.unique(members[owners == feature]).tolist())
    return Forest(
        source="xgboost",
        source_version=".".join(map(str, version)),
        dtype="float32",
        features=names,
        columns=columns,
        categories=tuple(categories),
        targets=parameters.targets,
        roots=children(lambda tree: tree.root),
        tree_targets=np.array([tree.target for tree in trees], np.int32),
        split_columns=inverse.astype(np.int32),
        split_modes=np.where(is_set, np.uint8(Mode.MEMBER), np.uint8(Mode.LT)).astype(np.uint8),
        thresholds=joined([tree.conditions for tree in trees], np.float32),
        trues=children(lambda tree: tree.trues),
        falses=children(lambda tree: tree.falses),
        missing_true=joined([tree.missing_true for tree in trees], np.bool_),
        member_starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        members=members,
        leaves=joined([tree.leaves for tree in trees], np.float32),
        base=base_margins(objective, parameters.base_scores),
        link=link_of(objective),
        objective=objective,
    )


def _category_names(
    model: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[dict[str, tuple[str | int | float, ...]], tuple[str, ...]]:
    """Return the categories of the data frame that the model was trained on, by feature, and the features without.

    XGBoost 3.1 and 3.2 count a string's characters and store as many of its bytes: what is not ASCII is cut, and two
    categories may have become one. The trees hold codes and are whole; the names are not to be trusted.
    """
    where = "learner.gradient_booster.model.cats"
    if "cats" not in model:
        return {}, ()
    columns = list_of(object_of(model, "cats", "learner.gradient_booster.model"), "enc", where)
    if columns and len(columns) != len(names):
        raise invalid(f"{where}.enc", f"{len(columns)} columns for {len(names)} features")
    found: dict[str, tuple[str | int | float, ...]] = {}
    lost: list[str] = []
    for name, column in zip(names, columns, strict=False):
        place = f"{where}.enc of {name!r}"
        if not isinstance(column, dict):
            raise invalid(place, "no object")
        if "offsets" not in column:
            if values := numbers_of(column, "values", place):
                found[name] = tuple(values)
            continue
        ends = integers_of(column, "offsets", place)
        text = integers_of(column, "values", place)
        if ends and (ends[0] != 0 or ends[-1] != len(text) or sorted(ends) != ends):
            raise invalid(place, "its offsets do not divide its text")
        if any(not -128 <= value < 256 for value in text):
            raise invalid(place, "a byte outside -128 to 255")
        raw = bytes(value & 0xFF for value in text)
        if raw.isascii() and ends:
            found[name] = tuple(raw[start:end].decode() for start, end in pairwise(ends))
        elif ends:
            lost.append(name)
    return found, tuple(lost)
