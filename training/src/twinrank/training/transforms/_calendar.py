"""Parts of a timestamp at a fixed offset from UTC, as rows or as points of a circle: exact over the whole of int64."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Literal

import numpy as np

from twinrank.training.schema import Schema
from twinrank.training.transforms._builder import GraphBuilder
from twinrank.training.transforms._scope import INT64, Encoded, EncodedSpec, Scope, input_problems

Part = Literal["hour_of_day", "minute_of_day", "day_of_week", "day_of_year"]

PARTS: dict[Part, int] = {"hour_of_day": 24, "minute_of_day": 1440, "day_of_week": 7, "day_of_year": 366}
"""How many values each part has."""

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_MAX_OFFSET = 18 * 60
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")


@dataclass(frozen=True)
class TimePart:
    """A part of a timestamp as a row, also before 1970. Rows: missing, invalid (each only where `own_row`), the part.

    `hour_of_day` 0 to 23; `minute_of_day` 0 to 1439; `day_of_week` 0 (Monday) to 6; `day_of_year` 0 (1 January) to 365,
    in the Gregorian calendar, which is continued before its introduction. Padding is row 0.

    Attributes:
        name: Name of the encoded tensor.
        feature: A timestamp, scalar or list.
        part: Which part.
        offset_minutes: Local time is UTC plus so much, -1080 to 1080; there are no time zones with rules.
    """

    name: str
    feature: str
    part: Part
    offset_minutes: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, ("timestamp",))
        yield from _part_problems(self.part, self.offset_minutes)

    def emit(self, scope: Scope) -> Encoded:
        """Writes integer arithmetic."""
        aligned = scope.align(self.inputs)
        part = _emit_part(scope.builder, aligned.values[0], self.part, self.offset_minutes)
        return scope.rows(self.name, part, PARTS[self.part], aligned)


@dataclass(frozen=True)
class CyclicTime:
    """A part of a timestamp as a point of the unit circle: float32, shape (-1, 2), (sin, cos) of 2 pi part / period.

    The part is that of `TimePart`, the period its number of values (366 for `day_of_year`). Sine and cosine are a
    constant table of the graph, so no library of the serving host takes part: computed with 50 decimal digits, rounded
    to float64, then to float32. Missing and invalid under `own_row` are (0, 0), which no time is.

    Attributes:
        name: Name of the encoded tensor.
        feature: A scalar timestamp.
        part: Which part.
        offset_minutes: Local time is UTC plus so much, -1080 to 1080.
    """

    name: str
    feature: str
    part: Part
    offset_minutes: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, ("timestamp",), lists=False)
        yield from _part_problems(self.part, self.offset_minutes)

    def emit(self, scope: Scope) -> Encoded:
        """Writes integer arithmetic and a Gather from the table."""
        builder = scope.builder
        aligned = scope.align(self.inputs)
        part = _emit_part(builder, aligned.values[0], self.part, self.offset_minutes)
        points = builder.op("Gather", builder.constant(circle(PARTS[self.part]), np.float32), part, axis=0)  # [r, 2]
        for flag in (aligned.missing, aligned.invalid):
            if flag is not None:
                points = builder.where(builder.unsqueeze(flag, 1), builder.constant(0, np.float32), points)
        return Encoded(points, EncodedSpec(self.name, aligned.placement, "float32", (-1, 2), None, is_vector=True))


@cache
def circle(period: int) -> tuple[tuple[float, float], ...]:
    """Returns (sin, cos) of 2 pi k / period for k from 0 to period - 1: float32 values, the same on every host."""
    return tuple((_sine(Fraction(k, period)), _sine(Fraction(k, period) + Fraction(1, 4))) for k in range(period))


def _sine(turn: Fraction) -> float:
    turn %= 1
    if turn >= Fraction(1, 2):
        return 0.0 - _sine(turn - Fraction(1, 2))
    # By symmetry at most an eighth of a turn is left, so quarter turns come out exact and the series is short.
    turn = min(turn, Fraction(1, 2) - turn)
    value = _series(turn, 1) if turn <= Fraction(1, 8) else _series(Fraction(1, 4) - turn, 0)
    return float(np.float32(float(value)))


def _series(turn: Fraction, power: int) -> Decimal:
    """Taylor's series of the sine (power 1) or cosine (power 0) of 2 pi turn, to 50 digits."""
    with decimal.localcontext(decimal.Context(prec=50, rounding=decimal.ROUND_HALF_EVEN)):
        angle = 2 * _PI * turn.numerator / turn.denominator
        term = angle if power else Decimal(1)
        total = Decimal(0)
        while total + term != total:
            total += term
            power += 2
            term *= -angle * angle / (power * (power - 1))
        return total


