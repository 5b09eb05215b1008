"""One feature's values as JSON text: legal ones, and those that break one rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from twinrank.bridge.fuzz._atoms import (
    CONTAINERS,
    LONG_TEXTS,
    NAMED_NUMBERS,
    SURROGATES,
    TEXTS,
    Sorted,
    near_misses,
    sorted_for,
)
from twinrank.bridge.fuzz._sources import Source
from twinrank.training.schema import Feature

Vocabulary = Mapping[str, Sequence[str | int]]
"""Values that a bundle's graph knows, by feature."""

_LONG = 64
"""Longer lists and vectors are made of repeated runs, and lists seldom reach their limit."""


def quoted(text: str) -> bytes:
    """Return a string as JSON text in UTF-8, with as few escapes as there may be."""
    return json.dumps(text, ensure_ascii=False).encode()


def escaped(text: str, upper: bool) -> bytes:
    r"""Return a string as JSON text of `\u` escapes only."""
    units = text.encode("utf-16-be")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return ('"' + "".join("\\u" + (pair.upper() if upper else pair) for pair in pairs) + '"').encode()


class Values:
    """Makes values of one feature."""

    def __init__(self, feature: Feature, known: Sequence[str | int] = ()) -> None:
        """Sort the atoms for a feature.

        Args:
            feature: the feature.
            known: values that the bundle's graph knows; needed for a feature whose unseen values are refused, or few of
                its values score.
        """
        self.feature = feature
        self.name = json.dumps(feature.name).encode() + b":"
        atoms: Sorted = sorted_for(feature.dtype, feature.nonfinite)
        self._good = atoms.good
        self._bad = tuple(text for texts in atoms.bad.values() for text in texts)
        self._rare = tuple(
            text for code in ("out_of_range", "non_finite", "invalid_string") for text in atoms.bad.get(code, ())
        )
        self._known = tuple(quoted(entry) if isinstance(entry, str) else str(entry).encode() for entry in known)
        self._near = tuple(
            quoted(miss) for entry in tuple(known)[:200] if isinstance(entry, str) for miss in near_misses(entry)
        )
        self.strict = feature.unseen.policy == "error" and bool(known)
        self.absorbs_missing = feature.missing.policy != "error"
        self.absorbs_invalid = feature.invalid.policy != "error"

    # ---- legal

    def good(self, source: Source, length: int | None = None) -> bytes:
        """Return a legal value: a scalar, a vector, or a list of a given or drawn length."""
        if self.feature.vector is not None:
            return self._run(source, self.feature.vector.length)
        if self.feature.list is not None:
            return self._run(source, self.length(source) if length is None else length)
        return self._scalar(source)

    def length(self, source: Source) -> int:
        """Return a length for a list: often short, at times the longest, one more or far more."""
        limit = 1 if self.feature.list is None else self.feature.list.max_length
        kind = source.below(64)
        if kind < 40:
            return source.below(min(limit, 4) + 1)
        if kind < 60 or (limit > _LONG and kind < 63):
            return source.below(min(limit, 12) + 1)
        return (limit, limit + 1, max(limit - 1, 0), 2 * limit + 1)[source.below(4)]

    def _run(self, source: Source, length: int) -> bytes:
        if length <= _LONG:
            return b"[" + b",".join([self._scalar(source) for _ in range(length)]) + b"]"
        # Sixteen elements, repeated with one of their own at each end: a vector of 4,096 is no work of 4,096 draws.
        run = [self._scalar(source) for _ in range(16)]
        ends = [self._scalar(source) for _ in range(2)]
        middle = (run * (length // 16 + 1))[: length - 2]
        return b"[" + b",".join([ends[0], *middle, ends[1]]) + b"]"

    def _scalar(self, source: Source) -> bytes:
        kind = source.below(16)
        if self._known and (self.strict or kind < 7):
            return self._known[source.below(len(self._known))]
        if self._near and kind < 9:
            return self._near[source.below(len(self._near))]
        if kind < 12:
            return self._good[source.below(len(self._good))]
        return self._fresh(source)

    def _fresh(self, source: Source) -> bytes:
        dtype = self.feature.dtype
        if dtype == "string":
            return self._text(source)
        if dtype == "bool":
            return (b"false", b"true")[source.below(2)]
        if dtype in ("int64", "timestamp"):
            return str(source.integer()).encode()
        number = source.number()
        if dtype == "float32" and abs(number) > 3.4e38:
            number = 0.5
        kind = source.below(8)
        if kind == 0 and self.feature.nonfinite:
            return NAMED_NUMBERS[source.below(3)]
        if kind == 1:
            return str(source.integer()).encode()
        return (repr(number) if kind < 6 else f"{number:.20e}").encode()

    def _text(self, source: Source) -> bytes:
        kind = source.below(8)
        if kind == 0 and source.below(512) == 0:
            return quoted(LONG_TEXTS[source.below(len(LONG_TEXTS))])
        text = source.text()
        if kind <= 1:
            text += TEXTS[source.below(len(TEXTS))]
        return escaped(text, kind == 3) if kind in (2, 3) else quoted(text)

    # ---- illegal

    def bad(self, source: Source) -> bytes:
        """Return a value that breaks a rule of its dtype, its list or its vector."""
        if self.feature.vector is None and self.feature.list is None:
            return self._wrong(source)
        kind = source.below(8)
        if kind == 0:
            return self._scalar(source)
        if kind == 1:
            wrong = CONTAINERS[source.below(len(CONTAINERS))]
            return b"{}" if wrong.startswith(b"[") else wrong
        if kind < 5 and self.feature.vector is not None:
            length = self.feature.vector.length
            return self._run(source, (length + 1, length - 1, 0, 2 * length)[source.below(4)])
        # One or two illegal elements among legal ones; for a list at times beyond the end that is kept.
        limit = self.feature.vector.length if self.feature.vector is not None else self.length(source)
        elements = [self._scalar(source) for _ in range(min(limit, _LONG))]
        for _ in range(1 + source.below(2)):
            wrong = b"null" if source.below(8) == 0 else self._wrong(source)
            elements.insert(source.below(len(elements) + 1), wrong)
        return b"[" + b",".join(elements) + b"]"

    def unseen(self, source: Source) -> bytes:
        """Return a legal scalar or list that the vocabulary does not hold, as far as one can tell."""
        text = self._near[source.below(len(self._near))] if self._near and source.below(2) else self._fresh(source)
        return b"[" + text + b"]" if self.feature.list is not None else text

    def _wrong(self, source: Source) -> bytes:
        if self.feature.dtype == "string" and source.below(4) == 0:
            return SURROGATES[source.below(len(SURROGATES))]
        pool = self._rare if self._rare and source.below(2) else self._bad
        return pool[source.below(len(pool))]
