"""XGBoost's files become forests with XGBoost's bits; whatever is not such a file is refused by name."""

from __future__ import annotations

import importlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from forests import differing, scores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinrank.export.trees import Forest, Rule, TreeModelError, open_xgboost
from twinrank.export.trees import read_xgboost as read
from twinrank.export.trees._ubjson import read_ubjson
from twinrank.export.trees._xgboost_file import float32_of

FILES = Path(__file__).resolve().parent / "xgboost_files"
RELEASES = ("1.7.6", "2.0.3", "2.1.4", "3.0.5", "3.1.3", "3.2.0")
NAMES = ("squares", "logistic", "softprob", "ndcg", "dart", "forest", "vectors")
TYPES = ["q", "q", "float", "c", "c"]
NUMBERS = ["q"] * 5


def margins(booster: xgb.Booster, rows: np.ndarray, types: list[str]) -> np.ndarray:
    """The library's own, on one thread; infinities are taken as values, which a DMatrix refuses."""
    booster.set_param({"nthread": 1})
    found = booster.inplace_predict(rows.astype(np.float32), predict_type="margin", validate_features=False)
    if np.isfinite(rows[~np.isnan(rows)]).all():
        given = xgb.DMatrix(rows, feature_types=types, enable_categorical=True, nthread=1)
        assert differing(booster.predict(given, output_margin=True), found) == 0
    return found.reshape(len(rows), -1)


def edges(forest: Forest, count: int, seed: int) -> np.ndarray:
    """Rows of values next to thresholds, of categories seen and unseen, and of what floating point has at its ends."""
    rng = np.random.default_rng(seed)
    tiny = np.finfo(np.float32).smallest_subnormal
    ends = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, -tiny, 3.4e38, -3.4e38, 1e-35, 1.7e9], np.float32)
    odd = np.array([-1, -0.5, -tiny, 0, 0.5, 2.5, 63, 64, 2**24 - 1, 2**24, 2**31, 1e30, np.nan], np.float32)
    rows = np.zeros((count, len(forest.features)), np.float32)
    for feature in range(rows.shape[1]):
        columns = [i for i, column in enumerate(forest.columns) if column.feature == feature]
        cuts = forest.thresholds[np.isin(forest.split_columns, columns)]
        with np.errstate(over="ignore"):
            near = np.concatenate(
                [cuts, np.nextafter(cuts, np.float32(np.inf)), np.nextafter(cuts, -np.float32(np.inf))]
            )
        named = np.array(forest.categories[feature], np.float32)
        extra = odd if named.size else ends
        pool = np.concatenate([near, named, named + np.float32(0.75), extra, rng.normal(size=30).astype(np.float32)])
        rows[:, feature] = rng.choice(pool, count)
    return rows


def table(seed: int, count: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(count, 5)).astype(np.float32)
    made[:, 3] = rng.integers(0, 12, count)
    made[:, 4] = rng.integers(0, 3, count)
    made[rng.random(made.shape) < 0.1] = np.nan
    return made


def matrix(rows: np.ndarray, label: np.ndarray | None, types: list[str] = TYPES, **more: Any) -> xgb.DMatrix:
    return xgb.DMatrix(rows, label=label, feature_types=types, enable_categorical=True, nthread=1, **more)


def train(params: dict[str, Any], data: xgb.DMatrix, rounds: int = 4) -> xgb.Booster:
    fixed = {"max_depth": 4, "nthread": 1, "max_cat_to_onehot": 4, "verbosity": 0}
    return xgb.train({**fixed, **params}, data, num_boost_round=rounds)


@pytest.fixture(scope="module")
def small() -> xgb.Booster:
    rows = table(0, 60)
    return train({"max_depth": 3}, matrix(rows, np.nan_to_num(rows[:, 0]) * 9 + np.nan_to_num(rows[:, 3])), 3)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", NAMES)
def test_files_of_every_release_score_as_that_release_scored_them(release: str, name: str) -> None:
    forest = read(FILES / release / f"{name}.ubj")
    assert forest.source_version == release
    expected = np.load(FILES / release / f"{name}.npy")
    assert differing(scores(forest, np.load(FILES / "rows.npy")), expected) == 0


