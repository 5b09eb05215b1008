"""The front graph as a whole: invariance, determinism, storage, refusals."""

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from twinrank.training.schema import Feature, FeatureColumn, ListSpec, Packing, Policy, Schema, pack_columns
from twinrank.training.transforms import (
    Bucketize,
    Clip,
    Cross,
    Elapsed,
    FrontGraph,
    HashBuckets,
    Log1p,
    Lookup,
    SequenceLength,
    SequenceMask,
    Standardise,
    State,
    TimePart,
    Transform,
    TransformError,
    Vocabulary,
)

OPERATORS = Path(__file__).resolve().parents[2] / "contract/vectors/operators.json"
SIZES = (1, 2, 3, 5, 7, 8, 16, 33, 64)
SCHEMA = Schema(
    (
        Feature("now", "context", "timestamp"),
        Feature("seen", "context", "string", ListSpec(5, "last"), "history"),
        Feature("seen_at", "context", "timestamp", ListSpec(5, "last"), "history"),
        Feature("item", "candidate", "string", missing=Policy("own_row")),
        Feature("price", "candidate", "float32"),
        Feature("size", "candidate", "float64"),
        Feature("prices", "candidate", "float32", ListSpec(3, "first")),
        Feature("made", "candidate", "timestamp"),
        Feature("code", "candidate", "int64"),
    )
)
ITEMS = Vocabulary("item", "string", tuple(f"item {index}" for index in range(50)))
TRANSFORMS: tuple[Transform, ...] = (
    Lookup("seen", "seen", ITEMS),
    Lookup("item", "item", ITEMS),
    State("item_state", "item"),
    Elapsed("recency", "now", "seen_at", (1000, 60_000)),
    SequenceMask("mask", "seen"),
    SequenceLength("length", "seen"),
    TimePart("hour", "now", "hour_of_day"),
    TimePart("day", "made", "day_of_week"),
    Bucketize("price_b", "price", (0.5, 1.5)),
    Standardise("price_s", "price", 1.0, 0.3),
    Standardise("size_s", "size", 1.0, 0.3),
    Clip("price_c", "price", 0.0, 3.0),
    Log1p("price_l", "price"),
    Log1p("size_l", "size"),
    Log1p("prices_l", "prices"),
    Log1p("code_l", "code"),
    HashBuckets("code_h", "code", 100),
    Cross("cross", ("item", "code"), 1000),
)
PACKING = Packing.of(SCHEMA)


def blocks(contexts: int, candidates: int, seed: int = 0) -> dict[str, Any]:
    source = np.random.default_rng(seed)
    lengths = source.integers(0, 8, contexts)
    total = int(lengths.sum())
    parts = source.integers(0, 5, candidates)
    columns = {
        "now": FeatureColumn(source.integers(10**12, 2 * 10**12, contexts)),
        "seen": FeatureColumn([f"item {index}" for index in source.integers(0, 60, total)], lengths),
        "seen_at": FeatureColumn(source.integers(10**12, 2 * 10**12, total), lengths),
        "item": FeatureColumn(
            [f"item {index}" for index in source.integers(0, 60, candidates)], None, source.integers(0, 2, candidates)
        ),
        "price": FeatureColumn(source.lognormal(0, 3, candidates)),
        "size": FeatureColumn(source.lognormal(0, 3, candidates)),
        "prices": FeatureColumn(source.lognormal(0, 3, int(parts.sum())), parts),
        "made": FeatureColumn(source.integers(-(10**12), 2 * 10**12, candidates)),
        "code": FeatureColumn(source.integers(-(2**63), 2**63 - 1, candidates)),
    }
    return pack_columns(columns, PACKING, contexts=contexts, candidates=candidates)


