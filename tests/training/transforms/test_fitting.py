"""What transforms learn from data. Expected values are worked out by hand."""

import math
from typing import Any

import numpy as np
import pytest

from twinrank.training.schema import Feature, FeatureColumn, ListSpec, Policy, Schema, VectorSpec, read_request
from twinrank.training.transforms import (
    Bucketize,
    Standardise,
    TransformError,
    Vector,
    Vocabulary,
    _vocabulary,
    observed,
)

SCHEMA = Schema(
    (
        Feature("user", "context", "string", missing=Policy("own_row")),
        Feature("tags", "candidate", "string", ListSpec(2, "last")),
        Feature("size", "candidate", "float32", invalid=Policy("own_row")),
    )
)


@pytest.mark.parametrize("kind", [list, iter, lambda values: np.array(values, dtype=object)])
def test_a_vocabulary_is_sorted_by_count_then_value(kind: Any) -> None:
    values = ["b", "a", "c", "b", "a", "d", "\U0001f600", "Z"]
    # Code point order among equals: Z before c and d, the emoji last.
    assert Vocabulary.fit("v", "string", kind(values)).entries == ("a", "b", "Z", "c", "d", "\U0001f600")
    assert Vocabulary.fit("v", "string", kind(values), min_count=2).entries == ("a", "b")
    assert Vocabulary.fit("v", "string", kind(values), max_size=3).entries == ("a", "b", "Z")


def test_a_vocabulary_of_integers_has_python_integers() -> None:
    vocabulary = Vocabulary.fit("v", "int64", np.array([5, -(2**63), 5, 2**63 - 1]))
    assert vocabulary.entries == (5, -(2**63), 2**63 - 1)
    assert all(type(entry) is int for entry in vocabulary.entries)
    assert vocabulary.keys.tolist() == [5, -(2**63), 2**63 - 1]


@pytest.mark.parametrize(
    ("dtype", "entries", "message"),
    [
        ("string", (), "empty"),
        ("string", ("a", "a"), "share the key"),
        ("string", ("a", 1), "1 is no string"),
        ("string", ("\ud800",), "lone surrogate"),
        ("int64", (1, 1), "share the key"),
        ("int64", (2**63,), "is no int64"),
        ("int64", (1.0,), "is no int64"),
        ("int64", (True,), "is no int64"),
        ("float32", (1.0,), "allowed: string, int64"),
    ],
)
def test_a_bad_vocabulary_is_refused(dtype: Any, entries: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Vocabulary("v", dtype, entries)
    with pytest.raises(TransformError, match="empty"):
        Vocabulary.fit("v", "string", ["a"], min_count=2)


def test_two_entries_with_one_key_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # No two strings are known that collide, so the key is made worse: its length.
    monkeypatch.setattr(_vocabulary, "string_keys", lambda texts: np.array([len(text) for text in texts]))
    with pytest.raises(TransformError, match=r"\['a', 'b'\] share the key 1"):
        Vocabulary("v", "string", ("ccc", "a", "b"))


def test_quantile_boundaries_are_observed_values() -> None:
    # Eight values, four buckets: the 2nd, 4th and 6th smallest end a bucket, the next value begins one.
    bucketize = Bucketize.fit("x", "size", [8, 1, 7, 2, 6, 3, 5, 4], buckets=4)
    assert bucketize.boundaries == (3, 5, 7)
    assert all(type(boundary) is int for boundary in bucketize.boundaries)
    assert Bucketize.fit("x", "size", np.array([0.5, 0.5, 0.5, math.nan, 2.5]), buckets=4).boundaries == (2.5,)
    assert Bucketize.fit("x", "size", [2**53, 2**53 + 1], buckets=2).boundaries == (2**53 + 1,)
    assert Bucketize.fit("x", "size", [1, 2, 3], buckets=100).boundaries == (2, 3)
    with pytest.raises(TransformError, match="two must differ"):
        Bucketize.fit("x", "size", [1, 1, 1], buckets=4)
    with pytest.raises(TransformError, match="two must differ"):
        Bucketize.fit("x", "size", [], buckets=4)


def test_standardisation_is_the_mean_and_the_deviation_of_finite_values() -> None:
    assert Standardise.fit("x", "size", [2, 4, 4, 4, 5, 5, 7, 9]) == Standardise("x", "size", 5.0, 2.0)
    with_others = np.array([1.0, 3.0, math.nan, math.inf])
    assert Standardise.fit("x", "size", with_others) == Standardise("x", "size", 2.0, 1.0)
    assert Standardise.fit("x", "size", [7, 7], clip=(-1.0, 1.0)) == Standardise("x", "size", 7.0, 1.0, (-1.0, 1.0))
    # Exactly rounded sums: order does not matter, and nothing is lost beside a large value.
    assert Standardise.fit("x", "size", [1e16, 1.0, -1e16]).mean == 1 / 3
    with pytest.raises(TransformError, match="no finite value"):
        Standardise.fit("x", "size", [math.nan])


def test_only_present_values_are_observed() -> None:
    bodies = [
        b'{"context":{"user":"u"},"candidates":[{"tags":["a","b","c"],"size":0.1},{"tags":[],"size":"x"}]}',
        b'{"context":{},"candidates":[{"tags":["c"],"size":2}]}',
    ]
    requests = [read_request(body, SCHEMA, max_candidates=2) for body in bodies]
    assert observed(requests, "user") == ["u"]
    assert observed(requests, "tags") == ["b", "c", "c"]
    assert observed(iter(requests), "size") == [0.10000000149011612, 2.0]
    columns = {
        "user": FeatureColumn(["u", "", "v"], None, np.array([1, 0, 1])),
        "size": FeatureColumn(np.array([0.5, 9.0]), None, np.array([1, 2])),
        "tags": FeatureColumn(["a", "b"], np.array([2])),
    }
    assert observed(columns, "user") == ["u", "v"]
    assert observed(columns, "size").tolist() == [0.5]
    assert observed(columns, "tags") == ["a", "b"]


def test_observed_vectors_stay_whole() -> None:
    schema = Schema((Feature("v", "candidate", "float32", vector=VectorSpec(2), missing=Policy("default", (0, 0))),))
    bodies = [b'{"context":{},"candidates":[{"v":[1,2]},{}]}', b'{"context":{},"candidates":[{"v":[3,4]}]}']
    requests = [read_request(body, schema, max_candidates=2) for body in bodies]
    assert observed(requests, "v") == [(1.0, 2.0), (3.0, 4.0)]
    column = FeatureColumn(np.array([[1.0, 2.0], [0.0, 0.0]]), None, np.array([1, 0]))
    assert observed({"v": column}, "v").tolist() == [[1.0, 2.0]]
    assert Vector.fit("v", "v", observed(requests, "v")).mean == (2.0, 3.0)
