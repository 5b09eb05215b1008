"""Equality of numbers as the contract defines it: bits, ULPs and the order of a slate."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

_BITS: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.float32): np.dtype(np.uint32),
    np.dtype(np.float64): np.dtype(np.uint64),
}
_QUIET_NAN = {np.dtype(np.float32): 0x7FC00000, np.dtype(np.float64): 0x7FF8000000000000}


def _checked(values: FloatArray) -> FloatArray:
    array = np.asarray(values)
    if array.dtype not in _BITS:
        raise TypeError(f"bits are compared of float32 and float64 arrays, given {array.dtype}")
    return array


def canonical_bits(values: FloatArray) -> NDArray[np.unsignedinteger[Any]]:
    """The IEEE bits of ``values``, in their shape, every NaN replaced by the quiet one with sign and payload zero."""
    array = _checked(values)
    bits: NDArray[np.unsignedinteger[Any]] = (
        np.ascontiguousarray(array).view(_BITS[array.dtype]).reshape(array.shape).copy()
    )
    bits[np.isnan(array)] = _QUIET_NAN[array.dtype]
    return bits


def bits_to_hex(values: FloatArray) -> list[str]:
    """The canonical bits of a vector in lower-case hex: 8 digits each for float32, 16 for float64."""
    bits = canonical_bits(values)
    width = bits.dtype.itemsize * 2
    return [format(int(value), f"0{width}x") for value in bits.ravel()]


def bits_from_hex(texts: list[str], dtype: str) -> FloatArray:
    """The vector that ``bits_to_hex`` printed.

    Raises:
        ValueError: if a text is not exactly 8 (float32) or 16 (float64) lower-case hex digits.
    """
    kind: np.dtype[Any] = np.dtype(dtype)
    width = kind.itemsize * 2
    for text in texts:
        if len(text) != width or not set(text) <= set("0123456789abcdef"):
            raise ValueError(f"{text!r} is not {width} lower-case hex digits")
    values: FloatArray = np.array([int(text, 16) for text in texts], dtype=_BITS[kind]).view(kind)
    return values


@dataclass(frozen=True, slots=True)
class Difference:
    """How two arrays differ.

    Attributes:
        compared: number of values compared.
        differing: number of values whose bits differ (any NaN equals any NaN).
        max_abs: largest absolute difference; NaN against a number, or unequal infinities, count as infinity.
        max_ulp: largest distance in units in the last place; -1 where a NaN meets a number.
        first: flat index of the first differing value, None if none differs.
    """

    compared: int
    differing: int
    max_abs: float
    max_ulp: int
    first: int | None


def ulp_distance(left: FloatArray, right: FloatArray) -> NDArray[np.uint64]:
    """Units in the last place between two arrays of one dtype and shape, elementwise, as uint64.

    The distance is counted on the line of all values from -infinity to infinity, on which -0 and +0 are one point. NaN
    against NaN is 0, NaN against a number is 2**64 - 1.

    Raises:
        TypeError: if a dtype is neither float32 nor float64, or the two differ.
        ValueError: if the shapes differ.
    """
    a, b = _checked(left), _checked(right)
    if a.dtype != b.dtype:
        raise TypeError(f"ULPs are counted between arrays of one dtype, given {a.dtype} and {b.dtype}")
    if a.shape != b.shape:
        raise ValueError(f"arrays of shapes {a.shape} and {b.shape} cannot be compared")
    # Sign and magnitude apart: a float64's bits do not fit a signed line without overflow at the ends.
    sign = np.uint64(1) << np.uint64(a.dtype.itemsize * 8 - 1)
    bits_a, bits_b = canonical_bits(a).astype(np.uint64), canonical_bits(b).astype(np.uint64)
    size_a, size_b = bits_a & (sign - np.uint64(1)), bits_b & (sign - np.uint64(1))
    same_side = (bits_a & sign) == (bits_b & sign)
    distance = np.where(same_side, np.maximum(size_a, size_b) - np.minimum(size_a, size_b), size_a + size_b)
    one_nan = np.isnan(a) != np.isnan(b)
    return np.where(one_nan, np.uint64(2**64 - 1), distance).astype(np.uint64)


def compare_bits(expected: FloatArray, actual: FloatArray) -> Difference:
    """How two arrays of one dtype and shape differ, with the contract's rule that any NaN equals any NaN.

    Raises:
        TypeError: if a dtype is neither float32 nor float64, or the two differ.
        ValueError: if the shapes differ.
    """
    a, b = _checked(expected), _checked(actual)
    ulp = ulp_distance(a, b)
    if a.size == 0:
        return Difference(0, 0, 0.0, 0, None)
    differs = (canonical_bits(a) != canonical_bits(b)).ravel()
    where = np.flatnonzero(differs)
    with np.errstate(invalid="ignore", over="ignore"):
        absolute = np.abs(a.astype(np.float64) - b.astype(np.float64)).ravel()
    absolute[~differs] = 0.0
    absolute[np.isnan(absolute)] = np.inf
    one_nan = bool((np.isnan(a) != np.isnan(b)).any())
    return Difference(
        compared=int(a.size),
        differing=int(where.size),
        max_abs=float(absolute.max()),
        max_ulp=-1 if one_nan else int(ulp.max()),
        first=int(where[0]) if where.size else None,
    )


def order_of(score: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ranking of a slate by its score: (order, dropped), both indices of candidates.

    Args:
        score: float32 or float64, shape [n].

    Returns:
        The candidates whose score is a number, best first: IEEE descending, -0 equal to +0, ties by index ascending.
        Then those whose score is NaN, ascending.
    """
    values = _checked(score)
    if values.ndim != 1:
        raise ValueError(f"a score has shape [n], given {list(values.shape)}")
    missing = np.isnan(values)
    kept = np.flatnonzero(~missing)
    # Negation is exact, a stable ascending sort of it keeps ties in input order, and -0 compares equal to +0.
    order = kept[np.argsort(-values[kept], kind="stable")]
    return order.astype(np.int64), np.flatnonzero(missing).astype(np.int64)