@pytest.mark.parametrize("seed", range(5))
def test_a_row_is_encoded_alike_alone_and_in_any_batch(seed: int) -> None:
    front = FrontGraph(SCHEMA, TRANSFORMS)
    full = blocks(64, 64, seed)
    whole = front.encode(full)
    for size in SIZES:
        for start in range(0, 65 - size, max(1, size // 2)):
            part = front.encode({name: block[start : start + size] for name, block in full.items()})
            for name, array in part.items():
                assert array.tobytes() == whole[name][start : start + size].tobytes(), (name, size, start)
    order = np.random.default_rng(seed).permutation(64)
    for name, array in front.encode({name: block[order] for name, block in full.items()}).items():
        assert array.tobytes() == whole[name][order].tobytes(), name


@pytest.mark.parametrize("contexts", [0, 1, 3])
@pytest.mark.parametrize("candidates", [0, 1, 4])
def test_contexts_and_candidates_are_counted_apart(contexts: int, candidates: int) -> None:
    front = FrontGraph(SCHEMA, TRANSFORMS)
    encoded = front.encode(blocks(contexts, candidates))
    for spec in front.outputs:
        rows = contexts if spec.placement == "context" else candidates
        assert encoded[spec.name].shape == (rows, *spec.shape[1:])
        assert encoded[spec.name].dtype == spec.dtype


def test_the_graph_is_valid_and_allowed_and_named_as_the_packing_says() -> None:
    model = FrontGraph(SCHEMA, TRANSFORMS).to_onnx()
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 10
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": 20, "ai.onnx.ml": 4}
    allowed = {(entry["domain"], entry["name"]) for entry in json.loads(OPERATORS.read_text("utf-8"))["operators"]}
    assert {(node.domain, node.op_type) for node in model.graph.node} <= allowed
    assert [item.name for item in model.graph.input] == [block.name for block in PACKING.blocks]
    leading = {item.name: item.type.tensor_type.shape.dim[0].dim_param for item in model.graph.input}
    assert leading["context.i64"] == leading["context.history.i64"] == "contexts"
    assert leading["candidate.i64"] == "candidates"
    assert [item.name for item in model.graph.output] == [f"encoded.{transform.name}" for transform in TRANSFORMS]


def test_equal_constants_are_stored_once() -> None:
    initializers = FrontGraph(SCHEMA, TRANSFORMS).to_onnx().graph.initializer
    contents = {(item.data_type, tuple(item.dims), item.raw_data) for item in initializers}
    assert len(contents) == len(initializers) > 10


def test_a_lookups_default_is_the_unseen_row() -> None:
    model = FrontGraph(SCHEMA, TRANSFORMS).to_onnx()
    encoders = [node for node in model.graph.node if node.op_type == "LabelEncoder"]
    assert len(encoders) == 2
    for node in encoders:
        attributes = {attribute.name: onnx.numpy_helper.to_array(attribute.t) for attribute in node.attribute}
        assert attributes["default_tensor"].tolist() == [0]
        # Row 1 belongs to missing items, because one of the features that share the table has a row for them.
        assert attributes["values_tensor"].tolist() == list(range(2, 52))


def test_one_vocabulary_is_one_table() -> None:
    specs = {spec.name: spec for spec in FrontGraph(SCHEMA, TRANSFORMS).outputs}
    assert specs["seen"].table == specs["item"].table == "item"
    assert specs["seen"].cardinality == specs["item"].cardinality == 52
    assert specs["seen"].shape == (-1, 5)
    assert specs["price_s"].cardinality is None
    assert specs["cross"].cardinality == 1001


PROGRAM = """
import hashlib, sys, pathlib
sys.path.insert(0, sys.argv[1])
import test_front_graph as t
front = t.FrontGraph(t.SCHEMA, t.TRANSFORMS)
print(hashlib.sha256(front.to_onnx().SerializeToString()).hexdigest())
"""


def test_the_same_graph_is_the_same_bytes_in_every_process() -> None:
    digests = {hashlib.sha256(FrontGraph(SCHEMA, TRANSFORMS).to_onnx().SerializeToString()).hexdigest()}
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)],
            env={"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_a_copy_of_the_graph_belongs_to_the_caller() -> None:
    front = FrontGraph(SCHEMA, TRANSFORMS)
    front.to_onnx().graph.ClearField("node")
    assert len(front.to_onnx().graph.node) > 10


def test_a_stored_graph_comes_back_equal(tmp_path: Path) -> None:
    front = FrontGraph(SCHEMA, TRANSFORMS)
    front.save(tmp_path / "a")
    front.save(tmp_path / "b")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["front.json", "vocabulary_0.json"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    loaded = FrontGraph.load(tmp_path / "a")
    assert loaded.schema == front.schema
    assert loaded.transforms == front.transforms
    assert loaded.outputs == front.outputs
    assert loaded.to_onnx().SerializeToString() == front.to_onnx().SerializeToString()
    with pytest.raises(FileExistsError):
        front.save(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=2), "format 1"),
        (lambda d: d.update(more=1), "format 1"),
        (lambda d: d["transforms"][0].update(kind="Guess"), "kind is 'Guess'"),
        (lambda d: d["transforms"][0].update(more=1), "fields are"),
        (lambda d: d["transforms"][0].pop("feature"), "fields are"),
        (lambda d: d["transforms"][0].update(vocabulary="none"), "no vocabulary 'none'"),
        (
            lambda d: d.update(transforms=[t for t in d["transforms"] if t["name"] != "day"]),
            "'made' is read by no transform",
        ),
        (lambda d: d.update(transforms=5), "not what save writes"),
        (lambda d: d["transforms"].append("Lookup"), r"transforms\[18\] is no object"),
        (lambda d: d["vocabularies"][0].pop("dtype"), "name and dtype are required"),
        (lambda d: d["transforms"][9].update(mean="1"), "not what save writes"),
        (lambda d: d["transforms"][9].update(mean=[]), "not what save writes"),
        (lambda d: d.update(schema={"features": []}), "no candidate feature"),
    ],
)
def test_a_stored_graph_that_was_changed_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    FrontGraph(SCHEMA, TRANSFORMS).save(tmp_path / "a")
    file = tmp_path / "a" / "front.json"
    document = json.loads(file.read_text("utf-8"))
    change(document)
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(TransformError, match=message):
        FrontGraph.load(tmp_path / "a")
    file.write_text("{", "utf-8")
    with pytest.raises(TransformError, match="not JSON"):
        FrontGraph.load(tmp_path / "a")


