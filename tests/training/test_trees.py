"""Trees: slates without tomorrow, the same bytes each time, categories as categories, and refusals with places."""

import gzip
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from twinrank.training.config import ConfigError
from twinrank.training.data import FeatureData, FeatureSource, Interactions, place_requests
from twinrank.training.recipe import RecipeError, train
from twinrank.training.run import load_trees_run
from twinrank.training.schema import Feature, Packing, Policy, Schema, pack, read_request
from twinrank.training.trees import (
    Column,
    Queries,
    TreeOptions,
    TreesError,
    columns_of,
    fit_trees,
    native_matrix,
    read_ranking_file,
)

_NAN = Policy("default", "NaN")
_BESIDE = Path(__file__).parents[3] / "shared" / "data"
_PUBLISHED = Path(os.environ.get("TWINRANK_SHARED_DATA") or _BESIDE) / "lightgbm-lambdarank"
_OBJECTIVES = {"lightgbm": "lambdarank", "xgboost": "rank:ndcg"}


@pytest.fixture(params=["lightgbm", "xgboost"])
def trees(request: pytest.FixtureRequest, settings: dict[str, Any]) -> dict[str, Any]:
    """A run file of trees for the small world."""
    made = {key: value for key, value in settings.items() if key not in ("model", "training", "features")}
    nan = {"nonfinite": True, "missing": {"policy": "default", "value": "NaN"}}
    user = {"placement": "context", "dtype": "string", "missing": {"policy": "own_row"}}
    return {
        **made,
        "features": [
            {"name": "gender", **user, "source": {"kind": "users", "column": "gender"}},
            {"name": "met", "placement": "context", "dtype": "int64", "source": {"kind": "history_count"}},
            {"name": "mean", "placement": "context", "dtype": "float64", **nan, "source": {"kind": "history_rating"}},
            {"name": "item", "placement": "candidate", "dtype": "string", "source": {"kind": "item"}},
            {"name": "count", "placement": "candidate", "dtype": "int64", "source": {"kind": "popularity"}},
            {"name": "stars", "placement": "candidate", "dtype": "float64", **nan, "source": {"kind": "item_rating"}},
            {"name": "covisits", "placement": "candidate", "dtype": "float64", "source": {"kind": "covisits"}},
        ],
        "vocabularies": {
            "genders": {"dtype": "string", "features": ["gender"]},
            "items": {"dtype": "string", "features": ["item"]},
        },
        "transforms": [
            {"kind": "Lookup", "name": "gender", "feature": "gender", "vocabulary": "genders"},
            {"kind": "Matrix", "name": "user", "features": ["met", "mean"]},
            {"kind": "Lookup", "name": "item", "feature": "item", "vocabulary": "items"},
            {"kind": "Matrix", "name": "things", "features": ["stars", "count", "covisits"]},
        ],
        "slates": {"horizon": 5, "negatives": 10, "negative_power": 0.5, "grades": [4.0]},
        "trees": {
            "library": request.param,
            "objective": _OBJECTIVES[request.param],
            "rounds": 12,
            "early_stopping": 6,
            "learning_rate": 0.1,
            "leaves": 4,
            "label_gain": [0, 1, 2],
        },
    }


def go(document: dict[str, Any], out: Path, listener: Any, **options: Any) -> Any:
    return train(yaml.safe_dump(document), out, cache=out.parent / "cache", listener=listener, **options)


def test_a_run_of_trees_gives_the_same_bytes_and_scores_what_it_serves(
    trees: dict[str, Any], listener: Any, tmp_path: Path
) -> None:
    outcome = go(trees, tmp_path / "a", listener)
    go(trees, tmp_path / "b", listener)
    first, second = ({f.name: f.read_bytes() for f in (tmp_path / n).iterdir() if f.is_file()} for n in "ab")
    assert {name: hashlib.sha256(raw).hexdigest() for name, raw in first.items()} == {
        name: hashlib.sha256(raw).hexdigest() for name, raw in second.items()
    }
    assert go(trees, tmp_path / "a", listener).reused
    assert outcome.metrics["test"]["ranker"]["ndcg@5"] > outcome.metrics["test"]["popularity"]["ndcg@5"]
    assert set(outcome.metrics["test"]) == {"ranker", "popularity", "recent popularity", "EASE"}
    run = load_trees_run(tmp_path / "a")
    columns = columns_of(run.front)
    names = [column.name for column in columns]
    assert names == ["gender", "met", "mean", "item", "stars", "count", "covisits"]
    assert [column.name for column in columns if column.categorical] == ["gender", "item"]
    # Columns by hand, out of raw requests.
    request = next(each for each in run.requests if len(json.loads(each)["candidates"]) > 2)
    document = json.loads(request)
    blocks = pack(read_request(request, run.schema, max_candidates=100), Packing.of(run.schema))
    encoded = run.front.encode(blocks)
    n = len(document["candidates"])
    placement = {spec.name: spec.placement for spec in run.front.outputs}
    wide = {k: np.repeat(v, n, axis=0) if placement[k] == "context" else v for k, v in encoded.items()}
    x = native_matrix(columns, wide)
    assert x[:, 1].tolist() == [document["context"]["met"]] * n
    assert x[:, 5].tolist() == [each["count"] for each in document["candidates"]]
    assert x[:, 6].tolist() == [each["covisits"] for each in document["candidates"]]


