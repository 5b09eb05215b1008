"""Tree ensembles with float64 thresholds, made by the bundle writer: what no exporter of torch modules gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.random import Generator
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
    open_bundle,
    order_of,
    runtime_release,
    write_bundle,
)
from twinrank.training.schema import Packing, Schema, ScoringError, pack, read_request

MOST = 10_000
_SEED = 31
_TREES, _DEPTH, _TARGETS = 60, 6, 3
_ALONE = 40
_ML = "ai.onnx.ml"
_LESS_OR_EQUAL, _LESS = 0, 1
_SUM, _NO_TRANSFORM = 1, 0


def _feature(name: str, placement: str, dtype: str, **more: object) -> dict[str, object]:
    error = {"policy": "error"}
    return {"name": name, "placement": placement, "dtype": dtype, "missing": error, "invalid": error, **more}


_ZERO = {"policy": "default", "value": 0}
SCHEMA = Schema.from_json(
    {
        "features": [
            _feature("balance", "context", "float64"),
            _feature("tenure", "context", "float64", missing=_ZERO),
            _feature("risk", "context", "float64", nonfinite=True),
            _feature("price", "candidate", "float64"),
            _feature("margin", "candidate", "float64", nonfinite=True),
            _feature("age", "candidate", "float64"),
            _feature("weight", "candidate", "float64", missing=_ZERO),
            _feature("stars", "candidate", "int64"),
        ]
    }
)
PACKING = Packing.of(SCHEMA)
_FLOATS = 7


def grid(random: Generator) -> float:
    """A value with two decimals: float64 holds it as nearly as thresholds do, float32 on the one side or the other."""
    return int(random.integers(-300, 1200)) / 100


@dataclass(frozen=True)
class _Ensemble:
    """Complete binary trees of one depth, as arrays over all inner nodes and over all leaves.

    Inner node i of a tree has its children at 2i + 1 and 2i + 2; those of the last level are leaves.
    """

    features: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    modes: NDArray[np.uint8]
    missing_true: NDArray[np.int64]
    weights: NDArray[np.float64]
    targets: NDArray[np.int64]

    @classmethod
    def drawn(cls) -> _Ensemble:
        random = np.random.Generator(np.random.PCG64(_SEED))
        inner, leaves = 2**_DEPTH - 1, 2**_DEPTH
        return cls(
            features=random.integers(0, _FLOATS + 1, (_TREES, inner)),
            thresholds=random.integers(-300, 1200, (_TREES, inner)) / 100,
            modes=random.integers(_LESS_OR_EQUAL, _LESS + 1, (_TREES, inner)).astype(np.uint8),
            missing_true=random.integers(0, 2, (_TREES, inner)),
            weights=random.standard_normal((_TREES, leaves)) / 7,
            targets=random.integers(0, _TARGETS, (_TREES, leaves)),
        )


def _children() -> NDArray[np.int64]:
    """The left child of every inner node of one tree; those of the last level count leaves from 0."""
    inner = 2**_DEPTH - 1
    left = 2 * np.arange(inner) + 1
    return np.where(left >= inner, left - inner, left)


def _is_last() -> NDArray[np.bool_]:
    return np.asarray(2 * np.arange(2**_DEPTH - 1) + 1 >= 2**_DEPTH - 1)


def _tree_ensemble(trees: _Ensemble) -> onnx.NodeProto:
    """The operator of ai.onnx.ml 5: inner nodes and leaves apart, everything float64."""
    inner, leaves = 2**_DEPTH - 1, 2**_DEPTH
    last = np.tile(_is_last(), _TREES)
    offset = np.repeat(np.arange(_TREES), inner)
    left = np.tile(_children(), _TREES) + offset * np.where(last, leaves, inner)
    return helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        name="trees",
        domain=_ML,
        n_targets=_TARGETS,
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
        tree_roots=(np.arange(_TREES) * inner).tolist(),
        nodes_featureids=trees.features.ravel().tolist(),
        nodes_splits=numpy_helper.from_array(trees.thresholds.ravel(), "splits"),
        nodes_modes=numpy_helper.from_array(trees.modes.ravel(), "modes"),
        nodes_truenodeids=left.tolist(),
        nodes_falsenodeids=(left + 1).tolist(),
        nodes_trueleafs=last.astype(np.int64).tolist(),
        nodes_falseleafs=last.astype(np.int64).tolist(),
        nodes_missing_value_tracks_true=trees.missing_true.ravel().tolist(),
        leaf_targetids=trees.targets.ravel().tolist(),
        leaf_weights=numpy_helper.from_array(trees.weights.ravel(), "weights"),
    )


def _regressor(trees: _Ensemble) -> onnx.NodeProto:
    """The operator of ai.onnx.ml 3 and 4: leaves are nodes, thresholds and weights float64, the sum float32."""
    inner, leaves = 2**_DEPTH - 1, 2**_DEPTH
    size = inner + leaves
    names = np.array(["BRANCH_LEQ", "BRANCH_LT"])
    modes = np.concatenate([names[trees.modes], np.full((_TREES, leaves), "LEAF")], axis=1)
    zeros = np.zeros((_TREES, leaves))

    def with_leaves(values: NDArray[np.int64]) -> list[int]:
        return [int(value) for value in np.concatenate([values, zeros.astype(np.int64)], axis=1).ravel()]

    left = np.tile(2 * np.arange(inner) + 1, (_TREES, 1))
    return helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        name="trees",
        domain=_ML,
        n_targets=_TARGETS,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_treeids=np.repeat(np.arange(_TREES), size).tolist(),
        nodes_nodeids=np.tile(np.arange(size), _TREES).tolist(),
        nodes_featureids=with_leaves(trees.features),
        nodes_modes=modes.ravel().tolist(),
        nodes_truenodeids=with_leaves(left),
        nodes_falsenodeids=with_leaves(left + 1),
        nodes_values_as_tensor=numpy_helper.from_array(np.concatenate([trees.thresholds, zeros], axis=1).ravel(), "v"),
        nodes_missing_value_tracks_true=with_leaves(trees.missing_true),
        target_treeids=np.repeat(np.arange(_TREES), leaves).tolist(),
        target_nodeids=np.tile(np.arange(inner, size), _TREES).tolist(),
        target_ids=trees.targets.ravel().tolist(),
        target_weights_as_tensor=numpy_helper.from_array(trees.weights.ravel(), "w"),
    )


def _graph(opset: int) -> tuple[onnx.ModelProto, tuple[Head, ...], Head]:
    """The model, its heads and its score: float64 but for the regressor's own sums."""
    own = opset >= 5
    trees = _Ensemble.drawn()
    inputs = [
        helper.make_tensor_value_info(
            block.name,
            helper.np_dtype_to_tensor_dtype(np.dtype(block.dtype)),
            ["n" if axis == -1 else axis for axis in block.shape],
        )
        for block in PACKING.blocks
    ]
    constants = {"two": [2], "first": [0], "star": [_star_column()], "one": [1]}
    nodes = [
        helper.make_node("Shape", ["candidate.f64"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "one"], ["repeat"], axis=0),
        helper.make_node("Tile", ["context.f64", "repeat"], ["context"]),
        helper.make_node("Gather", ["candidate.i64", "star"], ["stars"], axis=1),
        helper.make_node("Cast", ["stars"], ["floats"], to=TensorProto.DOUBLE),
        helper.make_node("Concat", ["context", "candidate.f64", "floats"], ["x"], axis=1),
        _tree_ensemble(trees) if own else _regressor(trees),
        helper.make_node("Gather", ["y", "first"], ["score.column"], axis=1),
        helper.make_node("Gather", ["y", "one"], ["value.column"], axis=1),
        helper.make_node("Gather", ["y", "two"], ["rate.column"], axis=1),
        helper.make_node("Squeeze", ["score.column", "one"], ["score"]),
        helper.make_node("Squeeze", ["value.column", "one"], ["value"]),
        helper.make_node("Cast", ["value"], ["head.value"], to=TensorProto.DOUBLE),
        helper.make_node("Squeeze", ["rate.column", "one"], ["rate"]),
        helper.make_node("Cast", ["rate"], ["head.rate"], to=TensorProto.FLOAT),
    ]
    for index, node in enumerate(nodes):
        node.name = f"{index}.{node.op_type}"
    heads = (Head("value", "head.value", "float64"), Head("rate", "head.rate", "float32"))
    score = Head("score", "score", "float64" if own else "float32")
    outputs = [
        helper.make_tensor_value_info(head.output, helper.np_dtype_to_tensor_dtype(np.dtype(head.dtype)), ["n"])
        for head in (*heads, score)
    ]
    initialisers = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "trees", inputs, outputs, initialisers)
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(_ML, opset)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, producer_name="twinrank"), heads, score


