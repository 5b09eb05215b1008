"""Forests of every kind for tests, and what ONNX Runtime makes of them."""

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from twinrank.export.trees import Column, Forest, Link, Rule, forest_model

OBJECTIVES = (
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "poisson",
    "gamma",
    "tweedie",
    "binary",
    "multiclass",
    "multiclassova",
    "cross_entropy",
    "cross_entropy_lambda",
    "lambdarank",
    "rank_xendcg",
)
MISSING = ("nan", "none", "zero")


def scores(forest: Forest, x: NDArray[np.float64], threads: int = 1) -> NDArray[np.floating]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        forest_model(forest).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    with np.errstate(over="ignore"):
        return session.run(None, {"x": x.astype(forest.dtype)})[0]


def differing(left: NDArray[np.floating], right: NDArray[np.floating]) -> int:
    """How many scores differ in a bit."""
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    bits = np.int64 if left.dtype == np.float64 else np.int32
    return int((np.ascontiguousarray(left).view(bits) != np.ascontiguousarray(right).view(bits)).sum())


def hand_made() -> Forest:
    """Two targets, every rule of LightGBM, a base, an empty set, a tree of one leaf.

    Tree 0, target 0: a in {0, 1} ? (b <= -1, missing is true ? 1 : 2) : 4
    Tree 1, target 0: c <= 0, missing is true ? (b as a number <= inf ? 16 : 32) : 8
    Tree 2, target 1: 128
    Tree 3, target 1: a in {} ? 64 : (a in {1, 2, 40, 70} ? 256 : 512)
    Tree 4, target 0: a in {65} ? 1024 : 2048
    """
    return Forest(
        source="lightgbm",
        source_version="v4",
        dtype="float64",
        features=("a", "b", "c"),
        columns=(
            Column(0, Rule.TRUNCATED),
            Column(1, Rule.ZERO_IS_MISSING),
            Column(2, Rule.PLAIN),
            Column(1, Rule.PLAIN),
        ),
        categories=((0, 1, 2, 40, 65, 70), (), ()),
        targets=2,
        roots=np.array([0, 2, ~7, 4, 6], np.int32),
        tree_targets=np.array([0, 0, 1, 1, 0], np.int32),
        split_columns=np.array([0, 1, 2, 3, 0, 0, 0], np.int32),
        split_modes=np.array([6, 0, 0, 0, 6, 6, 6], np.uint8),
        thresholds=np.array([0, -1, -0.0, np.inf, 0, 0, 0]),
        trues=np.array([1, ~0, 3, ~4, ~6, ~8, ~10], np.int32),
        falses=np.array([~2, ~1, ~3, ~5, 5, ~9, ~11], np.int32),
        missing_true=np.array([0, 1, 1, 0, 0, 0, 0], np.bool_),
        member_starts=np.array([0, 2, 2, 2, 2, 2, 6, 7], np.int64),
        members=np.array([0, 1, 1, 2, 40, 70, 65], np.int64),
        leaves=2.0 ** np.arange(12),
        base=np.array([0.5, 0.25]),
        link=Link("identity"),
        objective="by hand",
    )


def chain(depth: int) -> Forest:
    """One tree, as deep as it has splits: its score is the number of integers from 1 that are less than x."""
    return replace(
        hand_made(),
        features=("a",),
        columns=(Column(0, Rule.PLAIN),),
        categories=((),),
        targets=1,
        roots=np.zeros(1, np.int32),
        tree_targets=np.zeros(1, np.int32),
        split_columns=np.zeros(depth, np.int32),
        split_modes=np.zeros(depth, np.uint8),
        thresholds=np.arange(depth, 0, -1).astype(np.float64),
        trues=np.array([*range(1, depth), ~0], np.int32),
        falses=~np.arange(depth, 0, -1).astype(np.int32),
        missing_true=np.zeros(depth, np.bool_),
        member_starts=np.zeros(depth + 1, np.int64),
        members=np.zeros(0, np.int64),
        leaves=np.arange(depth + 1).astype(np.float64),
        base=None,
    )


def training_set(seed: int, missing: str, categories: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows with a category in column 2, seconds since 1970 in column 4, values about 1e-35 in column 5, and labels."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(600, 6))
    x[:, 2] = generator.integers(0, categories, 600)
    x[:, 3] = generator.integers(-3, 9, 600)
    x[:, 4] = 1.7e9 + generator.integers(0, 10**6, 600)
    x[:, 5] *= 1e-35
    gaps = generator.random(x.shape) < 0.1
    if missing != "none":
        x[gaps] = 0.0 if missing == "zero" else np.nan
    y = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 2]) % 3 + (x[:, 5] > 0) + generator.normal(size=600) * 0.1
    return x, y


def labels(objective: str, y: NDArray[np.float64]) -> NDArray[np.float64]:
    if objective in ("binary", "cross_entropy", "cross_entropy_lambda"):
        return (y > 1).astype(np.float64)
    if objective in ("multiclass", "multiclassova", "lambdarank", "rank_xendcg"):
        return np.clip(np.floor(y), 0, 2)
    if objective in ("poisson", "gamma", "tweedie"):
        return np.abs(y) + 0.1
    return y


def trained(
    objective: str, missing: str, categories: int = 40, seed: int = 0, rounds: int = 6, **parameters: Any
) -> lightgbm.Booster:
    x, y = training_set(seed, missing, categories)
    settings = {
        "objective": objective,
        "num_threads": 1,
        "verbose": -1,
        "seed": seed,
        "use_missing": missing != "none",
        "zero_as_missing": missing == "zero",
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "cat_smooth": 1,
        "max_cat_to_onehot": 3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
    }
    if objective.startswith("multi"):
        settings["num_class"] = 3
    group = [60] * 10 if objective in ("lambdarank", "rank_xendcg") else None
    data = lightgbm.Dataset(x, labels(objective, y), group=group, categorical_feature=[2])
    return lightgbm.train({**settings, **parameters}, data, rounds)