def test_the_model_file_knows_names_and_categories(trees: dict[str, Any], listener: Any, tmp_path: Path) -> None:
    go(trees, tmp_path / "run", listener)
    run = load_trees_run(tmp_path / "run")
    names = [column.name for column in columns_of(run.front)]
    if run.library == "lightgbm":
        lines = dict(line.split("=", 1) for line in run.model.read_text().splitlines() if "=" in line)
        assert lines["feature_names"].split() == names
        assert lines["feature_infos"].split()[3].count(":") > 1, "a category lists its codes, a number has [low:high]"
        assert not lines["feature_infos"].split()[3].startswith("[")
    else:
        import xgboost

        booster = xgboost.Booster(model_file=run.model)
        assert booster.feature_names == names
        assert booster.feature_types == ["c", "q", "q", "c", "q", "q", "q"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"parameters": {"lambda_l9": 1}}, "'lambda_l9' is unknown to the library"),
        ({"parameters": {"eta": 0.3}}, "'eta' is set by the run file's own keys"),
        ({"parameters": {"seed": 3}}, "'seed' is set by the run file's own keys"),
        ({"monotone": {"cuont": 1}}, "there is no column 'cuont'; did you mean 'count'?"),
        ({"monotone": {"item": 1}}, "'item' is a category"),
        ({"position_bias": 0.1}, "these data have no positions"),
        ({"label_gain": [0, 1]}, "grade 2 has no gain"),
        ({"label_gain": [1, 2, 3]}, "label_gain must begin with 0"),
        ({"objective": "binary"}, "objective of .* must be one of"),
        ({"leaves": 1}, "leaves must be >= 2"),
    ],
)
def test_a_wrong_option_is_refused_with_its_place(
    trees: dict[str, Any], listener: Any, tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    trees["trees"].update(change)
    with pytest.raises(ConfigError, match=f"run.trees: .*{problem}"):
        go(trees, tmp_path / "run", listener)


def test_resuming_is_refused_in_words(trees: dict[str, Any], listener: Any, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="begins anew"):
        go(trees, tmp_path / "run", listener, resume=True)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_an_absent_library_is_named_with_what_to_install(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, library, None)
    options = TreeOptions(library, _OBJECTIVES[library], 1, None, 0.1, 4, (0.0, 1.0))  # type: ignore[arg-type]
    queries, columns = Queries(np.zeros((2, 1)), np.array([0, 1]), np.array([2])), [Column("a", "x", 0, None)]
    with pytest.raises(TreesError, match=rf"{library} is not installed; pip install 'twinrank\[{library}\]'"):
        fit_trees(options, columns, queries, queries, seed=1, threads=1, k=1, progress=lambda *_: None)


def _events(until: int) -> Interactions:
    random = np.random.default_rng(5)
    time = np.sort(random.integers(0, 400, 300))
    user, item, rating = random.integers(0, 9, 300), random.integers(0, 12, 300), random.integers(1, 6, 300)
    kept = time < until
    users, items = tuple(f"u{i}" for i in range(9)), tuple(f"i{i}" for i in range(12))
    return Interactions(users, items, user[kept], item[kept], time[kept], rating[kept].astype(np.float64))


def _data(events: Interactions) -> FeatureData:
    features = {
        "met": Feature("met", "context", "int64"),
        "mean": Feature("mean", "context", "float64", missing=_NAN, nonfinite=True),
        "stars": Feature("stars", "candidate", "float64", missing=_NAN, nonfinite=True),
        "covisits": Feature("covisits", "candidate", "float64"),
    }
    kinds: dict[str, Any] = {
        "met": "history_count",
        "mean": "history_rating",
        "stars": "item_rating",
        "covisits": "covisits",
    }
    sources = {name: FeatureSource(kinds[name]) for name in features}
    return FeatureData(Schema(tuple(features.values())), sources, events, users=None, items=None, snapshot=10)


@pytest.mark.parametrize("at", [150, 203, 310])
def test_no_feature_knows_what_comes_at_or_after_its_request(at: int) -> None:
    """The same request with and without everything from its time on: the same raw values."""
    whole = _events(1000)
    requests = place_requests(whole, start=at, end=400, per_user=1)
    items = np.arange(12)
    for row in range(len(requests)):
        time, user = int(requests.time[row]), int(requests.user[row])
        past = _events(time)
        # What stands at the request's time is only there to place it: a strange item with a strange rating.
        joined = Interactions(
            past.users,
            past.items,
            np.append(past.user, user),
            np.append(past.item, 0),
            np.append(past.time, time),
            np.append(past.rating if past.rating is not None else [], 1000.0),
        )
        again = place_requests(joined, start=time, end=time + 1, per_user=1)
        expected = _data(joined).raw_request(again, 0, items)
        assert _data(whole).raw_request(requests, row, items) == expected


def test_values_by_hand() -> None:
    events = Interactions(
        ("a", "b"),
        ("x", "y", "z"),
        np.array([0, 0, 1, 1, 0, 1]),
        np.array([0, 1, 0, 2, 2, 1]),
        np.array([1, 2, 3, 4, 25, 26]),
        np.array([5.0, 1.0, 2.0, 4.0, 3.0, 3.0]),
    )
    requests = place_requests(events, start=25, end=30, per_user=1)
    document = json.loads(_data(events).raw_request(requests, 0, np.arange(3)))
    # Known at 20: x by both (5, 2), y by a (1), z by b (4); a has met x and y.
    assert document["context"] == {"met": 2, "mean": 3.0}
    assert [each["stars"] for each in document["candidates"]] == [3.5, 1.0, 4.0]
    # cos(x, y) = cos(x, z) = 1 / sqrt 2, cos(y, z) = 0.
    half = 1 / np.sqrt(2)
    found = [each["covisits"] for each in document["candidates"]]
    assert found == pytest.approx([1 + half, 1 + half, half])


def test_a_ranking_file_is_read_by_column_and_query(tmp_path: Path) -> None:
    rows = tmp_path / "rows.gz"
    rows.write_bytes(gzip.compress(b"2 qid:7 0:1.5 2:nan # first\n0 qid:7 1:-2\n1 qid:9\n"))
    read = read_ranking_file(rows, None)
    np.testing.assert_array_equal(read.x, [[1.5, 0, np.nan], [0, -2, 0], [0, 0, 0]])
    assert (read.grade.tolist(), read.sizes.tolist()) == ([2, 0, 1], [2, 1])
    (tmp_path / "sizes").write_text("1\n2\n", encoding="ascii")
    assert read_ranking_file(rows, tmp_path / "sizes").sizes.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 qid:1 2:1 1:1\n", "line 1: column 1 comes after 2"),
        ("0.5 qid:1 2:1\n", "line 1: a grade is a whole number"),
        ("0 qid:1 1:1\n0 qid:1 x:1\n", "line 2: invalid literal"),
        ("0 qid:1 1:inf\n", "column 1 is infinite"),
        ("0 qid:1 1:1\n0 qid:2 1:1\n0 qid:1 1:1\n", "do not stand together"),
        ("0 1:1\n", "row 1 has no qid"),
        ("\n", "holds no rows"),
    ],
)
def test_a_wrong_ranking_file_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "rows").write_text(text, encoding="ascii")
    with pytest.raises(TreesError, match=problem):
        read_ranking_file(tmp_path / "rows", None)


