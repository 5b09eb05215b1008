"""What transforms write into: features read from the blocks with their policies applied, and reserved rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from twinrank.training.schema import Block, Column, DType, Feature, Packing, Placement, Policy, Schema, string_key
from twinrank.training.transforms._builder import GraphBuilder

EncodedDType = Literal["int64", "float32", "float64"]

KEY_DTYPES: tuple[DType, ...] = ("string", "int64", "timestamp", "bool")
NUMBER_DTYPES: tuple[DType, ...] = ("float32", "float64", "int64", "bool")


@dataclass(frozen=True, slots=True)
class EncodedSpec:
    """One encoded tensor, `encoded.<name>` in the graph.

    Attributes:
        name: Name without the prefix.
        placement: Whose rows the leading axis holds.
        dtype: int64 for rows of a table, float32 for numbers; a `Number` may have another.
        shape: (-1,) or, for sequences and vectors, (-1, L). The leading axis is n for a candidate tensor; for a context
            tensor it is 1 when serving and the number of contexts when encoding training data.
        cardinality: Number of rows the ids run over (0 to cardinality - 1); None for numbers.
        table: Name of the vocabulary, so that outputs of one vocabulary share one table; None if there is none.
        is_vector: Whether the second axis is that of a vector's components, which no mask covers, and not a sequence's.
        unseen_rows: Rows 0 to unseen_rows - 1 are those of unseen values; 0 where there is no vocabulary.
    """

    name: str
    placement: Placement
    dtype: EncodedDType
    shape: tuple[int, ...]
    cardinality: int | None
    table: str | None = None
    is_vector: bool = False
    unseen_rows: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A feature as tensors: r rows, L list length.

    Attributes:
        feature: The feature.
        value: [r], or [r, L] of a list or vector, in the block's dtype, defaults substituted.
        missing: bool [r], only where the missing policy is `own_row`.
        invalid: bool [r], only where the invalid policy is `own_row`.
        mask: bool [r, L], only for lists: which positions hold elements.
    """

    feature: Feature
    value: str
    missing: str | None
    invalid: str | None
    mask: str | None


@dataclass(frozen=True, slots=True)
class Aligned:
    """Sources made to broadcast: tensors [r] or, when one is a list, [r, L] and [r, 1]."""

    values: tuple[str, ...]
    missing: str | None
    invalid: str | None
    mask: str | None
    placement: Placement
    length: int | None


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a transform wrote."""

    tensor: str
    spec: EncodedSpec


class Transform(Protocol):
    """A named recipe for one encoded tensor. Implementations are frozen dataclasses of plain values."""

    @property
    def name(self) -> str:
        """Name of the encoded tensor, unique in a front graph; a Python identifier."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features it reads."""

    def problems(self, schema: Schema) -> Iterator[str]:
        """Yields what speaks against running it on this schema."""

    def emit(self, scope: Scope) -> Encoded:
        """Writes its nodes."""


