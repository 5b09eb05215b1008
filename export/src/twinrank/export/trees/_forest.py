"""A forest: what every kind of tree model is read into, and graphs and engines are made from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Source = Literal["lightgbm", "xgboost", "catboost"]
FloatName = Literal["float64", "float32"]


class Rule(Enum):
    """What happens to a feature's value before it meets a split."""

    PLAIN = "plain"
    """Nothing; NaN is missing."""
    ZERO_IS_MISSING = "zero_is_missing"
    """LightGBM's ``zero_as_missing``: NaN, and whatever is at most 1e-35f in absolute value, is missing."""
    TRUNCATED = "truncated"
    """A category of LightGBM: the integer part; NaN, -1 and less, and what no int32 holds are in no set."""
    FLOORED = "floored"
    """A category of XGBoost: the integer part; NaN is missing, below 0 and from 2^24 on it is in no set."""
    FLOAT32 = "float32"
    """Rounded to the nearest float32 first, as CatBoost keeps its features; NaN is missing."""


class Mode(IntEnum):
    """When a split is true. The numbers are those of the operator TreeEnsemble (ai.onnx.ml 5)."""

    LEQ = 0
    LT = 1
    GTE = 2
    GT = 3
    MEMBER = 6


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the operator's input: a feature under a rule.

    Attributes:
        feature: its position in ``Forest.features``.
        rule: what is done to it first.
    """

    feature: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Link:
    """How the native library's own prediction follows from raw scores: a head of its own at level reference.

    Attributes:
        kind: ``sigmoid`` is 1 / (1 + exp(-scale * x)); ``softmax`` is over all targets; ``other`` is none of these, and
            only raw scores are offered.
        scale: see there; 1 where it means nothing.
        divisor: raw scores are divided by it first: the number of trees of a random forest of LightGBM, whose raw
            scores are sums.
    """

    kind: Literal["identity", "sigmoid", "softmax", "exp", "other"]
    scale: float = 1.0
    divisor: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees as flat arrays, checked by `check_forest`: N splits, L leaves, T trees, K targets. Not to be changed.

    A raw score starts at ``base`` (0 without one) and takes the trees' leaves in order, each sum rounded to ``dtype``.
    Children and roots are splits where they are 0 or more, else leaf ``~child``.

    Attributes:
        source: the library that made it.
        source_version: as the file says.
        dtype: what splits are compared and leaves are summed in.
        features: names, in the order of the library's columns; unique.
        columns: what splits look at; each once.
        categories: by feature, the categories that its sets name, ascending; empty for a number.
        targets: K.
        roots: int32 [T].
        tree_targets: int32 [T], the target that a tree adds to.
        split_columns: int32 [N], positions in ``columns``.
        split_modes: uint8 [N], `Mode`.
        thresholds: ``dtype`` [N]; 0 where the mode is MEMBER; never NaN, infinities occur.
        trues: int32 [N], the child where the split is true.
        falses: int32 [N], the other one.
        missing_true: bool [N], whether missing is true.
        member_starts: int64 [N + 1]; a split's set is ``members[member_starts[i]:member_starts[i + 1]]``.
        members: int64, ascending within a set; not negative.
        leaves: ``dtype`` [L].
        base: ``dtype`` [K], or None.
        link: from raw scores to the library's prediction.
        objective: as the file says, for people.
    """

    source: Source
    source_version: str
    dtype: FloatName
    features: tuple[str, ...]
    columns: tuple[Column, ...]
    categories: tuple[tuple[int, ...], ...]
    targets: int
    roots: NDArray[np.int32]
    tree_targets: NDArray[np.int32]
    split_columns: NDArray[np.int32]
    split_modes: NDArray[np.uint8]
    thresholds: NDArray[np.floating]
    trues: NDArray[np.int32]
    falses: NDArray[np.int32]
    missing_true: NDArray[np.bool_]
    member_starts: NDArray[np.int64]
    members: NDArray[np.int64]
    leaves: NDArray[np.floating]
    base: NDArray[np.floating] | None
    link: Link
    objective: str
