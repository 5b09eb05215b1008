"""Makes trees/1, a hand-made bundle whose score is that of trees: for readers that score trees by themselves.

Its trees look at a context feature in every row, at numbers with missing values, at an integer, at a float32 and at a
category, which a vocabulary has numbered; splits are of every mode, and one tree has leaves of both targets. Every
leaf is a multiple of 2^-10, so that no order of addition and no host gives other bits.

Its evidence names the host class of sixty-four zeros, as that of tiny/1 does. ``--check`` compares instead of writing.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
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
    order_of,
)
from twinrank.training.schema import Packing, Schema, ScoringError, pack, read_request, string_key

HERE = Path(__file__).resolve().parent
TARGET = HERE / "trees" / "1"
RELEASE = "1.29.0"
MOST = 2000
MANY = 600
TREES, DEPTH, TARGETS = 20, 3, 2
ERROR = {"policy": "error"}
NAN = {"policy": "default", "value": "NaN"}
BRANDS = ("apple", "bread", "crème")
MEMBER = 6


def feature(name: str, placement: str, dtype: str, missing: object = ERROR, **more: object) -> dict[str, object]:
    """One feature in the manifest's form."""
    return {"name": name, "placement": placement, "dtype": dtype, "missing": missing, "invalid": ERROR, **more}


SCHEMA = Schema.from_json(
    {
        "features": [
            feature("budget", "context", "float64"),
            feature("price", "candidate", "float64", missing=NAN, nonfinite=True),
            feature("margin", "candidate", "float64", missing=NAN, nonfinite=True),
            feature("weight", "candidate", "float32"),
            feature("stock", "candidate", "int64"),
            feature("brand", "candidate", "string"),
        ]
    }
)
PACKING = Packing.of(SCHEMA)
HEADS = (Head("rate", "head.rate", "float32"),)
SCORE = Head("score", "score", "float64")


def offset(name: str, role: str) -> int:
    """Where a feature stands in its block."""
    return next(c.offset for b in PACKING.blocks for c in b.columns if (c.feature, c.role) == (name, role))


def ensemble() -> onnx.NodeProto:
    """Complete trees over [price, margin, weight, stock, brand, budget]."""
    random = np.random.Generator(np.random.PCG64(8))
    inner, leaves = 2**DEPTH - 1, 2**DEPTH
    modes = random.choice(np.array([0, 0, 1, 2, 3, MEMBER], np.uint8), (TREES, inner))
    features = np.where(modes == MEMBER, 4, random.integers(0, 6, (TREES, inner)))
    splits = np.where(modes == MEMBER, 0.0, random.integers(-20, 60, (TREES, inner)) / 10)
    members = [value for mode in modes.ravel() if mode == MEMBER for value in (*random.choice(4, 2, False), np.nan)]
    targets = np.repeat(random.integers(0, TARGETS, (TREES, 1)), leaves, axis=1)
    targets[0] = np.arange(leaves) % TARGETS
    last = np.tile(2 * np.arange(inner) + 1 >= inner, TREES)
    left = np.tile(2 * np.arange(inner) + 1, TREES)
    left = np.where(last, left - inner, left) + np.repeat(np.arange(TREES), inner) * np.where(last, leaves, inner)
    return helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["raw"],
        name="trees",
        domain="ai.onnx.ml",
        n_targets=TARGETS,
        aggregate_function=1,
        post_transform=0,
        tree_roots=(np.arange(TREES) * inner).tolist(),
        nodes_featureids=features.ravel().tolist(),
        nodes_splits=numpy_helper.from_array(splits.ravel(), "splits"),
        nodes_modes=numpy_helper.from_array(modes.ravel(), "modes"),
        nodes_truenodeids=left.tolist(),
        nodes_falsenodeids=(left + 1).tolist(),
        nodes_trueleafs=last.astype(np.int64).tolist(),
        nodes_falseleafs=last.astype(np.int64).tolist(),
        nodes_missing_value_tracks_true=random.integers(0, 2, TREES * inner).tolist(),
        membership_values=numpy_helper.from_array(np.array(members, np.float64), "members"),
        leaf_targetids=targets.ravel().tolist(),
        leaf_weights=numpy_helper.from_array(random.integers(-999, 999, TREES * leaves) / 1024, "weights"),
    )