class Scope:
    """Reads features from blocks; each column is read once, however many transforms use it."""

    def __init__(self, builder: GraphBuilder, packing: Packing, own_rows: dict[str, tuple[bool, bool]]) -> None:
        self.builder = builder
        self.packing = packing
        self.own_rows = own_rows
        """Per vocabulary: whether a feature that uses it has a missing row, and an invalid row."""
        self.unseen: dict[str, dict[str, str]] = {}
        """By feature with the unseen policy `error`, by vocabulary: bool [r] or [r, L], true where a key is not in it.

        What it says of padding, and of values that are not present, means nothing.
        """
        self._sources: dict[str, Source] = {}
        self._masks: dict[str, str] = {}
        self._gaps: dict[str, str] = {}

    def source(self, name: str) -> Source:
        """Returns the feature's tensors."""
        if name not in self._sources:
            self._sources[name] = self._read(self.packing.schema.feature(name))
        return self._sources[name]

    def mask(self, feature: Feature) -> str:
        """Returns the bool [r, L] mask of a list feature: which positions hold elements."""
        if feature.list is None:
            raise ValueError(f"feature {feature.name!r} is no list")
        owner = feature.name if feature.group is None else f"{feature.group}:{feature.placement}"
        if owner not in self._masks:
            positions = self.builder.constant(np.arange(feature.list.max_length), np.int64)
            length = self.builder.unsqueeze(self.length(feature), 1)
            self._masks[owner] = self.builder.op("Less", positions, length)
        return self._masks[owner]

    def length(self, feature: Feature) -> str:
        """Returns the int64 [r] lengths of a list feature (its group's, if it has one)."""
        return self._flat(feature, "length")

    def state(self, feature: Feature) -> str:
        """Returns the int64 [r] states of a feature that has them."""
        return self._flat(feature, "state")

    def note_unseen(self, feature: Feature, vocabulary: str, flag: str) -> None:
        """Keeps the flag of a lookup for the graph's count of unseen values."""
        self.unseen.setdefault(feature.name, {}).setdefault(vocabulary, flag)

    def align(self, names: Sequence[str]) -> Aligned:
        """Returns the features broadcast against each other; `alignment_problems` must have found nothing."""
        sources = [self.source(name) for name in names]
        mask = next((source.mask for source in sources if source.mask is not None), None)
        length = next((source.feature.list.max_length for source in sources if source.feature.list), None)

        def spread(tensor: str, source: Source) -> str:
            return tensor if mask is None or source.mask is not None else self.builder.unsqueeze(tensor, 1)

        return Aligned(
            tuple(spread(source.value, source) for source in sources),
            self._any(spread(source.missing, source) for source in sources if source.missing is not None),
            self._any(spread(source.invalid, source) for source in sources if source.invalid is not None),
            mask,
            "candidate" if any(source.feature.placement == "candidate" for source in sources) else "context",
            length,
        )

    def rows(self, name: str, core: str, size: int, aligned: Aligned, *, nan: str | None = None) -> Encoded:
        """Returns ids: rows for missing, invalid and NaN first, as far as there are, then `size` rows for `core`.

        `core` is int64 from 0 to size - 1. Padding is row 0.
        """
        special = [flag for flag in (aligned.missing, aligned.invalid, nan) if flag is not None]
        builder = self.builder
        ids = builder.op("Add", core, builder.constant(len(special), np.int64)) if special else core
        # Written last to first: missing and invalid win over a NaN, which cannot be where they are.
        for row in reversed(range(len(special))):
            ids = builder.where(special[row], builder.constant(row, np.int64), ids)
        return self.encoded(name, self.padded(ids, aligned.mask, "int64"), "int64", aligned, len(special) + size)

    def numbers(
        self, name: str, core: str, aligned: Aligned, *, nan: str | None = None, dtype: EncodedDType = "float32"
    ) -> Encoded:
        """Returns numbers; padding, flagged NaN, and missing or invalid under `own_row` are 0."""
        tensor = core
        for flag in (aligned.missing, aligned.invalid, nan):
            if flag is not None:
                tensor = self.builder.where(flag, self.builder.constant(0, dtype), tensor)
        return self.encoded(name, self.padded(tensor, aligned.mask, dtype), dtype, aligned, None)

    def padded(self, tensor: str, mask: str | None, dtype: EncodedDType) -> str:
        """Returns the tensor with 0 where the mask is false."""
        if mask is None:
            return tensor
        zero = self.builder.constant(0, dtype)
        if dtype == "int64":
            return self.builder.where(mask, tensor, zero)
        # The runtime's Where makes a -0.0 of its second input +0.0; the third one keeps its bits. Not with Not, which
        # the runtime's optimiser would take away again, by exchanging the two.
        if mask not in self._gaps:
            self._gaps[mask] = self.builder.op("Equal", mask, self.builder.constant(False, np.bool_))
        return self.builder.where(self._gaps[mask], zero, tensor)

    @staticmethod
    def encoded(
        name: str,
        tensor: str,
        dtype: EncodedDType,
        aligned: Aligned,
        cardinality: int | None,
        *,
        table: str | None = None,
        unseen_rows: int = 0,
    ) -> Encoded:
        """Returns the tensor of a scalar or a list with its specification."""
        shape = (-1,) if aligned.length is None else (-1, aligned.length)
        spec = EncodedSpec(name, aligned.placement, dtype, shape, cardinality, table, unseen_rows=unseen_rows)
        return Encoded(tensor, spec)

    def _any(self, flags: Iterable[str]) -> str | None:
        found: str | None = None
        for flag in flags:
            found = flag if found is None else self.builder.op("Or", found, flag)
        return found

    def _read(self, feature: Feature) -> Source:
        builder = self.builder
        adjacent = feature.vector is not None or (feature.list is not None and feature.group is None)
        block, column = self.column(feature, "values" if adjacent else "value")
        if column.role == "values":
            bounds = [builder.constant([edge], np.int64) for edge in (column.offset, column.offset + column.width, 1)]
            value = builder.op("Slice", block.name, *bounds)
        else:
            # The last axis, which the scalar index removes: 2 in a group's block, else 1.
            axis = len(block.shape) - 1
            value = builder.op("Gather", block.name, builder.constant(column.offset, np.int64), axis=axis)
        if feature.list is not None:
            # Lists have no state to look at: a default is [], which is packed as length 0.
            return Source(feature, value, None, None, self.mask(feature))
        flags: list[str | None] = []
        for policy, state in ((feature.missing, 0), (feature.invalid, 2)):
            flag = None
            if policy.policy != "error":
                flag = builder.op("Equal", self.state(feature), builder.constant(state, np.int64))
                if policy.policy == "default":
                    chosen = flag if feature.vector is None else builder.unsqueeze(flag, 1)
                    value = self.substitute(chosen, self.default(feature, policy, block), value)
            flags.append(flag if policy.policy == "own_row" else None)
        return Source(feature, value, flags[0], flags[1], None)

    @staticmethod
    def default(feature: Feature, policy: Policy, block: Block) -> npt.NDArray[Any]:
        """Returns what a policy puts in the place of a value, in the block's dtype."""
        typed = feature.default_of(policy)
        return np.array(string_key(str(typed)) if feature.dtype == "string" else typed, np.dtype(block.dtype))

    def substitute(self, chosen: str, default: npt.NDArray[Any], value: str) -> str:
        """Returns the tensor with the default where the flag is true; both keep their bits."""
        value = self.builder.where(chosen, self.builder.constant(default, default.dtype), value)
        minus = (default == 0) & np.signbit(default) if default.dtype.kind == "f" else np.zeros(1, bool)
        if minus.any():
            # Where has made +0.0 of it; every other number times 1 is itself.
            signs = self.builder.constant(np.where(minus, -1, 1), default.dtype)
            value = self.builder.op(
                "Mul", value, self.builder.where(chosen, signs, self.builder.constant(1, default.dtype))
            )
        return value

    def _flat(self, feature: Feature, role: Literal["length", "state"]) -> str:
        block, column = self.column(feature, role)
        return self.builder.op("Gather", block.name, self.builder.constant(column.offset, np.int64), axis=1)

    def column(self, feature: Feature, role: str) -> tuple[Block, Column]:
        """Returns where a feature's column of a role is."""
        for block in self.packing.blocks:
            for column in block.columns:
                shared = role == "length" and column.group is not None and column.group == feature.group
                if (column.feature == feature.name or shared) and column.role == role:
                    return block, column
        raise KeyError(f"feature {feature.name!r} has no {role} column")


