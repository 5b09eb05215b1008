"""The libraries of trees as routes: the model that a bundle was made from gives the bundle's bits, and nothing else."""

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import twinrank.bridge as bridge
from twinrank.bridge import RouteOptions, verify
from twinrank.bridge._cases import FUZZ, Case
from twinrank.bridge._errors import UserError
from twinrank.bridge._html import render
from twinrank.bridge._parity import RouteTally
from twinrank.bridge._report import to_json
from twinrank.bridge._scorer import RouteError, RouteFailedError, RouteScores, Scored
from twinrank.bridge._verify import level_for, select
from twinrank.bridge.routes import route
from twinrank.export.bundle import read_manifest
from twinrank.export.graph import export_source, source_of_trees

SCHEMA = Path(bridge.__file__).parent / "report.schema.json"
LIBRARIES = ("lightgbm", "xgboost", "catboost")


def rows(count: int = 300) -> np.ndarray:
    made = np.random.default_rng(5).normal(size=(count, 3))
    made[np.random.default_rng(6).random(made.shape) < 0.1] = np.nan
    return made


def train(library: str, folder: Path, seed: int = 1) -> Path:
    x = rows()
    y = np.nan_to_num(x[:, 0]) * seed + np.nan_to_num(x[:, 1]) ** 2
    if library == "lightgbm":
        import lightgbm

        path = folder / "model.lightgbm.txt"
        params = {"verbose": -1, "num_threads": 1, "num_leaves": 7, "deterministic": True}
        lightgbm.train(params, lightgbm.Dataset(x, y, free_raw_data=False), 5).save_model(str(path))
    elif library == "xgboost":
        import xgboost

        path = folder / "model.xgboost.ubj"
        xgboost.train({"max_depth": 3, "nthread": 1}, xgboost.DMatrix(x, y), 5).save_model(path)
    else:
        from catboost import CatBoost

        path = folder / "model.catboost.json"
        model = CatBoost({"iterations": 5, "depth": 3, "thread_count": 1, "verbose": 0, "allow_writing_files": False})
        model.fit(x, y)
        model.save_model(str(path), format="json")
        model.save_model(str(path.with_suffix(".cbm")))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """By library: the model file and the bundle."""
    found = {}
    for library in LIBRARIES:
        folder = tmp_path_factory.mktemp(library)
        model = train(library, folder)
        source = source_of_trees(library, model, name="shop")
        found[library] = (model, export_source(source, folder / "models"))
    return found


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_library_gives_the_bundle_s_bits_at_level_trees(library: str, made: Any) -> None:
    model, bundle = made[library]
    result = verify(bundle, native=model, routes=[library], fuzz=60, seed=1, invariance=True)
    (tally,) = result.routes
    assert (result.verdict, tally.level, tally.failure) == ("equal", "trees", None)
    assert tally.rows > 200
    assert tally.heads["score"].allowed is None
    assert tally.heads["score"].differing_bits == 0
    assert tally.heads["score"].dtype == ("float32" if library == "xgboost" else "float64")
    assert tally.errors == tally.errors_agreed
    assert tally.invariance is not None
    assert (tally.invariance.rows > 0, tally.invariance.differing_bits) == (True, 0)
    assert tally.facts is not None
    assert tally.facts.runtime.startswith(f"{library} ")
    document = to_json(result)
    jsonschema.validate(document, json.loads(SCHEMA.read_bytes()))
    assert [one["level"] for one in document["routes"]] == ["trees"]
    page = render(result)
    assert "gives the raw scores to the bit" in page
    assert "differing bits at level trees" in page


def test_a_run_gives_the_model_by_its_file_s_name(made: Any) -> None:
    model, bundle = made["lightgbm"]
    with route("lightgbm").open(bundle, RouteOptions(run=model.parent)) as scorer:
        assert isinstance(scorer.score(b'{"context": {}, "candidates": [{}]}'), RouteScores)


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_model_is_refused_before_anything_is_scored(library: str, made: Any, tmp_path: Path) -> None:
    _, bundle = made[library]
    other = train(library, tmp_path, seed=3)
    with pytest.raises(RouteFailedError, match="is not the model that the bundle was made from: its sha256") as caught:
        route(library).open(bundle, RouteOptions(native=other))
    assert caught.value.reason == "unavailable"
    result = verify(bundle, native=other, routes=[library])
    assert (result.verdict, result.exit_code) == ("unknown", 2)


