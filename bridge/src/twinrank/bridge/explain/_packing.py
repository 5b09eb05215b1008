"""The packed blocks of both sides: the first column that differs, and what the route did to the request's value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from twinrank.bridge._scorer import Array, RouteError
from twinrank.bridge._values import hex_bits
from twinrank.bridge.explain._facts import text_evidence
from twinrank.bridge.explain._inquiry import Inquiry
from twinrank.bridge.explain._numbers import number_reading
from twinrank.bridge.explain._requests import Literal, find_members, parse, shown
from twinrank.bridge.explain._strings import reading_of
from twinrank.training.schema import Feature, Packing

_MOST_CELLS = 2_000
_MOST_FEATURES = 5
_REMEDY_STRING = "hash the UTF-8 bytes of the string as the request holds it, and change nothing (contract, section 5)"
_REMEDY = "pack the value as the contract's sections 5 and 6 say; tests/contract/vectors shows each case"


@dataclass(frozen=True)
class Cell:
    """One element of a packed block.

    Attributes:
        block: the block's name.
        index: its index in the block.
        role: `value`, `values`, `length` or `state`.
        feature: its feature; None for a group's shared length.
        owner: the feature's or group's name.
        candidate: None for the context.
        position: its place in a list, a vector or a group's sequence; None for a scalar.
    """

    block: str
    index: tuple[int, ...]
    role: str
    feature: Feature | None
    owner: str
    candidate: int | None
    position: int | None

    def __str__(self) -> str:
        """Return the place as people write it: `candidates[3].genres[1]`."""
        owner = "context" if self.candidate is None else f"candidates[{self.candidate}]"
        place = "" if self.position is None else f"[{self.position}]"
        suffix = f" ({self.role})" if self.role in ("length", "state") else ""
        return f"{owner}.{self.owner}{place}{suffix}"


def compare_packing(inquiry: Inquiry) -> None:
    """Find the first cell that differs, and what gives the route's value there; see `string_encoding`, `packing`."""
    theirs = _their_blocks(inquiry)
    if theirs is None:
        return
    ours = inquiry.blocks
    if [(name, block.dtype, block.shape) for name, block in ours.items()] != [
        (name, block.dtype, block.shape) for name, block in theirs.items()
    ]:
        evidence = [f"baseline: {_layout(ours)}", f"{inquiry.route}: {_layout(theirs)}"]
        inquiry.add("packing", f"{inquiry.route} packs other blocks", evidence, _REMEDY, proven=True)
        return
    inquiry.their_blocks = theirs
    if all(equal_bits(ours[name], theirs[name]) for name in ours):
        return
    only = _packing_alone(inquiry, theirs)
    # What follows looks for a second reason, which shows on the same blocks only.
    inquiry.blocks = theirs
    document = parse(inquiry.case.raw)
    seen: dict[tuple[str, str], list[tuple[Cell, np.generic, np.generic]]] = {}
    for cell in cells(inquiry.manifest.packing, ours, theirs):
        here, there = ours[cell.block][cell.index], theirs[cell.block][cell.index]
        seen.setdefault((cell.owner, cell.role), []).append((cell, here, there))
    for number, found in enumerate(seen.values()):
        if number == _MOST_FEATURES:
            inquiry.notes.append(f"packing: {len(seen) - number} more columns differ")
            break
        _explain_column(inquiry, document, found, only)


def equal_bits(one: Array, other: Array) -> bool:
    """Return whether two tensors have the same bytes: what is packed has one form, NaN too."""
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def _their_blocks(inquiry: Inquiry) -> Mapping[str, Array] | None:
    ours, theirs = inquiry.expected.packed, inquiry.actual.packed
    if ours is not None and ours == theirs:
        inquiry.their_blocks = inquiry.blocks
        return None
    if inquiry.scores is None:
        return None
    blocks = inquiry.scorer.pack(inquiry.case.raw)
    if blocks is None or isinstance(blocks, RouteError):
        return None
    return blocks


def _packing_alone(inquiry: Inquiry, theirs: Mapping[str, Array]) -> str | None:
    """Return a sentence if the baseline's graph gives the route's bits on the route's blocks; None if it does not."""
    both = inquiry.scores
    if both is None or both[0].n == 0:
        return None
    try:
        outputs = inquiry.heads_of(inquiry.run_own(blocks=theirs))
    except Exception as error:  # whatever the runtime raises on blocks that a faulty reader made
        inquiry.notes.append(f"the baseline cannot run {inquiry.route}'s blocks: {error}")
        return None
    if inquiry.reproduces(outputs):
        inquiry.packing_alone = True
        return f"on {inquiry.route}'s blocks the baseline's graph gives exactly {inquiry.route}'s bits"
    inquiry.notes.append(f"on {inquiry.route}'s blocks the baseline's graph gives other bits still: more is different")
    return None


