"""LightGBM's models: the emitted graph against the library that trained them, bit by bit."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from forests import MISSING, OBJECTIVES, differing, hand_made, scores, trained, training_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinrank.export.trees import (
    ZERO_THRESHOLD,
    Forest,
    Link,
    Rule,
    check_forest,
    native_raw,
    probe_rows,
    read_lightgbm,
    read_lightgbm_file,
)

FILES = Path(__file__).resolve().parent / "lightgbm_files"
RELEASES = ("3.3.5", "4.0.0", "4.3.0", "4.6.0", "4.7.0")
NAMES = ("ranks", "zeros", "none", "classes", "forest", "dropout", "constant")
RANDOM = st.fixed_dictionaries(
    {
        "objective": st.sampled_from(OBJECTIVES),
        "missing": st.sampled_from(MISSING),
        "categories": st.sampled_from([2, 3, 5, 40, 70, 300]),
        "seed": st.integers(0, 2**16),
        "rounds": st.integers(1, 12),
        "boosting": st.sampled_from(["gbdt", "dart", "rf"]),
        "num_leaves": st.sampled_from([2, 3, 7, 31, 63, 127]),
        "max_bin": st.sampled_from([3, 15, 63, 255]),
        "max_cat_threshold": st.sampled_from([1, 8, 64, 256]),
        "learning_rate": st.sampled_from([0.01, 0.1, 1.0]),
        "min_data_in_bin": st.sampled_from([1, 3]),
        "extra_trees": st.booleans(),
    }
)


def against_native(model: dict[str, object], rows: int) -> int:
    booster = trained(**model)  # type: ignore[arg-type]
    forest = read_lightgbm(booster)
    x = probe_rows(forest, rows, int(str(model["seed"])))
    native = booster.predict(x, raw_score=True, num_threads=1).reshape(rows, -1)
    return differing(scores(forest, x), native)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(model=RANDOM)
def test_random_models_score_with_native_bits(model: dict[str, object]) -> None:
    assert against_native(model, 2000) == 0


@pytest.mark.ci
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=RANDOM)
def test_many_random_models_score_with_native_bits(model: dict[str, object]) -> None:
    assert against_native(model, 4000) == 0


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", NAMES)
def test_files_of_every_release_score_as_that_release_scored_them(release: str, name: str) -> None:
    forest = read_lightgbm(FILES / release / f"{name}.txt")
    assert forest.source_version == ("v3" if release.startswith("3") else "v4")
    assert differing(scores(forest, np.load(FILES / "rows.npy")), np.load(FILES / release / f"{name}.npy")) == 0


@pytest.mark.parametrize("missing", MISSING)
def test_what_counts_as_missing_and_as_zero_goes_where_lightgbm_sends_it(missing: str, tmp_path: Path) -> None:
    booster = trained("regression", missing, rounds=30)
    booster.save_model(tmp_path / "model.txt")
    forest = read_lightgbm(tmp_path / "model.txt")
    x = probe_rows(forest, 20_000, 1)
    assert differing(scores(forest, x), native_raw("lightgbm", tmp_path / "model.txt", x)) == 0
    # The rows would tell: each rule undone gives other scores.
    assert differing(scores(replace(forest, missing_true=~forest.missing_true), x), scores(forest, x)) > 0
    edge = np.abs(forest.thresholds) <= np.nextafter(ZERO_THRESHOLD, 1)
    assert edge.any()
    if missing != "zero":
        # There, what counts as zero is missing and meets no threshold.
        plain = replace(forest, thresholds=np.where(edge, 0.0, forest.thresholds))
        assert differing(scores(plain, x), scores(forest, x)) > 0


def test_the_rules_of_columns_are_those_of_the_training_set() -> None:
    def rules(missing: str) -> set[Rule]:
        return {column.rule for column in read_lightgbm(trained("regression", missing)).columns}

    assert rules("nan") == rules("none") == {Rule.PLAIN, Rule.TRUNCATED}
    assert rules("zero") == {Rule.ZERO_IS_MISSING, Rule.TRUNCATED}


@pytest.mark.parametrize(
    ("objective", "parameters", "link"),
    [
        ("regression", {}, Link("identity")),
        ("lambdarank", {}, Link("identity")),
        ("binary", {"sigmoid": 0.7}, Link("sigmoid", 0.7)),
        ("cross_entropy", {}, Link("sigmoid")),
        ("multiclassova", {"sigmoid": 1.5}, Link("sigmoid", 1.5)),
        ("multiclass", {}, Link("softmax")),
        ("poisson", {}, Link("exp")),
        ("tweedie", {}, Link("exp")),
        ("regression", {"boosting": "rf"}, Link("identity", 1.0, 6)),
        ("regression", {"reg_sqrt": True}, Link("other")),
        ("cross_entropy_lambda", {}, Link("other")),
    ],
)
def test_the_link_leads_from_raw_scores_to_what_lightgbm_predicts(
    objective: str, parameters: dict[str, object], link: Link
) -> None:
    booster = trained(objective, "nan", **parameters)
    forest = read_lightgbm(booster)
    assert forest.link == link
    x = probe_rows(forest, 500, 3)
    raw = scores(forest, x) / link.divisor
    if link.kind == "sigmoid":
        raw = 1 / (1 + np.exp(-link.scale * raw))
    elif link.kind == "softmax":
        raw = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    elif link.kind == "exp":
        raw = np.exp(raw)
    if link.kind != "other":
        np.testing.assert_allclose(raw, booster.predict(x, num_threads=1).reshape(500, -1), rtol=1e-12)


def test_a_path_a_text_and_a_booster_are_the_same_model(tmp_path: Path) -> None:
    booster = trained("binary", "nan")
    booster.save_model(tmp_path / "model.txt")
    x = probe_rows(read_lightgbm(booster), 300, 2)
    for source in (tmp_path / "model.txt", str(tmp_path / "model.txt"), booster.model_to_string()):
        assert differing(scores(read_lightgbm(source), x), scores(read_lightgbm(booster), x)) == 0
    with pytest.raises(TypeError, match="not int"):
        read_lightgbm(3)


def test_early_stopping_counts_as_in_the_boosters_own_prediction() -> None:
    booster = trained("regression", "nan", rounds=9)
    booster.best_iteration = 4
    forest = read_lightgbm(booster)
    assert len(forest.roots) == 4
    x = probe_rows(forest, 300, 2)
    assert differing(scores(forest, x), booster.predict(x, raw_score=True, num_threads=1)[:, None]) == 0


def unusual() -> Iterator[tuple[str, lightgbm.Booster]]:
    """Models that were not simply trained."""
    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "min_data_per_group": 5}
    x, y = training_set(0, "nan", 40)
    zeros = training_set(0, "zero", 40)[0]
    first = trained("regression", "nan")
    yield "a slice", lightgbm.Booster(model_str=first.model_to_string(start_iteration=2, num_iteration=3))
    yield (
        "saved again",
        lightgbm.Booster(model_str=lightgbm.Booster(model_str=first.model_to_string()).model_to_string()),
    )
    yield "refitted", first.refit(x, y + 1, verbose=-1)
    # One feature under three rules: a category, then a number whose zeros are missing, then one without gaps.
    data = lightgbm.Dataset(zeros, y, params={"zero_as_missing": True, "verbose": -1})
    second = lightgbm.train(settings, data, 5, init_model=first)
    yield (
        "continued",
        lightgbm.train({**settings, "use_missing": False}, lightgbm.Dataset(np.nan_to_num(x), y), 5, init_model=second),
    )
    names = ["ä b", "a=b", "日本", "x|y", "tree", "end_of"]
    yield "names", lightgbm.train(settings, lightgbm.Dataset(x, y, feature_name=names, categorical_feature=[2]), 3)
    yield "quantised", lightgbm.train({**settings, "use_quantized_grad": True}, lightgbm.Dataset(x, y), 4)
    yield "shuffled", lightgbm.train(settings, lightgbm.Dataset(x, y), 8).shuffle_models()
    grades = np.clip(np.floor(y), 0, 2)
    biased = lightgbm.Dataset(x, grades, group=[60] * 10, position=np.tile(np.arange(60), 10))
    yield "positions", lightgbm.train({**settings, "objective": "lambdarank"}, biased, 4)
    own = lightgbm.train(
        {
            **settings,
            "objective": lambda found, data: (found - data.get_label()[:, None], np.ones_like(found)),
            "num_class": 3,
        },
        lightgbm.Dataset(x, y),
        4,
    )
    yield "an objective of one's own", own
    minus = lightgbm.Booster(model_str=first.model_to_string())
    for leaf in range(3):
        minus.set_leaf_output(0, leaf, -0.0)
    yield "leaves of -0", minus


def test_models_made_in_unusual_ways_score_with_native_bits() -> None:
    for name, booster in unusual():
        text = booster.model_to_string()
        forest = read_lightgbm(text)
        x = probe_rows(forest, 3000, 1)
        native = lightgbm.Booster(model_str=text).predict(x, raw_score=True, num_threads=1)
        assert differing(scores(forest, x), native.reshape(len(x), -1)) == 0, name


def test_a_model_without_any_split_scores_its_constant() -> None:
    booster = trained("regression", "nan", min_gain_to_split=1e9)
    forest = read_lightgbm(booster)
    assert forest.split_columns.size == 0
    x = np.full((2, 6), np.nan)
    assert differing(scores(forest, x), booster.predict(x, raw_score=True)[:, None]) == 0


def test_the_words_of_a_data_frames_categories_are_kept_in_the_order_of_their_codes() -> None:
    generator = np.random.default_rng(0)
    words = pd.Categorical(generator.choice(["x", "y", "z"], 400))
    years = pd.Categorical(generator.choice([2019, 2021, 2030], 400))
    frame = pd.DataFrame(
        {"a": generator.normal(size=400), "word": words, "b": generator.normal(size=400), "year": years}
    )
    target = (words == "y") * 2.0 + (years == 2030) + generator.normal(size=400) * 0.1
    parameters = {"verbose": -1, "num_leaves": 7, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(frame, target), 5)
    read = read_lightgbm_file(booster)
    assert read.pandas_categories == (None, ("x", "y", "z"), None, (2019, 2021, 2030))
    assert read.notes == ()
    coded = frame.assign(word=words.codes, year=years.codes).to_numpy(np.float64)
    assert differing(scores(read.forest, coded), booster.predict(frame, raw_score=True, num_threads=1)[:, None]) == 0
    # Only one of the two was named: whose categories the file lists cannot be told.
    named = lightgbm.train(parameters, lightgbm.Dataset(frame, target, categorical_feature=["word"]), 5)
    unsure = read_lightgbm_file(named)
    assert unsure.pandas_categories == (None, None, None, None)
    assert "give the codes of those columns" in unsure.notes[0]


def test_probe_rows_ask_both_sides_of_every_threshold_and_repeat_to_the_bit() -> None:
    forest = read_lightgbm(trained("regression", "nan"))
    x = probe_rows(forest, 5000, 9)
    assert differing(x, probe_rows(forest, 5000, 9)) == 0
    assert differing(x, probe_rows(forest, 5000, 8)) > 0
    for split, column in enumerate(forest.split_columns):
        values = x[:, forest.columns[column].feature]
        threshold = forest.thresholds[split]
        if forest.columns[column].rule is Rule.PLAIN:
            for value in (threshold, np.nextafter(threshold, np.inf), np.nextafter(threshold, -np.inf)):
                assert (values == value).any()
    categories = x[:, 2]
    for category in forest.categories[2]:
        assert (categories == category).any()
    for column in x.T:
        assert np.isnan(column).any()
        assert np.isposinf(column).any()
        assert ((column == 0) & np.signbit(column)).any()
        assert (column == 5e-324).any()
        assert (column == 1_763_856_000_123.0).any()


def test_probe_rows_straddle_roundings_where_the_library_compares_float32() -> None:
    forest = replace(
        hand_made(),
        dtype="float32",
        thresholds=np.array([0, -1, 0.1, np.inf, 0, 0, 0], np.float32),
        leaves=hand_made().leaves.astype(np.float32),
        base=None,
    )
    values = probe_rows(forest, 3000, 0)[:, 2]
    below = np.nextafter(np.float32(0.1), np.float32(0))
    for value in (np.float32(0.1), below, (float(np.float32(0.1)) + float(below)) / 2):
        assert (values == float(value)).any()


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    from twinrank.export.trees import TreeModelError

    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(TreeModelError) as caught:
        native_raw("lightgbm", tmp_path / "model.txt", np.zeros((1, 1)))
    assert (caught.value.code, caught.value.where) == ("tree_native_missing", "lightgbm")
    assert caught.value.remedy == "Install twinrank[lightgbm]"


def test_the_forest_read_says_what_it_is() -> None:
    booster = trained("lambdarank", "nan")
    forest: Forest = read_lightgbm(booster)
    assert (forest.source, forest.source_version, forest.dtype) == ("lightgbm", "v4", "float64")
    assert forest.features == tuple(booster.feature_name())
    assert forest.objective == "lambdarank"
    assert json.loads(json.dumps(forest.categories[2])) == sorted(forest.categories[2])
    assert check_forest(forest) <= 30