def _needed(name: str) -> Path:
    if not (_PUBLISHED / name).exists():
        message = f"the LightGBM example set is not at {_PUBLISHED}; TWINRANK_SHARED_DATA names the folder above it"
        # Where the data sets should be, one that is not there is a fault; where there are none, the reason is printed.
        if os.environ.get("CI") == "true" and (_BESIDE.exists() or "TWINRANK_SHARED_DATA" in os.environ):
            pytest.fail(message)
        pytest.skip(message)
    return _PUBLISHED / name


def test_the_floors_that_lightgbm_publishes_hold(listener: Any, tmp_path: Path) -> None:
    files = {
        purpose: {"rows": str(_needed(f"rank.{part}.gz")), "queries": str(_needed(f"rank.{part}.query"))}
        for purpose, part in (("training", "train"), ("validation", "test"))
    }
    document = {
        "name": "published",
        "seed": 7,
        "threads": 1,
        "max_candidates": 1000,
        "data": {"svmlight": files},
        "trees": {
            "library": "lightgbm",
            "objective": "lambdarank",
            "rounds": 100,
            "learning_rate": 0.1,
            "leaves": 31,
            "label_gain": [0, 1, 3, 7, 15],
        },
        "evaluation": {"k": [1, 3, 5, 10]},
    }
    measured = go(document, tmp_path / "run", listener).metrics["validation"]["ranker"]
    # LightGBM's own tests ask for .5674 and .578; all four were measured with its own evaluation (tolerance: ties).
    assert measured["ndcg@1"] > 0.5674
    assert measured["ndcg@3"] > 0.578
    assert measured["ndcg@5"] == pytest.approx(0.6739, abs=5e-3)
    assert measured["ndcg@10"] == pytest.approx(0.7358, abs=5e-3)
    assert len(load_trees_run(tmp_path / "run").requests) == 50