def cells(packing: Packing, ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> Iterator[Cell]:
    """Yield the cells whose bits differ, block by block, rows first; at most 2,000."""
    features = {feature.name: feature for feature in packing.schema.features}
    told = 0
    for block in packing.blocks:
        one, other = (
            np.ascontiguousarray(side[block.name]).view(f"u{side[block.name].dtype.itemsize}")
            for side in (ours, theirs)
        )
        for where in np.argwhere(one != other):
            index = tuple(int(axis) for axis in where)
            column = next(each for each in block.columns if each.offset <= index[-1] < each.offset + each.width)
            position = index[1] if len(index) == 3 else index[-1] - column.offset if column.role == "values" else None
            yield Cell(
                block.name,
                index,
                column.role,
                None if column.feature is None else features[column.feature],
                column.feature or column.group or "",
                index[0] if block.placement == "candidate" else None,
                position,
            )
            told += 1
            if told == _MOST_CELLS:
                return


def _explain_column(
    inquiry: Inquiry, document: Any, found: list[tuple[Cell, np.generic, np.generic]], only: str | None
) -> None:
    cell, here, there = found[0]
    value = raw_value(document, cell)
    evidence = [
        f"{cell} = {shown(value)} in the request",
        f"baseline packs {_told(here)}, {inquiry.route} {_told(there)}",
        f"{len(found)} {'value differs' if len(found) == 1 else 'values differ'} in this column",
    ]
    if only is not None:
        evidence.append(only)
    if cell.feature is not None and cell.feature.dtype == "string" and cell.role in ("value", "values"):
        reading, told = _string_reading(document, found)
        if reading is not None:
            inquiry.add(
                "string_encoding",
                f"{inquiry.route} packs the strings of {cell.owner} {reading}",
                [
                    f"the route's key {_hex(there)} is that of {shown(value)} {reading}; "
                    f"the contract's key is {_hex(here)}",
                    *evidence,
                    told,
                    *text_evidence(inquiry),
                ],
                _REMEDY_STRING,
                proven=only is not None or inquiry.scores is None or not inquiry.outputs_differ,
            )
            return
    reading = list_reading(document, found) or _number_reading(document, found)
    inquiry.add(
        "packing",
        f"{inquiry.route} packs {cell.owner} otherwise" + (f": {reading}" if reading else ""),
        evidence,
        _REMEDY,
        proven=only is not None or not inquiry.outputs_differ,
    )


def _string_reading(document: Any, found: list[tuple[Cell, np.generic, np.generic]]) -> tuple[str | None, str]:
    cell, _, there = found[0]
    value = raw_value(document, cell)
    if not isinstance(value, str):
        return None, ""
    reading = reading_of(value, int(there))
    if reading is None:
        return None, ""
    texts = [(raw_value(document, each), int(key)) for each, _, key in found]
    known = [isinstance(text, str) and reading_of(text, key) is not None for text, key in texts]
    return reading, f"the like gives the route's key for {sum(known)} of {len(found)} differing strings"


def _number_reading(document: Any, found: list[tuple[Cell, np.generic, np.generic]]) -> str | None:
    cell, here, there = found[0]
    if cell.role == "state":
        words = ("missing", "present", "invalid")
        one, other = (words[int(side)] if 0 <= int(side) < 3 else str(int(side)) for side in (here, there))
        return f"the value counts as {other}, not as {one}"
    if cell.role == "length":
        return f"the list has {int(there)} elements, not {int(here)}"
    value = raw_value(document, cell)
    if cell.feature is not None and cell.feature.dtype == "bool" and int(here) == 1 - int(there):
        return "true and false are exchanged"
    return number_reading(str(value) if isinstance(value, Literal) else None, here, there)


def list_reading(document: Any, found: list[tuple[Cell, np.generic, np.generic]]) -> str | None:
    """Return how a list's elements were moved; None if its first differing row holds other elements."""
    cell = found[0][0]
    if cell.feature is None or cell.feature.list is None or cell.position is None:
        return None
    row = [each for each in found if (each[0].candidate, each[0].block) == (cell.candidate, cell.block)]
    here = {each[0].position: each[1].tobytes() for each in row}
    there = {each[0].position: each[2].tobytes() for each in row}
    if sorted(here.values()) == sorted(there.values()):
        places = sorted(here, key=lambda place: place or 0)
        if [here[place] for place in places] == [there[place] for place in reversed(places)]:
            return "the list is turned round"
        return "the list has the same elements in another order"
    value = full_value(document, cell)
    limit = cell.feature.list.max_length
    if isinstance(value, list) and len(value) > limit:
        other = "first" if cell.feature.list.keep == "last" else "last"
        return f"of {len(value)} elements perhaps the {other} {limit} were kept, not the {cell.feature.list.keep}"
    return None


def full_value(document: Any, cell: Cell) -> Any:
    """Return the request's whole value of a cell's feature; None where there is none."""
    members = find_members(document, cell.candidate)
    return None if members is None else members.get(cell.owner)


def raw_value(document: Any, cell: Cell) -> Any:
    """Return the request's value that a cell was packed from: of a list the element that was kept at this place."""
    value = full_value(document, cell)
    if not isinstance(value, list) or cell.position is None or cell.role not in ("value", "values"):
        return value
    place = cell.position
    if cell.feature is not None and cell.feature.list is not None and cell.feature.list.keep == "last":
        place += max(0, len(value) - cell.feature.list.max_length)
    return value[place] if place < len(value) else None


def _told(value: np.generic) -> str:
    return f"{value.item()!r} ({hex_bits(value)})"


def _hex(value: np.generic) -> str:
    return f"0x{hex_bits(value)}"


def _layout(blocks: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {block.dtype} {list(block.shape)}" for name, block in blocks.items())