@pytest.mark.parametrize("release", RELEASES)
def test_json_and_ubjson_of_one_model_are_one_forest(release: str) -> None:
    same(read(FILES / release / "squares.json"), read(FILES / release / "squares.ubj"))


def same(one: Forest, other: Forest) -> None:
    for name in Forest.__slots__:
        left, right = getattr(one, name), getattr(other, name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, name
            assert left.tobytes() == right.tobytes(), name
        else:
            assert left == right, name


OBJECTIVES = {
    "reg:squarederror": "value",
    "reg:absoluteerror": "value",
    "reg:pseudohubererror": "value",
    "reg:squaredlogerror": "positive",
    "reg:gamma": "positive",
    "reg:tweedie": "positive",
    "count:poisson": "positive",
    "survival:cox": "positive",
    "survival:aft": "positive",
    "binary:logistic": "label",
    "reg:logistic": "label",
    "binary:logitraw": "label",
    "binary:hinge": "label",
    "rank:map": "label",
    "rank:ndcg": "grade",
    "rank:pairwise": "grade",
    "multi:softmax": "grade",
    "multi:softprob": "grade",
    "reg:quantileerror": "value",
}


def labelled(objective: str, rows: np.ndarray) -> tuple[dict[str, Any], xgb.DMatrix]:
    value = np.nansum(rows[:, :3], axis=1) + np.nan_to_num(rows[:, 3]) % 3
    labels = {"value": value, "positive": np.abs(value) + 0.1, "label": value > 1, "grade": np.digitize(value, [0, 2])}
    label = labels[OBJECTIVES[objective]].astype(np.float32)
    params: dict[str, Any] = {"objective": objective}
    more: dict[str, Any] = {}
    if objective.startswith("multi:"):
        params["num_class"] = 3
    if objective == "reg:quantileerror":
        params["quantile_alpha"] = [0.1, 0.5, 0.9]
    if objective.startswith("rank:"):
        more["qid"] = np.arange(len(rows)) // 10
    if objective == "survival:aft":
        more = {"label_lower_bound": label, "label_upper_bound": label + 1}
    return params, matrix(rows, label, **more)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("intercept", [None, 0.0123, 0.77])
def test_margins_of_every_objective_are_the_library_s(objective: str, intercept: float | None) -> None:
    params, data = labelled(objective, table(1))
    if intercept is not None:
        params["base_score"] = intercept
    booster = train(params, data, 3)
    forest = read(booster)
    assert forest.objective == objective
    rows = edges(forest, 2_000, 7)
    assert differing(scores(forest, rows), margins(booster, rows, TYPES)) == 0


@pytest.mark.parametrize(
    "params",
    [
        {"num_parallel_tree": 5, "subsample": 0.7, "colsample_bynode": 0.6},
        {"tree_method": "exact", "gamma": 3.0, "types": NUMBERS},
        {"tree_method": "approx", "min_child_weight": 0, "lambda": 0},
        {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 60, "min_child_weight": 0},
        {"max_depth": 1},
        {"gamma": 1e9},
        {"monotone_constraints": (1, -1, 0, 0, 0)},
        {"max_cat_to_onehot": 100},
        {"max_cat_to_onehot": 1},
    ],
    ids=lambda params: next(iter(params)),
)
def test_trees_of_every_shape_score_as_the_library(params: dict[str, Any]) -> None:
    types = params.pop("types", TYPES)
    rows = table(2)
    booster = train(params, matrix(rows, np.nansum(rows, axis=1), types), 6)
    forest = read(booster)
    asked = edges(forest, 3_000, 8)
    assert differing(scores(forest, asked), margins(booster, asked, types)) == 0


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_dropout_scales_leaves_in_float32_as_predict_does(objective: str) -> None:
    params, data = labelled(objective, table(3))
    booster = train({**params, "booster": "dart", "rate_drop": 0.5, "one_drop": 1}, data, 20)
    opened = open_xgboost(booster)
    rows = edges(opened.forest, 2_000, 9)
    rows[np.isinf(rows)] = 1.0
    given = matrix(rows, None)
    found = booster.predict(given, output_margin=True).reshape(len(rows), -1)
    assert differing(scores(opened.forest, rows), found) == 0
    assert "scaled by its tree's weight" in opened.notes[0]


def test_trees_with_vectors_become_a_tree_for_each_target() -> None:
    rows = table(4)
    label = np.stack([np.nan_to_num(rows[:, 0]), np.nan_to_num(rows[:, 1]) * 3, np.nansum(rows, axis=1)], axis=1)
    booster = train({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, matrix(rows, label, NUMBERS), 5)
    forest = read(booster)
    assert (forest.targets, len(forest.roots)) == (3, 15)
    asked = edges(forest, 2_000, 10)
    assert differing(scores(forest, asked), margins(booster, asked, NUMBERS)) == 0


def test_float64_is_rounded_to_the_nearest_float32_as_a_matrix_of_the_library_rounds(small: xgb.Booster) -> None:
    forest = read(small)
    cuts = forest.thresholds[forest.split_modes == 1].astype(np.float64)
    rows = np.zeros((3 * len(cuts), 5))
    # A value below a threshold that float32 rounds up to it is not below it any more.
    rows[:] = np.concatenate([np.nextafter(cuts, -np.inf), cuts, cuts - np.spacing(cuts.astype(np.float32)) * 0.4])[
        :, None
    ]
    rows[:, 3:] = 1.0
    found = small.inplace_predict(rows, predict_type="margin", validate_features=False).reshape(-1, 1)
    assert differing(scores(forest, rows.astype(np.float32)), found) == 0


def test_rounds_up_to_the_best_are_taken_only_when_asked_for() -> None:
    rows = table(5)
    value = np.nan_to_num(rows[:, 0])
    noise = np.random.default_rng(0).normal(size=len(value))
    booster = xgb.train(
        {"max_depth": 3, "nthread": 1},
        matrix(rows[:200], (value + noise)[:200]),
        40,
        evals=[(matrix(rows[200:], (value - noise)[200:]), "held")],
        early_stopping_rounds=5,
        verbose_eval=False,
    )
    rounds, best = booster.num_boosted_rounds(), booster.best_iteration
    assert best + 1 < rounds
    opened = open_xgboost(booster)
    assert opened.best_iteration == best
    assert 'iterations="best"' in opened.notes[0]
    some = read(booster, iterations="best")
    assert (len(opened.forest.roots), len(some.roots)) == (rounds, best + 1)
    # The wrappers for scikit-learn predict with this range.
    native = booster.predict(matrix(rows, None), output_margin=True, iteration_range=(0, best + 1)).reshape(-1, 1)
    assert differing(scores(some, rows), native) == 0
    assert differing(scores(opened.forest, rows), margins(booster, rows, TYPES)) == 0
    assert len(read(booster, iterations=2).roots) == 2
    with pytest.raises(TreeModelError, match="tree_model_unsupported"):
        read(booster, iterations=rounds + 1)


def test_a_data_frame_s_categories_are_told_beside_the_codes() -> None:
    pandas = importlib.import_module("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "price": rng.normal(size=200),
            "shop": pandas.Categorical(rng.choice(["x", "yy", ""], 200)),
            "size": pandas.Categorical(rng.choice([7, 3, 99], 200)),
        }
    )
    value = frame.price.to_numpy() + (frame["shop"] == "yy").to_numpy() + (frame["size"] == 7).to_numpy() * 2
    booster = train({}, xgb.DMatrix(frame, label=value, enable_categorical=True), 4)
    opened = open_xgboost(booster)
    assert opened.categories == {"shop": ("", "x", "yy"), "size": (3, 7, 99)}
    assert [opened.forest.features[i] for i, found in enumerate(opened.forest.categories) if found] == ["shop", "size"]
    coded = frame.assign(shop=frame["shop"].cat.codes, size=frame["size"].cat.codes).to_numpy(np.float64)
    native = booster.inplace_predict(frame, predict_type="margin").reshape(-1, 1)
    assert differing(scores(opened.forest, coded), native) == 0


def test_categories_that_the_library_cut_are_not_told() -> None:
    pandas = importlib.import_module("pandas")
    frame = pandas.DataFrame({"shop": pandas.Categorical(["éé", "éü", "x"] * 20)})
    booster = train({}, xgb.DMatrix(frame, label=np.arange(60) % 3, enable_categorical=True), 2)
    opened = open_xgboost(booster)
    assert opened.categories == {}
    assert "not ASCII" in opened.notes[0]
    codes = np.float32(frame["shop"].cat.codes)[:, None]
    native = booster.inplace_predict(codes, predict_type="margin", validate_features=False).reshape(-1, 1)
    assert differing(scores(opened.forest, codes), native) == 0
    # The library itself takes two of the three for one, once it reads them back from a frame.
    assert len(np.unique(booster.inplace_predict(frame, predict_type="margin"))) == 2


@st.composite
def trainings(draw: st.DrawFn) -> tuple[dict[str, Any], np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features, count = draw(st.integers(1, 6)), draw(st.integers(5, 120))
    rows = np.zeros((count, features), np.float32)
    types = []
    for feature in range(features):
        kind = draw(st.sampled_from(["normal", "whole", "tiny", "epoch", "category"]))
        types.append("c" if kind == "category" else "q")
        rows[:, feature] = {
            "normal": rng.normal(size=count),
            "whole": rng.integers(-3, 4, count),
            "tiny": rng.normal(size=count) * 1e-38,
            "epoch": 1.7e9 + rng.integers(0, 10**6, count),
            "category": rng.integers(0, draw(st.sampled_from([2, 5, 40, 200])), count),
        }[kind]
    rows[rng.random(rows.shape) < draw(st.sampled_from([0.0, 0.2, 0.9]))] = np.nan
    params = {
        "objective": draw(st.sampled_from(["reg:squarederror", "binary:logistic", "reg:gamma", "multi:softprob"])),
        "max_depth": draw(st.integers(1, 7)),
        "min_child_weight": draw(st.sampled_from([0, 1])),
        "lambda": draw(st.sampled_from([0, 1])),
        "eta": draw(st.sampled_from([0.1, 1.0])),
        "max_cat_to_onehot": draw(st.sampled_from([1, 4, 300])),
        "num_parallel_tree": draw(st.sampled_from([1, 3])),
        "subsample": draw(st.sampled_from([0.6, 1.0])),
        "seed": 1,
    }
    label = np.abs(rng.normal(size=count)) + 0.1
    if params["objective"] == "binary:logistic":
        label = np.round(rng.random(count))
        params["base_score"] = draw(st.floats(0.001, 0.999))
    if params["objective"] == "multi:softprob":
        label, params["num_class"] = rng.integers(0, 3, count), 3
    return params, rows, label.astype(np.float32), types


def as_the_library(case: tuple[dict[str, Any], np.ndarray, np.ndarray, list[str]]) -> None:
    params, rows, label, types = case
    booster = train(params, matrix(rows, label, types), 3)
    forest = read(booster)
    asked = edges(forest, 400, 11)
    assert differing(scores(forest, asked), margins(booster, asked, types)) == 0


QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=QUIET)
@given(trainings())
def test_any_training_gives_the_library_s_bits(case: tuple[dict[str, Any], np.ndarray, np.ndarray, list[str]]) -> None:
    as_the_library(case)


@pytest.mark.ci
@settings(max_examples=500, deadline=None, suppress_health_check=QUIET)
@given(trainings())
def test_many_trainings_give_the_library_s_bits(case: tuple[dict[str, Any], np.ndarray, np.ndarray, list[str]]) -> None:
    as_the_library(case)


def refused(given: bytes | Path) -> TreeModelError:
    with pytest.raises(TreeModelError) as caught:
        read(given)
    return caught.value


def test_a_file_cut_anywhere_is_damaged(small: xgb.Booster) -> None:
    whole = bytes(small.save_raw("ubj"))
    assert len(read(whole).roots) == 3
    for end in range(len(whole)):
        assert refused(whole[:end]).code == "tree_model_invalid", end
    assert refused(whole + b"}").code == "tree_model_invalid"
    text = bytes(small.save_raw("json"))
    for end in range(0, len(text), 29):
        assert refused(text[:end]).code == "tree_model_invalid", end


def test_a_changed_byte_never_goes_unnoticed_as_another_exception(small: xgb.Booster) -> None:
    whole = bytes(small.save_raw("ubj"))
    rng = np.random.default_rng(0)
    for _ in range(800):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] = rng.integers(256)
        try:
            read(bytes(damaged))
        except TreeModelError as error:
            assert error.code.startswith("tree_model_")  # noqa: PT017 - a changed byte may also be another sound model


