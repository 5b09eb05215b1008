"""Bits, ULPs and order against the contract's vectors, whose numbers come from exact rationals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinrank.export.bundle import bits_from_hex, bits_to_hex, canonical_bits, compare_bits, order_of, ulp_distance

VECTORS = Path(__file__).resolve().parents[1] / "contract" / "vectors"


def cases(name: str) -> list[Any]:
    found = json.loads((VECTORS / name).read_bytes())["cases"]
    return [pytest.param(case, id=case["name"] + " " + case["dtype"]) for case in found]


@pytest.mark.parametrize("case", cases("bits.json"))
def test_a_pair_is_equal_and_apart_as_the_contract_says(case: dict[str, Any]) -> None:
    left, right = (bits_from_hex([case[side]], case["dtype"]) for side in ("left", "right"))
    difference = compare_bits(left, right)
    assert (difference.differing == 0) == case["equal"]
    assert difference.first == (None if case["equal"] else 0)
    expected = 2**64 - 1 if case["ulp"] is None else case["ulp"]
    assert int(ulp_distance(left, right)[0]) == expected
    assert int(ulp_distance(right, left)[0]) == expected
    assert difference.max_ulp == (-1 if case["ulp"] is None else case["ulp"])


@pytest.mark.parametrize("case", cases("order.json"))
def test_a_slate_is_ordered_as_the_contract_says(case: dict[str, Any]) -> None:
    order, dropped = order_of(bits_from_hex(case["score"], case["dtype"]))
    assert order.tolist() == case["order"]
    assert dropped.tolist() == case["dropped"]


def test_differences_are_measured_where_values_differ_only() -> None:
    expected = np.array([1.0, np.nan, np.inf, 0.0], np.float32)
    actual = np.array([1.5, np.nan, np.inf, -0.0], np.float32)
    difference = compare_bits(expected, actual)
    assert (difference.compared, difference.differing, difference.first) == (4, 2, 0)
    assert difference.max_abs == 0.5
    assert compare_bits(expected[1:3], actual[1:3]).max_abs == 0.0


def test_a_nan_against_a_number_is_infinitely_far() -> None:
    assert compare_bits(np.array([np.nan]), np.array([1.0])).max_abs == np.inf


def test_nothing_compared_is_nothing_different() -> None:
    empty = np.zeros(0, np.float32)
    assert compare_bits(empty, empty).compared == 0


def test_hex_is_canonical_and_read_back() -> None:
    values = np.array([1.0, -0.0, np.nan, np.inf], np.float32)
    values.view(np.uint32)[2] = 0xFFC12345
    assert bits_to_hex(values) == ["3f800000", "80000000", "7fc00000", "7f800000"]
    assert bits_to_hex(bits_from_hex(bits_to_hex(values), "float32")) == bits_to_hex(values)
    assert canonical_bits(values.reshape(2, 2)).shape == (2, 2)


@pytest.mark.parametrize("text", ["3F800000", "3f80000", "0x3f8000", "3f80000g", ""])
def test_hex_is_written_in_one_way_only(text: str) -> None:
    with pytest.raises(ValueError, match="lower-case hex"):
        bits_from_hex([text], "float32")


def test_other_dtypes_and_shapes_are_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        canonical_bits(np.zeros(1, np.int64))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="float64"):
        compare_bits(np.zeros(1, np.float32), np.zeros(1, np.float64))
    with pytest.raises(ValueError, match="shapes"):
        compare_bits(np.zeros(1, np.float32), np.zeros(2, np.float32))
    with pytest.raises(ValueError, match=r"\[n\]"):
        order_of(np.zeros((1, 1), np.float32))
