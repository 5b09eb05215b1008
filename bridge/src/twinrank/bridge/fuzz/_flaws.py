"""What is wrong with a request: one function a kind of flaw, on the pieces or on the bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from twinrank.bridge.fuzz._atoms import (
    ATOMS,
    BAD_K,
    NO_TEXT,
    STRANGE_NAMES,
    WRONG_ARRAYS,
    WRONG_OBJECTS,
)
from twinrank.bridge.fuzz._documents import Document
from twinrank.bridge.fuzz._sources import Source
from twinrank.bridge.fuzz._values import Values
from twinrank.training.schema import Feature, Schema

Spoil = Callable[[Document, Source], None]

_MAX_DEPTH = 64
_TAILS: tuple[bytes, ...] = (
    *(
        b"x",
        b"{}",
        b"null",
        b",",
        b"]",
        b"}",
        b"\0",
        b"//",
        b"\xff",
        b"\xc2\xa0",
        b"\x0b",
        b"\x1a",
        b"\xef\xbb\xbf",
        b'""',
    ),
)
_HEADS: tuple[bytes, ...] = (
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\0",
    b"\x0c",
    b"[",
    b",",
    b"\xc2\x85",
    b"x",
    b"{}",
)


class Flaws:
    """Spoils requests of one schema."""

    def __init__(self, schema: Schema, values: Mapping[str, Values]) -> None:
        """Collect what can be spoilt.

        Args:
            schema: the schema.
            values: what makes its features' values.
        """
        self._context = schema.context
        self._candidate = schema.candidate
        self._values = values
        self._grouped = tuple(feature for feature in schema.features if feature.group is not None)
        self._unseen = tuple(feature for feature in schema.features if values[feature.name].strict)
        self._names = tuple(json.dumps(feature.name).encode() for feature in schema.features)
        kinds: list[tuple[Spoil, int]] = [
            (self._value, 10),
            (self._lack, 4),
            (self._unknown, 3),
            (self._top, 3),
            (self._element, 2),
            (self._k, 2),
            (self._column, 3),
        ]
        kinds += [(self._misaligned, 3)] if self._grouped else []
        kinds += [(self._not_seen, 3)] if self._unseen else []
        self._kinds: tuple[Spoil, ...] = tuple(spoil for spoil, weight in kinds for _ in range(weight))

    def spoil(self, document: Document, source: Source) -> bytes:
        """Return the bytes of a request with one flaw, or with some: then the order of checks decides."""
        several = source.below(8)
        for _ in range(1 if several < 5 else several - 3):
            self._kinds[source.below(len(self._kinds))](document, source)
        return document.to_bytes()

    def break_text(self, document: Document, source: Source) -> bytes:
        """Return bytes that are no JSON text as the contract wants it, or nearly so."""
        kind = source.below(16)
        if kind < 3:
            self._replace(document, source, lambda _: NO_TEXT[source.below(len(NO_TEXT))])
            return document.to_bytes()
        if kind == 3:
            self._twice(document, source)
            return document.to_bytes()
        if kind == 4:
            # Around the deepest that is allowed: the request itself is three levels down.
            depth = _MAX_DEPTH - 6 + source.below(9)
            opened, closed = ((b"[", b"]"), (b'{"a":', b"}"))[source.below(2)]
            inner = b"" if opened == b"[" else b"1"
            self._replace(document, source, lambda _: opened * depth + inner + closed * depth)
            return document.to_bytes()
        raw = document.to_bytes()
        if kind == 5:
            return _HEADS[source.below(len(_HEADS))] + raw
        if kind <= 7:
            return raw + _TAILS[source.below(len(_TAILS))]
        if kind <= 9:
            return raw[: source.below(len(raw))]
        if kind == 10:
            return (raw.decode(errors="replace").encode("utf-16"), raw.decode(errors="replace").encode("utf-16-be"))[
                source.below(2)
            ]
        if kind == 11:
            return WRONG_OBJECTS[source.below(len(WRONG_OBJECTS))] if source.below(2) else b"[" * source.below(100)
        return _flipped(raw, source)

    # ---- pieces

    def _place(self, document: Document, source: Source) -> tuple[list[bytes], Sequence[Feature]] | None:
        """Return an object of the request, and the features that it may hold."""
        candidates = document.candidates if isinstance(document.candidates, list) else []
        objects = [candidate for candidate in candidates if isinstance(candidate, list)]
        context = document.context if isinstance(document.context, list) else None
        if objects and (context is None or not self._context or source.below(4)):
            return objects[source.below(len(objects))], self._candidate
        return None if context is None else (context, self._context)

    def _put(self, members: list[bytes], feature: Feature, text: bytes | None, source: Source) -> None:
        """Replace a feature's member, or add it; without a text it goes."""
        name = self._values[feature.name].name
        at = next((index for index, member in enumerate(members) if member.startswith(name)), None)
        if at is None:
            if text is not None:
                members.insert(source.below(len(members) + 1), name + text)
        elif text is None:
            del members[at]
        else:
            members[at] = name + text

    def _value(self, document: Document, source: Source) -> None:
        self._replace(document, source, lambda values: values.bad(source))

    def _replace(self, document: Document, source: Source, text: Callable[[Values], bytes]) -> None:
        place = self._place(document, source)
        if place is None or not place[1]:
            return
        feature = place[1][source.below(len(place[1]))]
        self._put(place[0], feature, text(self._values[feature.name]), source)

    def _lack(self, document: Document, source: Source) -> None:
        place = self._place(document, source)
        if place is None or not place[1]:
            return
        feature = place[1][source.below(len(place[1]))]
        self._put(place[0], feature, b"null" if source.below(2) else None, source)

    def _unknown(self, document: Document, source: Source) -> None:
        place = self._place(document, source)
        if place is None:
            return
        name = STRANGE_NAMES[source.below(len(STRANGE_NAMES))]
        if source.below(2):
            # Another placement's feature, or a name that differs by case or by white space.
            known = self._names[source.below(len(self._names))]
            name = (known, known.upper(), known[:-1] + b' "', b'"' + known[2:], known[:-1] + b'\\u0000"')[
                source.below(5)
            ]
        value = b"null" if source.below(4) == 0 else ATOMS[source.below(len(ATOMS))]
        if not any(member.startswith(name + b":") for member in place[0]):
            place[0].insert(source.below(len(place[0]) + 1), name + b":" + value)

    def _misaligned(self, document: Document, source: Source) -> None:
        feature = self._grouped[source.below(len(self._grouped))]
        self._put(self._holder(document, feature, source), feature, self._values[feature.name].good(source), source)

    def _not_seen(self, document: Document, source: Source) -> None:
        feature = self._unseen[source.below(len(self._unseen))]
        self._put(self._holder(document, feature, source), feature, self._values[feature.name].unseen(source), source)

    def _holder(self, document: Document, feature: Feature, source: Source) -> list[bytes]:
        """Return an object of the request that may hold a feature; one of no request where there is none."""
        if feature.placement == "context":
            return document.context if isinstance(document.context, list) else []
        candidates = document.candidates if isinstance(document.candidates, list) else []
        objects = [candidate for candidate in candidates if isinstance(candidate, list)]
        return objects[source.below(len(objects))] if objects else []

    def _twice(self, document: Document, source: Source) -> None:
        place = self._place(document, source)
        if place is None or not place[0] or source.below(4) == 0:
            document.top = (*document.top, document.top[source.below(len(document.top))])
            return
        members = place[0]
        member = members[source.below(len(members))]
        if source.below(2):
            name, _, value = member.partition(b":")
            member = b'"\\u%04x' % name[1] + name[2:] + b":" + value if len(name) > 2 and name[1] < 0x80 else member
        members.insert(source.below(len(members) + 1), member)

    def _top(self, document: Document, source: Source) -> None:
        kind = source.below(6)
        if kind == 0:
            document.context = WRONG_OBJECTS[source.below(len(WRONG_OBJECTS))]
        elif kind == 1:
            document.candidates = WRONG_ARRAYS[source.below(len(WRONG_ARRAYS))]
        elif kind <= 3:
            gone = source.below(len(document.top))
            document.top = document.top[:gone] + document.top[gone + 1 :]
        else:
            name = STRANGE_NAMES[source.below(len(STRANGE_NAMES))]
            if name in (b'"k"', b'"context"', b'"candidates"'):
                name = b'"K"'
            at = source.below(len(document.top) + 1)
            document.top = (*document.top[:at], name + b":" + ATOMS[source.below(len(ATOMS))], *document.top[at:])

    def _element(self, document: Document, source: Source) -> None:
        if isinstance(document.candidates, list):
            wrong = WRONG_OBJECTS[source.below(len(WRONG_OBJECTS))]
            document.candidates.insert(source.below(len(document.candidates) + 1), wrong)

    def _column(self, document: Document, source: Source) -> None:
        document.columnar = True
        document.odd = (source.below(64), source.below(64))

    def _k(self, document: Document, source: Source) -> None:
        document.k = BAD_K[source.below(len(BAD_K))]


def _flipped(raw: bytes, source: Source) -> bytes:
    """Return the bytes with one of them changed, taken out, doubled or put elsewhere."""
    at, kind = source.below(len(raw)), source.below(4)
    if kind == 0:
        return raw[:at] + bytes((source.below(256),)) + raw[at + 1 :]
    if kind == 1:
        return raw[:at] + raw[at + 1 :]
    if kind == 2:
        return raw[:at] + raw[at : at + 1] + raw[at:]
    structural = b'{}[],:"\\'
    other = source.below(len(structural))
    return raw[:at] + structural[other : other + 1] + raw[at:]
