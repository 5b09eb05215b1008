"""A request's candidates in other slates: alone, turned round, twice, and among those of another request.

Requests are taken apart and put together as text, so every value stays written as it came.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()
_ALONE = 16
"""Most candidates of one request that are asked alone, spread evenly over it."""


@dataclass(frozen=True)
class Parts:
    """A request in pieces.

    Attributes:
        context: the context's text; None where the request has none.
        candidates: each candidate's text.
    """

    context: str | None
    candidates: tuple[str, ...]

    def slate(self, candidates: Sequence[str]) -> bytes:
        """Return a request with this context and other candidates; without `k`, so that all are shown."""
        members = [] if self.context is None else [f'"context":{self.context}']
        members.append(f'"candidates":[{",".join(candidates)}]')
        return ("{" + ",".join(members) + "}").encode()


@dataclass(frozen=True)
class Slate:
    """Candidates of a request in another slate.

    Attributes:
        form: `alone`, `reversed`, `doubled` or `among others`.
        raw: the request.
        places: for each candidate of the slate, which candidate of the first request it is; -1 for a stranger.
    """

    form: str
    raw: bytes
    places: tuple[int, ...]


def apart(raw: bytes) -> Parts:
    """Take apart a request that readers accept.

    Raises:
        ValueError: if it is not of the form that readers accept.
    """
    text = raw.decode("utf-8")
    members = dict(_members(text, _skip(text, 0)))
    start = members.get("candidates", (0, 0))[0]
    context = members.get("context")
    found = _columns(text, start) if text[start : start + 1] == "{" else _texts(text, start)
    return Parts(None if context is None else text[slice(*context)], found)


def _texts(text: str, at: int) -> tuple[str, ...]:
    return tuple(text[begin:end] for begin, end in _items(text, at))


def _columns(text: str, at: int) -> tuple[str, ...]:
    """Return the objects of candidates that come in columns."""
    columns = [
        [f"{json.dumps(name)}:{value}" for value in _texts(text, begin)] for name, (begin, _) in _members(text, at)
    ]
    return tuple("{" + ",".join(members) + "}" for members in zip(*columns, strict=True))


def slates(parts: Parts, strangers: Sequence[str], most: int) -> Iterator[Slate]:
    """Yield the other slates of a request, none with more than `most` candidates.

    Args:
        parts: the request.
        strangers: candidates of another request, which the schema accepts too; may be empty.
        most: the bundle's limit.
    """
    own = parts.candidates
    n = len(own)
    for place in sorted({position * n // min(n, _ALONE) for position in range(min(n, _ALONE))}):
        yield Slate("alone", parts.slate([own[place]]), (place,))
    every = range(n)
    orders: list[tuple[str, list[int]]] = [("reversed", [*reversed(every)]), ("doubled", [*every, *every])]
    for form, places in orders:
        if len(places) <= most:
            yield Slate(form, parts.slate([own[place] for place in places]), tuple(places))
    # Sizes around those at which vectorised kernels change how they go through rows.
    for more in (1, 2, 3, 7, 16):
        if strangers and n + more <= most:
            others = [strangers[place % len(strangers)] for place in range(more)]
            half = more // 2
            texts = [*others[:half], *own, *others[half:]]
            yield Slate("among others", parts.slate(texts), (*[-1] * half, *every, *[-1] * (more - half)))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _value(text: str, at: int) -> int:
    """Return where the value that begins here ends."""
    return _DECODER.raw_decode(text, at)[1]


def _members(text: str, at: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each member's name and where its value lies."""
    _expect(text, at, "{")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        _expect(text, at, ":")
        begin = _skip(text, at + 1)
        end = _value(text, begin)
        yield name, (begin, end)
        at = _next(text, end, "}")


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    _expect(text, at, "[")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        end = _value(text, at)
        yield at, end
        at = _next(text, end, "]")


def _next(text: str, at: int, closing: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] == closing:
        return at
    _expect(text, at, ",")
    return _skip(text, at + 1)


def _expect(text: str, at: int, what: str) -> None:
    if text[at : at + 1] != what:
        raise ValueError(f"no {what!r} at character {at}")
