"""CatBoost's JSON models over numbers, read strictly into forests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._check import MAX_SPLITS, check_forest
from twinrank.export.trees._errors import TreeModelError
from twinrank.export.trees._forest import Column, Forest, Link, Mode, Rule
from twinrank.export.trees._json import read_bytes, read_json

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

_DEPTH = 16
"""CatBoost grows no symmetric tree deeper."""
_FEATURES = 1 << 20
_SAVE = 'Save it again with save_model(…, format="json")'
_LINKS = {
    "Logloss": Link("sigmoid"),
    "CrossEntropy": Link("sigmoid"),
    "MultiClassOneVsAll": Link("sigmoid"),
    "MultiLogloss": Link("sigmoid"),
    "MultiCrossEntropy": Link("sigmoid"),
    "MultiClass": Link("softmax"),
    "Poisson": Link("exp"),
    "Tweedie": Link("exp"),
}


def read_catboost(source: Path | str | bytes) -> Forest:
    """Return the forest of a CatBoost model that looks at numbers only, symmetric trees or not.

    Raw scores are ``predict(prediction_type="RawFormulaVal")`` of the model in memory and of its ``.cbm`` file: sums in
    float64 in the trees' order, the bias last. They are **not** those of the JSON file read back by CatBoost 1.2, whose
    reader rounds leaves to another last bit. Values are rounded to float32 first; where NaN goes follows from the
    feature's ``nan_value_treatment``.

    Args:
        source: a JSON model, or its bytes.

    Raises:
        TreeModelError: ``tree_model_invalid`` for a file that is not one or is damaged; ``tree_model_unsupported`` for
            categories, texts and embeddings, and for a scale other than 1; ``tree_model_too_large``.
        OSError: if the file cannot be read.
    """
    data = read_bytes(source)
    if data[:4] == b"CBM1":
        raise _unsupported("the file", "this is the binary form (.cbm)", 'Save it with save_model(…, format="json")')
    document = read_json(data, _SAVE)
    if not isinstance(document, dict):
        raise _invalid("the file", "no JSON object")
    info = _object(document, "features_info", "the file")
    _only_numbers(document, info)
    features = _features(info)
    builder = _Builder(features, _biases(document))
    if ("oblivious_trees" in document) == ("trees" in document):
        raise _invalid("the file", "it has neither oblivious_trees nor trees, or both")
    for position, tree in enumerate(_list(document, "oblivious_trees" if "oblivious_trees" in document else "trees")):
        if not isinstance(tree, dict):
            raise _invalid(f"tree {position}", "no object")
        if "oblivious_trees" in document:
            builder.symmetric(tree, f"tree {position}")
        else:
            builder.any_shape(tree, f"tree {position}")
    forest = builder.forest(*_described(document))
    check_forest(forest)
    return forest


@dataclass(frozen=True, slots=True)
class _Feature:
    """A number that trees look at.

    Attributes:
        column: its position among all columns of the model.
        missing_true: whether NaN is above every border.
        borders: what it is compared with.
    """

    column: int
    name: str
    missing_true: bool
    borders: frozenset[float]


def _only_numbers(document: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    kinds = {
        "categorical_features": "categories (their statistics come from the training data)",
        "text_features": "texts",
        "embedding_features": "embeddings",
    }
    for key, what in kinds.items():
        if info.get(key):
            raise _unsupported(f"features_info.{key}", f"the model looks at {what}", "Encode them as numbers yourself")
    if document.get("ctrs") or document.get("ctr_data"):
        raise _unsupported("ctr_data", "the model looks at statistics of categories", "Encode them as numbers yourself")


def _features(info: Mapping[str, Any]) -> tuple[_Feature, ...]:
    """Return the features by their index in splits."""
    found: list[_Feature] = []
    for index, entry in enumerate(_list(info, "float_features")):
        where = f"features_info.float_features[{index}]"
        if not isinstance(entry, dict):
            raise _invalid(where, "no object")
        column, own = entry.get("flat_feature_index"), entry.get("feature_index")
        if own != index or type(column) is not int or column < 0:
            raise _invalid(where, f"its indices are {own!r} and {column!r}")
        if column >= _FEATURES:
            raise TreeModelError("tree_model_too_large", where, f"{column:,} columns", "Leave unused columns out")
        treatment = entry.get("nan_value_treatment")
        if treatment not in ("AsIs", "AsFalse", "AsTrue"):
            raise _invalid(where, f"nan_value_treatment is {treatment!r}")
        name = entry.get("feature_id") or str(column)
        borders = entry.get("borders") or []
        if not isinstance(name, str) or not isinstance(borders, list) or not all(map(_is_number, borders)):
            raise _invalid(where, "its name is no text, or its borders are no numbers")
        # NaN is not above a border, unless the model says so.
        found.append(_Feature(column, name, treatment == "AsTrue", frozenset(map(_narrow, borders))))
    if not found:
        raise _invalid("features_info.float_features", "the model looks at nothing")
    if len({feature.column for feature in found}) != len(found):
        raise _invalid("features_info.float_features", "two features are one column")
    return tuple(found)


def _biases(document: Mapping[str, Any]) -> tuple[float, ...]:
    """Return each target's bias; the scale must be 1."""
    pair = _list(document, "scale_and_bias")
    if len(pair) != 2 or not _is_number(pair[0]):
        raise _invalid("scale_and_bias", f"{str(pair)[:80]} is no scale with its bias")
    biases = pair[1] if isinstance(pair[1], list) else [pair[1]]
    if not biases or not all(map(_is_number, biases)) or not np.isfinite(biases).all():
        raise _invalid("scale_and_bias", f"{str(pair[1])[:80]} is no bias")
    if pair[0] != 1:
        raise _unsupported(
            "scale_and_bias",
            f"a scale of {pair[0]!r} is multiplied after the sum, which no sum of leaves gives to the bit",
            "Call set_scale_and_bias(1, bias), and scale where scores are used",
        )
    return tuple(float(bias) for bias in biases)


