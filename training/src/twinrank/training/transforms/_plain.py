"""Numbers as they are: exact scalars and lists, and vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from twinrank.training.schema import DType, Schema
from twinrank.training.transforms._errors import TransformError
from twinrank.training.transforms._numeric import FLOAT32_MAX, clipped, range_problems
from twinrank.training.transforms._scope import DOUBLE, FLOAT, Encoded, EncodedSpec, Scope, input_problems

NumberDType = Literal["float32", "float64", "int64"]

_EXACT: dict[NumberDType, tuple[DType, ...]] = {
    "float32": ("float32",),
    "float64": ("float32", "float64"),
    "int64": ("int64", "timestamp", "bool"),
}
_ONNX = {"float32": FLOAT, "float64": DOUBLE}


@dataclass(frozen=True)
class Number:
    """The number itself, for a model that takes it raw. Padding and own_row states are 0; a legal NaN stays NaN.

    The dtype must hold every value of the feature exactly, so that nothing is rounded here: float32 of a float32
    feature; float64 of a float32 or float64 one; int64 of an int64, timestamp or bool one.

    Attributes:
        name: Name of the encoded tensor.
        feature: A feature of one of those dtypes, scalar or list.
        dtype: Of the encoded tensor.
    """

    name: str
    feature: str
    dtype: NumberDType

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        if self.dtype not in _EXACT:
            yield f"dtype is {self.dtype!r}; allowed: {', '.join(_EXACT)}"
            return
        yield from input_problems(schema, self.feature, _EXACT[self.dtype])

    def emit(self, scope: Scope) -> Encoded:
        """Reads the column; widens float32 to float64 where asked."""
        aligned = scope.align((self.feature,))
        value = aligned.values[0]
        if self.dtype != "int64" and self.dtype != scope.packing.schema.feature(self.feature).dtype:
            value = scope.builder.cast(value, _ONNX[self.dtype])
        return scope.numbers(self.name, value, aligned, dtype=self.dtype)


@dataclass(frozen=True)
class Vector:
    """A vector's numbers: float32, shape (-1, L). NaN is 0.0.

    In float64: component i is (x - mean[i]) / scale[i] where these are given, else x; then clipped; then rounded to
    float32. With neither, a finite float32 vector stays what it is, to the bit.

    Attributes:
        name: Name of the encoded tensor.
        feature: A vector feature.
        mean: One finite number a component, or empty.
        scale: One finite number above 0 a component; empty if and only if `mean` is.
        clip: Lowest and highest result, finite in float32; keeps infinities and outliers finite.
    """

    name: str
    feature: str
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    clip: tuple[float, float] = (-FLOAT32_MAX, FLOAT32_MAX)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    @classmethod
    def fit(cls, name: str, feature: str, values: Any, *, clip: tuple[float, float] = (-10.0, 10.0)) -> Vector:
        """Returns mean and standard deviation of each component over its finite observed values, by exact sums.

        A constant component gets scale 1.

        Args:
            name: Name of the encoded tensor.
            feature: The vector feature.
            values: Observed vectors, shape [m, L].
            clip: As the attribute.

        Raises:
            TransformError: if there is no vector, or a component has no finite value.
        """
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or not array.size:
            raise TransformError([f"{name}: values of {feature!r} have shape {array.shape}; [m, L] is required"])
        means, scales = [], []
        for index, component in enumerate(array.T):
            finite = component[np.isfinite(component)].tolist()
            if not finite:
                raise TransformError([f"{name}: no finite value of component {index} of {feature!r} was observed"])
            mean = math.fsum(finite) / len(finite)
            means.append(mean)
            scales.append(math.sqrt(math.fsum((value - mean) ** 2 for value in finite) / len(finite)) or 1.0)
        return cls(name, feature, tuple(means), tuple(scales), clip)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        before = [*input_problems(schema, self.feature, ("float32", "float64", "int64"), vectors=True)]
        yield from before
        spec = None if before else schema.feature(self.feature).vector
        for which, numbers in (("mean", self.mean), ("scale", self.scale)):
            if spec is not None and len(numbers) not in (0, spec.length):
                yield f"{which} has {len(numbers)} numbers; the vector has {spec.length} components"
            if not all(math.isfinite(number) and (which == "mean" or number > 0) for number in numbers):
                yield f"{which} holds a number that is not finite{'' if which == 'mean' else ', or not above 0'}"
        if bool(self.mean) != bool(self.scale):
            yield "mean and scale must be given together, or neither"
        yield from range_problems(*self.clip)

    def emit(self, scope: Scope) -> Encoded:
        """Writes Sub, Div, comparisons, Cast: by element, each exactly rounded, so no batch changes a bit."""
        builder = scope.builder
        source = scope.source(self.feature)
        feature = source.feature
        length = 0 if feature.vector is None else feature.vector.length
        value = source.value
        plain = feature.dtype == "float32" and not feature.nonfinite and not self.mean
        if not plain or self.clip != (-FLOAT32_MAX, FLOAT32_MAX):
            wide = builder.cast(value, DOUBLE)
            nan = builder.op("IsNaN", wide) if feature.nonfinite else None
            value = wide
            if self.mean:
                value = builder.op("Sub", value, builder.constant(self.mean, np.float64))
                value = builder.op("Div", value, builder.constant(self.scale, np.float64))
            value = builder.cast(clipped(scope, value, *self.clip), FLOAT)
            if nan is not None:
                value = builder.where(nan, builder.constant(0, np.float32), value)
        return Encoded(value, EncodedSpec(self.name, feature.placement, "float32", (-1, length), None, is_vector=True))
