"""Numbers to buckets and to float32: bucketize, standardise, clip, log."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from twinrank.training.schema import Feature, Schema
from twinrank.training.transforms._errors import TransformError
from twinrank.training.transforms._scope import (
    DOUBLE,
    FLOAT,
    INT64,
    NUMBER_DTYPES,
    Aligned,
    Encoded,
    Scope,
    input_problems,
)

FLOAT32_MAX = float(np.finfo(np.float32).max)
_LANES = 16


@dataclass(frozen=True)
class Bucketize:
    """How many boundaries a number has reached: bucket = #{b : x >= b}, compared as real numbers.

    int64, timestamp and bool features are compared as int64, floats as float64; both are exact. Rows: missing, invalid
    (each only where the policy is `own_row`), NaN (only where the feature declares nonfinite), then len(boundaries) + 1
    buckets. Padding is row 0.

    Attributes:
        name: Name of the encoded tensor.
        feature: Any feature but a string, scalar or list.
        boundaries: Strictly increasing; all int for an integer feature, all finite floats (or ints) for a float one.
    """

    name: str
    feature: str
    boundaries: tuple[int, ...] | tuple[float, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    @classmethod
    def fit(cls, name: str, feature: str, values: Any, *, buckets: int) -> Bucketize:
        """Returns boundaries at the quantiles of observed values: at most `buckets` buckets, fewer if values repeat.

        Boundaries are observed values (inverse empirical distribution function, no interpolation), so integers stay
        integers. NaN is left out.

        Raises:
            TransformError: if fewer than two different values were observed.
        """
        array = np.asarray(values)
        ordered = np.sort(array[~np.isnan(array)] if array.dtype.kind == "f" else array)
        ranks = [math.ceil(len(ordered) * part / buckets) for part in range(1, buckets)]
        # A boundary at the smallest value would leave an empty first bucket.
        edges = sorted({ordered[rank].item() for rank in ranks if rank < len(ordered) and ordered[rank] > ordered[0]})
        if not edges:
            raise TransformError([f"{name}: {len(ordered)} values of {feature!r} give no boundary; two must differ"])
        return cls(name, feature, tuple(edges))

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        before = [*input_problems(schema, self.feature, (*NUMBER_DTYPES, "timestamp"))]
        yield from before
        if not before:
            yield from boundary_problems(self.boundaries, integers=_is_integer(schema.feature(self.feature)))

    def emit(self, scope: Scope) -> Encoded:
        """Writes the comparison with every boundary, summed over a last axis of integers."""
        aligned = scope.align(self.inputs)
        feature = scope.packing.schema.feature(self.feature)
        value = aligned.values[0]
        if not _is_integer(feature):
            value = scope.builder.cast(value, DOUBLE)
        nan = scope.builder.op("IsNaN", value) if feature.nonfinite else None
        bucket = emit_buckets(scope, value, self.boundaries, integers=_is_integer(feature))
        return scope.rows(self.name, bucket, len(self.boundaries) + 1, aligned, nan=nan)


@dataclass(frozen=True)
class Standardise:
    """(x - mean) / scale, clipped, in float64, then rounded to float32. NaN, padding and own_row states are 0.0.

    Attributes:
        name: Name of the encoded tensor.
        feature: A float, int64 or bool feature, scalar or list.
        mean: Finite.
        scale: Finite, above 0.
        clip: Lowest and highest result; keeps infinities and outliers finite.
    """

    name: str
    feature: str
    mean: float
    scale: float
    clip: tuple[float, float] = (-10.0, 10.0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    @classmethod
    def fit(cls, name: str, feature: str, values: Any, *, clip: tuple[float, float] = (-10.0, 10.0)) -> Standardise:
        """Returns mean and standard deviation of the observed finite values, by exactly rounded sums.

        A constant feature gets scale 1.

        Raises:
            TransformError: if no finite value was observed.
        """
        array = np.asarray(values).astype(np.float64)
        finite = array[np.isfinite(array)].tolist()
        if not finite:
            raise TransformError([f"{name}: no finite value of {feature!r} was observed"])
        mean = math.fsum(finite) / len(finite)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in finite) / len(finite))
        return cls(name, feature, mean, deviation or 1.0, clip)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, NUMBER_DTYPES)
        if not math.isfinite(self.mean) or not math.isfinite(self.scale) or self.scale <= 0:
            yield f"mean is {self.mean} and scale is {self.scale}; finite numbers, scale above 0, are required"
        yield from range_problems(*self.clip)

    def emit(self, scope: Scope) -> Encoded:
        """Writes Sub, Div, comparisons, Cast: by element, each exactly rounded, so no batch changes a bit."""
        builder = scope.builder
        aligned, value, nan = _number(scope, self.feature)
        value = builder.op("Sub", value, builder.constant(self.mean, np.float64))
        value = builder.op("Div", value, builder.constant(self.scale, np.float64))
        return scope.numbers(self.name, builder.cast(clipped(scope, value, *self.clip), FLOAT), aligned, nan=nan)


@dataclass(frozen=True)
class Clip:
    """The number itself, clipped in float64, then rounded to float32. NaN, padding and own_row states are 0.0.

    Attributes:
        name: Name of the encoded tensor.
        feature: A float, int64 or bool feature, scalar or list.
        low: Lowest result, finite in float32.
        high: Highest result, finite in float32.
    """

    name: str
    feature: str
    low: float
    high: float

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, NUMBER_DTYPES)
        yield from range_problems(self.low, self.high)

    def emit(self, scope: Scope) -> Encoded:
        """Writes two comparisons and a Cast."""
        aligned, value, nan = _number(scope, self.feature)
        number = scope.builder.cast(clipped(scope, value, self.low, self.high), FLOAT)
        return scope.numbers(self.name, number, aligned, nan=nan)


@dataclass(frozen=True)
class Log1p:
    """log(1 + max(x, 0)) in float32. NaN, padding and own_row states are 0.0.

    The argument is clipped to [0, largest float32] in float64, rounded to float32, then 1 is added and the natural
    logarithm taken. The runtime's Log handles the last few elements of a tensor by another routine, so the tensor is
    padded to full vectors: the result does not depend on the number of candidates.

    Attributes:
        name: Name of the encoded tensor.
        feature: A float, int64 or bool feature, scalar or list.
    """

    name: str
    feature: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, NUMBER_DTYPES)

    def emit(self, scope: Scope) -> Encoded:
        """Writes flatten, pad to a multiple of 16, Log, slice, reshape."""
        builder = scope.builder
        aligned, value, nan = _number(scope, self.feature)
        argument = builder.cast(clipped(scope, value, 0.0, FLOAT32_MAX), FLOAT)
        argument = builder.op("Add", argument, builder.constant(1, np.float32))
        shape = builder.op("Shape", argument)
        flat = builder.op("Reshape", argument, builder.constant([-1], np.int64))  # [r] or [r, L] -> [t]
        count = builder.op("Shape", flat)  # [1]
        lanes = builder.constant([_LANES], np.int64)
        tail = builder.op("Mod", builder.op("Neg", count), lanes)  # the sign of Mod is the divisor's
        pads = builder.op("Concat", builder.constant([0], np.int64), tail, axis=0)
        padded = builder.op("Pad", flat, pads, builder.constant(1, np.float32))  # [t] -> [16 * ceil(t / 16)]
        logs = builder.op("Log", padded)
        logs = builder.op("Slice", logs, builder.constant([0], np.int64), count)  # -> [t]
        logs = builder.op("Reshape", logs, shape, allowzero=1)
        return scope.numbers(self.name, logs, aligned, nan=nan)


def boundary_problems(boundaries: tuple[int, ...] | tuple[float, ...], *, integers: bool) -> Iterator[str]:
    """Yields what is wrong with boundaries; `integers` says that the feature is compared as int64."""
    if not boundaries:
        yield "boundaries are empty; at least one is required"
    kinds = (int,) if integers else (int, float)
    for boundary in boundaries:
        if type(boundary) not in kinds:
            yield f"boundary {boundary!r} is no {'integer' if integers else 'number'}"
            return
        if not math.isfinite(boundary) or (integers and not -(1 << 63) <= boundary < 1 << 63):
            yield f"boundary {boundary!r} is not finite, or is beyond int64"
            return
    if any(low >= high for low, high in itertools.pairwise(boundaries)):
        yield f"boundaries {boundaries} are not strictly increasing"


def emit_buckets(scope: Scope, value: str, boundaries: tuple[int, ...] | tuple[float, ...], *, integers: bool) -> str:
    """Writes #{b : value >= b} as int64 of the value's shape; the value is int64 or float64."""
    builder = scope.builder
    edges = builder.constant(boundaries, np.int64 if integers else np.float64)
    # [...] -> [..., 1] >= [boundaries] -> [..., boundaries], summed as integers over the last axis.
    reached = builder.op("GreaterOrEqual", builder.unsqueeze(value, -1), edges)
    return builder.op("ReduceSum", builder.cast(reached, INT64), builder.constant([-1], np.int64), keepdims=0)


def _is_integer(feature: Feature) -> bool:
    return feature.dtype not in ("float32", "float64")


def _number(scope: Scope, name: str) -> tuple[Aligned, str, str | None]:
    aligned = scope.align((name,))
    value = scope.builder.cast(aligned.values[0], DOUBLE)
    nonfinite = scope.packing.schema.feature(name).nonfinite
    return aligned, value, scope.builder.op("IsNaN", value) if nonfinite else None


def clipped(scope: Scope, value: str, low: float, high: float) -> str:
    """Writes `value`, which is float64, clipped to a range; NaN stays."""
    # Comparisons, because the Clip operator leaves open which zero it returns where a bound is a zero of another sign.
    builder = scope.builder
    for comparison, bound in (("Less", low), ("Greater", high)):
        edge = builder.constant(bound, np.float64)
        value = builder.where(builder.op(comparison, value, edge), edge, value)
    return value


def range_problems(low: float, high: float) -> Iterator[str]:
    """Yields what is wrong with a range of float32 results."""
    if not -FLOAT32_MAX <= low < high <= FLOAT32_MAX:
        yield f"the range is {low} to {high}; finite float32 numbers, the first below the second, are required"