def _clicks(seed: int) -> tuple[Queries, NDArray[np.int64]]:
    """400 queries of 10 rows, shown in the order of the second column, of which who looks sees 1 / position.

    What is relevant and seen is clicked nine times out of ten; the first column knows a little of relevance, the second
    nothing. Returns rows with clicks, shuffled within each query, and what is relevant.
    """
    random = np.random.default_rng(seed)
    quality, shown = random.normal(size=(2, 400, 10))
    position = np.argsort(np.argsort(-shown, axis=1), axis=1)
    relevant = quality > 0
    clicked = (random.random((400, 10)) < 0.9 / (1 + position)) & relevant
    noisy = quality + 1.5 * random.normal(size=(400, 10))
    x = np.stack([noisy.ravel(), shown.ravel()], axis=1)
    queries = Queries(x, clicked.ravel().astype(np.int64), np.full(400, 10), position.ravel())
    return queries, relevant.ravel().astype(np.int64)


def _ndcg(scores: NDArray[Any], relevant: NDArray[np.int64]) -> float:
    """Mean nDCG@10 over queries of 10, gain 1."""
    discount = 1 / np.log2(np.arange(2, 12))
    ranked = np.take_along_axis(relevant.reshape(-1, 10), np.argsort(-scores.reshape(-1, 10), axis=1), axis=1)
    ideal = np.sort(relevant.reshape(-1, 10), axis=1)[:, ::-1]
    held = ideal.any(axis=1)
    return float(((ranked @ discount)[held] / (ideal @ discount)[held]).mean())


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_positions_take_what_was_shown_first_out_of_the_clicks(library: Any) -> None:
    training, _ = _clicks(1)
    validation, relevant = _clicks(2)
    columns = [Column("quality", "x", 0, None), Column("shown", "x", 1, None)]
    plain = TreeOptions(library, _OBJECTIVES[library], 40, None, 0.1, 4, (0.0, 1.0))

    def score(options: TreeOptions) -> float:
        fitted = fit_trees(options, columns, training, validation, seed=1, threads=1, k=10, progress=lambda *_: None)
        return _ndcg(np.asarray(fitted.predict(validation.x)), relevant)

    # .81 and .86 of LightGBM, .81 and .85 of XGBoost were seen.
    assert score(replace(plain, position_bias=0.0)) > score(plain) + 0.03


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_monotone_column_never_turns(library: Any, direction: int) -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(2000, 2))
    # The grade rises with the column, with a dip in the middle that free trees follow.
    latent = x[:, 0] - 2 * np.exp(-8 * x[:, 0] ** 2) + 0.3 * x[:, 1] + 0.3 * random.normal(size=2000)
    grade = np.digitize(latent, [-0.5, 0.5])
    queries = Queries(x, grade, np.full(100, 20))
    columns = [Column("rising", "x", 0, None), Column("other", "x", 1, None)]
    options = TreeOptions(library, _OBJECTIVES[library], 30, None, 0.2, 8, (0.0, 1.0, 3.0))
    steps = np.stack([np.linspace(-3, 3, 400), np.zeros(400)], axis=1)

    def turns(monotone: dict[str, int]) -> int:
        fitted = fit_trees(
            replace(options, monotone=monotone),
            columns,
            queries,
            queries,
            seed=1,
            threads=1,
            k=10,
            progress=lambda *_: None,
        )
        return int((np.diff(np.asarray(fitted.predict(steps))) * direction < 0).sum())

    assert turns({}) > 0
    assert turns({"rising": direction}) == 0