Edit = Callable[[dict[str, Any]], object]


def tree(document: dict[str, Any]) -> dict[str, Any]:
    return document["learner"]["gradient_booster"]["model"]["trees"][0]


def put(key: str, position: int, value: object) -> Edit:
    return lambda document: tree(document)[key].__setitem__(position, value)


def learner(key: str, value: object) -> Edit:
    return lambda document: document["learner"].__setitem__(key, value)


def parameter(key: str, value: str) -> Edit:
    return lambda document: document["learner"]["learner_model_param"].__setitem__(key, value)


def model(key: str, value: object) -> Edit:
    return lambda document: document["learner"]["gradient_booster"]["model"].__setitem__(key, value)


EDITS: dict[str, tuple[Edit, str, str]] = {
    "a child that is its own parent": (put("left_children", 1, 0), "tree_model_invalid", "tree 0, node 1"),
    "a child of two": (put("right_children", 0, 1), "tree_model_invalid", "tree 0"),
    "a child outside": (put("right_children", 0, 7_000), "tree_model_invalid", "tree 0, node 0"),
    "a negative child": (put("right_children", 0, -2), "tree_model_invalid", "tree 0, node 0"),
    "a feature that is not there": (put("split_indices", 0, 5), "tree_model_invalid", "tree 0, node 0"),
    "a condition that is NaN": (put("split_conditions", 0, float("nan")), "tree_model_invalid", "tree 0, node 0"),
    "a leaf that is infinite": (put("split_conditions", -1, float("inf")), "tree_model_invalid", "tree 0, node"),
    "a direction that is 2": (put("default_left", 0, 2), "tree_model_invalid", "tree 0"),
    "a kind of split that is 3": (put("split_type", 0, 3), "tree_model_invalid", "tree 0"),
    "a missing number": (lambda d: tree(d)["split_conditions"].pop(), "tree_model_invalid", "tree 0"),
    "a text among numbers": (put("split_conditions", 0, "1"), "tree_model_invalid", "tree 0"),
    "a child beyond 64 bits": (put("left_children", 0, 2**70), "tree_model_invalid", "tree 0"),
    "a negative category": (lambda d: tree(d).update(categories=[-1]), "tree_model_invalid", "tree 0"),
    "no conditions": (lambda d: tree(d).pop("split_conditions"), "tree_model_invalid", "tree 0"),
    "more nodes than there are": (
        lambda d: tree(d)["tree_param"].update(num_nodes="8000000000"),
        "tree_model_invalid",
        "tree 0",
    ),
    "a tree of another number": (lambda d: tree(d).update(id=3), "tree_model_invalid", "tree 0"),
    "features of another number": (parameter("num_feature", "4"), "tree_model_invalid", "tree 0"),
    "more features than can be": (parameter("num_feature", "4294967295"), "tree_model_too_large", "num_feature"),
    "an intercept that is a word": (parameter("base_score", "[half]"), "tree_model_invalid", "base_score"),
    "an intercept that is NaN": (parameter("base_score", "NaN"), "tree_model_invalid", "base_score"),
    "an intercept beyond float32": (parameter("base_score", "[1E39]"), "tree_model_invalid", "base_score"),
    "two intercepts": (parameter("base_score", "[1E0,2E0]"), "tree_model_invalid", "base_score"),
    "a target that is not there": (model("tree_info", [0, 0, 1]), "tree_model_invalid", "tree_info"),
    "rounds that do not add up": (model("iteration_indptr", [0, 1]), "tree_model_invalid", "iteration_indptr"),
    "a name too few": (learner("feature_names", ["a"]), "tree_model_invalid", "feature_names"),
    "a name twice": (learner("feature_names", ["a", "b", "c", "a", "e"]), "tree_model_invalid", "feature_names"),
    "an older release": (lambda d: d.update(version=[1, 6, 2]), "tree_model_unsupported", "version"),
    "a later release": (lambda d: d.update(version=[4, 0, 0]), "tree_model_unsupported", "version"),
    "no release": (lambda d: d.pop("version"), "tree_model_invalid", "version"),
    "an unknown objective": (learner("objective", {"name": "reg:mine"}), "tree_model_unsupported", "objective"),
    "a probability of 0": (
        lambda d: (learner("objective", {"name": "binary:logistic"})(d), parameter("base_score", "[0E0]")(d)),
        "tree_model_invalid",
        "base_score",
    ),
    "a probability at the edge": (
        lambda d: (learner("objective", {"name": "binary:logistic"})(d), parameter("base_score", "[1E-7]")(d)),
        "tree_model_unsupported",
        "base_score",
    ),
    "an intercept without a logarithm": (
        lambda d: (learner("objective", {"name": "reg:gamma"})(d), parameter("base_score", "[-1E0]")(d)),
        "tree_model_invalid",
        "base_score",
    ),
    "a linear booster": (
        learner("gradient_booster", {"name": "gblinear", "model": {}}),
        "tree_model_unsupported",
        "gradient_booster",
    ),
    "weights of more trees than there are": (
        lambda d: model("weight_drop", [1.0] * 4)(d),
        "tree_model_invalid",
        "weight_drop",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_file_is_refused_at_the_place_of_the_edit(name: str, small: xgb.Booster) -> None:
    edit, code, where = EDITS[name]
    document = json.loads(small.save_raw("json"))
    same(read(json.dumps(document).encode()), read(small))
    edit(document)
    error = refused(json.dumps(document).encode())
    assert (error.code, where in error.where) == (code, True), error


@pytest.mark.parametrize(
    ("given", "code", "detail"),
    [
        (b"", "tree_model_invalid", "begins with"),
        (b"binf" + bytes(40), "tree_model_invalid", "begins with"),
        (b'{"a": 1, "a": 2}', "tree_model_invalid", "comes twice"),
        (b'{"a":' + b"[" * 100_000, "tree_model_invalid", "nested deeper"),
        (b"{L" + struct.pack(">q", 1) + b"a" + b"[" * 100_000, "tree_model_invalid", "nested deeper"),
        (b"{L" + struct.pack(">q", 2**62), "tree_model_invalid", "a length of"),
        (b"{L" + struct.pack(">q", 1) + b"a[$l#L" + struct.pack(">q", 2**61), "tree_model_invalid", "a length of"),
        (b"{L" + struct.pack(">q", 1) + b"a[$H#L" + struct.pack(">q", 0) + b"}", "tree_model_invalid", "type b'H'"),
        (b'{"Model": {}, "Config": {}}', "tree_model_invalid", "memory snapshot"),
    ],
    ids=lambda value: None if not isinstance(value, str) else value[:20],
)
def test_what_is_no_model_file_is_refused(given: bytes, code: str, detail: str) -> None:
    error = refused(given)
    assert error.code == code
    assert detail in error.detail


def test_a_million_splits_are_too_large(small: xgb.Booster) -> None:
    document = read_ubjson(bytes(small.save_raw("ubj")))
    model = document["learner"]["gradient_booster"]["model"]
    model["trees"] = [{"id": position, **complete(19)} for position in range(2)]
    model["tree_info"], model["iteration_indptr"] = [0, 0], [0, 1, 2]
    model["gbtree_model_param"]["num_trees"] = "2"
    error = refused(ubjson(document))
    assert (error.code, error.where) == ("tree_model_too_large", "tree 1")


def complete(depth: int) -> dict[str, Any]:
    """A whole tree of 2^depth - 1 splits as a model file has it."""
    inner, nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    node = np.arange(nodes, dtype=np.int32)
    return {
        "tree_param": {"num_nodes": str(nodes), "num_deleted": "0", "size_leaf_vector": "1", "num_feature": "5"},
        "left_children": np.where(node < inner, 2 * node + 1, -1).astype(np.int32),
        "right_children": np.where(node < inner, 2 * node + 2, -1).astype(np.int32),
        "parents": np.where(node == 0, 2**31 - 1, (node - 1) // 2).astype(np.int32),
        "split_indices": np.zeros(nodes, np.int32),
        "split_conditions": np.full(nodes, 0.5, np.float32),
        "default_left": np.zeros(nodes, np.uint8),
    }


def ubjson(value: Any) -> bytes:
    """Write what the library would."""
    if isinstance(value, dict):
        members = (b"L" + struct.pack(">q", len(key.encode())) + key.encode() + ubjson(v) for key, v in value.items())
        return b"{" + b"".join(members) + b"}"
    if isinstance(value, np.ndarray):
        letter = {"int32": b"l", "int64": b"L", "uint8": b"U", "float32": b"d"}[value.dtype.name]
        return (
            b"[$"
            + letter
            + b"#L"
            + struct.pack(">q", len(value))
            + value.astype(value.dtype.newbyteorder(">")).tobytes()
        )
    if isinstance(value, list):
        return b"[#L" + struct.pack(">q", len(value)) + b"".join(map(ubjson, value))
    if isinstance(value, str):
        return b"SL" + struct.pack(">q", len(value.encode())) + value.encode()
    return b"l" + struct.pack(">i", value)


@pytest.mark.parametrize(
    "text",
    [
        "1.00000005960464477539062500000000001",  # just above the middle of 1 and the next float32
        "1.000000059604644775390625",  # the middle: to even
        "1.00000017881393432617187499999999999",  # just below a middle whose even neighbour is above
        "-1.00000005960464477539062500000000001",
        "1.0509289E-39",
        "3.4028235677973366E38",
        "1E-46",
        "7.0064923216240853547e-46",
        "5E-1",
    ],
)
def test_a_decimal_is_rounded_to_float32_once(text: str) -> None:
    import ctypes

    library = ctypes.CDLL(None)
    library.strtof.restype = ctypes.c_float
    expected = library.strtof(text.encode(), None)
    assert struct.pack("<f", float32_of(text)) == struct.pack("<f", expected)


def test_ubjson_has_every_value_that_the_library_reads() -> None:
    def key(name: str) -> bytes:
        return b"L" + struct.pack(">q", len(name)) + name.encode()

    data = b"{" + key("n") + b"Z" + key("t") + b"T" + key("i") + b"i\xff" + key("U") + b"U\xff"
    data += key("I") + b"I\xff\x00" + key("l") + b"l\x80\x00\x00\x00" + key("d") + b"d" + struct.pack(">f", 0.1)
    data += key("a") + b"[i\x01i\x02]" + key("b") + b"[$I#L" + struct.pack(">qh", 1, -2) + b"}"
    found = read_ubjson(data)
    assert found.pop("b").tolist() == [-2]
    assert found == {
        "n": None,
        "t": True,
        "i": -1,
        "U": 255,
        "I": -256,
        "l": -(2**31),
        "d": np.float32(0.1),
        "a": [1, 2],
    }


def test_categories_are_floored_columns_and_numbers_are_plain(small: xgb.Booster) -> None:
    forest = read(small)
    rules = {forest.features[column.feature]: column.rule for column in forest.columns}
    assert (rules["f0"], rules["f3"]) == (Rule.PLAIN, Rule.FLOORED)
