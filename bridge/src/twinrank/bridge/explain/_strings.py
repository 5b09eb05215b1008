"""What readers do to strings that they should leave alone, and which of it gives another key."""

from __future__ import annotations

import html
import json
import unicodedata
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import xxhash

_SIGN = 1 << 63


def key_of(data: bytes) -> int:
    """Return the contract's key of bytes: XXH3-64, seed 0, as a signed number."""
    return signed(xxhash.xxh3_64_intdigest(data))


def signed(value: int) -> int:
    """Return 64 unsigned bits as a signed number."""
    return value - (1 << 64) if value >= _SIGN else value


def _no_accents(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))


def _form(name: str) -> Callable[[str], str]:
    return lambda text: unicodedata.normalize(name, text)  # type: ignore[arg-type]


def _misread(codec: str) -> Callable[[str], str]:
    return lambda text: text.encode().decode(codec, "replace")


def _repaired(codec: str) -> Callable[[str], str]:
    """Somebody 'repairs' UTF-8 that was read in another code page, and this never was."""

    def change(text: str) -> str:
        return text.encode(codec, "replace").decode("utf-8", "replace")

    return change


def _only(keep: Callable[[str], bool], other: str) -> Callable[[str], str]:
    return lambda text: "".join(each if keep(each) else other for each in text)


TEXTS: Mapping[str, Callable[[str], str]] = {
    "lower-cased": str.lower,
    "upper-cased": str.upper,
    "case-folded": str.casefold,
    "capitalised": str.capitalize,
    "in title case": str.title,
    "stripped of white space": str.strip,
    "stripped of white space on the left": str.lstrip,
    "stripped of white space on the right": str.rstrip,
    "with runs of white space collapsed": lambda text: " ".join(text.split()),
    "in normal form NFC": _form("NFC"),
    "in normal form NFD": _form("NFD"),
    "in normal form NFKC": _form("NFKC"),
    "in normal form NFKD": _form("NFKD"),
    "without accents": _no_accents,
    "as UTF-8 misread in Latin-1": _misread("latin-1"),
    "as UTF-8 misread in CP-1252": _misread("cp1252"),
    "as UTF-8 misread in ASCII": _misread("ascii"),
    "with Latin-1 'repaired' to UTF-8": _repaired("latin-1"),
    "with CP-1252 'repaired' to UTF-8": _repaired("cp1252"),
    "with ? for all beyond ASCII": _only(str.isascii, "?"),
    "without all beyond ASCII": _only(str.isascii, ""),
    "with ? for all beyond Latin-1": _only(lambda each: ord(each) < 0x100, "?"),
    "with ? for all beyond the basic plane": _only(lambda each: ord(each) < 0x10000, "?"),
    "with U+FFFD for all beyond the basic plane": _only(lambda each: ord(each) < 0x10000, "\ufffd"),
    "with two U+FFFD for all beyond the basic plane": _only(lambda each: ord(each) < 0x10000, "\ufffd\ufffd"),
    "without all beyond the basic plane": _only(lambda each: ord(each) < 0x10000, ""),
    "cut at its first NUL": lambda text: text.split("\0", 1)[0],
    "without NUL": lambda text: text.replace("\0", ""),
    "without control characters": _only(lambda each: unicodedata.category(each) != "Cc", ""),
    "with HTML's entities": html.escape,
    "with HTML's entities resolved": html.unescape,
    "URL-quoted": lambda text: urllib.parse.quote(text, safe=""),
    "URL-unquoted": urllib.parse.unquote,
    "with a line feed behind it": lambda text: text + "\n",
    "with a NUL behind it": lambda text: text + "\0",
    "with its JSON quotation marks": lambda text: json.dumps(text, ensure_ascii=False),
    "with its JSON escapes not resolved": lambda text: json.dumps(text)[1:-1],
    "with JSON's / escaped": lambda text: text.replace("/", "\\/"),
    "reversed": lambda text: text[::-1],
    "replaced by the empty string": lambda _text: "",
}
"""Changes that give another string; the keys read after "the string"."""


