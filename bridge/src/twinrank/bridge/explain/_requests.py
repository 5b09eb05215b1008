"""Raw requests as documents whose literals keep their text: values by place, and copies with strings transformed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from twinrank.bridge._scorer import RouteError

_SHOWN = 120


class Literal(str):
    """A number as the request writes it."""

    __slots__ = ()


def parse(raw: bytes) -> Any:
    """Return the request as Python values, numbers as `Literal`.

    Raises:
        ValueError: if it is no JSON in UTF-8.
    """
    return json.loads(raw.decode("utf-8"), parse_float=Literal, parse_int=Literal, parse_constant=Literal)


def dump(document: Any) -> bytes:
    """Return the bytes of a parsed request: literals as they were written, escapes as few as possible."""
    parts: list[str] = []
    _dump(document, parts.append)
    return "".join(parts).encode("utf-8", "surrogatepass")


def _dump(value: Any, write: Callable[[str], None]) -> None:
    if isinstance(value, Literal):
        write(str.__str__(value))
    elif isinstance(value, dict):
        write("{")
        for number, (name, member) in enumerate(value.items()):
            write(("," if number else "") + json.dumps(name, ensure_ascii=False) + ":")
            _dump(member, write)
        write("}")
    elif isinstance(value, list):
        write("[")
        for number, member in enumerate(value):
            write("," if number else "")
            _dump(member, write)
        write("]")
    else:
        write(json.dumps(value, ensure_ascii=False))


def value_at(raw: bytes, error: RouteError) -> str:
    """Return the text of the value that an error names, shortened."""
    try:
        document = parse(raw)
    except ValueError as problem:
        return f"no JSON: {problem}"
    members = find_members(document, error.candidate)
    if members is None or error.feature not in members:
        return "nothing"
    return shown(members[error.feature])


def find_members(document: Any, candidate: int | None) -> dict[str, Any] | None:
    """Return the object of the context or of one candidate; None where there is none."""
    try:
        if candidate is None:
            members = document["context"]
        elif isinstance(document["candidates"], dict):
            columns = document["candidates"].items()
            members = {name: column[candidate] for name, column in columns if len(column) > candidate}
        else:
            members = document["candidates"][candidate]
    except (KeyError, IndexError, TypeError):
        return None
    return members if isinstance(members, dict) else None


def shown(value: Any) -> str:
    """Return a value as JSON text in ASCII, shortened: what looks alike must not read alike."""
    parts: list[str] = []
    if isinstance(value, str) and not isinstance(value, Literal):
        parts.append(json.dumps(value))
    else:
        _dump(value, parts.append)
    text = "".join(parts)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def transformed(document: Any, features: Iterable[str], change: Callable[[Any], Any]) -> Any:
    """Return a copy whose values of the named features are changed, in the context and in every candidate."""
    chosen = set(features)

    def members(one: Any) -> Any:
        if not isinstance(one, dict):
            return one
        return {name: change(value) if name in chosen else value for name, value in one.items()}

    def slate(value: Any) -> Any:
        if isinstance(value, list):
            return [members(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: [change(one) for one in column] if name in chosen and isinstance(column, list) else column
            for name, column in value.items()
        }

    parts = {"context": members, "candidates": slate}
    return {name: parts[name](value) if name in parts else value for name, value in document.items()}


def with_one(document: Any, candidate: int) -> Any:
    """Return a copy of a request that readers accept with one of its candidates alone, and without `k`."""
    return {**document, "candidates": [find_members(document, candidate)], "k": None}


def on_strings(change: Callable[[str], str]) -> Callable[[Any], Any]:
    """Return a change of a feature's value that changes each of its strings."""

    def apply(value: Any) -> Any:
        if isinstance(value, list):
            return [apply(each) for each in value]
        return change(value) if isinstance(value, str) and not isinstance(value, Literal) else value

    return apply
