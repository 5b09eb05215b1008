"""Strict JSON text to plain values: contract section 6, "Text". Every departure is `invalid_json`."""

from __future__ import annotations

import json
from typing import NoReturn

from twinrank.training.schema._errors import ScoringError, shown
from twinrank.training.schema._values import IntegerLiteral, OverflowLiteral

MAX_DEPTH = 64
MAX_LITERAL = 1000
_INT64_LITERAL = len("-9223372036854775808")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def parse(raw: bytes) -> object:
    """Returns the value of a JSON text: dict (document order), list, str, bool, None, int, float or a literal.

    An int is exact; `-0` and integers that are far beyond int64 come as `IntegerLiteral`, an overflowing float as
    `OverflowLiteral`; a float is never NaN or infinite.

    Raises:
        ScoringError: `invalid_json`.
    """
    try:
        text = raw.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise _refused(f"byte {error.start} is not UTF-8 ({error.reason})", "encode the body as UTF-8") from None
    _check_depth(raw)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = f"{error.msg} at character {error.pos} (line {error.lineno}, column {error.colno})"
        raise _refused(what, "send exactly one RFC 8259 value without a byte order mark") from None


def _refused(what: str, remedy: str) -> ScoringError:
    return ScoringError("invalid_json", f"the request is not the JSON text that the contract allows: {what}; {remedy}")


def _check_depth(raw: bytes) -> None:
    # Counts on the bytes, because the decoder recurses: escapes are blanked, then strings and all but brackets dropped.
    # Up to the first syntax error this agrees with the decoder, and the decoder goes no further than that.
    unescaped = raw.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in raw else raw
    brackets = b"".join(unescaped.split(b'"')[::2]).translate(None, _NOT_BRACKETS)
    depth = 0
    for bracket in brackets:
        if bracket in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _refused(f"it nests deeper than {MAX_DEPTH}", "flatten it; a request needs four levels")
        else:
            depth -= 1


def _check_literal(text: str) -> None:
    if len(text) > MAX_LITERAL:
        what = f"a number literal of {len(text)} characters ({text[:20]}...)"
        raise _refused(what, f"{MAX_LITERAL} are allowed; no dtype holds more than 800 significant digits")


def _integer(text: str) -> int | IntegerLiteral:
    if len(text) <= _INT64_LITERAL and text != "-0":
        return int(text)
    _check_literal(text)
    return IntegerLiteral(text)


def _fraction(text: str) -> float | OverflowLiteral:
    _check_literal(text)
    number = float(text)
    return number if abs(number) != float("inf") else OverflowLiteral(text)


def _word(text: str) -> NoReturn:
    raise _refused(f"the bare word {text}", f'where the schema declares nonfinite, send the string "{text}"')


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _refused(f"the key {shown(name)} occurs twice in one object", "send every key once")
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_fraction, parse_int=_integer, parse_constant=_word, strict=True
)
