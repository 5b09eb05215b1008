"""Small bundles to plant differences in: a net with vocabularies and a LayerNorm, and an ensemble of trees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from twinrank.export.bundle import (
    Draft,
    Evidence,
    Expectation,
    Golden,
    Head,
    Runner,
    SessionSettings,
    Tolerance,
    bundle_files,
    host_class,
    order_of,
    runtime_release,
    write_bundle,
)
from twinrank.training.schema import Packing, Schema, pack, read_request
from twinrank.training.schema._keys import string_key

COUNTRIES = ["Österreich", "straße", "DE", "Fr", "it", "ES", "Pt", "nl"]
TITLES = [f"Film {number}" for number in range(40)]
GENRES = ["Comédie", "Drama", "War", "Noir"]
TREES, DEPTH, FLOATS = 120, 5, 5
_ML = "ai.onnx.ml"


def _feature(name: str, placement: str, dtype: str, **more: Any) -> dict[str, Any]:
    error = {"policy": "error"}
    return {"name": name, "placement": placement, "dtype": dtype, "missing": error, "invalid": error, **more}


NET = Schema.from_json(
    {
        "features": [
            _feature("country", "context", "string"),
            _feature("tenure", "context", "float32"),
            _feature("title", "candidate", "string"),
            _feature("genres", "candidate", "string", list={"max_length": 3, "keep": "last"}),
            _feature("price", "candidate", "float32"),
            _feature("stars", "candidate", "int64"),
        ]
    }
)
ORCHARD = Schema.from_json({"features": [_feature(f"x{i}", "candidate", "float64") for i in range(FLOATS)]})


def net_request(n: int, seed: int, *, k: int | None = None) -> bytes:
    """A request of n candidates; two neighbours are alike, so that their scores tie."""
    random = np.random.default_rng(seed)
    candidates = [
        {
            "title": TITLES[int(random.integers(len(TITLES)))],
            "genres": [GENRES[int(i)] for i in random.integers(0, len(GENRES), int(random.integers(0, 5)))],
            "price": round(float(random.uniform(-3, 9)), 6),
            "stars": int(random.integers(0, 6)),
        }
        for _ in range(n)
    ]
    if n > 3:
        candidates[2] = candidates[1]
    context = {"country": COUNTRIES[seed % len(COUNTRIES)], "tenure": round(float(random.uniform(0, 20)), 5)}
    told = {"context": context, "candidates": candidates} | ({} if k is None else {"k": k})
    return json.dumps(told, ensure_ascii=False).encode()


def tree_request(n: int, seed: int) -> bytes:
    """Values with two decimals, on the very grid that the thresholds have: float32 rounding puts some aside."""
    random = np.random.default_rng(seed)
    rows = random.integers(-300, 900, (n, FLOATS)) / 100
    return json.dumps({"context": {}, "candidates": [{f"x{i}": v for i, v in enumerate(row)} for row in rows]}).encode()


def _lookup(name: str, source: str, words: Sequence[str]) -> onnx.NodeProto:
    keys = np.array([string_key(word) for word in words], np.int64)
    return helper.make_node(
        "LabelEncoder",
        [source],
        [f"{name}.row"],
        name=f"{name}.lookup",
        domain=_ML,
        keys_tensor=numpy_helper.from_array(keys, f"{name}.keys"),
        values_tensor=numpy_helper.from_array(np.arange(1, len(words) + 1, dtype=np.int64), f"{name}.values"),
        default_tensor=numpy_helper.from_array(np.array([0], np.int64), f"{name}.default"),
    )


def net_model(countries: Sequence[str] = COUNTRIES) -> onnx.ModelProto:
    """Embeddings of three vocabularies, a Gemm, a LayerNorm, a Gelu, a Gemm, and a head through Softplus."""
    random = np.random.default_rng(5)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) / 2).astype(np.float32)

    constants = {
        "country.table": drawn(len(COUNTRIES) + 1, 8),
        "title.table": drawn(len(TITLES) + 1, 16),
        "genres.table": drawn(len(GENRES) + 1, 8),
        "hidden.weight": drawn(35, 32),
        "hidden.bias": drawn(32),
        "norm.weight": 1 + drawn(32),
        "norm.bias": drawn(32),
        "out.weight": drawn(32, 1),
        "zero": np.array(0, np.int64),
        "one": np.array([1], np.int64),
        "star": np.array(5, np.int64),
        "from": np.array([1], np.int64),
        "to": np.array([4], np.int64),
        "ones": np.ones((3, 1), np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["context.i64", "zero"], ["country.key"], name="country.key", axis=1),
        _lookup("country", "country.key", countries),
        node("Gather", ["country.table", "country.row"], ["country.vector"], name="country.vector"),
        node("Gather", ["candidate.i64", "zero"], ["title.key"], name="title.key", axis=1),
        _lookup("title", "title.key", TITLES),
        node("Gather", ["title.table", "title.row"], ["title.vector"], name="title.vector"),
        node("Slice", ["candidate.i64", "from", "to", "one"], ["genres.key"], name="genres.key"),
        _lookup("genres", "genres.key", GENRES),
        node("Gather", ["genres.table", "genres.row"], ["genres.vectors"], name="genres.vectors"),
        node("Transpose", ["genres.vectors"], ["genres.turned"], name="genres.turned", perm=[0, 2, 1]),
        node("MatMul", ["genres.turned", "ones"], ["genres.sums"], name="genres.sums"),
        node("Flatten", ["genres.sums"], ["genres.vector"], name="genres.vector", axis=1),
        node("Gather", ["candidate.i64", "star"], ["stars.key"], name="stars.key", axis=1),
        node("Cast", ["stars.key"], ["stars.float"], name="stars.float", to=TensorProto.FLOAT),
        node("Unsqueeze", ["stars.float", "one"], ["stars"], name="stars"),
        node("Shape", ["title.key"], ["rows"], name="rows"),
        node("Concat", ["rows", "one"], ["repeats"], name="repeats", axis=0),
        node("Concat", ["country.vector", "context.f32"], ["context"], name="context", axis=1),
        node("Tile", ["context", "repeats"], ["contexts"], name="contexts"),
        node(
            "Concat",
            ["contexts", "title.vector", "genres.vector", "stars", "candidate.f32"],
            ["features"],
            name="features",
            axis=1,
        ),
        node("Gemm", ["features", "hidden.weight", "hidden.bias"], ["hidden"], name="hidden"),
        node("LayerNormalization", ["hidden", "norm.weight", "norm.bias"], ["normal"], name="normal", axis=-1),
        node("Gelu", ["normal"], ["active"], name="active"),
        node("Gemm", ["active", "out.weight"], ["out"], name="out"),
        node("Squeeze", ["out", "one"], ["score"], name="score"),
        node("Softplus", ["score"], ["head.spend"], name="head.spend"),
    ]
    return _model(NET, nodes, constants, {"head.spend": TensorProto.FLOAT, "score": TensorProto.FLOAT})


def tree_model(*, thresholds32: bool = False, short: bool = False) -> onnx.ModelProto:
    """Complete trees over float64: `thresholds32` rounds the thresholds, `short` makes the whole operator float32."""
    random = np.random.default_rng(31)
    inner, leaves = 2**DEPTH - 1, 2**DEPTH
    splits = random.integers(-300, 900, TREES * inner) / 100
    weights = random.standard_normal(TREES * leaves) / 7
    if thresholds32:
        splits = splits.astype(np.float32).astype(np.float64)
    dtype = np.float32 if short else np.float64
    last = np.tile(2 * np.arange(inner) + 1 >= inner, TREES)
    left = np.tile(
        np.where(2 * np.arange(inner) + 1 >= inner, 2 * np.arange(inner) + 1 - inner, 2 * np.arange(inner) + 1), TREES
    )
    left = left + np.repeat(np.arange(TREES), inner) * np.where(last, leaves, inner)
    trees = helper.make_node(
        "TreeEnsemble",
        ["short" if short else "candidate.f64"],
        ["sums"],
        name="trees",
        domain=_ML,
        n_targets=1,
        aggregate_function=1,
        post_transform=0,
        tree_roots=(np.arange(TREES) * inner).tolist(),
        nodes_featureids=random.integers(0, FLOATS, TREES * inner).tolist(),
        nodes_splits=numpy_helper.from_array(splits.astype(dtype), "splits"),
        nodes_modes=numpy_helper.from_array(np.zeros(TREES * inner, np.uint8), "modes"),
        nodes_truenodeids=left.tolist(),
        nodes_falsenodeids=(left + 1).tolist(),
        nodes_trueleafs=last.astype(np.int64).tolist(),
        nodes_falseleafs=last.astype(np.int64).tolist(),
        leaf_targetids=np.zeros(TREES * leaves, np.int64).tolist(),
        leaf_weights=numpy_helper.from_array(weights.astype(dtype), "weights"),
    )
    cast = helper.make_node("Cast", ["candidate.f64"], ["short"], name="short", to=TensorProto.FLOAT)
    squeeze = helper.make_node("Squeeze", ["sums", "one"], ["score"], name="score")
    kind = TensorProto.FLOAT if short else TensorProto.DOUBLE
    nodes = [*([cast] if short else []), trees, squeeze]
    return _model(ORCHARD, nodes, {"one": np.array([1], np.int64)}, {"score": kind})


def _model(
    schema: Schema, nodes: Sequence[onnx.NodeProto], constants: dict[str, NDArray[Any]], outputs: dict[str, int]
) -> onnx.ModelProto:
    kinds = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
    inputs = [
        helper.make_tensor_value_info(b.name, kinds[b.dtype], ["n" if axis == -1 else axis for axis in b.shape])
        for b in Packing.of(schema).blocks
    ]
    graph = helper.make_graph(
        list(nodes),
        "planted",
        inputs,
        [helper.make_tensor_value_info(name, kind, ["n"]) for name, kind in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(_ML, 5)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def make_bundle(
    models: Path,
    name: str,
    schema: Schema,
    model: onnx.ModelProto,
    requests: Sequence[bytes],
    *,
    settings: SessionSettings | None = None,
) -> Path:
    """A bundle as a writer makes it: its goldens are what its own graph gives on this host."""
    settings = settings or SessionSettings()
    names = [value.name for value in model.graph.output]
    dtypes = [
        "float64" if v.type.tensor_type.elem_type == TensorProto.DOUBLE else "float32" for v in model.graph.output
    ]
    outputs = [Head(name.removeprefix("head."), name, dtype) for name, dtype in zip(names, dtypes, strict=True)]  # type: ignore[arg-type]
    runner = Runner(model.SerializeToString(), settings, None)
    goldens = []
    for raw in requests:
        request = read_request(raw, schema, max_candidates=1000)
        blocks = pack(request, Packing.of(schema))
        values = runner.run(blocks)
        order, dropped = order_of(values[-1])
        ranking = tuple(order.tolist()), tuple(dropped.tolist())
        goldens.append(Golden(raw, Expectation(request.n, None, tuple(blocks.values()), tuple(values), *ranking)))
    draft = Draft(
        name=name,
        schema=schema,
        heads=tuple(outputs[:-1]),
        score=outputs[-1],
        model=model,
        goldens=tuple(goldens),
        evidence=Evidence(host_class(), 1, {head.name: Tolerance(1e-6, 0.0, 0) for head in outputs}, (1,), 1),
        provenance={"made by": "tests/parity/planted_bundles.py"},
        max_candidates=1000,
        release=runtime_release(),
        session=settings,
    )
    return write_bundle(models, name, 1, bundle_files(draft))


NET_REQUESTS = [net_request(n, seed) for n, seed in ((1, 3), (7, 1), (37, 0))]


def net(folder: Path, model: Any = None, name: str = "net", settings: SessionSettings | None = None) -> Path:
    return make_bundle(folder, name, NET, model or net_model(), NET_REQUESTS, settings=settings)


def other_graph(folder: Path) -> Path:
    """The net with its LayerNormalization over another epsilon."""
    model = net_model()
    node = next(each for each in model.graph.node if each.op_type == "LayerNormalization")
    node.attribute.append(helper.make_attribute("epsilon", 1e-3))
    return net(folder, model)