def _cesu8(text: str) -> bytes:
    units = text.encode("utf-16-be")
    halves = (chr(int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2))
    return b"".join(half.encode("utf-8", "surrogatepass") for half in halves)


def _codec(name: str) -> Callable[[str], bytes]:
    return lambda text: text.encode(name, "replace")


BYTES: Mapping[str, Callable[[str], bytes]] = {
    "in Latin-1 instead of UTF-8": _codec("latin-1"),
    "in CP-1252 instead of UTF-8": _codec("cp1252"),
    "in UTF-16LE instead of UTF-8": _codec("utf-16-le"),
    "in UTF-16BE instead of UTF-8": _codec("utf-16-be"),
    "in UTF-16 with a byte order mark": _codec("utf-16"),
    "in UTF-32LE instead of UTF-8": _codec("utf-32-le"),
    "in UTF-8 with a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "in CESU-8, surrogates encoded one by one": _cesu8,
    "in Java's modified UTF-8": lambda text: _cesu8(text).replace(b"\0", b"\xc0\x80"),
}
"""Encodings other than UTF-8; the keys read after "the string"."""

HASHES: Mapping[str, Callable[[bytes], int]] = {
    "hashed by XXH64 instead of XXH3-64": lambda data: signed(xxhash.xxh64_intdigest(data)),
    "hashed by XXH32 instead of XXH3-64": lambda data: int(xxhash.xxh32_intdigest(data)),
    "hashed by XXH3-64 with its bytes swapped": lambda data: int.from_bytes(
        xxhash.xxh3_64_intdigest(data).to_bytes(8, "little"), "big", signed=True
    ),
    "hashed by XXH3-64 and cut to 32 bits": lambda data: xxhash.xxh3_64_intdigest(data) & 0xFFFFFFFF,
    "hashed by XXH3-64 and cut to 63 bits": lambda data: xxhash.xxh3_64_intdigest(data) & (_SIGN - 1),
}
"""Other keys of the same bytes."""

_PAIRS = (
    "lower-cased",
    "upper-cased",
    "case-folded",
    "in normal form NFC",
    "in normal form NFD",
    "in normal form NFKC",
)


def changes() -> Iterator[tuple[str, Callable[[str], int]]]:
    """Yield what may have happened to a string, the likeliest first, with the key that it then has."""
    for name, text in TEXTS.items():
        yield name, partial(_key_of_text, (text,))
    for name, data in BYTES.items():
        yield name, partial(_key_of_bytes, data)
    for name, hashed in HASHES.items():
        yield name, partial(_key_by, hashed)
    for first in ("stripped of white space", "without accents", *_PAIRS):
        for second in _PAIRS:
            if first != second:
                yield f"{first} and {second}", partial(_key_of_text, (TEXTS[first], TEXTS[second]))


def _key_of_text(steps: Sequence[Callable[[str], str]], value: str) -> int:
    for step in steps:
        value = step(value)
    return key_of(value.encode("utf-8", "replace"))


def _key_of_bytes(encode: Callable[[str], bytes], value: str) -> int:
    return key_of(encode(value))


def _key_by(hashed: Callable[[bytes], int], value: str) -> int:
    return hashed(value.encode())


def truncation(value: str, key: int) -> str | None:
    """Return after how much of a string the key stops reading; None if it does not."""
    for length in range(len(value)):
        if key_of(value[:length].encode()) == key:
            return f"cut after {length} of {len(value)} characters"
    data = value.encode()
    for length in range(len(data)):
        if key_of(data[:length]) == key:
            return f"cut after {length} of {len(data)} bytes"
    return None


def reading_of(value: str, key: int) -> str | None:
    """Return what must have happened to a string for this key; None if nothing known gives it."""
    for name, change in changes():
        try:
            if change(value) == key:
                return name
        except (UnicodeError, ValueError):
            continue
    return truncation(value, key)