def test_other_bits_are_a_difference_at_level_trees(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, bundle = made["lightgbm"]

    def a_bit_off(source: str, path: Path) -> Any:
        predict = native(source, path)
        return lambda x: np.nextafter(predict(x), np.inf)

    from twinrank.bridge.routes import _trees

    native = _trees.open_native
    monkeypatch.setattr(_trees, "open_native", a_bit_off)
    result = verify(bundle, native=model, routes=["lightgbm"], explain=False)
    assert (result.verdict, result.routes[0].heads["score"].max_ulp) == ("differs", 1)


def test_a_bundle_is_compared_with_its_own_library_alone(made: Any) -> None:
    model, bundle = made["xgboost"]
    chosen, left_out = select(bundle, (), RouteOptions(native=model))
    names = {one.name for one in chosen}
    assert "xgboost" in names
    assert not {"lightgbm", "catboost", "torch"} & names
    assert left_out["lightgbm"] == "this bundle's scores are not LightGBM's"
    assert left_out["torch"] == "this bundle's scores are those of trees: the route xgboost compares them"
    _, left_out = select(bundle, (), RouteOptions())
    assert left_out["xgboost"] == "needs the model file: --native FILE, or --run RUN"
    with pytest.raises(RouteFailedError, match="notes trees of xgboost, so LightGBM cannot"):
        route("lightgbm").open(bundle, RouteOptions(native=model))


def test_a_model_file_for_no_route_is_refused(made: Any) -> None:
    model, bundle = made["lightgbm"]
    with pytest.raises(UserError, match="no route of a tree library is compared"):
        verify(bundle, native=model, routes=["probe"])


def test_a_refused_request_is_refused_alike(made: Any) -> None:
    model, bundle = made["lightgbm"]
    with route("lightgbm").open(bundle, RouteOptions(native=model)) as scorer:
        answer = scorer.score(b'{"context": {}, "candidates": [{"Column_0": "one"}]}')
        assert isinstance(answer, RouteError)
        assert (answer.code, answer.feature, answer.candidate) == ("wrong_type", "Column_0", 0)
        empty = scorer.score(b'{"context": {}, "candidates": []}')
        assert isinstance(empty, RouteScores)
        assert (empty.n, empty.outputs["score"].dtype) == (0, np.float64)


def test_without_the_library_it_says_what_to_install(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    model, bundle = made["lightgbm"]
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(RouteFailedError, match=r"Install twinrank\[lightgbm\]"):
        route("lightgbm").open(bundle, RouteOptions(native=model))


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_strings_are_the_codes_of_the_data_frame(library: str, tmp_path: Path) -> None:
    pandas = importlib.import_module("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {"price": rng.normal(size=200), "shop": pandas.Categorical(rng.choice(["x", "yy", "zzz"], 200))}
    )
    label = frame["price"].to_numpy() + (frame["shop"] == "yy").to_numpy() * 2
    if library == "lightgbm":
        import lightgbm

        model = tmp_path / "model.txt"
        params = {"verbose": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 0}
        lightgbm.train(params, lightgbm.Dataset(frame, label), 4).save_model(str(model))
    else:
        import xgboost

        model = tmp_path / "model.ubj"
        matrix = xgboost.DMatrix(frame, label, enable_categorical=True)
        xgboost.train({"nthread": 1}, matrix, 4).save_model(model)
    bundle = export_source(source_of_trees(library, model, name="shop"), tmp_path / "models")
    lines = [
        {"context": {}, "candidates": [{"price": float(price), "shop": shop} for price, shop in part]}
        for part in np.array_split(frame.to_numpy(object), 20)
    ]
    lines.append({"context": {}, "candidates": [{"price": 0.5, "shop": "new"}, {"price": 0.5}, {"shop": "x"}]})
    requests = tmp_path / "requests.jsonl"
    requests.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = verify(bundle, native=model, routes=[library], requests=requests)
    assert result.verdict == "equal"
    assert result.routes[0].rows > 200


def linked(library: str, classes: int, folder: Path) -> tuple[Path, Path]:
    """A classifier and its bundle with the library's own probabilities as heads."""
    x = rows()
    label = np.digitize(np.nan_to_num(x[:, 0] + x[:, 1]), np.linspace(-0.5, 0.5, classes - 1))
    if library == "lightgbm":
        lightgbm = importlib.import_module("lightgbm")
        path = folder / "model.txt"
        params: dict[str, Any] = {"verbose": -1, "num_threads": 1, "num_leaves": 7}
        params |= {"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": classes}
        lightgbm.train(params, lightgbm.Dataset(x, label), 4).save_model(str(path))
    else:
        xgboost = importlib.import_module("xgboost")
        path = folder / "model.ubj"
        params = {"max_depth": 3, "nthread": 1}
        several: dict[str, Any] = {"objective": "multi:softprob", "num_class": classes}
        params |= {"objective": "binary:logistic"} if classes == 2 else several
        xgboost.train(params, xgboost.DMatrix(x, label), 4).save_model(path)
    score = None if classes == 2 else "class_1"
    source = source_of_trees(library, path, name="classes", link=True, score=score)  # type: ignore[arg-type]
    return path, export_source(source, folder / "models")


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_library_s_own_predictions_are_asked_of_it_too(library: str, classes: int, tmp_path: Path) -> None:
    model, bundle = linked(library, classes, tmp_path)
    result = verify(bundle, native=model, routes=[library], fuzz=60, seed=4)
    (tally,) = result.routes
    assert (result.verdict, tally.failure) == ("equal", None)
    names = [f"class_{target}" for target in range(classes)] if classes > 2 else []
    links = [f"prediction_{name}" for name in names] or ["prediction"]
    assert list(tally.heads) == [*names, *links, "score"]
    for name, head in tally.heads.items():
        assert head.rows > 200
        assert (head.allowed is None) == (name not in links)
    # The score is a raw score: no probability is negative, or above 1.
    with route(library).open(bundle, RouteOptions(native=model)) as scorer:
        lines = (bundle / "goldens" / "requests.jsonl").read_bytes().splitlines()
        found = [answer for line in lines if isinstance(answer := scorer.score(line), RouteScores) and answer.n]
    probabilities = np.concatenate([answer.outputs[links[-1]] for answer in found])
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert min(answer.outputs["score"].min() for answer in found) < 0


def test_what_a_network_says_is_not_the_library_s(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from twinrank.bridge.routes import _trees

    model, bundle = made["lightgbm"]
    manifest = read_manifest(bundle)
    heads = (replace(manifest.score, name="network_score", output="head.network_score"),)
    monkeypatch.setattr(_trees, "read_manifest", lambda _: replace(manifest, heads=heads))
    with pytest.raises(RouteFailedError, match="the heads network_score are not the model's"):
        route("lightgbm").open(bundle, RouteOptions(native=model))


_FRONT = """
features:
  - {name: price, placement: candidate, dtype: float64, nonfinite: true, missing: {policy: default, value: NaN}}
  - {name: hour, placement: context, dtype: int64}
  - {name: shop, placement: candidate, dtype: string, missing: {policy: own_row}}
transforms:
  - {kind: matrix, name: numbers, features: [price]}
  - {kind: matrix, name: of_the_query, features: [hour]}
  - {kind: lookup, name: shop, feature: shop, vocabulary: {entries: [north, south, "węst"]}}
"""


@pytest.fixture
def shops(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A model file, the schema that it is exported with, and the bundle: a category that the file does not list."""
    random = np.random.default_rng(3)
    x = np.column_stack([random.integers(0, 3, 400), random.normal(size=400).round(2), random.integers(0, 24, 400)])
    y = (x[:, 0] == 1) * x[:, 1] + np.sin(x[:, 2])
    model, schema, sample = tmp_path / "model.txt", tmp_path / "schema.yaml", tmp_path / "sample.jsonl"
    lightgbm = importlib.import_module("lightgbm")
    data = lightgbm.Dataset(
        x, y, feature_name=["shop", "price", "hour"], categorical_feature=["shop"], free_raw_data=False
    )
    settings = {"verbose": -1, "num_threads": 1, "num_leaves": 7, "min_data_per_group": 1, "min_data_in_leaf": 2}
    lightgbm.train(settings, data, 6).save_model(str(model))
    schema.write_text(_FRONT, encoding="utf-8")
    shops = ("north", "south", "węst", "new", None)
    lines: list[dict[str, Any]] = [
        {"context": {"hour": hour}, "candidates": [{"price": (hour - 12) / 8, "shop": shop} for shop in shops if shop]}
        for hour in range(24)
    ]
    lines[0]["candidates"].append({})
    sample.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    source = source_of_trees("lightgbm", model, schema, sample, name="shops")
    return model, schema, export_source(source, tmp_path / "models")


def test_a_schema_of_one_s_own_tells_how_columns_are_made(shops: tuple[Path, Path, Path]) -> None:
    model, schema, bundle = shops
    result = verify(bundle, native=model, schema=schema, routes=["lightgbm"], fuzz=200, seed=2, invariance=True)
    (tally,) = result.routes
    assert (result.verdict, tally.failure) == ("equal", None)
    assert tally.rows > 500
    assert tally.errors == tally.errors_agreed > 0


def test_without_the_schema_the_route_says_what_to_pass(shops: tuple[Path, Path, Path]) -> None:
    model, _, bundle = shops
    with pytest.raises(RouteFailedError, match=r"pass the schema file that it was exported with \(--schema FILE\)"):
        route("lightgbm").open(bundle, RouteOptions(native=model))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("dtype: int64", "dtype: float64"), r"the schema of .*other\.yaml is not the bundle's"),
        (("name: numbers", "name: figures"), "the front half makes no tensor numbers"),
        (("kind: matrix", "kind: matrices"), r"other\.yaml: .*matrices"),
    ],
)
def test_another_schema_is_refused(
    change: tuple[str, str], said: str, shops: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    model, _, bundle = shops
    other = tmp_path / "other.yaml"
    other.write_text(_FRONT.replace(*change), encoding="utf-8")
    with pytest.raises(RouteFailedError, match=said):
        route("lightgbm").open(bundle, RouteOptions(native=model, schema=other))


def test_a_vocabulary_in_another_order_is_a_difference(shops: tuple[Path, Path, Path], tmp_path: Path) -> None:
    model, _, bundle = shops
    other = tmp_path / "other.yaml"
    other.write_text(_FRONT.replace("north, south", "south, north"), encoding="utf-8")
    result = verify(bundle, native=model, schema=other, routes=["lightgbm"], explain=False)
    assert (result.verdict, result.routes[0].status) == ("differs", "differs")


def test_a_schema_without_a_model_file_is_refused(shops: tuple[Path, Path, Path]) -> None:
    _, schema, bundle = shops
    with pytest.raises(UserError, match="--schema is given without --native"):
        verify(bundle, schema=schema, routes=["probe"])


# ---- the level itself


def tally(level: Any, allowed: dict[str, float]) -> RouteTally:
    heads = dict.fromkeys(allowed, "float64")
    return RouteTally(route("lightgbm"), level, heads, allowed, exact=frozenset({"exact", "score"}))


def scored(**outputs: float) -> Scored:
    values = {name: np.array([value]) for name, value in outputs.items()}
    return Scored(RouteScores(1, values, (0,), (), np.ones(1, np.bool_)))


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"link": 0.5, "exact": 1.0, "score": 2.0}, "equal"),
        ({"link": 0.5 + 1e-7, "exact": 1.0, "score": 2.0}, "equal"),
        ({"link": 0.5 + 1e-5, "exact": 1.0, "score": 2.0}, "differs"),
        ({"link": 0.5, "exact": np.nextafter(1.0, 2), "score": 2.0}, "differs"),
        ({"link": 0.5, "exact": 1.0, "score": np.nextafter(2.0, 3)}, "differs"),
    ],
)
def test_raw_scores_owe_every_bit_and_links_their_tolerance(other: dict[str, float], status: str) -> None:
    one = tally("trees", {"link": 1e-6, "exact": 1e-6, "score": 1e-6})
    one.add(Case("golden", 1, b"{}"), scored(link=0.5, exact=1.0, score=2.0), scored(**other))
    assert one.status == status


def test_bits_are_owed_in_generated_requests_too() -> None:
    one = tally("trees", {"score": 1e-6})
    one.add(Case(FUZZ, 1, b"{}"), scored(score=2.0), scored(score=float(np.nextafter(2.0, 3))))
    assert one.status == "differs"


def test_a_route_of_trees_is_held_to_no_less_than_asked_and_no_more_than_it_promises(made: Any) -> None:
    model, bundle = made["lightgbm"]
    with route("lightgbm").open(bundle, RouteOptions(native=model)) as scorer:
        facts = scorer.facts()
    levels = [
        level_for(route("lightgbm"), facts, facts, RouteOptions(), demanded=demanded)
        for demanded in ("bits", "trees", "reference", "order")
    ]
    assert levels == ["trees", "trees", "reference", "order"]
    assert level_for(route("probe"), facts, facts, RouteOptions()) == "bits"
