"""The packing: which column of which block holds what. Contract section 5; a pure function of the schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from twinrank.training.schema._features import Feature, Placement, Schema

BlockDType = Literal["int64", "float32", "float64"]
"""The element type of a block."""

Role = Literal["value", "values", "length", "state"]

_SUFFIX: dict[BlockDType, str] = {"int64": "i64", "float32": "f32", "float64": "f64"}
_PLACEMENTS: tuple[Placement, ...] = ("context", "candidate")


def block_dtype(feature: Feature) -> BlockDType:
    """Returns the element type of the block that holds the feature's values."""
    if feature.dtype == "float32":
        return "float32"
    return "float64" if feature.dtype == "float64" else "int64"


@dataclass(frozen=True, slots=True)
class Column:
    """One entry of a block: `width` adjacent columns of the last axis, from `offset` on.

    Exactly one of `feature` and `group` is given; `group` only for the shared length of an aligned group.
    """

    feature: str | None
    group: str | None
    role: Role
    offset: int
    width: int

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest form."""
        owner = {"feature": self.feature} if self.group is None else {"group": self.group}
        return owner | {"role": self.role, "offset": self.offset, "width": self.width}


@dataclass(frozen=True, slots=True)
class Block:
    """One packed input tensor of the graph.

    Attributes:
        name: `context.i64`, `candidate.history.f32`, ...
        dtype: Element type.
        placement: Whose rows it holds.
        group: The aligned group, or None.
        shape: [rows, C], for a group [rows, L, C]; rows is 1 for the context and -1 (n) for candidates.
        columns: What the last axis holds, by offset, without gaps.
    """

    name: str
    dtype: BlockDType
    placement: Placement
    group: str | None
    shape: tuple[int, ...]
    columns: tuple[Column, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest form."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "placement": self.placement,
            "shape": list(self.shape),
            "columns": [column.to_json() for column in self.columns],
        }


@dataclass(frozen=True, slots=True)
class Packing:
    """The blocks of a schema, in the contract's order, empty ones omitted. Make it with `Packing.of`."""

    schema: Schema
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, schema: Schema) -> Packing:
        """Returns the packing that the contract prescribes for this schema."""
        blocks: list[Block] = []
        for placement in _PLACEMENTS:
            blocks.extend(_blocks(schema, placement))
        return cls(schema, tuple(blocks))

    def block(self, name: str) -> Block:
        """Returns the block of that name; raises KeyError if there is none."""
        for block in self.blocks:
            if block.name == name:
                return block
        raise KeyError(f"no block {name!r}; the packing has {[block.name for block in self.blocks]}")

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest's `packing` object."""
        return {"inputs": [block.to_json() for block in self.blocks]}


@dataclass(slots=True)
class _Draft:
    dtype: BlockDType
    group: str | None
    length: int | None
    columns: list[Column] = field(default_factory=list)
    width: int = 0

    def add(self, role: Role, width: int = 1, *, feature: str | None = None, group: str | None = None) -> None:
        self.columns.append(Column(feature, group, role, self.width, width))
        self.width += width

    def finish(self, placement: Placement) -> Block:
        prefix = placement if self.group is None else f"{placement}.{self.group}"
        rows = 1 if placement == "context" else -1
        shape = (rows, self.width) if self.length is None else (rows, self.length, self.width)
        name = f"{prefix}.{_SUFFIX[self.dtype]}"
        return Block(name, self.dtype, placement, self.group, shape, tuple(self.columns))


def _blocks(schema: Schema, placement: Placement) -> list[Block]:
    flat = {dtype: _Draft(dtype, None, None) for dtype in _SUFFIX}
    grouped: dict[str, dict[BlockDType, _Draft]] = {}
    for feature in schema.features:
        if feature.placement != placement:
            continue
        dtype = block_dtype(feature)
        if feature.group is not None and feature.list is not None:
            length = feature.list.max_length
            first = feature.group not in grouped
            drafts = grouped.setdefault(feature.group, {kind: _Draft(kind, feature.group, length) for kind in _SUFFIX})
            drafts[dtype].add("value", feature=feature.name)
            if first:
                flat["int64"].add("length", group=feature.group)
        elif feature.list is not None:
            flat[dtype].add("values", feature.list.max_length, feature=feature.name)
            flat["int64"].add("length", feature=feature.name)
        elif feature.vector is not None:
            flat[dtype].add("values", feature.vector.length, feature=feature.name)
        else:
            flat[dtype].add("value", feature=feature.name)
        if feature.has_state:
            flat["int64"].add("state", feature=feature.name)
    ordered = [*flat.values(), *(draft for drafts in grouped.values() for draft in drafts.values())]
    return [draft.finish(placement) for draft in ordered if draft.columns]