def _star_column() -> int:
    block = next(block for block in PACKING.blocks if block.name == "candidate.i64")
    return next(column.offset for column in block.columns if column.feature == "stars" and column.role == "value")


def make_bundle(models: Path, name: str, opset: int, requests: Sequence[bytes]) -> Path:
    """Writes ``<models>/<name>/1`` and opens it.

    Args:
        models: the folder of all models.
        name: the model's name.
        opset: of ai.onnx.ml: 5 for TreeEnsemble, 4 for TreeEnsembleRegressor.
        requests: the goldens; one that the schema refuses is a golden of its refusal.

    Raises:
        ValueError: if a candidate's bits depend on its slate.
    """
    model, heads, score = _graph(opset)
    runner = Runner(model.SerializeToString(), SessionSettings())
    goldens = tuple(_golden(raw, runner) for raw in requests)
    compared, rows = _invariance(goldens, runner)
    draft = Draft(
        name=name,
        schema=SCHEMA,
        heads=heads,
        score=score,
        model=model,
        goldens=goldens,
        evidence=Evidence(
            host_class(),
            rows,
            {head.name: Tolerance(1e-6, 0.0, 0) for head in (*heads, score)},
            (1, max(golden.expected.n for golden in goldens)),
            compared,
            source="onnx",
        ),
        provenance={"made by": "tools/parity/trees.py", "seed": _SEED},
        max_candidates=MOST,
        release=runtime_release(),
    )
    return write_bundle(models, name, 1, bundle_files(draft), verify=open_bundle)


