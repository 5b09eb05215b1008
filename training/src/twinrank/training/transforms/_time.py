"""The time between two timestamps to rows, in exact integer arithmetic over the whole of int64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twinrank.training.schema import Schema
from twinrank.training.transforms._builder import GraphBuilder
from twinrank.training.transforms._numeric import boundary_problems, emit_buckets
from twinrank.training.transforms._scope import (
    INT64,
    UINT64,
    Encoded,
    Scope,
    alignment_problems,
    input_problems,
)


@dataclass(frozen=True)
class Elapsed:
    """The bucket of `now` - `then` in milliseconds: #{b : now - then >= b}.

    The difference saturates at the ends of int64. A `then` in the future gives a negative difference. Rows: missing,
    invalid (where either feature has `own_row`), then len(boundaries) + 1 buckets. Padding is row 0.

    Attributes:
        name: Name of the encoded tensor.
        now: A scalar timestamp.
        then: A timestamp, scalar, list or grouped. With a context `now` and a candidate `then` the result is per
            candidate.
        boundaries: Strictly increasing milliseconds.
    """

    name: str
    now: str
    then: str
    boundaries: tuple[int, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features read."""
        return (self.now, self.then)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.now, ("timestamp",), lists=False)
        yield from input_problems(schema, self.then, ("timestamp",))
        yield from alignment_problems(schema, self.inputs)
        yield from boundary_problems(self.boundaries, integers=True)

    def emit(self, scope: Scope) -> Encoded:
        """Writes a saturating difference and its comparison with every boundary."""
        aligned = scope.align(self.inputs)
        elapsed = _saturating_difference(scope.builder, *aligned.values)
        bucket = emit_buckets(scope, elapsed, self.boundaries, integers=True)
        return scope.rows(self.name, bucket, len(self.boundaries) + 1, aligned)


def _saturating_difference(builder: GraphBuilder, now: str, then: str) -> str:
    # Subtracted as uint64, where wrapping is defined; it has wrapped if the signs of the operands differ and the
    # result has not the sign of the first.
    wrapped = builder.cast(builder.op("Sub", builder.cast(now, UINT64), builder.cast(then, UINT64)), INT64)
    zero = builder.constant(0, np.int64)
    negative = {tensor: builder.op("Less", tensor, zero) for tensor in (now, then, wrapped)}
    overflow = builder.op(
        "And",
        builder.op("Xor", negative[now], negative[then]),
        builder.op("Xor", negative[now], negative[wrapped]),
    )
    limits = np.iinfo(np.int64)
    end = builder.where(negative[now], builder.constant(limits.min, np.int64), builder.constant(limits.max, np.int64))
    return builder.where(overflow, end, wrapped)
