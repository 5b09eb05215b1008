"""From a model file to a bundle that has the bits of the library, with a schema of one's own and without."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from twinrank.bridge.cli import main
from twinrank.export.bundle import Bundle, open_bundle
from twinrank.export.graph import ExportError, TreeLibrary, export_source, source_of_trees
from twinrank.export.trees import native_raw

lightgbm = importlib.import_module("lightgbm")

_ROWS = 400


def _data(random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    x = random.normal(size=(_ROWS, 4))
    x[:, 2] = random.integers(0, 12, _ROWS)
    x[:, 3] = 1.7e9 + random.integers(0, 10**6, _ROWS)
    x[random.random(x.shape) < 0.1] = np.nan
    return x, random.integers(0, 3, _ROWS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ranker with a category, a name with a blank, and times that float32 cannot hold."""
    x, y = _data(np.random.default_rng(1))
    data = lightgbm.Dataset(
        x, y, group=[20] * 20, categorical_feature=[2], feature_name=["price", "item age", "genre", "seen"]
    )
    parameters = {"objective": "lambdarank", "num_leaves": 7, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    path = tmp_path_factory.mktemp("lightgbm") / "shop.txt"
    lightgbm.train(parameters, data, 12).save_model(str(path))
    return path


@pytest.fixture(scope="module")
def bundle(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    models = tmp_path_factory.mktemp("models")
    return open_bundle(export_source(source_of_trees("lightgbm", model), models))


def _json(value: float) -> object:
    return "NaN" if np.isnan(value) else value


def _score(bundle: Bundle, names: list[str], x: NDArray[np.float64]) -> NDArray[np.floating]:
    candidates = [{name: _json(value) for name, value in zip(names, row, strict=True)} for row in x.tolist()]
    return bundle.score(json.dumps({"context": {}, "candidates": candidates}).encode()).score


def test_three_lines_give_a_bundle_with_the_librarys_bits(model: Path, bundle: Bundle) -> None:
    assert str(bundle.verification) == "verified-bits"
    assert [feature.name for feature in bundle.schema.features] == ["price", "item_age", "genre", "seen"]
    x, _ = _data(np.random.default_rng(2))
    found = _score(bundle, ["price", "item_age", "genre", "seen"], x)
    assert found.dtype == np.float64
    assert found.tobytes() == native_raw("lightgbm", model, x)[:, 0].tobytes()


def test_an_absent_number_is_missing_as_nan_is(bundle: Bundle) -> None:
    whole = bundle.score(b'{"context":{},"candidates":[{"price":1.5,"item_age":"NaN","genre":3,"seen":1.7e9}]}')
    absent = bundle.score(b'{"context":{},"candidates":[{"price":1.5,"genre":3,"seen":1.7e9}]}')
    assert whole.score.tobytes() == absent.score.tobytes()


def test_the_evidence_names_the_library_and_its_boundaries(bundle: Bundle) -> None:
    document = bundle.manifest.document
    assert document["format"] == {"major": 1, "minor": 1}
    reference = document["evidence"]["reference"]
    assert reference["source"] == "lightgbm"
    assert reference["rows"] >= 100_000
    assert reference["outputs"]["score"] == {"a": 1e-06, "max_abs": 0.0, "max_ulp": 0}
    trees = document["provenance"]["trees"]
    assert (trees["trees"], trees["differing_bits"], trees["features"][1]) == (12, 0, "item_age")
    assert trees["probed_rows"] == 100_000


def test_a_booster_gives_the_bundle_of_its_file(model: Path, bundle: Bundle, tmp_path: Path) -> None:
    booster = lightgbm.Booster(model_file=str(model))
    path = export_source(source_of_trees("lightgbm", booster, name="shop"), tmp_path)
    assert (path / "model.onnx").read_bytes() == (bundle.path / "model.onnx").read_bytes()


_SCHEMA = """
features:
  - {name: seen, placement: context, dtype: int64}
  - {name: genre, placement: candidate, dtype: string, missing: {policy: own_row}}
  - {name: item_age, placement: candidate, dtype: float32, nonfinite: true, missing: {policy: default, value: "NaN"}}
  - {name: price, placement: candidate, dtype: float64, nonfinite: true, missing: {policy: default, value: "NaN"}}
transforms:
  - {kind: matrix, name: context, features: [seen]}
  - {kind: matrix, name: numbers, features: [price, item_age]}
  - {kind: lookup, name: genre, feature: genre, vocabulary: {entries: [g0, g1, g2, g3, g4, g5, g6, g7]}}
"""


def _sample(path: Path, count: int) -> Path:
    random = np.random.default_rng(3)
    lines = []
    for _ in range(count):
        candidates = [
            {"genre": f"g{random.integers(0, 10)}", "item_age": float(random.normal()), "price": float(random.normal())}
            for _ in range(20)
        ]
        lines.append(json.dumps({"context": {"seen": 1_700_000_123}, "candidates": candidates}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_schema_brings_context_strings_and_another_order(model: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_text(_SCHEMA, encoding="utf-8")
    requests = _sample(tmp_path / "sample.jsonl", 6)
    path = export_source(source_of_trees("lightgbm", model, schema, requests), tmp_path / "models")
    found = open_bundle(path).score(
        b'{"context":{"seen":1700000123},"candidates":[{"genre":"g3","item_age":0.1,"price":-0.5},'
        b'{"genre":"nowhere","price":2.25},{"item_age":-1,"price":0.75}]}'
    )
    # In the model's order; float32 keeps another 0.1; what no vocabulary holds, and what is absent, is NaN.
    x = np.array(
        [
            [-0.5, float(np.float32(0.1)), 3.0, 1_700_000_123.0],
            [2.25, np.nan, np.nan, 1_700_000_123.0],
            [0.75, -1.0, np.nan, 1_700_000_123.0],
        ]
    )
    assert found.score.tobytes() == native_raw("lightgbm", model, x)[:, 0].tobytes()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("name: item_age, placement", "name: age, placement", "item_age"),
        ("features: [price, item_age]", "features: [item_age]", "price"),
    ],
)
def test_columns_are_met_by_name_or_not_at_all(model: Path, tmp_path: Path, before: str, after: str, told: str) -> None:
    text = _SCHEMA.replace(before, after)
    text = text.replace("[price, item_age]", "[price, age]") if "name: age" in text else text
    text = (
        text.replace(
            "  - {kind: lookup", "  - {kind: clip, name: price, feature: price, low: 0, high: 1}\n  - {kind: lookup"
        )
        if after == "features: [item_age]"
        else text
    )
    schema = tmp_path / "schema.yaml"
    schema.write_text(text, encoding="utf-8")
    with pytest.raises(ExportError, match=told) as caught:
        source_of_trees("lightgbm", model, schema, _sample(tmp_path / "sample.jsonl", 3))
    assert caught.value.reason == "input_unknown"


def test_classes_need_a_score(tmp_path: Path) -> None:
    x, y = _data(np.random.default_rng(4))
    parameters = {"objective": "multiclass", "num_class": 3, "num_leaves": 4, "verbose": -1, "num_threads": 1}
    path = tmp_path / "classes.txt"
    lightgbm.train(parameters, lightgbm.Dataset(x, y), 3).save_model(str(path))
    with pytest.raises(ExportError, match="--score class_2"):
        source_of_trees("lightgbm", path)
    made = export_source(source_of_trees("lightgbm", path, score="class_2"), tmp_path / "models")
    opened = open_bundle(made)
    found = opened.score(b'{"context":{},"candidates":[{"Column_0":0.25,"Column_3":1.7e9}]}')
    expected = native_raw("lightgbm", path, np.array([[0.25, np.nan, np.nan, 1.7e9]]))[0]
    assert [found.heads[f"class_{k}"][0] for k in range(3)] == expected.tolist()
    assert found.score[0] == expected[2]


@pytest.mark.parametrize(
    ("objective", "more", "heads"),
    [
        ("binary", {"sigmoid": 1.7}, ["prediction"]),
        ("multiclass", {"num_class": 3}, ["prediction_class_0", "prediction_class_1", "prediction_class_2"]),
        ("poisson", {}, ["prediction"]),
    ],
)
def test_the_librarys_predictions_are_heads_within_their_tolerance(
    objective: str, more: dict[str, object], heads: list[str], tmp_path: Path
) -> None:
    x, y = _data(np.random.default_rng(6))
    label = np.minimum(y, 1) if objective == "binary" else y
    path = tmp_path / "model.txt"
    parameters = {"objective": objective, "num_leaves": 4, "verbose": -1, "num_threads": 1, **more}
    lightgbm.train(parameters, lightgbm.Dataset(x, label), 4).save_model(str(path))
    score = "class_1" if objective == "multiclass" else None
    made = open_bundle(export_source(source_of_trees("lightgbm", path, score=score, link=True), tmp_path / "models"))
    values = [0.25, -1.0, 3.0, 1.7e9]
    document = json.dumps({"context": {}, "candidates": [{f"Column_{i}": v for i, v in enumerate(values)}]})
    found = made.score(document.encode())
    expected = lightgbm.Booster(model_file=str(path)).predict(np.array([values]), num_threads=1).reshape(-1)
    for name, value in zip(heads, expected, strict=True):
        assert abs(found.heads[name][0] - value) <= made.manifest.tolerances[name].a
        assert 0 < made.manifest.tolerances[name].a <= 1e-6
    raw = native_raw("lightgbm", path, np.array([values]))[0]
    assert found.score[0] == raw[1 if objective == "multiclass" else 0]


def test_a_ranker_has_no_prediction_but_its_score(model: Path) -> None:
    with pytest.raises(ExportError) as caught:
        source_of_trees("lightgbm", model, link=True)
    assert caught.value.reason == "link_unknown"


def test_xgboost_keeps_its_float32(tmp_path: Path) -> None:
    xgboost = importlib.import_module("xgboost")
    x, y = _data(np.random.default_rng(5))
    matrix = xgboost.DMatrix(x, y, qid=np.repeat(np.arange(20), 20))
    path = tmp_path / "ranker.ubj"
    xgboost.train({"objective": "rank:ndcg", "max_depth": 3, "nthread": 1}, matrix, 8).save_model(str(path))
    made = open_bundle(export_source(source_of_trees("xgboost", path), tmp_path / "models"))
    found = _score(made, [feature.name for feature in made.schema.features], x)
    assert found.dtype == np.float32
    assert found.tobytes() == native_raw("xgboost", path, x)[:, 0].tobytes()


def test_names_that_would_be_one_get_numbers(tmp_path: Path) -> None:
    x, y = _data(np.random.default_rng(7))
    path = tmp_path / "names.txt"
    data = lightgbm.Dataset(x, y, feature_name=["a.b", "a_b", "a-b", "1"])
    lightgbm.train({"objective": "regression", "num_leaves": 4, "verbose": -1, "num_threads": 1}, data, 3).save_model(
        str(path)
    )
    made = open_bundle(export_source(source_of_trees("lightgbm", path), tmp_path / "models"))
    names = [feature.name for feature in made.schema.features]
    assert names == ["a_b_2", "a_b", "a_b_3", "_1"]
    assert _score(made, names, x).tobytes() == native_raw("lightgbm", path, x)[:, 0].tobytes()


def test_a_category_may_be_called_as_an_output_is(tmp_path: Path) -> None:
    pandas = importlib.import_module("pandas")
    random = np.random.default_rng(8)
    words = random.choice(["a", "b", "c"], 300)
    frame = pandas.DataFrame({"score": pandas.Categorical(words), "x": random.normal(size=300)})
    label = (words == "b") + frame["x"].to_numpy() * 0.1
    path = tmp_path / "words.txt"
    parameters = {"objective": "regression", "num_leaves": 4, "verbose": -1, "num_threads": 1, "min_data_per_group": 5}
    booster = lightgbm.train(parameters, lightgbm.Dataset(frame, label), 5)
    booster.save_model(str(path))
    made = open_bundle(export_source(source_of_trees("lightgbm", path), tmp_path / "models"))
    found = made.score(b'{"context":{},"candidates":[{"score":"b","x":0.5},{"score":"new","x":0.5},{"x":0.5}]}')
    codes = np.array([[1.0, 0.5], [np.nan, 0.5], [np.nan, 0.5]])
    assert found.score.tobytes() == native_raw("lightgbm", path, codes)[:, 0].tobytes()


_FRAME = """
features:
  - {name: genre, placement: candidate, dtype: string, missing: {policy: own_row}}
  - {name: x, placement: candidate, dtype: float64, nonfinite: true, missing: {policy: default, value: NaN}}
transforms:
  - {kind: lookup, name: genre, feature: genre, vocabulary: {entries: ENTRIES}}
  - {kind: matrix, name: numbers, features: [x]}
"""


@pytest.fixture(scope="module", params=["lightgbm", "xgboost"])
def framed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A model of a data frame whose words are drama = 0, comedy = 1, thriller = 2, and its library."""
    pandas = importlib.import_module("pandas")
    random = np.random.default_rng(9)
    words = pandas.Categorical(random.choice(["drama", "comedy", "thriller"], 300), ["drama", "comedy", "thriller"])
    frame = pandas.DataFrame({"genre": words, "x": random.normal(size=300)})
    label = words.codes * 1.0 + frame["x"].to_numpy() * 0.1
    folder = tmp_path_factory.mktemp("framed")
    if request.param == "lightgbm":
        path = folder / "model.txt"
        parameters = {"num_leaves": 7, "verbose": -1, "num_threads": 1, "min_data_per_group": 5}
        lightgbm.train(parameters, lightgbm.Dataset(frame, label), 5).save_model(str(path))
    else:
        xgboost = importlib.import_module("xgboost")
        path = folder / "model.json"
        matrix = xgboost.DMatrix(frame, label, enable_categorical=True)
        xgboost.train({"max_depth": 3, "nthread": 1}, matrix, 5).save_model(path)
    return request.param, path


@pytest.mark.parametrize(
    ("entries", "right"),
    [
        ("[drama, comedy, thriller]", True),
        ("[comedy, drama, thriller]", False),
        ("[drama, comedy]", False),
        ("[drama, comedy, thriller, western]", False),
    ],
)
def test_words_have_the_codes_that_the_model_file_gives_them(
    framed: tuple[str, Path], entries: str, right: bool, tmp_path: Path
) -> None:
    library, path = framed
    schema, sample = tmp_path / "schema.yaml", tmp_path / "sample.jsonl"
    schema.write_text(_FRAME.replace("ENTRIES", entries), "utf-8")
    sample.write_text('{"context":{},"candidates":[{"genre":"drama","x":1.5}]}\n', "utf-8")
    if right:
        assert source_of_trees(library, path, schema, sample).name == "model"  # type: ignore[arg-type]
        return
    with pytest.raises(ExportError) as caught:
        source_of_trees(library, path, schema, sample)  # type: ignore[arg-type]
    assert caught.value.reason == "tree_categories_differ"
    assert "'drama', 'comedy', 'thriller' had them" in str(caught.value)


def test_a_schema_without_a_sample_is_refused_before_the_model_is_read(framed: tuple[str, Path]) -> None:
    library, path = framed
    with pytest.raises(ExportError, match="Give --requests FILE") as caught:
        source_of_trees(library, path, path.with_name("no.yaml"))  # type: ignore[arg-type]
    assert caught.value.reason == "no_request"


def test_a_library_that_is_none_is_named_with_those_there_are(model: Path) -> None:
    with pytest.raises(ValueError, match=r"library is 'xgb'; allowed are 'lightgbm', 'xgboost', 'catboost'"):
        source_of_trees("xgb", model)  # type: ignore[arg-type]


_PICKLE = b"\x80\x04}\x94."  # an empty dict


@pytest.mark.parametrize(
    ("library", "content", "said"),
    [
        ("lightgbm", _PICKLE, "ranker.booster_.save_model"),
        ("xgboost", _PICKLE, 'booster.save_model("model.ubj")'),
        ("xgboost", b"tree\nversion=v4\n", "Give it to --lightgbm"),
    ],
)
def test_other_files_are_told_for_what_they_are(library: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(ExportError) as caught:
        source_of_trees(library, path)  # type: ignore[arg-type]
    assert caught.value.reason == "tree_model_invalid"
    assert said in str(caught.value)


def test_a_model_whose_bits_differ_is_refused(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twinrank.export.graph import _trees_back

    source = source_of_trees("lightgbm", model)
    library = _trees_back.open_native("lightgbm", model)
    monkeypatch.setattr(source.back, "_library", lambda x: np.nextafter(library(x), np.inf))
    with pytest.raises(ExportError) as caught:
        export_source(source, tmp_path / "models")
    assert caught.value.reason == "tree_bits_differ"
    assert not (tmp_path / "models" / "shop" / "1").exists()


def test_the_command_needs_no_more_than_the_file(model: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["export", "--lightgbm", str(model), "--models", str(tmp_path / "models")])
    assert result.exit_code == 0, result.output
    assert "100,000 rows, 0 differing bits" in result.output
    assert "'item_age' is" not in result.output
    assert (tmp_path / "models" / "shop" / "1" / "manifest.json").is_file()


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_a_file_that_is_no_model_is_refused(library: TreeLibrary, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text('{"not": "a model"}', encoding="utf-8")
    result = CliRunner().invoke(main, ["export", f"--{library}", str(path), "--models", str(tmp_path / "models")])
    assert result.exit_code == 1
    assert "tree_model_invalid" in result.output
    assert not (tmp_path / "models").exists()


def test_a_file_that_the_library_itself_refuses_is_told_in_its_words(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "edited.txt"
    path.write_text(
        model.read_text(encoding="utf-8").replace("objective=lambdarank", "objective=lambdadank"), encoding="utf-8"
    )
    with pytest.raises(ExportError, match="Unknown objective type name: lambdadank") as caught:
        source_of_trees("lightgbm", path)
    assert caught.value.reason == "tree_model_invalid"
    assert caught.value.findings[0].node, "a table of findings has a column for where"


def test_a_single_split_over_one_column_needs_no_requests_either(tmp_path: Path) -> None:
    x = np.repeat([0.0, 1.0], 50)[:, np.newaxis]
    parameters = {"objective": "regression", "num_leaves": 2, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(x, x[:, 0]), 1)
    found = open_bundle(export_source(source_of_trees("lightgbm", booster, name="stump"), tmp_path / "models"))
    assert _score(found, ["Column_0"], x).tobytes() == booster.predict(x, raw_score=True, num_threads=1).tobytes()
