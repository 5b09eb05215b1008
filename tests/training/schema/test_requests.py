"""What the vectors cannot say: typed values, messages, immutability, and that nothing but ScoringError comes out."""

import datetime
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinrank.training.schema import (
    Feature,
    ListSpec,
    Packing,
    Policy,
    Request,
    Schema,
    ScoringError,
    pack,
    read_request,
    request_from_mapping,
    string_key,
    string_keys,
)

SCHEMA = Schema(
    (
        Feature("user", "context", "string"),
        Feature("age", "context", "float32", missing=Policy("own_row"), invalid=Policy("default", 30)),
        Feature("item", "candidate", "int64"),
        Feature("tags", "candidate", "string", ListSpec(2, "last"), missing=Policy("default", ())),
    )
)


def attempt(read: Callable[[], Request]) -> Request | ScoringError:
    """The request or the error; any other exception is a failure."""
    try:
        return read()
    except ScoringError as error:
        return error


def check(outcome: Request | ScoringError) -> None:
    """A request can be packed, an error can be printed."""
    if isinstance(outcome, ScoringError):
        assert outcome.message.isascii()
        assert outcome.message.isprintable()
    else:
        pack(outcome, Packing.of(SCHEMA))


def one(dtype: Any, value: Any, **more: Any) -> Any:
    """The packed value, or the error's code, of one typed value."""
    schema = Schema((Feature("x", "candidate", dtype, **more),))
    mapping = {"context": {}, "candidates": [{"x": value}]}
    request = attempt(lambda: request_from_mapping(mapping, schema, max_candidates=1))
    if isinstance(request, ScoringError):
        assert (request.feature, request.candidate) == ("x", 0)
        return request.code
    blocks = pack(request, Packing.of(schema))
    return blocks[min(blocks)].ravel().tolist()[0]


class IntLike:
    def __int__(self) -> int:
        return 3

    def __index__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("int64", 5, 5),
        ("int64", np.int8(-5), -5),
        ("int64", np.uint64(2**63 - 1), 2**63 - 1),
        ("int64", np.uint64(2**63), "out_of_range"),
        ("int64", 2**63, "out_of_range"),
        ("int64", -(2**63) - 1, "out_of_range"),
        pytest.param("int64", 10**6000, "out_of_range", id="int64 of 6001 digits"),
        ("int64", 5.0, "wrong_type"),
        ("int64", np.float32(5), "wrong_type"),
        ("int64", True, "wrong_type"),
        ("int64", np.True_, "wrong_type"),
        ("int64", IntLike(), "wrong_type"),
        ("int64", Decimal(5), "wrong_type"),
        ("int64", np.timedelta64(5, "ns"), "wrong_type"),
        ("timestamp", 1_700_000_000_000, 1_700_000_000_000),
        ("timestamp", datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), "wrong_type"),
        ("timestamp", np.datetime64(5, "ns"), "wrong_type"),
        ("bool", True, 1),
        ("bool", np.False_, 0),
        ("bool", 1, "wrong_type"),
        ("bool", np.int64(1), "wrong_type"),
        ("float64", 0.1, 0.1),
        ("float64", np.float32(0.1), 0.10000000149011612),
        ("float64", np.float16(0.1), 0.0999755859375),
        ("float64", 2**53 + 1, 2.0**53),
        ("float64", 10**400, "out_of_range"),
        ("float64", np.longdouble(1), "wrong_type"),
        ("float64", Decimal("0.1"), "wrong_type"),
        ("float64", True, "wrong_type"),
        ("float64", float("nan"), "non_finite"),
        ("float64", np.float32("inf"), "non_finite"),
        ("float64", complex(1), "wrong_type"),
        ("float32", 1 + 2**-24, 1.0),
        ("float32", 1e39, "out_of_range"),
        ("float32", 2**128, "out_of_range"),
        ("float32", np.float64(3.4028235677973366e38), "out_of_range"),
        ("float32", np.float64(3.4028235677973362e38), 3.4028234663852886e38),
        ("string", "a", string_key("a")),
        ("string", np.str_("a"), string_key("a")),
        ("string", b"a", "wrong_type"),
        ("string", 5, "wrong_type"),
        ("string", "\ud800", "invalid_string"),
        ("string", ["a"], "wrong_type"),
        ("string", np.array("a"), "wrong_type"),
    ],
)
def test_a_typed_value_is_taken_exactly_or_refused(dtype: str, value: Any, expected: Any) -> None:
    got = one(dtype, value)
    assert type(got) is type(expected)
    assert got == expected


