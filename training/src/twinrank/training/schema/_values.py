"""Reading one scalar: contract section 6, "Values". Both the JSON reader and the typed interface end here."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twinrank.training.schema._keys import has_lone_surrogate

INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1

Scalar = bool | int | float | str
"""A checked value: bool for `bool`, int for `int64` and `timestamp`, float for both floats, str for `string`."""

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FLOAT32 = struct.Struct("<f")
# Below this many elements numpy's fixed cost is more than it saves.
_AT_ONCE = 12


@dataclass(frozen=True, slots=True)
class IntegerLiteral:
    """An integer literal that a Python int would not keep: `-0`, or one far longer than any int64."""

    text: str


@dataclass(frozen=True, slots=True)
class OverflowLiteral:
    """A literal with a point or an exponent whose nearest float64 is an infinity."""

    text: str


class InvalidValueError(Exception):
    """A value breaks its dtype's rules; `code` is one of the five codes that an invalid policy may absorb."""

    def __init__(self, code: str, allowed: str) -> None:
        super().__init__(code, allowed)
        self.code = code
        self.allowed = allowed


def _int64(value: object) -> int:
    if type(value) is int:
        if INT64_MIN <= value <= INT64_MAX:
            return value
        raise InvalidValueError("out_of_range", "integers from -2^63 to 2^63-1; clamp it, or send it as a string")
    if type(value) is IntegerLiteral:
        if value.text == "-0":
            return 0
        raise InvalidValueError("out_of_range", "integers from -2^63 to 2^63-1; clamp it, or send it as a string")
    raise InvalidValueError("wrong_type", "integer literals only: no quotes, no point, no exponent")


def _bool(value: object) -> bool:
    if type(value) is bool:
        return value
    raise InvalidValueError("wrong_type", "true and false only; numbers and strings are not converted")


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidValueError("wrong_type", "strings only; quote it")
    if has_lone_surrogate(value):
        raise InvalidValueError("invalid_string", "Unicode scalar values; a surrogate pair must be complete")
    return value


def _float64(value: object, nonfinite: bool) -> float:
    kind = type(value)
    if kind is float:
        number: float = value  # type: ignore[assignment]
        if math.isfinite(number):
            return number
        return _special(number, nonfinite)
    if kind is int:
        try:
            return float(value)  # type: ignore[arg-type]
        except OverflowError:
            raise _float_range("float64") from None
    if kind is IntegerLiteral:
        number = float(value.text)  # type: ignore[attr-defined]
        if math.isinf(number):
            raise _float_range("float64")
        return number
    if kind is OverflowLiteral:
        raise _float_range("float64")
    if isinstance(value, str) and value in _SPECIAL:
        return _special(_SPECIAL[value], nonfinite)
    raise InvalidValueError("wrong_type", 'numbers, and "NaN", "Infinity" or "-Infinity" if it declares nonfinite')


def _float32(value: object, nonfinite: bool) -> float:
    try:
        # Two roundings on purpose: literal -> float64 -> float32, as the contract says.
        return float(_FLOAT32.unpack(_FLOAT32.pack(_float64(value, nonfinite)))[0])
    except OverflowError:
        raise _float_range("float32") from None


def _special(number: float, nonfinite: bool) -> float:
    if not nonfinite:
        raise InvalidValueError("non_finite", "finite numbers; declare nonfinite in the schema to make it legal")
    return math.nan if math.isnan(number) else number


def _float_range(dtype: str) -> InvalidValueError:
    return InvalidValueError("out_of_range", f"numbers whose nearest {dtype} is finite; clamp it, or use float64")


def scalar_reader(dtype: str, nonfinite: bool) -> Callable[[object], Scalar]:
    """Returns the function that checks one plain value of this dtype.

    The function takes None, bool, int, float, str, `IntegerLiteral`, `OverflowLiteral`; any other type is a wrong type.
    It raises `InvalidValueError`.
    """
    if dtype in ("int64", "timestamp"):
        return _int64
    if dtype == "bool":
        return _bool
    if dtype == "string":
        return _string
    if dtype == "float32":
        return lambda value: _float32(value, nonfinite)
    if dtype == "float64":
        return lambda value: _float64(value, nonfinite)
    raise ValueError(f"dtype {dtype!r} is none of the contract's")


def elements_reader(dtype: str, nonfinite: bool) -> Callable[[list[object]], list[Scalar]]:
    """Returns the function that checks every element of a list or vector, in order; it raises `InvalidValueError`.

    Long runs of plain floats are converted at once, with the same two roundings; whatever is not finite afterwards is
    read again one by one, which finds the first problem.
    """
    read = scalar_reader(dtype, nonfinite)
    if dtype not in ("float32", "float64"):
        return lambda values: [read(value) for value in values]
    narrow = np.float32 if dtype == "float32" else np.float64

    def read_floats(values: list[object]) -> list[Scalar]:
        if len(values) >= _AT_ONCE and set(map(type, values)) == {float}:
            with np.errstate(over="ignore"):
                numbers = np.array(values, dtype=np.float64).astype(narrow)
            if np.isfinite(numbers).all():
                found: list[Scalar] = numbers.tolist()
                return found
        return [read(value) for value in values]

    return read_floats