def test_threads_share_a_graph() -> None:
    front = FrontGraph(SCHEMA, TRANSFORMS)
    inputs = blocks(1, 9)
    results: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: results.append(front.encode(inputs))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        assert {name: array.tobytes() for name, array in result.items()} == {
            name: array.tobytes() for name, array in results[0].items()
        }


def test_blocks_that_do_not_fit_are_refused() -> None:
    front = FrontGraph(SCHEMA, TRANSFORMS)
    good = blocks(1, 2)
    for change, message in (
        ({"candidate.f32": None}, "exactly"),
        ({"extra": good["candidate.f32"]}, "exactly"),
        ({"candidate.f32": good["candidate.f32"].astype(np.float64)}, "float32 .* is required"),
        ({"candidate.f32": good["candidate.f32"][:, :1]}, "is required"),
        ({"candidate.f32": good["candidate.f32"][:1]}, "same number"),
    ):
        given = {name: block for name, block in (good | change).items() if block is not None}
        with pytest.raises(ValueError, match=message):
            front.encode(given)


def test_joining_both_placements_needs_one_context_or_aligned_rows() -> None:
    front = FrontGraph(SCHEMA, (*TRANSFORMS, Elapsed("age", "now", "made", (0, 10**10, 10**12))))
    inputs = blocks(4, 4)
    with pytest.raises(ValueError, match="'age'"):
        front.encode(inputs)
    with pytest.raises(ValueError, match="aligned=True"):
        front.encode(blocks(4, 3), aligned=True)
    aligned = front.encode(inputs, aligned=True)["age"]
    alone = [
        front.encode({name: block[row : row + 1] for name, block in inputs.items()})["age"].tolist() for row in range(4)
    ]
    assert aligned.tolist() == [row[0] for row in alone]
    assert front.encode(blocks(4, 0))["age"].shape == (0,)
    one = {name: block[:1] if name.startswith("context") else block for name, block in inputs.items()}
    assert front.encode(one)["age"].shape == (4,)


