"""Asking whether requests differ, in batches, and making a sequence as short as it can be."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

from twinrank.bridge._scorer import RouteFailedError

Differs = Callable[[Sequence[bytes]], Sequence[bool]]
"""Tells for each request of a batch whether two sides still differ on it."""

_REQUESTS = 64
_BYTES = 4 << 20


class Search:
    """The state of one search: what is known, what is best, and whether anybody may still be asked. Not thread-safe.

    Every request is asked once, so a route that answers now like this and now like that ends no search.
    """

    def __init__(self, raw: bytes, differs: Differs, seconds: float) -> None:
        """Begin with a request that is said to differ: it is the best until a smaller one does."""
        self._differs = differs
        self._ends = time.monotonic() + seconds
        self._known: dict[bytes, bool] = {}
        self.best = raw
        self.tried = 0
        self.stopped = False

    def ask(self, count: int, build: Callable[[int], bytes]) -> list[bool]:
        """Return for each of some requests whether it differs; False where nobody can be asked any more.

        Args:
            count: how many requests.
            build: makes the one of a number from 0; called as late as possible, since all together may be large.
        """
        places: list[tuple[int, bytes]] = []
        batch: dict[bytes, bytes] = {}
        size = 0
        for number in range(count):
            if self.over():
                break
            raw = build(number)
            digest = _digest(raw)
            places.append((number, digest))
            if digest in self._known or digest in batch:
                continue
            if batch and (len(batch) == _REQUESTS or size + len(raw) > _BYTES):
                self._send(batch)
                batch, size = {}, 0
            batch[digest] = raw
            size += len(raw)
        if batch:
            self._send(batch)
        answers = [False] * count
        for number, digest in places:
            answers[number] = self._known.get(digest, False)
        return answers

    def over(self) -> bool:
        """Return whether time is up or the route is gone."""
        self.stopped = self.stopped or time.monotonic() >= self._ends
        return self.stopped

    def differs(self, raw: bytes) -> bool:
        """Return whether one request differs."""
        return self.ask(1, lambda _: raw)[0]

    def confirm(self) -> bool:
        """Ask about the best once more, whatever is known, and return whether it differs again."""
        self._known.pop(_digest(self.best), None)
        return self.differs(self.best)

    def _send(self, batch: dict[bytes, bytes]) -> None:
        if self.stopped:
            return
        try:
            answers = self._differs(list(batch.values()))
        except RouteFailedError:
            # The route is gone, and what it would say with it: the best so far is what there is.
            self.stopped = True
            return
        self.tried += len(batch)
        for (digest, raw), answer in zip(batch.items(), answers, strict=True):
            self._known[digest] = bool(answer)
            if answer and rank(raw) < rank(self.best):
                self.best = raw


def rank(raw: bytes) -> tuple[int, bytes]:
    """Return what orders requests from small to large: length, then bytes."""
    return len(raw), raw


def shortest(units: int, build: Callable[[list[int]], bytes], search: Search) -> list[int]:
    """Return positions of units that are needed: without any one of them, the request does not differ.

    Args:
        units: how many units there are; all of them together differ.
        build: makes a request of the units at the given positions.
        search: asks.
    """
    kept = list(range(units))
    if search.over():
        return kept
    if not kept or search.differs(build([])):
        return []
    size = max(1, len(kept) // 2)
    while not search.stopped:
        chunks = [kept[at : at + size] for at in range(0, len(kept), size)]
        alone = _alone(chunks, build, search) if 1 < len(chunks) <= 8 else []
        if True in alone:
            kept = chunks[alone.index(True)]
        else:
            needed = _needed(chunks, build, search)
            if len(needed) == len(kept):
                if size == 1:
                    break
                size //= 2
                continue
            kept = needed
        size = max(1, min(size, len(kept) // 2))
    return kept


def _alone(chunks: list[list[int]], build: Callable[[list[int]], bytes], search: Search) -> list[bool]:
    return search.ask(len(chunks), lambda at: build(chunks[at]))


def _needed(chunks: list[list[int]], build: Callable[[list[int]], bytes], search: Search) -> list[int]:
    """Return what is left after taking out chunks: as many of those that can go alone as can go together."""

    def without(gone: set[int]) -> list[int]:
        return [unit for at, chunk in enumerate(chunks) if at not in gone for unit in chunk]

    removable = [at for at, goes in enumerate(search.ask(len(chunks), lambda at: build(without({at})))) if goes]
    return without(set(together(removable, lambda some: build(without(set(some))), search)))


def together(single: Sequence[int], build: Callable[[Sequence[int]], bytes], search: Search) -> list[int]:
    """Return many of some changes, each of which keeps the difference alone, that keep it together.

    Args:
        single: numbers of the changes.
        build: makes the request with the given changes.
        search: asks.
    """
    if len(single) <= 1 or (not search.over() and search.differs(build(single))):
        return list(single)
    # Halving finds a long prefix without asking about each; what comes after it has its turn in the next round.
    low, high = 1, len(single)
    while high - low > 1 and not search.stopped:
        middle = (low + high) // 2
        low, high = (middle, high) if search.differs(build(single[:middle])) else (low, middle)
    return list(single[:low])


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=16).digest()
