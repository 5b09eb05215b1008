"""What is known beside the values: masks and lengths of lists, and states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twinrank.training.schema import DType, Schema
from twinrank.training.transforms._scope import FLOAT, Encoded, EncodedSpec, Scope, input_problems

_ALL: tuple[DType, ...] = ("float32", "float64", "int64", "timestamp", "bool", "string")


@dataclass(frozen=True)
class SequenceMask:
    """1.0 where a list holds an element, 0.0 where it is padding: float32, shape (-1, L).

    Attributes:
        name: Name of the encoded tensor.
        feature: A list feature; for a grouped one this is the group's mask.
    """

    name: str
    feature: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, _ALL, lists=True)

    def emit(self, scope: Scope) -> Encoded:
        """Writes the comparison of positions with the length column."""
        feature = scope.packing.schema.feature(self.feature)
        limit = 0 if feature.list is None else feature.list.max_length
        spec = EncodedSpec(self.name, feature.placement, "float32", (-1, limit), None)
        return Encoded(scope.builder.cast(scope.mask(feature), FLOAT), spec)


@dataclass(frozen=True)
class SequenceLength:
    """The number of elements of a list after truncation: int64, shape (-1,), 0 to L.

    Attributes:
        name: Name of the encoded tensor.
        feature: A list feature; for a grouped one this is the group's length.
    """

    name: str
    feature: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, _ALL, lists=True)

    def emit(self, scope: Scope) -> Encoded:
        """Reads the length column."""
        feature = scope.packing.schema.feature(self.feature)
        limit = 0 if feature.list is None else feature.list.max_length
        spec = EncodedSpec(self.name, feature.placement, "int64", (-1,), limit + 1)
        return Encoded(scope.length(feature), spec)


@dataclass(frozen=True)
class State:
    """A feature's state: 0 missing, 1 present, 2 invalid: int64, shape (-1,).

    Attributes:
        name: Name of the encoded tensor.
        feature: A feature one of whose policies is not `error`.
    """

    name: str
    feature: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        before = [*input_problems(schema, self.feature, _ALL, vectors=None)]
        yield from before
        if not before and not schema.feature(self.feature).has_state:
            yield f"feature {self.feature!r} has no state: both its policies are 'error'"

    def emit(self, scope: Scope) -> Encoded:
        """Reads the state column."""
        feature = scope.packing.schema.feature(self.feature)
        return Encoded(scope.state(feature), EncodedSpec(self.name, feature.placement, "int64", (-1,), 3))
