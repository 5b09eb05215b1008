"""Universal Binary JSON (draft 12) as XGBoost writes it, read strictly: every byte accounted for, nothing guessed."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from twinrank.export.trees._errors import TreeModelError

_DEPTH = 32
"""XGBoost's own nesting is nine deep."""
_TEXT_BYTES = 1 << 24
"""More than any name or parameter; longer texts are damage."""
_REMEDY = "Save it again with Booster.save_model, and copy it in binary mode"

_NUMBERS = {
    ord("i"): struct.Struct(">b"),
    ord("U"): struct.Struct(">B"),
    ord("I"): struct.Struct(">h"),
    ord("l"): struct.Struct(">i"),
    ord("L"): struct.Struct(">q"),
    ord("D"): struct.Struct(">d"),
}
_FLOAT = ord("d")
_ARRAYS = {ord(code[0]): np.dtype(f">{code[1:]}") for code in ("ii1", "Uu1", "Ii2", "li4", "Li8", "df4", "Df8")}
_WORDS: dict[int, object] = {ord("Z"): None, ord("T"): True, ord("F"): False}


def read_ubjson(data: bytes) -> Any:
    """Return the value that ``data`` is.

    Objects are dicts, untyped arrays are lists, typed ones are numpy arrays in native byte order; a float32 is a
    ``np.float32``, so that what a file holds in four bytes is never taken for more.

    Args:
        data: the whole file. Memory stays within a small multiple of its length: every length is checked against the
            bytes that are left before anything is allocated.

    Raises:
        TreeModelError: ``tree_model_invalid`` at the first byte that is not of the format, for a key that an object
            has twice, and for bytes after the end.
    """
    reader = _Reader(data)
    value = reader.value(reader.byte(), 0)
    if reader.at != len(data):
        raise _invalid(reader.at, f"{len(data) - reader.at} bytes follow the end of the model")
    return value


def _invalid(at: int, detail: str) -> TreeModelError:
    return TreeModelError("tree_model_invalid", f"byte {at}", detail, _REMEDY)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> int:
        """Step over ``count`` bytes and return where they begin."""
        start = self.at
        if count < 0 or count > len(self.data) - start:
            raise _invalid(start, f"{count} bytes should follow, and {len(self.data) - start} do")
        self.at = start + count
        return start

    def byte(self) -> int:
        return self.data[self.take(1)]

    def expect(self, letter: str) -> None:
        at = self.at
        found = self.byte()
        if found != ord(letter):
            raise _invalid(at, f"{bytes([found])!r} stands where XGBoost writes {letter!r}")

    def number(self, form: struct.Struct) -> int | float:
        number: int | float = form.unpack_from(self.data, self.take(form.size))[0]
        return number

    def length(self) -> int:
        self.expect("L")
        at = self.at
        length = int(self.number(_NUMBERS[ord("L")]))
        if not 0 <= length <= len(self.data) - self.at:
            raise _invalid(at, f"a length of {length}, and {len(self.data) - self.at} bytes follow")
        return length

    def text(self) -> str:
        length = self.length()
        if length > _TEXT_BYTES:
            raise _invalid(self.at, f"a text of {length} bytes; {_TEXT_BYTES} are allowed")
        start = self.take(length)
        try:
            return self.data[start : self.at].decode()
        except UnicodeDecodeError as error:
            raise _invalid(start + error.start, "a text that is not UTF-8") from error

    def value(self, marker: int, depth: int) -> object:
        if depth > _DEPTH:
            raise _invalid(self.at, f"nested deeper than {_DEPTH}")
        if marker == ord("{"):
            return self.members(depth)
        if marker == ord("["):
            return self.array(depth)
        if marker == ord("S"):
            return self.text()
        if marker == _FLOAT:
            start = self.take(4)
            return np.frombuffer(self.data, ">f4", 1, start).astype(np.float32)[0]
        if marker in _NUMBERS:
            return self.number(_NUMBERS[marker])
        if marker in _WORDS:
            return _WORDS[marker]
        raise _invalid(self.at - 1, f"no value begins with {bytes([marker])!r}")

    def members(self, depth: int) -> dict[str, object]:
        members: dict[str, object] = {}
        while True:
            at = self.at
            if self.byte() == ord("}"):
                return members
            self.at = at
            key = self.text()
            if key in members:
                raise _invalid(at, f"the key {key[:80]!r} comes twice")
            members[key] = self.value(self.byte(), depth + 1)

    def array(self, depth: int) -> object:
        marker = self.byte()
        if marker == ord("$"):
            at = self.at
            dtype = _ARRAYS.get(self.byte())
            if dtype is None:
                raise _invalid(at, f"no array has elements of type {bytes([self.data[at]])!r}")
            self.expect("#")
            length = self.length()
            start = self.take(length * dtype.itemsize)
            return np.frombuffer(self.data, dtype, length, start).astype(dtype.newbyteorder("="))
        if marker == ord("#"):
            # An element is a byte at least, so a length that fits bounds the list.
            return [self.value(self.byte(), depth + 1) for _ in range(self.length())]
        elements = []
        while marker != ord("]"):
            elements.append(self.value(marker, depth + 1))
            marker = self.byte()
        return elements
