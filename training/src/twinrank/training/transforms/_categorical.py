"""Keys to rows: vocabulary lookups, hash buckets, crosses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import helper

from twinrank.training.schema import Feature, Schema
from twinrank.training.transforms._builder import ML_DOMAIN, GraphBuilder
from twinrank.training.transforms._scope import (
    INT64,
    KEY_DTYPES,
    UINT64,
    Encoded,
    Scope,
    alignment_problems,
    input_problems,
)
from twinrank.training.transforms._vocabulary import Vocabulary

_GAMMA = 0x9E3779B97F4A7C15
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31


@dataclass(frozen=True)
class Lookup:
    """A value's row in a vocabulary's table (rows: see `Vocabulary`). Padding is row 0.

    An unseen value has what the feature's `unseen` policy says: an out-of-vocabulary row (`own_row`, and `error`, which
    counts besides), or the row of the policy's value.

    Attributes:
        name: Name of the encoded tensor.
        feature: A string or int64 feature, scalar, list or grouped, of the vocabulary's dtype.
        vocabulary: The table; several lookups may share it.
    """

    name: str
    feature: str
    vocabulary: Vocabulary

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why the feature cannot use the vocabulary: strings and int64 never share one."""
        before = [*input_problems(schema, self.feature, (self.vocabulary.dtype,))]
        yield from before
        if before:
            return
        feature = schema.feature(self.feature)
        if feature.unseen.policy == "default" and self._unseen_position(feature) is None:
            yield (
                f"feature {feature.name!r} maps unseen values as {feature.unseen.value!r}, which vocabulary "
                f"{self.vocabulary.name!r} does not hold; add the entry, or choose another"
            )

    def emit(self, scope: Scope) -> Encoded:
        """Writes a LabelEncoder whose default is row 0, never -1, or the row of the policy's value."""
        builder, vocabulary = scope.builder, self.vocabulary
        feature = scope.packing.schema.feature(self.feature)
        missing, invalid = scope.own_rows[vocabulary.name]
        own = vocabulary.oov_buckets
        first = own + missing + invalid
        aligned = scope.align(self.inputs)
        size = len(vocabulary.entries)
        rows = np.arange(first, first + size, dtype=np.int64)
        position = self._unseen_position(feature) if feature.unseen.policy == "default" else None
        ids = builder.op(
            "LabelEncoder",
            aligned.values[0],
            domain=ML_DOMAIN,
            keys_tensor=helper.make_tensor("keys", INT64, [size], vocabulary.keys),
            values_tensor=helper.make_tensor("rows", INT64, [size], rows),
            default_tensor=helper.make_tensor("unseen", INT64, [1], [0 if position is None else first + position]),
        )
        if feature.unseen.policy == "error" or (own > 1 and position is None):
            # No entry has row 0, so it tells the unseen ones until they are spread.
            unseen = builder.op("Equal", ids, builder.constant(0, np.int64))
            if feature.unseen.policy == "error":
                scope.note_unseen(feature, vocabulary.name, unseen)
            if own > 1:
                ids = builder.where(unseen, _emit_hash(builder, aligned.values, own, 0), ids)
        if aligned.missing is not None:
            ids = builder.where(aligned.missing, builder.constant(own, np.int64), ids)
        if aligned.invalid is not None:
            ids = builder.where(aligned.invalid, builder.constant(own + missing, np.int64), ids)
        ids = scope.padded(ids, aligned.mask, "int64")
        return scope.encoded(self.name, ids, "int64", aligned, first + size, table=vocabulary.name, unseen_rows=own)

    def _unseen_position(self, feature: Feature) -> int | None:
        return self.vocabulary.position(feature.default_of(feature.unseen))


@dataclass(frozen=True)
class HashBuckets:
    """A key's bucket: mix(seed XOR key) mod `buckets`, unsigned; mix is one step of SplitMix64.

    Rows: missing, invalid (each only where the policy is `own_row`), then the buckets. Padding is row 0.

    Attributes:
        name: Name of the encoded tensor.
        feature: A string, int64, timestamp or bool feature, scalar or list.
        buckets: Number of buckets, 1 to 2^31.
        seed: 0 to 2^64 - 1; other seeds give independent buckets.
    """

    name: str
    feature: str
    buckets: int
    seed: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """The feature read."""
        return (self.feature,)

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        yield from input_problems(schema, self.feature, KEY_DTYPES)
        yield from _bucket_problems(self.buckets, self.seed)

    def emit(self, scope: Scope) -> Encoded:
        """Writes the hash in standard operators on uint64."""
        return _emit_buckets(scope, self.name, self.inputs, self.buckets, self.seed)


@dataclass(frozen=True)
class Cross:
    """The bucket of a combination of keys: h = seed; for each feature in order h = mix(h XOR key); h mod `buckets`.

    The order of the features matters. Features of both placements may be crossed; the result is per candidate. Lists
    must be of one group. Rows: missing, invalid (where any feature has `own_row`), then the buckets. Padding is row 0.

    Attributes:
        name: Name of the encoded tensor.
        features: Two or more string, int64, timestamp or bool features.
        buckets: Number of buckets, 1 to 2^31.
        seed: 0 to 2^64 - 1.
    """

    name: str
    features: tuple[str, ...]
    buckets: int
    seed: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features read, in order."""
        return self.features

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why it cannot run on this schema."""
        if len(self.features) < 2 or len(set(self.features)) < len(self.features):
            yield f"features are {self.features}; two or more different ones are required"
        for feature in self.features:
            yield from input_problems(schema, feature, KEY_DTYPES)
        yield from alignment_problems(schema, self.features)
        yield from _bucket_problems(self.buckets, self.seed)

    def emit(self, scope: Scope) -> Encoded:
        """Writes the hash in standard operators on uint64."""
        return _emit_buckets(scope, self.name, self.features, self.buckets, self.seed)


def _bucket_problems(buckets: int, seed: int) -> Iterator[str]:
    if type(buckets) is not int or not 1 <= buckets <= 1 << 31:
        yield f"buckets is {buckets!r}; an integer from 1 to 2^31 is required"
    if type(seed) is not int or not 0 <= seed < 1 << 64:
        yield f"seed is {seed!r}; an integer from 0 to 2^64 - 1 is required"


def _emit_buckets(scope: Scope, name: str, features: Sequence[str], buckets: int, seed: int) -> Encoded:
    aligned = scope.align(features)
    return scope.rows(name, _emit_hash(scope.builder, aligned.values, buckets, seed), buckets, aligned)


def _emit_hash(builder: GraphBuilder, values: Sequence[str], buckets: int, seed: int) -> str:
    state = builder.constant(seed, np.uint64)
    for value in values:
        # int64 to uint64 keeps the bits: Cast wraps modulo 2^64.
        state = _mix(builder, builder.op("BitwiseXor", state, builder.cast(value, UINT64)))
    return builder.cast(builder.op("Mod", state, builder.constant(buckets, np.uint64)), INT64)


def _mix(builder: GraphBuilder, state: str) -> str:
    """Writes one step of SplitMix64 (Steele, Lea, Flood 2014; Stafford's variant 13), modulo 2^64."""
    state = builder.op("Add", state, builder.constant(_GAMMA, np.uint64))
    for shift, factor in _STEPS:
        state = builder.op("Mul", _fold(builder, state, shift), builder.constant(factor, np.uint64))
    return _fold(builder, state, _LAST_SHIFT)


def _fold(builder: GraphBuilder, state: str, shift: int) -> str:
    shifted = builder.op("BitShift", state, builder.constant(shift, np.uint64), direction="RIGHT")
    return builder.op("BitwiseXor", state, shifted)
