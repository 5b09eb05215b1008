"""Small pictures of the report that need no plotting: two numbers' bits, and the node where a difference begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from twinrank.bridge._findings import Place, TapValue
from twinrank.bridge._text import printable

__all__ = ["BitGroup", "bits", "place_picture"]

# Bits of sign, exponent and mantissa of the IEEE formats that heads have, by digits of their hexadecimal form.
_FIELDS = {8: (("sign", 1), ("exponent", 8), ("mantissa", 23)), 16: (("sign", 1), ("exponent", 11), ("mantissa", 52))}

_SHOWN_INPUTS = 6
_SHOWN_NAME = 30
_BOX, _HIGH, _GAP = 252, 50, 14


@dataclass(frozen=True)
class BitGroup:
    """The bits of one field of a number, most significant first.

    Attributes:
        field: `sign`, `exponent` or `mantissa`.
        runs: neighbouring bits, and whether they differ from the other number's.
    """

    field: str
    runs: tuple[tuple[str, bool], ...]


def bits(one: str, other: str) -> tuple[BitGroup, ...]:
    """Return the bits of `one` by field, marked where those of `other` differ; nothing where they are of no format.

    Args:
        one: hexadecimal digits, most significant first.
        other: the same of the number to compare with.
    """
    if len(one) not in _FIELDS or len(other) != len(one):
        return ()
    width = 4 * len(one)
    left, right = (f"{int(side, 16):0{width}b}" for side in (one, other))
    pairs = list(zip(left, right, strict=True))
    groups, at = [], 0
    for field, size in _FIELDS[len(one)]:
        runs = groupby(pairs[at : at + size], key=lambda pair: pair[0] != pair[1])
        groups.append(BitGroup(field, tuple(("".join(bit for bit, _ in run), differs) for differs, run in runs)))
        at += size
    return tuple(groups)


def place_picture(place: Place) -> str:
    """Return the node with what flows in and out as inline SVG that takes its colours from the page."""
    # Those that differ are never among the ones that are left out for want of room.
    shown = sorted(place.inputs, key=lambda value: value.equal)[:_SHOWN_INPUTS]
    shown = [value for value in place.inputs if value in shown]
    more = len(place.inputs) - len(shown)
    unlike = [value.name for value in place.inputs if not value.equal]
    rows = max(len(shown) + bool(more), 1)
    height = rows * (_HIGH + _GAP) + _GAP
    middle = height / 2
    inputs = f"{len(place.inputs)} inputs, {'not the same: ' + ', '.join(unlike) if unlike else 'all equal'}"
    label = f"{place.op} {place.node}: {inputs}; its output {place.output.name} differs"
    parts = [f'<svg role="img" aria-label="{_text(label, 200)}" viewBox="0 0 840 {height}" class="place">']
    for row, value in enumerate(shown):
        top = _GAP + row * (_HIGH + _GAP)
        parts += _arrow(_BOX + 2, top + _HIGH / 2, 318, middle)
        parts += _value(value, 2, top)
    if more:
        top = _GAP + len(shown) * (_HIGH + _GAP)
        parts.append(_label(2 + _BOX / 2, top + _HIGH / 2, f"and {more} more", "soft", "middle"))
    parts += [
        f'<rect x="320" y="{middle - 30:g}" width="200" height="60" rx="10" class="node"/>',
        _label(420, middle - 4, place.op, "strong", "middle", 22),
        _label(420, middle + 16, f"{place.node} · {place.position + 1} of {place.nodes}", "soft", "middle", 26),
    ]
    parts += _arrow(520, middle, 584, middle)
    parts += _value(place.output, 586, middle - _HIGH / 2)
    return "".join([*parts, "</svg>"])


def _value(value: TapValue, left: float, top: float) -> Iterator[str]:
    look = "same" if value.equal else "other"
    yield f'<rect x="{left:g}" y="{top:g}" width="{_BOX}" height="{_HIGH}" rx="8" class="{look}"/>'
    yield _label(left + 12, top + 21, value.name, "strong", "start", _SHOWN_NAME)
    told = "equal" if value.equal else f"{value.differing:,} of {_size(value.shape):,} differ"
    yield _label(left + 12, top + 39, f"{value.dtype} {list(value.shape)}, {told}", "soft", "start", 38)


def _arrow(left: float, top: float, right: float, bottom: float) -> Iterator[str]:
    bend = (left + right) / 2
    yield f'<path d="M{left:g} {top:g}C{bend:g} {top:g} {bend:g} {bottom:g} {right - 7:g} {bottom:g}" class="line"/>'
    yield f'<path d="M{right:g} {bottom:g}l-8 -4.5v9z" class="head"/>'


def _label(x: float, y: float, text: str, look: str, anchor: str, most: int = 60) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{look}">{_text(text, most)}</text>'


def _text(text: str, most: int) -> str:
    whole = printable(text)
    return escape(whole if len(whole) <= most else f"{whole[: most - 1]}…")


def _size(shape: Sequence[int]) -> int:
    count = 1
    for axis in shape:
        count *= axis
    return count
