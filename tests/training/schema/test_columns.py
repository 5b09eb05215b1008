"""Columnar packing: what it takes, what it refuses, and that it says where."""

from typing import Any

import numpy as np
import pytest

from twinrank.training.schema import (
    Feature,
    FeatureColumn,
    ListSpec,
    Packing,
    Policy,
    Schema,
    ScoringError,
    VectorSpec,
    pack_columns,
    string_key,
)

SCHEMA = Schema(
    (
        Feature("user", "context", "string"),
        Feature("seen", "context", "string", ListSpec(2, "last"), "history", missing=Policy("default", ())),
        Feature("when", "context", "timestamp", ListSpec(2, "last"), "history", missing=Policy("default", ())),
        Feature("item", "candidate", "int64", missing=Policy("own_row"), invalid=Policy("own_row")),
        Feature("price", "candidate", "float32"),
        Feature("new", "candidate", "bool"),
        Feature("size", "candidate", "float64", nonfinite=True),
    )
)
PACKING = Packing.of(SCHEMA)


def columns(**changed: FeatureColumn | None) -> dict[str, FeatureColumn]:
    given: dict[str, FeatureColumn | None] = {
        "user": FeatureColumn(["u", "v"]),
        "seen": FeatureColumn(["a", "b", "c"], np.array([3, 0])),
        "when": FeatureColumn(np.array([1, 2, 3]), np.array([3, 0])),
        "item": FeatureColumn(np.array([5, 6, 7]), None, np.array([1, 0, 2])),
        "price": FeatureColumn(np.array([0.1, 2.0, -0.0])),
        "new": FeatureColumn(np.array([True, False, True])),
        "size": FeatureColumn(np.array([1, 2, 3], dtype=np.int16)),
    }
    return {name: column for name, column in (given | changed).items() if column is not None}


def packed(**changed: FeatureColumn | None) -> dict[str, Any]:
    return pack_columns(columns(**changed), PACKING, contexts=2, candidates=3)


def test_columns_become_blocks() -> None:
    blocks = packed()
    # user, length of history, states of seen and when
    assert blocks["context.i64"].tolist() == [[string_key("u"), 2, 1, 1], [string_key("v"), 0, 1, 1]]
    history = [[[string_key("b"), 2], [string_key("c"), 3]], [[0, 0], [0, 0]]]
    assert blocks["context.history.i64"].tolist() == history
    # item and its state, new
    assert blocks["candidate.i64"].tolist() == [[5, 1, 1], [0, 0, 0], [0, 2, 1]]
    assert blocks["candidate.f32"].tobytes().hex() == "cdcccc3d" + "00000040" + "00000080"
    assert blocks["candidate.f64"].tolist() == [[1.0], [2.0], [3.0]]
    assert [block.dtype.name for block in blocks.values()] == ["int64", "int64", "int64", "float32", "float64"]


def test_keys_may_come_instead_of_strings() -> None:
    keys = FeatureColumn(np.array([string_key("u"), string_key("v")]))
    assert packed(user=keys)["context.i64"].tobytes() == packed()["context.i64"].tobytes()


def test_a_feature_without_a_column_is_missing_everywhere() -> None:
    blocks = packed(item=None, seen=None, when=None)
    assert blocks["candidate.i64"][:, 1].tolist() == [0, 0, 0]
    assert blocks["context.i64"][:, 1:].tolist() == [[0, 0, 0], [0, 0, 0]]


def test_no_rows_are_rows() -> None:
    blocks = pack_columns({}, PACKING, contexts=0, candidates=0)
    assert [block.shape for block in blocks.values()] == [(0, 4), (0, 2, 2), (0, 3), (0, 1), (0, 1)]


def test_every_nan_is_the_quiet_one() -> None:
    odd = np.array([0xFFF0000000000001, 0x7FF8000000000001, 0x7FF0000000000000], dtype=np.uint64).view(np.float64)
    bits = packed(size=FeatureColumn(odd))["candidate.f64"].view(np.uint64).ravel().tolist()
    assert bits == [0x7FF8000000000000, 0x7FF8000000000000, 0x7FF0000000000000]


