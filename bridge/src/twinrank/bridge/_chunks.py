"""How requests are put together to be asked at once: enough that crossing a border costs little, little enough to hold.

A chunk is bounded in requests, bytes and candidates, so a run of any length holds the same memory, and one answer
takes about as long as another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twinrank.bridge._cases import Case

MAX_REQUESTS = 256
MAX_BYTES = 2 * 1024 * 1024
MAX_CANDIDATES = 4_096


def chunks(cases: Iterable[Case]) -> Iterator[tuple[Case, ...]]:
    """Cut a stream into chunks, in its order; a request that exceeds a bound is a chunk of its own."""
    chunk: list[Case] = []
    size = candidates = 0
    for case in cases:
        # Every candidate is an object, so this is at most a few too many, and no parser is needed.
        braces = case.raw.count(b"{")
        full = len(chunk) >= MAX_REQUESTS or size + len(case.raw) > MAX_BYTES or candidates + braces > MAX_CANDIDATES
        if chunk and full:
            yield tuple(chunk)
            chunk, size, candidates = [], 0, 0
        chunk.append(case)
        size += len(case.raw)
        candidates += braces
    if chunk:
        yield tuple(chunk)
