"""What readers do to numbers that they should leave alone, and which of it gives other bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

_INT64 = 1 << 63
_SMALLEST_NORMAL = {4: 2.0**-126, 8: 2.0**-1022}


def number_reading(literal: str | None, expected: np.generic, actual: np.generic) -> str | None:
    """Return what must have happened to a number for the route's bits; None if nothing known gives them.

    Args:
        literal: the number as the request writes it; None for what is no number there.
        expected: the baseline's packed value.
        actual: the route's, of the same dtype.
    """
    if expected.dtype.kind == "f":
        known = _float_reading(literal, expected, actual)
    else:
        known = _integer_reading(int(expected), int(actual))
    if known is None and _bits(expected)[::-1] == _bits(actual):
        known = "its bytes are swapped"
    return known


def _bits(value: np.generic) -> bytes:
    return np.asarray(value).tobytes()


def _same(one: float, other: np.generic) -> bool:
    return np.asarray(one, other.dtype).tobytes() == _bits(other)


def _float_reading(literal: str | None, expected: np.generic, actual: np.generic) -> str | None:
    here, there = float(expected), float(actual)
    if np.isnan(expected) and np.isnan(actual):
        return "the NaN has another sign or payload than the contract's quiet NaN"
    if here == 0.0 and there == 0.0:
        return "the sign of zero is lost" if np.signbit(expected) else "a zero got the sign −"
    if there == 0.0 and abs(here) < _SMALLEST_NORMAL[expected.dtype.itemsize]:
        return "a subnormal number is flushed to zero"
    if literal is not None:
        for said, value in _decimal_readings(literal, expected.dtype):
            if _same(value, actual):
                return said
    with np.errstate(over="ignore", invalid="ignore"):
        for said, change in _FLOATS.items():
            if _same(change(here), actual):
                return said
    for digits in range(1, 18):
        for style in ("g", "f"):
            with np.errstate(over="ignore"):
                if _same(float(f"{here:.{digits}{style}}"), actual):
                    kind = "significant digits" if style == "g" else "decimals"
                    return f"it went through text of {digits} {kind}"
    return None


def _decimal_readings(literal: str, dtype: np.dtype[Any]) -> Iterator[tuple[str, float]]:
    try:
        exact = Fraction(literal)
    except (ValueError, ZeroDivisionError):
        return
    if dtype == np.float32:
        wide = float(exact) if abs(exact) < Fraction(10) ** 39 else float("inf")
        with np.errstate(over="ignore"):
            near = np.float32(wide)
        around = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
        finite = [each for each in around if np.isfinite(each)]
        if finite:
            best = min(finite, key=lambda each: (abs(Fraction(float(each)) - exact), int(each.view(np.uint32)) & 1))
            yield "the decimal is rounded straight to float32, instead of to float64 first", float(best)
            below = [each for each in finite if abs(Fraction(float(each))) <= abs(exact)]
            if below:
                yield "it is cut to float32 instead of rounded", float(max(below, key=abs))
    yield "only the integer part is read", float(int(exact)) if abs(exact) < 1 << 62 else 0.0


_FLOATS: Mapping[str, Callable[[float], float]] = {
    "it went through float32": lambda value: float(np.float32(value)),
    "it went through float16": lambda value: float(np.float16(value)),
    "its sign is turned round": lambda value: -value,
    "it is packed as zero": lambda _value: 0.0,
}


def _wrapped(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def _saturated(value: float) -> int:
    return max(-_INT64, min(_INT64 - 1, int(value)))


_INTEGERS: Mapping[str, Callable[[int], int]] = {
    "the integer went through a double": lambda value: _saturated(float(value)),
    "the integer went through a float32": lambda value: _saturated(float(np.float32(value))),
    "the integer is cut to 32 bits": lambda value: _wrapped(value, 32),
    "the integer is cut to 32 bits without sign": lambda value: value % (1 << 32),
    "the integer is limited to 32 bits": lambda value: max(-(1 << 31), min((1 << 31) - 1, value)),
    "the integer is limited to 53 bits": lambda value: max(-(1 << 53) + 1, min((1 << 53) - 1, value)),
    "milliseconds are read as seconds": lambda value: value // 1000,
    "seconds are read where milliseconds stand": lambda value: _wrapped(value * 1000, 64),
    "its sign is turned round": lambda value: _wrapped(-value, 64),
    "it is packed as zero": lambda _value: 0,
    "it is off by one": lambda value: _wrapped(value + 1, 64),
}


def _integer_reading(here: int, there: int) -> str | None:
    return next((said for said, change in _INTEGERS.items() if change(here) == there), None)