def _described(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the library's version and the objective, as far as the file tells."""
    info = document.get("model_info")
    if not isinstance(info, dict):
        return "unknown", "unknown"
    tag = re.search(r"tags/v(\d+(?:\.\d+)*)", str(info.get("catboost_version_info", "")))
    version = tag.group(1) if tag else "unknown"
    if tag and not version.startswith("1."):
        raise _unsupported(
            "model_info.catboost_version_info", f"written by CatBoost {version}; 1.x is read", "Save it with 1.2"
        )
    try:
        parameters = info["params"]
        parameters = json.loads(parameters) if isinstance(parameters, str) else parameters
        objective = parameters["loss_function"]["type"]
    except (KeyError, TypeError, ValueError):
        objective = "unknown"
    return version, str(objective)


@dataclass
class _Builder:
    """Splits and leaves of all trees so far; a tree with K values in a leaf is K trees, one for each target."""

    features: tuple[_Feature, ...]
    biases: tuple[float, ...]
    columns: dict[int, int] = field(default_factory=dict)
    split_features: list[_Ints] = field(default_factory=list)
    thresholds: list[_Floats] = field(default_factory=list)
    trues: list[_Ints] = field(default_factory=list)
    falses: list[_Ints] = field(default_factory=list)
    leaves: list[_Floats] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    splits: int = 0
    leaf_count: int = 0

    def symmetric(self, tree: Mapping[str, Any], where: str) -> None:
        """Add a tree whose levels ask one question each: bit k of a leaf's position is the answer to split k."""
        given = [self.split(split, where) for split in _list(tree, "splits", where)]
        depth = len(given)
        if depth > _DEPTH:
            raise _invalid(where, f"{depth} splits; CatBoost grows {_DEPTH} at most")
        values = self.values(_list(tree, "leaf_values", where), where)
        if len(values) != 2**depth:
            raise _invalid(where, f"{depth} splits, and {len(values)} leaves of {len(self.biases)} values")
        inner = 2**depth - 1
        node = np.arange(inner, dtype=np.int64)
        # A heap whose root asks the last split: leaves come out in their own order.
        level = depth - 1 - np.floor(np.log2(node + 1)).astype(np.int64)
        features = np.array([feature for feature, _ in given], np.int64)[level] if depth else node
        borders = np.array([border for _, border in given], np.float64)[level] if depth else node.astype(np.float64)
        false, true = 2 * node + 1, 2 * node + 2
        self.add(features, borders, self.child(true, inner), self.child(false, inner), values, 0 if depth else -1)

    @staticmethod
    def child(heap: _Ints, inner: int) -> _Ints:
        return np.where(heap < inner, heap, ~(heap - inner))

    def any_shape(self, tree: Mapping[str, Any], where: str) -> None:
        """Add a tree of nested objects."""
        features: list[int] = []
        borders: list[float] = []
        children: tuple[list[int], list[int]] = ([], [])
        rows: list[Any] = []

        def number(node: object) -> int:
            if not isinstance(node, dict):
                raise _invalid(where, "a node is no object")
            if "split" not in node:
                value = node.get("value")
                rows.append(value if isinstance(value, list) else [value])
                return ~(len(rows) - 1)
            feature, border = self.split(node["split"], where)
            features.append(feature)
            borders.append(border)
            for side in children:
                side.append(0)
            pending.append((len(features) - 1, node))
            return len(features) - 1

        pending: list[tuple[int, Mapping[str, Any]]] = []
        root = number(tree)
        while pending:
            index, node = pending.pop()
            children[0][index] = number(node.get("left"))
            children[1][index] = number(node.get("right"))
        if any(len(row) != len(self.biases) for row in rows):
            raise _invalid(where, f"a leaf has not the {len(self.biases)} values of the bias")
        values = self.values([value for row in rows for value in row], where)
        self.add(
            np.array(features, np.int64),
            np.array(borders, np.float64),
            np.array(children[1], np.int64),
            np.array(children[0], np.int64),
            values,
            root,
        )

    def split(self, split: object, where: str) -> tuple[int, float]:
        if not isinstance(split, dict):
            raise _invalid(where, "a split is no object")
        kind = split.get("split_type")
        if kind != "FloatFeature":
            if kind in ("OneHotFeature", "OnlineCtr", "EstimatedFeature"):
                raise _unsupported(where, f"a split of kind {kind}", "Encode categories as numbers yourself")
            raise _invalid(where, f"a split of kind {str(kind)[:40]!r}")
        feature, border = split.get("float_feature_index"), split.get("border")
        if type(feature) is not int or not 0 <= feature < len(self.features):
            raise _invalid(where, f"it splits on feature {str(feature)[:40]} of {len(self.features)}")
        if not _is_number(border) or np.isnan(border):
            raise _invalid(where, f"its border {str(border)[:40]!r} is no number")
        narrow = _narrow(border)
        if narrow not in self.features[feature].borders:
            raise _invalid(where, f"{border!r} is none of the borders of feature {feature}")
        return feature, narrow

    def values(self, given: list[Any], where: str) -> _Floats:
        """Return leaves [L, K]."""
        if not given or len(given) % len(self.biases) or not all(map(_is_number, given)):
            raise _invalid(where, f"its {len(given)} leaf values are no numbers, or not {len(self.biases)} to a leaf")
        found = np.array(given, np.float64)
        if not np.isfinite(found).all():
            raise _invalid(where, "a leaf that is no finite number")
        return found.reshape(-1, len(self.biases))

    def add(
        self,
        features: _Ints,
        borders: _Floats,
        trues: _Ints,
        falses: _Ints,
        values: _Floats,
        root: int,
    ) -> None:
        """Add a tree, numbered from 0, once for each target."""
        for target in range(values.shape[1]):
            for numbers, whole in ((trues, self.trues), (falses, self.falses), (np.array([root]), None)):
                moved = np.where(numbers >= 0, numbers + self.splits, numbers - self.leaf_count)
                if whole is None:
                    self.roots.append(int(moved[0]))
                else:
                    whole.append(moved)
            self.split_features.append(features)
            self.thresholds.append(borders)
            self.leaves.append(values[:, target])
            self.targets.append(target)
            self.splits += len(features)
            self.leaf_count += len(values)
            if self.splits > MAX_SPLITS:
                raise TreeModelError(
                    "tree_model_too_large",
                    "the model",
                    f"more than {MAX_SPLITS:,} splits",
                    "Train fewer or smaller trees",
                )

    def forest(self, version: str, objective: str) -> Forest:
        """Return all trees, and a last one for each bias."""
        none = np.zeros(0, np.int64)
        for target, bias in enumerate(self.biases):
            if bias != 0:
                self.add(none, none.astype(np.float64), none, none, np.array([[bias]]), -1)
                self.targets[-1] = target
        indices = np.concatenate([none, *self.split_features])
        used, columns = np.unique(indices, return_inverse=True)
        width = max(feature.column for feature in self.features) + 1
        names = {feature.column: feature.name for feature in self.features}
        missing = np.array([feature.missing_true for feature in self.features])
        return Forest(
            source="catboost",
            source_version=version,
            dtype="float64",
            features=tuple(names.get(column, str(column)) for column in range(width)),
            columns=tuple(Column(self.features[index].column, Rule.FLOAT32) for index in used),
            categories=((),) * width,
            targets=len(self.biases),
            roots=np.array(self.roots, np.int32),
            tree_targets=np.array(self.targets, np.int32),
            split_columns=columns.astype(np.int32),
            split_modes=np.full(self.splits, Mode.GT, np.uint8),
            thresholds=np.concatenate([np.zeros(0), *self.thresholds]),
            trues=np.concatenate([none, *self.trues]).astype(np.int32),
            falses=np.concatenate([none, *self.falses]).astype(np.int32),
            missing_true=missing[indices],
            member_starts=np.zeros(self.splits + 1, np.int64),
            members=none,
            leaves=np.concatenate([np.zeros(0), *self.leaves]),
            base=None,
            link=_LINKS.get(objective, Link("identity")),
            objective=objective,
        )


def _narrow(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float64(value).astype(np.float32))


def _is_number(value: object) -> TypeGuard[int | float]:
    return type(value) is float or (type(value) is int and abs(value) < 2**53)


def _object(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    found = parent.get(key)
    if not isinstance(found, dict):
        raise _invalid(f"{where}: {key}", "missing" if found is None else "no object")
    return found


def _list(parent: Mapping[str, Any], key: str, where: str = "the file") -> list[Any]:
    found = parent.get(key)
    if not isinstance(found, list):
        raise _invalid(f"{where}: {key}", "missing" if found is None else "no list")
    return found


def _invalid(where: str, detail: str) -> TreeModelError:
    return TreeModelError("tree_model_invalid", where, detail, _SAVE)


def _unsupported(where: str, detail: str, remedy: str) -> TreeModelError:
    return TreeModelError("tree_model_unsupported", where, detail, remedy)