def model() -> onnx.ModelProto:
    """The graph: float64 columns made of all blocks, trees, heads."""
    constants = {
        "numbers": np.array([offset("price", "value"), offset("margin", "value")]),
        "states": np.array([offset("price", "state"), offset("margin", "state")]),
        "weight": np.array([offset("weight", "value")]),
        "stock": np.array([offset("stock", "value")]),
        "brand": np.array(offset("brand", "value")),
        "zero": np.array(0),
        "one": np.array([1]),
        "targets": np.array([1]),
        "score_target": np.array([0]),
    }
    initialisers = [numpy_helper.from_array(value.astype(np.int64), name) for name, value in constants.items()]
    initialisers.append(numpy_helper.from_array(np.array(np.nan), "nan"))
    keys = [int(string_key(brand)) for brand in BRANDS]
    nodes = [
        helper.make_node("Gather", ["candidate.f64", "numbers"], ["given"], axis=1),
        helper.make_node("Gather", ["candidate.i64", "states"], ["given.states"], axis=1),
        helper.make_node("Equal", ["given.states", "zero"], ["missing"]),
        helper.make_node("Where", ["missing", "nan", "given"], ["floats"]),
        helper.make_node("Gather", ["candidate.f32", "weight"], ["narrow"], axis=1),
        helper.make_node("Cast", ["narrow"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("Gather", ["candidate.i64", "stock"], ["integers"], axis=1),
        helper.make_node("Cast", ["integers"], ["stocks"], to=TensorProto.DOUBLE),
        helper.make_node("Gather", ["candidate.i64", "brand"], ["keys"], axis=1),
        helper.make_node(
            "LabelEncoder",
            ["keys"],
            ["row"],
            domain="ai.onnx.ml",
            keys_int64s=keys,
            values_int64s=list(range(1, len(keys) + 1)),
            default_int64=0,
        ),
        helper.make_node("Unsqueeze", ["row", "one"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["brands"], to=TensorProto.DOUBLE),
        helper.make_node("Shape", ["candidate.f64"], ["count"], start=0, end=1),
        helper.make_node("Concat", ["count", "one"], ["shape"], axis=0),
        helper.make_node("Expand", ["context.f64", "shape"], ["budgets"]),
        helper.make_node("Concat", ["floats", "wide", "stocks", "brands", "budgets"], ["x"], axis=1),
        ensemble(),
        helper.make_node("Gather", ["raw", "score_target"], ["score.column"], axis=1),
        helper.make_node("Squeeze", ["score.column", "one"], ["score"]),
        helper.make_node("Gather", ["raw", "targets"], ["rate.column"], axis=1),
        helper.make_node("Squeeze", ["rate.column", "one"], ["rate"]),
        helper.make_node("Cast", ["rate"], ["head.rate"], to=TensorProto.FLOAT),
    ]
    for index, node in enumerate(nodes):
        node.name = f"{index}.{node.op_type}"
    inputs = [
        helper.make_tensor_value_info(
            block.name,
            helper.np_dtype_to_tensor_dtype(np.dtype(block.dtype)),
            ["n" if axis == -1 else axis for axis in block.shape],
        )
        for block in PACKING.blocks
    ]
    outputs = [
        helper.make_tensor_value_info(head.output, helper.np_dtype_to_tensor_dtype(np.dtype(head.dtype)), ["n"])
        for head in (*HEADS, SCORE)
    ]
    graph = helper.make_graph(nodes, "trees", inputs, outputs, initialisers)
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 5)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, producer_name="twinrank")


def candidates(count: int) -> list[dict[str, object]]:
    """Values on, below and above thresholds, and those that stand for nothing."""
    found: list[dict[str, object]] = []
    for i in range(count):
        one: dict[str, object] = {
            "price": (i * 7 % 80 - 20) / 10,
            "margin": ("NaN", "Infinity", "-Infinity", -0.0, i / 100)[i % 5],
            "weight": (i * 11 % 80 - 20) / 10,
            "stock": i % 9 - 2,
            "brand": (*BRANDS, "zebra")[i % 4],
        }
        if i % 6 == 0:
            del one["price"]
        found.append(one)
    return found


def line(budget: object, count: int) -> bytes:
    """A request as JSON on one line."""
    request = {"context": {"budget": budget}, "candidates": candidates(count)}
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


REQUESTS = (line(0.5, 1), line(3, 12), line(-1, MANY), line(2, 0), line("much", 1))


def golden(request: bytes, runner: Runner) -> Golden:
    """The request with what it gives."""
    try:
        checked = read_request(request, SCHEMA, max_candidates=MOST)
    except ScoringError as e:
        return Golden(request, Expectation(n=-1, error=e.code))
    if checked.n == 0:
        return Golden(request, Expectation(n=0))
    blocks = pack(checked, PACKING)
    outputs = tuple(runner.run(blocks))
    order, dropped = order_of(outputs[-1])
    inputs = tuple(blocks[block.name] for block in PACKING.blocks)
    return Golden(
        request, Expectation(checked.n, None, inputs, outputs, tuple(order.tolist()), tuple(dropped.tolist()))
    )


def files() -> dict[str, bytes]:
    """Every file of trees/1."""
    graph = model()
    runner = Runner(graph.SerializeToString(deterministic=True), SessionSettings())
    exact = Tolerance(a=1e-6, max_abs=0.0, max_ulp=0)
    draft = Draft(
        name="trees",
        schema=SCHEMA,
        heads=HEADS,
        score=SCORE,
        model=graph,
        goldens=tuple(golden(request, runner) for request in REQUESTS),
        evidence=Evidence("0" * 64, 613, dict.fromkeys(["rate", "score"], exact), (1, 12, MANY), 1226),
        provenance={"made_by": "tests/contract/vectors/forests/generate_trees.py"},
        max_candidates=MOST,
        release=RELEASE,
    )
    return bundle_files(draft)


def main() -> int:
    """Writes the bundle, or with ``--check`` says what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    made = files()
    present = (
        {str(path.relative_to(TARGET)) for path in TARGET.rglob("*") if path.is_file()} if TARGET.exists() else set()
    )
    if check:
        differing = sorted(
            path
            for path in made.keys() | present
            if path not in present or (TARGET / path).read_bytes() != made.get(path)
        )
        for path in differing:
            print(f"trees/1/{path} differs from its generator: run generate_trees.py", file=sys.stderr)
        return 1 if differing else 0
    shutil.rmtree(TARGET, ignore_errors=True)
    for path, content in made.items():
        (TARGET / path).parent.mkdir(parents=True, exist_ok=True)
        (TARGET / path).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