def _golden(raw: bytes, runner: Runner) -> Golden:
    try:
        request = read_request(raw, SCHEMA, max_candidates=MOST)
    except ScoringError as refusal:
        return Golden(raw, Expectation(n=-1, error=refusal.code))
    if request.n == 0:
        return Golden(raw, Expectation(n=0))
    blocks = pack(request, PACKING)
    outputs = tuple(runner.run(blocks))
    order, dropped = order_of(outputs[-1])
    places = (tuple(int(i) for i in order), tuple(int(i) for i in dropped))
    return Golden(raw, Expectation(request.n, None, tuple(blocks.values()), outputs, *places))


def _invariance(goldens: Sequence[Golden], runner: Runner) -> tuple[int, int]:
    """How many values were compared with those of the candidate alone, and how many candidates the goldens hold."""
    compared = rows = 0
    for golden in goldens:
        rows += max(0, golden.expected.n)
        for candidate in range(min(golden.expected.n, _ALONE)):
            alone = {
                block.name: values[candidate : candidate + 1] if block.placement == "candidate" else values
                for block, values in zip(PACKING.blocks, golden.expected.inputs, strict=True)
            }
            for one, many in zip(runner.run(alone), golden.expected.outputs, strict=True):
                compared += 1
                if one.tobytes() != many[candidate : candidate + 1].tobytes():
                    raise ValueError(f"candidate {candidate} scores {one} alone and {many[candidate]} among others")
    return compared, rows