SMALL = Schema(
    (
        Feature("user", "context", "string", missing=Policy("own_row")),
        Feature("seen", "context", "string", ListSpec(2, "last")),
        Feature("other", "context", "string", ListSpec(2, "last")),
        Feature("item", "candidate", "int64"),
        Feature("price", "candidate", "float32", missing=Policy("own_row")),
    )
)
WORDS = Vocabulary("words", "string", ("a",))


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (Lookup("x", "nobody", WORDS), "not in the schema"),
        (Lookup("x", "item", WORDS), "'item' is int64; this transform takes string"),
        (Lookup("x", "user", Vocabulary("ints", "int64", (1,))), "'user' is string; this transform takes int64"),
        (Lookup("x", "user", Vocabulary("words", "string", ("b",))), "two different vocabularies"),
        (Lookup("user", "user", WORDS), "another transform has this name"),
        (Lookup("a-b", "user", WORDS), "identifier"),
        (Lookup("class", "user", WORDS), "identifier"),
        (Lookup("\u00e9", "user", WORDS), "identifier"),
        (HashBuckets("x", "price", 10), "takes string, int64, timestamp, bool"),
        (HashBuckets("x", "item", 0), "buckets is 0"),
        (HashBuckets("x", "item", 2**31 + 1), "buckets is"),
        (HashBuckets("x", "item", 10, seed=-1), "seed is -1"),
        (Cross("x", ("item",), 10), "two or more"),
        (Cross("x", ("item", "item"), 10), "two or more"),
        (Cross("x", ("seen", "other"), 10), "not of one group"),
        (Cross("x", ("seen", "item"), 10), "context list 'seen'"),
        (Bucketize("x", "user", (1,)), "'user' is string"),
        (Bucketize("x", "item", ()), "empty"),
        (Bucketize("x", "item", (1.0,)), "no integer"),
        (Bucketize("x", "item", (2, 1)), "not strictly increasing"),
        (Bucketize("x", "item", (1, 1)), "not strictly increasing"),
        (Bucketize("x", "item", (2**63,)), "beyond int64"),
        (Bucketize("x", "price", (float("nan"),)), "not finite"),
        (Bucketize("x", "price", (True,)), "no number"),
        (Standardise("x", "price", 0.0, 0.0), "scale above 0"),
        (Standardise("x", "price", float("nan"), 1.0), "finite"),
        (Standardise("x", "price", 0.0, 1.0, (1.0, 1.0)), "range"),
        (Clip("x", "price", 0.0, 1e39), "range"),
        (Log1p("x", "user"), "'user' is string"),
        (Elapsed("x", "item", "item", (1,)), "takes timestamp"),
        (SequenceMask("x", "user"), "takes lists only"),
        (SequenceLength("x", "item"), "takes lists only"),
        (State("x", "item"), "has no state"),
    ],
)
def test_a_transform_that_does_not_fit_is_refused(transform: Transform, message: str) -> None:
    rest = (
        Lookup("user", "user", WORDS),
        Lookup("seen", "seen", WORDS),
        Lookup("other", "other", WORDS),
        HashBuckets("item", "item", 5),
        State("price", "price"),
    )
    with pytest.raises(TransformError, match=message):
        FrontGraph(SMALL, (*rest, transform))
    FrontGraph(SMALL, rest)


def test_all_problems_are_listed() -> None:
    with pytest.raises(TransformError) as caught:
        FrontGraph(SMALL, (Lookup("a b", "item", WORDS), HashBuckets("b", "price", 0)))
    assert len(caught.value.problems) == 4


def test_own_rows_need_a_transform_that_has_rows() -> None:
    rest = [Lookup(name, name, WORDS) for name in ("user", "seen", "other")]
    numbers = (*rest, HashBuckets("item", "item", 5), Standardise("price", "price", 0.0, 1.0))
    with pytest.raises(TransformError, match="add a State"):
        FrontGraph(SMALL, numbers)
    FrontGraph(SMALL, (*numbers, State("price_state", "price")))