def input_problems(
    schema: Schema, name: str, allowed: tuple[DType, ...], *, lists: bool | None = None, vectors: bool | None = False
) -> Iterator[str]:
    """Yields what speaks against reading a feature: it must exist, have one of the dtypes, be a list or vector or not.

    `lists` and `vectors` say what is required; None means that both will do.
    """
    known = [feature.name for feature in schema.features]
    if name not in known:
        yield f"feature {name!r} is not in the schema, which has {known}"
        return
    feature = schema.feature(name)
    if feature.dtype not in allowed:
        yield f"feature {name!r} is {feature.dtype}; this transform takes {', '.join(allowed)}"
    if lists is not None and lists != (feature.list is not None):
        yield f"feature {name!r} is {'a list' if feature.list else 'no list'}; this transform takes " + (
            "lists only" if lists else "scalars only"
        )
    if vectors is not None and vectors != (feature.vector is not None):
        yield f"feature {name!r} is {'a vector' if feature.vector else 'no vector'}; this transform takes " + (
            "vectors only" if vectors else "no vectors; use a Vector"
        )


def alignment_problems(schema: Schema, names: Sequence[str]) -> Iterator[str]:
    """Yields why features cannot be broadcast: lists must be of one group, and a context list meets no candidate."""
    known = {feature.name: feature for feature in schema.features}
    features = [known[name] for name in names if name in known]
    lists = [feature for feature in features if feature.list is not None]
    for feature in lists[1:]:
        if feature.group is None or feature.group != lists[0].group:
            yield f"lists {lists[0].name!r} and {feature.name!r} are not of one group, so their positions do not align"
    if lists and lists[0].placement == "context" and any(feature.placement == "candidate" for feature in features):
        yield f"context list {lists[0].name!r} cannot be combined with a candidate feature in the front graph"


def is_mixed(schema: Schema, names: Iterable[str]) -> bool:
    """Returns whether features of both placements are among the names."""
    return len({schema.feature(name).placement for name in names}) > 1


INT64 = TensorProto.INT64
UINT64 = TensorProto.UINT64
FLOAT = TensorProto.FLOAT
DOUBLE = TensorProto.DOUBLE
