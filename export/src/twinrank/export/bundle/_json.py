"""JSON as the contract allows it in a bundle's own files: strict, bounded, one way to write it."""

import json
import re
from typing import Any, NoReturn

Json = Any
"""A parsed JSON value; what it is, is what the checks are for."""

MAX_NESTING = 32
MAX_NUMBER = 1000

# Strings are skipped whole, so that brackets inside them do not count. An unterminated one ends the text, and is the
# parser's to refuse. Possessive quantifiers: a hostile text costs one pass, where backtracking costs its square.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]|-?[0-9][0-9.eE+-]*', re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonError(ValueError):
    """The text is not the JSON that the contract allows."""


def _refuse_constant(word: str) -> NoReturn:
    raise JsonError(f"{word} is not JSON")


def _finite(literal: str) -> float:
    value = float(literal)
    if value in (float("inf"), float("-inf")):
        raise JsonError(f"the number {literal} overflows float64")
    return value


def _string(text: str) -> str:
    if _LONE_SURROGATE.search(text):
        raise JsonError("a string holds a lone surrogate")
    return text


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for key, value in pairs:
        if _string(key) in made:
            raise JsonError(f"duplicate key {key!r}")
        made[key] = value
    return made


def _check_strings(value: Json) -> None:
    if isinstance(value, str):
        _string(value)
    elif isinstance(value, list):
        for element in value:
            _check_strings(element)
    elif isinstance(value, dict):
        for element in value.values():
            _check_strings(element)


def parse_json(raw: bytes) -> Json:
    """The value of a JSON text in UTF-8.

    Raises:
        JsonError: if the bytes are not UTF-8, begin with a byte order mark, depart from RFC 8259, repeat a key in an
            object, nest deeper than 32, hold a number literal longer than 1,000 characters or one that overflows
            float64, or a string with a lone surrogate.
    """
    try:
        text = raw.decode("utf-8", errors="strict")
    except UnicodeDecodeError as e:
        raise JsonError(f"not UTF-8 at byte {e.start}") from e
    if text.startswith("\ufeff"):
        raise JsonError("starts with a byte order mark")
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token in ("[", "{"):
            depth += 1
            if depth > MAX_NESTING:
                raise JsonError(f"nests deeper than {MAX_NESTING}")
        elif token in ("]", "}"):
            depth -= 1
        elif token[0] != '"' and len(token) > MAX_NUMBER:
            raise JsonError(f"a number literal is longer than {MAX_NUMBER} characters")
    try:
        value: Json = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as e:
        raise JsonError(f"line {e.lineno}, column {e.colno}: {e.msg}") from e
    _check_strings(value)
    return value


def dump_document(value: object) -> bytes:
    """``value`` as a bundle's writer prints documents: sorted keys, two spaces, UTF-8, LF at the end.

    Raises:
        ValueError: if a NaN or an infinity is in it.
    """
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def dump_line(value: object) -> bytes:
    """``value`` on one line in the order its keys were given, UTF-8, LF at the end.

    Raises:
        ValueError: if a NaN or an infinity is in it.
    """
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def equal_json(left: Json, right: Json) -> bool:
    """Whether two JSON values are the same with types: 1, 1.0 and true are three values, unlike in Python."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal_json(a, b) for a, b in zip(left, right, strict=True))
    return bool(left == right)
