"""Unseen values: rows, other values' rows, and the graph's count. Expected values are worked out by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import xxhash

from twinrank.training.schema import Feature, ListSpec, Packing, Policy, Schema, VectorSpec, pack, read_request
from twinrank.training.transforms import (
    Bucketize,
    CyclicTime,
    FrontGraph,
    HashBuckets,
    Lookup,
    Number,
    Standardise,
    State,
    TimePart,
    Transform,
    TransformError,
    Vector,
    Vocabulary,
)

ERROR = Policy("error")
OPERATORS = Path(__file__).resolve().parents[2] / "contract/vectors/operators.json"
SCHEMA = Schema(
    (
        Feature("shop", "candidate", "int64", unseen=ERROR),
        Feature("user", "context", "string", missing=Policy("own_row"), unseen=ERROR),
        Feature("brand", "candidate", "string", missing=Policy("default", "z"), unseen=ERROR),
        Feature("kind", "candidate", "string", unseen=Policy("default", "b")),
        Feature("tags", "candidate", "string", ListSpec(2, "last"), unseen=ERROR),
        Feature("face", "candidate", "float32", vector=VectorSpec(2), missing=Policy("default", (0.5, -2))),
        Feature("now", "context", "timestamp"),
    )
)
WORDS = Vocabulary("words", "string", ("a", "b"))
OTHER = Vocabulary("other", "string", ("b", "c"), 4)
SHOPS = Vocabulary("shops", "int64", (7, 8))
TRANSFORMS: tuple[Transform, ...] = (
    Lookup("shop", "shop", SHOPS),
    Lookup("user", "user", WORDS),
    Lookup("brand", "brand", WORDS),
    Lookup("kind", "kind", OTHER),
    Lookup("tags", "tags", WORDS),
    Lookup("tags_too", "tags", OTHER),
    Vector("face", "face"),
    TimePart("minute", "now", "minute_of_day", 5),
    CyclicTime("day", "now", "day_of_year", -5),
)
FRONT = FrontGraph(SCHEMA, TRANSFORMS)


def run(front: FrontGraph, document: dict[str, Any]) -> dict[str, Any]:
    """Every output of the graph, as a scorer sees them."""
    raw = json.dumps(document).encode()
    session = ort.InferenceSession(front.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    blocks = pack(read_request(raw, front.schema, max_candidates=64), Packing.of(front.schema))
    return dict(zip(names, session.run(names, blocks), strict=True))


def candidate(**changes: Any) -> dict[str, Any]:
    return {"shop": 7, "brand": "a", "kind": "b", "tags": [], "face": [1, 2]} | changes


def counts(context: dict[str, Any], *candidates: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    out = run(FRONT, {"context": {"now": 0} | context, "candidates": list(candidates)})
    return out["unseen.context"].tolist(), out["unseen.candidate"].tolist()


def test_the_counts_come_after_the_encoded_tensors_context_first() -> None:
    assert FRONT.unseen_outputs == ("unseen.context", "unseen.candidate")
    outputs = [output.name for output in FRONT.to_onnx().graph.output]
    assert outputs == [*(f"encoded.{transform.name}" for transform in TRANSFORMS), *FRONT.unseen_outputs]
    assert sorted(FRONT.encode(_blocks())) == sorted(transform.name for transform in TRANSFORMS)
    one = Schema((Feature("shop", "candidate", "int64", unseen=ERROR), Feature("u", "context", "bool")))
    front = FrontGraph(one, (Lookup("shop", "shop", SHOPS), HashBuckets("u", "u", 2)))
    assert front.unseen_outputs == ("unseen.candidate",)
    assert FrontGraph(Schema((Feature("k", "candidate", "bool"),)), (HashBuckets("k", "k", 2),)).unseen_outputs == ()


def _blocks() -> dict[str, Any]:
    raw = json.dumps({"context": {"now": 0}, "candidates": [candidate(), candidate(shop=1)]}).encode()
    return pack(read_request(raw, SCHEMA, max_candidates=2), Packing.of(SCHEMA))


def test_unseen_values_are_counted_by_feature_in_schema_order() -> None:
    assert counts({"user": "a"}, candidate()) == ([[0]], [[0, 0, 0]])
    assert counts({"user": "z"}, candidate(shop=9)) == ([[1]], [[1, 0, 0]])
    # Missing counts nothing: neither a row of its own nor a default, which may itself be unseen.
    assert counts({}, candidate(brand=None)) == ([[0]], [[0, 0, 0]])
    assert counts({"user": "a"}, candidate(brand="z"), candidate(shop=0)) == ([[0]], [[0, 1, 0], [1, 0, 0]])


def test_of_a_list_only_kept_elements_are_counted_and_any_vocabulary_will_do() -> None:
    # a is not in `other`, c is not in `words`, b is in both.
    for tags, expected in (([], 0), (["b"], 0), (["a"], 1), (["c", "c"], 2), (["a", "b", "b"], 0), (["z", "a"], 2)):
        assert counts({}, candidate(tags=tags))[1] == [[0, 0, expected]], tags


def test_unseen_values_have_rows() -> None:
    rows = run(FRONT, {"context": {"now": 0, "user": "z"}, "candidates": [candidate(kind=k) for k in ("b", "c", "z")]})
    # words: 0 unseen, 1 missing, 2 a, 3 b; other: 0 to 3 unseen, 4 b, 5 c.
    assert rows["encoded.user"].tolist() == [0]
    assert rows["encoded.kind"].tolist() == [4, 5, 4]
    specs = {spec.name: spec for spec in FRONT.outputs}
    assert (specs["user"].unseen_rows, specs["kind"].unseen_rows, specs["face"].unseen_rows) == (1, 4, 0)
    assert (specs["face"].is_vector, specs["tags"].is_vector) == (True, False)
    assert (specs["kind"].cardinality, specs["tags_too"].cardinality) == (6, 6)


def test_unseen_values_spread_over_their_rows_as_hash_buckets_do() -> None:
    schema = Schema((Feature("x", "candidate", "string", missing=Policy("own_row"), invalid=Policy("own_row")),))
    vocabulary = Vocabulary("v", "string", ("seen",), 16)
    front = FrontGraph(schema, (Lookup("x", "x", vocabulary), HashBuckets("h", "x", 16)))
    words = [f"word {index}" for index in range(200)]
    keys = np.array([[xxhash.xxh3_64_intdigest(word.encode()), 1] for word in words], dtype=np.uint64).view(np.int64)
    encoded = front.encode({"candidate.i64": keys})
    # The bucket's own rows for missing and invalid come first, the vocabulary's come after the spread.
    assert encoded["x"].tolist() == [row - 2 for row in encoded["h"].tolist()]
    assert set(encoded["x"].tolist()) == set(range(16))
    out = run(front, {"context": {}, "candidates": [{"x": "seen"}, {}, {"x": 5}]})
    assert out["encoded.x"].tolist() == [18, 16, 17]


def test_training_data_may_hold_unseen_values() -> None:
    encoded = FRONT.encode(_blocks())
    assert encoded["shop"].tolist() == [1, 0]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 33])
def test_a_count_is_the_same_alone_and_in_any_slate(size: int) -> None:
    rows = [candidate(shop=7 + index % 3, tags=["a", "c", "b"][: index % 4]) for index in range(size)]
    whole = counts({}, *rows)[1]
    assert whole == [counts({}, row)[1][0] for row in rows]


def test_the_graph_stays_valid_and_allowed() -> None:
    model = FRONT.to_onnx()
    onnx.checker.check_model(model, full_check=True)
    allowed = {(entry["domain"], entry["name"]) for entry in json.loads(OPERATORS.read_text("utf-8"))["operators"]}
    assert {(node.domain, node.op_type) for node in model.graph.node} <= allowed
    shapes = {output.name: output.type.tensor_type.shape.dim for output in model.graph.output}
    assert [shapes["unseen.candidate"][0].dim_param, shapes["unseen.candidate"][1].dim_value] == ["candidates", 3]
    assert [shapes["encoded.face"][0].dim_param, shapes["encoded.face"][1].dim_value] == ["candidates", 2]


def test_a_stored_graph_keeps_policies_rows_and_vectors(tmp_path: Path) -> None:
    more = (*TRANSFORMS, Vector("face_s", "face", (0.1, 0.2), (1.0, 3.0), (-1.0, 1.0)))
    front = FrontGraph(SCHEMA, more)
    front.save(tmp_path / "front")
    loaded = FrontGraph.load(tmp_path / "front")
    assert (loaded.schema, loaded.transforms, loaded.outputs) == (front.schema, front.transforms, front.outputs)
    assert loaded.to_onnx().SerializeToString() == front.to_onnx().SerializeToString()
    document = json.loads((tmp_path / "front" / "front.json").read_text("utf-8"))
    # What a vocabulary does not use is not written: fronts of 0.1 and of today look alike.
    heads = {head["name"]: head for head in document["vocabularies"]}
    assert heads["other"] == {"name": "other", "dtype": "string", "oov_buckets": 4}
    assert heads["words"] == {"name": "words", "dtype": "string"}
    document["vocabularies"][0]["more"] = 1
    (tmp_path / "front" / "front.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(TransformError, match=r"vocabularies\[0\]: fields are"):
        FrontGraph.load(tmp_path / "front")


SMALL = Schema(
    (
        Feature("word", "candidate", "string", unseen=Policy("default", "z")),
        Feature("code", "candidate", "int64", unseen=ERROR),
        Feature("face", "candidate", "float64", vector=VectorSpec(2)),
        Feature("ints", "candidate", "int64", vector=VectorSpec(2)),
        Feature("price", "candidate", "float32", missing=Policy("own_row")),
        Feature("when", "candidate", "timestamp"),
        Feature("whens", "candidate", "timestamp", ListSpec(2, "last")),
    )
)
REST: tuple[Transform, ...] = (
    Lookup("word", "word", Vocabulary("z", "string", ("z",))),
    Lookup("code", "code", SHOPS),
    Vector("face", "face"),
    Vector("ints", "ints"),
    State("price", "price"),
    TimePart("when", "when", "hour_of_day"),
    TimePart("whens", "whens", "hour_of_day"),
)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (Lookup("x", "word", WORDS), "maps unseen values as 'z', which vocabulary 'words' does not hold"),
        (Lookup("x", "ints", SHOPS), "'ints' is a vector; this transform takes no vectors"),
        (HashBuckets("x", "ints", 5), "is a vector"),
        (Bucketize("x", "face", (0.5,)), "is a vector"),
        (Standardise("x", "face", 0.0, 1.0), "use a Vector"),
        (Number("x", "face", "float64"), "is a vector"),
        (Number("x", "price", "float16"), "allowed: float32, float64, int64"),  # type: ignore[arg-type]
        (Number("x", "price", "int64"), "'price' is float32; this transform takes int64, timestamp, bool"),
        (Vector("x", "price"), "takes vectors only"),
        (Vector("x", "face", (0.0,), (1.0,)), "mean has 1 numbers; the vector has 2"),
        (Vector("x", "face", (0.0, 0.0)), "mean and scale must be given together"),
        (Vector("x", "face", (0.0, 0.0), (1.0, 0.0)), "not above 0"),
        (Vector("x", "face", (float("nan"), 0.0), (1.0, 1.0)), "not finite"),
        (Vector("x", "face", clip=(1.0, 1e39)), "range"),
        (TimePart("x", "when", "month"), "part is 'month'"),  # type: ignore[arg-type]
        (TimePart("x", "when", "day_of_year", 1081), "offset_minutes is 1081"),
        (TimePart("x", "code", "day_of_year"), "takes timestamp"),
        (CyclicTime("x", "when", "day_of_year", True), "offset_minutes is True"),
        (CyclicTime("x", "whens", "day_of_year"), "takes scalars only"),
    ],
)
def test_what_does_not_fit_is_refused(transform: Transform, message: str) -> None:
    FrontGraph(SMALL, REST)
    with pytest.raises(TransformError, match=message):
        FrontGraph(SMALL, (*REST, transform))


def test_a_policy_that_nothing_looks_at_is_refused() -> None:
    for policy in (ERROR, Policy("default", 7)):
        schema = Schema((Feature("code", "candidate", "int64", unseen=policy),))
        with pytest.raises(TransformError, match=f"unseen policy {policy.policy}, but no Lookup reads it"):
            FrontGraph(schema, (HashBuckets("code", "code", 5),))


def test_numbers_alone_do_not_show_an_own_row() -> None:
    schema = Schema((Feature("price", "candidate", "float32", missing=Policy("own_row")),))
    with pytest.raises(TransformError, match="add a State"):
        FrontGraph(schema, (Number("price", "price", "float32"),))


def test_out_of_vocabulary_rows_are_bounded() -> None:
    for rows in (0, 2**20 + 1, True, 1.0):
        with pytest.raises(TransformError, match="oov_buckets is"):
            Vocabulary("v", "int64", (1,), rows)  # type: ignore[arg-type]
    assert Vocabulary.fit("v", "int64", [3, 3, 5], min_count=2, oov_buckets=7) == Vocabulary("v", "int64", (3,), 7)
    with pytest.raises(TransformError, match="min_count is 0 and max_size is None"):
        Vocabulary.fit("v", "int64", [1], min_count=0)
    with pytest.raises(TransformError, match="max_size is 0"):
        Vocabulary.fit("v", "int64", [1], max_size=0)


def test_a_negative_zero_survives_masks_and_defaults() -> None:
    schema = Schema(
        (
            Feature("x", "candidate", "float32", missing=Policy("default", -0.0)),
            Feature("l", "candidate", "float64", ListSpec(2, "first")),
        )
    )
    front = FrontGraph(schema, (Number("x", "x", "float64"), Number("l", "l", "float64")))
    out = run(front, {"context": {}, "candidates": [{"l": [-0.0]}, {"x": 0.0, "l": []}, {"x": -2.5, "l": [0.0, 5]}]})
    assert out["encoded.x"].view(np.uint64).tolist() == np.array([-0.0, 0.0, -2.5]).view(np.uint64).tolist()
    expected = np.array([[-0.0, 0.0], [0.0, 0.0], [0.0, 5.0]])
    assert out["encoded.l"].view(np.uint64).tolist() == expected.view(np.uint64).tolist()


def test_a_vectors_components_are_standardised_by_themselves() -> None:
    values = [
        [2, 1, 7],
        [4, 1, 7],
        [4, float("nan"), 7],
        [4, 3, 7],
        [5, 3, 7],
        [5, float("inf"), 7],
        [7, 1, 7],
        [9, 3, 7],
    ]
    fitted = Vector.fit("x", "face", values)
    assert fitted == Vector("x", "face", (5.0, 2.0, 7.0), (2.0, 1.0, 1.0), (-10.0, 10.0))
    with pytest.raises(TransformError, match="component 1"):
        Vector.fit("x", "face", [[1, float("nan")]])
    for nothing in ([], [1.0, 2.0]):
        with pytest.raises(TransformError, match=r"\[m, L\] is required"):
            Vector.fit("x", "face", nothing)