@pytest.mark.parametrize(
    ("name", "column", "code", "candidate"),
    [
        ("price", None, "missing_feature", 0),
        ("user", None, "missing_feature", None),
        ("price", FeatureColumn(np.zeros(3), None, np.array([1, 1, 0])), "missing_feature", 2),
        ("price", FeatureColumn(np.array([1.0, np.nan, 1.0])), "non_finite", None),
        ("price", FeatureColumn(np.array([1.0, 1e39, 1.0])), "out_of_range", None),
        ("price", FeatureColumn(np.array([True, False, True])), "wrong_type", None),
        ("price", FeatureColumn(np.array(["1", "2", "3"])), "wrong_type", None),
        ("price", FeatureColumn(np.array([1, 2, 3], dtype=np.longdouble)), "wrong_type", None),
        ("item", FeatureColumn(np.array([1.0, 2.0, 3.0])), "wrong_type", None),
        ("item", FeatureColumn(np.array([True, False, True])), "wrong_type", None),
        ("item", FeatureColumn(np.array([1, 2, 2**63], dtype=np.uint64)), "out_of_range", None),
        ("new", FeatureColumn(np.array([1, 0, 1])), "wrong_type", None),
        ("user", FeatureColumn(np.array([1.0, 2.0])), "wrong_type", None),
        ("user", FeatureColumn(["u", "\ud800"]), "invalid_string", None),
        ("when", FeatureColumn(np.array([1, 2]), np.array([2, 0])), "length_mismatch", None),
    ],
)
def test_bad_values_are_refused_with_their_code(
    name: str, column: FeatureColumn | None, code: str, candidate: int | None
) -> None:
    with pytest.raises(ScoringError) as caught:
        packed(**{name: column})
    assert (caught.value.code, caught.value.feature, caught.value.candidate) == (code, name, candidate)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("item", FeatureColumn(np.arange(2))),
        ("item", FeatureColumn(np.arange(3), np.array([1, 1, 1]))),
        ("item", FeatureColumn(np.arange(3), None, np.array([1, 1]))),
        ("item", FeatureColumn(np.arange(3), None, np.array([1, 1, 3]))),
        ("item", FeatureColumn(np.arange(3), None, np.array([1, 1, -1]))),
        ("item", FeatureColumn(np.arange(6).reshape(3, 2))),
        ("price", FeatureColumn(np.arange(3), None, np.array([1, 1, 2]))),
        ("seen", FeatureColumn(["a"])),
        ("seen", FeatureColumn(["a"], np.array([2, 0]))),
        ("seen", FeatureColumn(["a"], np.array([1.0, 0.0]))),
        ("seen", FeatureColumn(["a"], np.array([1, 0]), np.array([0, 1]))),
        ("other", FeatureColumn(np.arange(3))),
    ],
)
def test_arrays_that_do_not_fit_are_a_callers_mistake(name: str, column: FeatureColumn) -> None:
    with pytest.raises(ValueError, match=name):
        packed(**{name: column})


FACES = Schema((Feature("face", "candidate", "float32", vector=VectorSpec(2), missing=Policy("default", (1, 2))),))


def faces(values: Any, states: Any = None) -> Any:
    column = FeatureColumn(values, None, None if states is None else np.array(states))
    return pack_columns({"face": column}, Packing.of(FACES), contexts=0, candidates=3)


def test_rows_of_vectors_become_adjacent_columns() -> None:
    blocks = faces(np.array([[0.1, -0.0], [5, 6], [np.nan, 7]]), [1, 1, 0])
    assert blocks["candidate.f32"].tobytes() == np.array([[0.1, -0.0], [5, 6], [0, 0]], dtype=np.float32).tobytes()
    assert blocks["candidate.i64"].tolist() == [[1], [1], [0]]
    nothing = pack_columns({}, Packing.of(FACES), contexts=0, candidates=2)
    assert nothing["candidate.f32"].tolist() == [[0, 0], [0, 0]]


def test_rows_of_vectors_are_checked() -> None:
    for values, code in (
        (np.zeros((3, 3)), "wrong_length"),
        (np.zeros((3, 1)), "wrong_length"),
        (np.array([[0, 0], [0, np.inf], [0, 0]]), "non_finite"),
        (np.array([[0, 0], [0, 1e39], [0, 0]]), "out_of_range"),
        (np.zeros((3, 2), dtype=bool), "wrong_type"),
    ):
        with pytest.raises(ScoringError) as caught:
            faces(values)
        assert (caught.value.code, caught.value.feature) == (code, "face")
    for shape in ((3,), (2, 2), (3, 2, 1)):
        with pytest.raises(ValueError, match=r"\(3, 2\) is required"):
            faces(np.zeros(shape))
    with pytest.raises(ValueError, match="has lengths, but the feature is no list"):
        pack_columns(
            {"face": FeatureColumn(np.zeros((3, 2)), np.array([2, 2, 2]))}, Packing.of(FACES), contexts=0, candidates=3
        )
