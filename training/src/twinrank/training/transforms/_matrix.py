"""Many numbers as one matrix: what trees read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twinrank.training.schema import Block, Feature, Schema
from twinrank.training.transforms._scope import (
    DOUBLE,
    NUMBER_DTYPES,
    Encoded,
    EncodedSpec,
    Scope,
    input_problems,
)

_POLICIES = ("missing", "invalid")
_STATES = {"missing": 0, "invalid": 2}


@dataclass(frozen=True)
class Matrix:
    """Scalars of one placement side by side: float64, shape (-1, F), a column a feature, in the order given.

    A float32 keeps its value; an int64 becomes the nearest float64, ties to even, as every tree library takes it; a
    bool is 0 or 1. Missing and invalid are what the feature's default says: NaN for trees, which a feature may have
    (``missing: {policy: default, value: "NaN"}`` with ``nonfinite: true``). Columns that need the same are read by
    the same few nodes, however many there are.

    Attributes:
        name: Name of the encoded tensor.
        features: Float, int64 or bool features, scalar, of one placement, each once; none with the policy `own_row`.
    """

    name: str
    features: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features read."""
        return self.features

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields why they make no matrix."""
        if not self.features:
            yield "features are empty; at least one is required"
            return
        if len(set(self.features)) < len(self.features):
            yield "a feature is there twice"
        before = [
            problem for name in self.features for problem in input_problems(schema, name, NUMBER_DTYPES, lists=False)
        ]
        yield from before
        if before:
            return
        features = [schema.feature(name) for name in self.features]
        if len({feature.placement for feature in features}) > 1:
            yield "features of both placements are there; make a matrix of each"
        for feature in features:
            if "own_row" in (feature.missing.policy, feature.invalid.policy):
                yield f"feature {feature.name!r} has the policy own_row, and a number has no row; use a default"

    def emit(self, scope: Scope) -> Encoded:
        """Writes, for each block and set of policies, a Gather of its columns and a Where a policy; then a Concat."""
        builder = scope.builder
        groups: dict[tuple[str, tuple[str, ...]], list[Feature]] = {}
        for name in self.features:
            feature = scope.packing.schema.feature(name)
            policies = tuple(each for each in _POLICIES if getattr(feature, each).policy == "default")
            groups.setdefault((scope.column(feature, "value")[0].name, policies), []).append(feature)
        parts, order = [], []
        for (_, policies), features in groups.items():
            parts.append(self._group(scope, features, policies))
            order += [feature.name for feature in features]
        matrix = parts[0] if len(parts) == 1 else builder.op("Concat", *parts, axis=1)
        if tuple(order) != self.features:
            positions = [order.index(name) for name in self.features]
            matrix = builder.op("Gather", matrix, builder.constant(positions, np.int64), axis=1)
        if matrix in {block.name for block in scope.packing.blocks}:
            # An input cannot be renamed to an output.
            matrix = builder.op("Identity", matrix)
        placement = scope.packing.schema.feature(self.features[0]).placement
        spec = EncodedSpec(self.name, placement, "float64", (-1, len(self.features)), None, is_vector=True)
        return Encoded(matrix, spec)

    @staticmethod
    def _group(scope: Scope, features: list[Feature], policies: tuple[str, ...]) -> str:
        """Features of one block that have the same policies: float64 [r, k]."""
        builder = scope.builder
        block, values = _columns(scope, features, "value")
        if policies:
            _, states = _columns(scope, features, "state")
        for policy in policies:
            flag = builder.op("Equal", states, builder.constant(_STATES[policy], np.int64))
            defaults = [scope.default(feature, getattr(feature, policy), block) for feature in features]
            values = scope.substitute(flag, np.array(defaults, np.dtype(block.dtype)), values)
        return values if block.dtype == "float64" else builder.cast(values, DOUBLE)


def _columns(scope: Scope, features: list[Feature], role: str) -> tuple[Block, str]:
    """Columns of one block, in the order of the features: [r, k]; the block itself where it holds nothing else."""
    found = [scope.column(feature, role) for feature in features]
    block = found[0][0]
    offsets = [column.offset for _, column in found]
    if offsets == list(range(block.shape[-1])):
        return block, block.name
    return block, scope.builder.op("Gather", block.name, scope.builder.constant(offsets, np.int64), axis=1)
