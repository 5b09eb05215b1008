"""Differences between two columns of numbers, row by row, on top of the bundle's own notion of bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twinrank.bridge._scorer import Array
from twinrank.export.bundle import canonical_bits, ulp_distance


@dataclass(frozen=True)
class Measured:
    """Row by row differences, each of shape [rows].

    Attributes:
        bits: number of differing bits, int64; any NaN equals any NaN.
        ulp: units in the last place, uint64; 2**64 - 1 where a NaN meets a number.
        absolute: absolute difference, float64; 0 where the bits are equal, infinity where a NaN or an infinity meets
            another value.
    """

    bits: npt.NDArray[np.int64]
    ulp: npt.NDArray[np.uint64]
    absolute: npt.NDArray[np.float64]


def measure(expected: Array, actual: Array) -> Measured:
    """Compare two columns of equal length.

    A dtype that differs is compared as float64, so that a wrongly printed float32 shows.
    """
    if expected.dtype != actual.dtype:
        expected, actual = expected.astype(np.float64), actual.astype(np.float64)
    flipped = canonical_bits(expected) ^ canonical_bits(actual)
    with np.errstate(invalid="ignore", over="ignore"):
        absolute = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
    absolute[flipped == 0] = 0.0
    absolute[np.isnan(absolute)] = np.inf
    return Measured(
        np.bitwise_count(flipped).astype(np.int64), ulp_distance(expected, actual).astype(np.uint64), absolute
    )


def hex_bits(value: np.generic) -> str:
    """Return a value's bits, most significant digit first: `3f000000`.

    A NaN keeps its payload: this is for people who debug.
    """
    width = value.dtype.itemsize
    return f"{int(np.asarray(value).view(f'u{width}')):0{2 * width}x}"