def _part_problems(part: str, offset: int) -> Iterator[str]:
    if part not in PARTS:
        yield f"part is {part!r}; allowed: {', '.join(PARTS)}"
    if type(offset) is not int or not -_MAX_OFFSET <= offset <= _MAX_OFFSET:
        yield f"offset_minutes is {offset!r}; an integer from -{_MAX_OFFSET} to {_MAX_OFFSET} is required"


def _emit_part(builder: GraphBuilder, time: str, part: Part, offset: int) -> str:
    # The offset is added to the time within the day, never to the timestamp, which could leave int64.
    zero, day = builder.constant(0, np.int64), builder.constant(_DAY_MS, np.int64)
    within = builder.op("Mod", time, day)  # never negative: Mod takes the divisor's sign
    shifted = builder.op("Add", within, builder.constant(offset * _MINUTE_MS, np.int64)) if offset else within
    local = builder.op("Mod", shifted, day) if offset else within
    if part in ("hour_of_day", "minute_of_day"):
        unit = _HOUR_MS if part == "hour_of_day" else _MINUTE_MS
        return builder.op("Div", local, builder.constant(unit, np.int64))
    # Div truncates: one day less where the time is before 1970 and not at midnight.
    before = builder.op("And", builder.op("Less", time, zero), builder.op("Greater", within, zero))
    days = builder.op("Sub", builder.op("Div", time, day), builder.cast(before, INT64))
    if offset:
        # -1, 0 or 1: the division is exact.
        days = builder.op("Add", days, builder.op("Div", builder.op("Sub", shifted, local), day))
    if part == "day_of_week":
        weekday = builder.op("Add", days, builder.constant(_EPOCH_WEEKDAY, np.int64))
        return builder.op("Mod", weekday, builder.constant(7, np.int64))
    return _emit_day_of_year(builder, days)


def _emit_day_of_year(builder: GraphBuilder, days: str) -> str:
    """Writes days since 1970 to days since 1 January, by the eras of 400 years of Howard Hinnant's `civil_from_days`.

    A year begins on 1 March here until the last step, so that the leap day is its last one.
    """

    def number(value: int) -> str:
        return builder.constant(value, np.int64)

    def quotient(value: str, by: int) -> str:
        return builder.op("Div", value, number(by))

    day = builder.op("Mod", builder.op("Add", days, number(719_468)), number(146_097))  # of the era, 0 to 146096
    year = builder.op("Sub", day, quotient(day, 1_460))
    year = builder.op("Add", year, quotient(day, 36_524))
    year = quotient(builder.op("Sub", year, quotient(day, 146_096)), 365)  # of the era, 0 to 399
    gone = builder.op("Add", builder.op("Mul", year, number(365)), quotient(year, 4))
    march = builder.op("Sub", day, builder.op("Sub", gone, quotient(year, 100)))  # since 1 March, 0 to 365
    fourth = builder.op("Equal", builder.op("Mod", year, number(4)), number(0))
    century = builder.op("Equal", builder.op("Mod", year, number(100)), number(0))
    leap = builder.op("And", fourth, builder.op("Or", builder.op("Not", century), builder.op("Equal", year, number(0))))
    # March to December of `year`: 59 days lie before 1 March, 60 in a leap year. The rest is January and February.
    spring = builder.op("Add", builder.op("Add", march, number(59)), builder.cast(leap, INT64))
    return builder.where(builder.op("Less", march, number(306)), spring, builder.op("Sub", march, number(306)))