@pytest.mark.parametrize(
    ("value", "bits"), [(float("nan"), "0000c07f"), (-float("nan"), "0000c07f"), ("NaN", "0000c07f")]
)
def test_every_nan_is_packed_as_the_quiet_one(value: Any, bits: str) -> None:
    schema = Schema((Feature("x", "candidate", "float32", nonfinite=True),))
    request = request_from_mapping({"context": {}, "candidates": [{"x": value}]}, schema, max_candidates=1)
    assert pack(request, Packing.of(schema))["candidate.f32"].tobytes().hex() == bits


def test_typed_lists_are_lists_tuples_and_flat_arrays() -> None:
    spec = {"list": ListSpec(3, "first")}
    assert one("int64", (7, 8), **spec) == 7
    assert one("int64", np.array([7, 8]), **spec) == 7
    assert one("int64", np.array([7, 8], dtype=np.uint64), **spec) == 7
    assert one("string", np.array(["b", "c"]), **spec) == string_key("b")
    assert one("string", np.array(["b", "c"], dtype=object), **spec) == string_key("b")
    for bad in (np.array([[7]]), np.array(7), {7}, range(3), iter([7]), "78", b"78", np.array([7], "m8[ns]"), {"a": 1}):
        assert one("int64", bad, **spec) == "wrong_type"
    assert one("int64", np.array([7.0]), **spec) == "wrong_type"
    assert one("float64", np.array([7.0], dtype=np.longdouble), **spec) == "wrong_type"
    assert one("int64", [7, None], **spec) == "wrong_type"


def test_a_mapping_has_the_rules_of_a_document() -> None:
    def code(mapping: Any, limit: int = 2) -> tuple[str, str | None, int | None]:
        with pytest.raises(ScoringError) as caught:
            request_from_mapping(mapping, SCHEMA, max_candidates=limit)
        return caught.value.code, caught.value.feature, caught.value.candidate

    good = {"user": "u"}
    assert code([]) == ("invalid_request", None, None)
    assert code({"context": good}) == ("invalid_request", None, None)
    assert code({"context": good, "candidates": "ab"}) == ("invalid_request", None, None)
    assert code({"context": good, "candidates": [], "k": -1}) == ("invalid_request", None, None)
    assert code({"context": good, "candidates": [], "k": 1.0}) == ("invalid_request", None, None)
    assert code({"context": good, "candidates": [], "k": True}) == ("invalid_request", None, None)
    assert code({"context": good, "candidates": [{"item": 1}, 5]}) == ("invalid_request", None, 1)
    assert code({"context": good, "candidates": [{"item": 1}] * 3}) == ("too_many_candidates", None, 2)
    assert code({"context": {"user": "u", 5: 1}, "candidates": []}) == ("unknown_feature", None, None)
    assert code({"context": {"user": None}, "candidates": []}) == ("missing_feature", "user", None)
    request = request_from_mapping(
        {"candidates": ({"item": np.int64(4), "tags": ("a", "b", "c")},), "context": good, "k": np.int32(9)},
        SCHEMA,
        max_candidates=2,
    )
    assert (request.n, request.k) == (1, 1)
    assert request.values("tags") == (("b", "c"),)
    assert request.values("age") == (None,)
    assert request.states("age") == (0,)


def test_a_request_keeps_typed_values() -> None:
    raw = b'{"context":{"user":"u","age":0.1},"candidates":[{"item":1},{"item":2,"tags":["x"]}],"k":3}'
    request = read_request(raw, SCHEMA, max_candidates=2)
    assert request.values("age") == (0.10000000149011612,)
    assert request.values("item") == (1, 2)
    assert request.values("tags") == (None, ("x",))
    assert request.states("tags") == (0, 1)
    with pytest.raises(AttributeError):
        request.n = 5  # type: ignore[misc]


