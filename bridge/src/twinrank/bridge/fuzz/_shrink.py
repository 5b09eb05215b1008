"""From a request on which two sides differ to the smallest one that still shows it."""

from __future__ import annotations

import json
from typing import NoReturn

from twinrank.bridge._findings import Shrunk
from twinrank.bridge.fuzz._polish import polish
from twinrank.bridge.fuzz._reductions import reduce_bytes, reduce_tree
from twinrank.bridge.fuzz._search import Differs, Search
from twinrank.bridge.fuzz._tree import parse
from twinrank.training.schema import Schema

_LEAST = (b"", b'{"context":{},"candidates":[]}')
"""Requests smaller than which there is little or nothing."""


def shrink(raw: bytes, differs: Differs, schema: Schema | None = None, seconds: float = 20.0) -> Shrunk:
    """Return the smallest request found on which two sides differ.

    Args:
        raw: a request on which they differ.
        differs: tells for each request of a batch whether they differ on it; one call is one crossing, so batches are
            made as large as the search allows (at most 64 requests, and 4 MiB unless one request is larger). If it
            raises `RouteFailedError`, the search ends with what it has.
        schema: the bundle's schema, if known: values then become the simplest legal one first, and members of a group
            are shortened together.
        seconds: how long to search; the call in progress is waited for.

    Returns:
        The request; `complete` is False if time or a route ended the search, if the difference did not show again, or
        if it did not show at all: then the request is the given one.
    """
    search = Search(raw, differs, seconds)
    if not search.differs(raw):
        return Shrunk(raw, len(raw), search.tried, complete=False)
    search.ask(len(_LEAST), _LEAST.__getitem__)
    while not search.stopped:
        before = search.best
        _batches(search.best, schema, search)
        if search.best == before:
            polish(search.best, schema, search)
        if search.best == before:
            break
    ended = search.stopped
    again = search.confirm()
    return Shrunk(search.best, len(raw), search.tried, complete=again and not ended)


def _batches(raw: bytes, schema: Schema | None, search: Search) -> None:
    """Try every way to make one thing smaller, once."""
    trees = (parse(raw, space=False), parse(raw, space=True))
    tree = next((tree for tree in trees if tree is not None and search.differs(bytes(tree))), None)
    if tree is not None:
        reduce_tree(tree, schema, search)
    if not _is_json(search.best):
        reduce_bytes(search.best, search)


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)