def test_packing_another_schemas_request_is_refused() -> None:
    other = Schema((Feature("item", "candidate", "int64"),))
    request = read_request(b'{"context":{},"candidates":[]}', other, max_candidates=1)
    with pytest.raises(ValueError, match="another schema"):
        pack(request, Packing.of(SCHEMA))


def test_a_message_says_what_was_given_where_what_is_allowed_and_what_to_do() -> None:
    raw = b'{"context":{"user":"u"},"candidates":[{"item":1},{"item":1.5}]}'
    with pytest.raises(ScoringError) as caught:
        read_request(raw, SCHEMA, max_candidates=2)
    assert str(caught.value) == (
        "wrong_type: feature 'item' of candidate 1 is 1.5; "
        "int64 takes integer literals only: no quotes, no point, no exponent"
    )


def test_messages_escape_what_cannot_be_printed_and_cut_what_is_long() -> None:
    with pytest.raises(ScoringError) as caught:
        string_key("\ud800\x1b[31m" + "x" * 5000)
    assert caught.value.code == "invalid_string"
    assert "\\ud800\\u001b" in caught.value.message
    assert len(caught.value.message) < 300
    with pytest.raises(ScoringError) as caught:
        string_keys(["fine", "\udfff"])
    assert "\\udfff" in caught.value.message


def test_the_limit_on_integer_digits_never_shows() -> None:
    # 640 is the lowest limit that Python allows; literals of up to 1,000 characters are legal.
    code = """
from twinrank.training.schema import *
schema = Schema((Feature("x", "candidate", "int64", invalid=Policy("own_row")), Feature("y", "candidate", "float64")))
nines = b"9" * 1000

def read(y):
    body = b'{"context":{},"candidates":[{"x":' + nines + b',"y":' + y + b'}],"k":' + nines + b"}"
    return read_request(body, schema, max_candidates=1)

assert read(b"0." + b"0" * 990).states("x") == (2,)
mapping = {"context": {}, "candidates": [{"x": 1, "y": 10**6000}]}
for attempt in (
    lambda: read(nines),
    lambda: read(nines + b"9"),
    lambda: read(nines * 6),
    lambda: request_from_mapping(mapping, schema, max_candidates=1),
):
    try:
        attempt()
    except ScoringError as error:
        print(error.code)
"""
    environment = {**os.environ, "PYTHONINTMAXSTRDIGITS": "640"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["out_of_range", "invalid_json", "invalid_json", "out_of_range"], "")


def test_depth_is_counted_before_the_decoder_recurses() -> None:
    for raw in (
        b"[" * 10**6,
        b'{"a":' * 10**5,
        b'["\\\\",' + b"[" * 10**5,
        b'["\\\\\\"",' + b"[" * 10**5,
        b"[" * 65 + b"]" * 65,
    ):
        with pytest.raises(ScoringError) as caught:
            read_request(raw, SCHEMA, max_candidates=1)
        assert caught.value.code == "invalid_json"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_give_a_request_or_a_scoring_error(raw: bytes) -> None:
    with pytest.raises(ScoringError) as caught:
        read_request(raw, SCHEMA, max_candidates=2)
    assert caught.value.code in ("invalid_json", "invalid_request")


GOOD = b'{"context":{"user":"\\u00e9\\"","age":-1.5e3},"candidates":[{"item":-7,"tags":["a","b"]},{"item":0}],"k":1}'


@settings(max_examples=500, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_request_gives_a_request_or_a_scoring_error(at: int, put: bytes, cut: int) -> None:
    raw = GOOD[:at] + put + GOOD[at + cut :]
    check(attempt(lambda: read_request(raw, SCHEMA, max_candidates=2)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(JSON, JSON, JSON)
def test_any_mapping_gives_a_request_or_a_scoring_error(user: Any, item: Any, tags: Any) -> None:
    mapping = {"context": {"user": user, "age": item}, "candidates": [{"item": item, "tags": tags}], "k": user}
    check(attempt(lambda: request_from_mapping(mapping, SCHEMA, max_candidates=2)))
