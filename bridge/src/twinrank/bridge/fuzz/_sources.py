"""Where a fuzzer's choices come from: a stream of numbers that is the same everywhere, or Hypothesis."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Protocol

import numpy as np
import numpy.typing as npt

from twinrank.training.schema import Schema

_REFILL = 8192
_BITS = struct.Struct("<Q")
_FLOAT = struct.Struct("<d")


class Source(Protocol):
    """Makes choices. Smaller numbers are simpler ones."""

    def below(self, limit: int) -> int:
        """Return an integer from 0 to `limit` - 1; `limit` is from 1 to 2^32."""

    def text(self) -> str:
        """Return a string of Unicode scalar values."""

    def integer(self) -> int:
        """Return an int64."""

    def number(self) -> float:
        """Return a finite float64."""


class Stream:
    """Pseudo-random numbers that depend on a key and a block number only, not on numpy's release.

    Only the bit generator's raw output is used: Philox is an algorithm with published vectors, whereas numpy may change
    how its distributions are drawn.
    """

    def __init__(self, key: int, block: int) -> None:
        """Start the stream of a block.

        Args:
            key: 128 bits.
            block: from 0; streams of two blocks never overlap.
        """
        self._raw = np.random.Philox(key=key, counter=block << 192)
        self._ready: list[int] = []

    def many_below(self, limit: int, count: int) -> npt.NDArray[np.int64]:
        """Return `count` integers from 0 to `limit` - 1: int64, shape [count]."""
        words = np.asarray(self._raw.random_raw(count)) >> np.uint64(32)
        return ((words * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)

    def below(self, limit: int) -> int:
        """Return one integer; see `Source.below`."""
        return (self._word() * limit) >> 32

    def text(self) -> str:
        """Return up to 24 characters, all of one plane of Unicode or mixed; see `Source.text`."""
        length = self.below(12) if self.below(4) else self.below(25)
        reach = _REACHES[self.below(len(_REACHES))]
        points = (self.below(reach) for _ in range(length))
        return "".join(chr(point if not 0xD800 <= point <= 0xDFFF else point - 0x800) for point in points)

    def integer(self) -> int:
        """Return an int64 of a drawn number of bits; see `Source.integer`."""
        wide = self._word() << 32 | self._word()
        size = self.below(64)
        return ~(wide >> (64 - size)) if self.below(2) else wide >> (64 - size)

    def number(self) -> float:
        """Return a float64: a short decimal, one that a float32 holds nearly, or any bits; see `Source.number`."""
        kind = self.below(4)
        if kind == 0:
            return (self.below(200_001) - 100_000) / 1000
        if kind == 1:
            return (self._word() - (1 << 31)) / (1 << self.below(64))
        bits = self._word() << 32 | self._word()
        if kind == 2:
            # Exponents that a float32 can hold, subnormal ones too.
            bits = bits & ~(0x7FF << 52) | (self.below(277) + 874) << 52
        elif bits >> 52 & 0x7FF == 0x7FF:
            bits &= ~(1 << 52)
        value: float = _FLOAT.unpack(_BITS.pack(bits))[0]
        return value

    def _word(self) -> int:
        if not self._ready:
            self._ready = (np.asarray(self._raw.random_raw(_REFILL)) >> np.uint64(32)).tolist()
        return self._ready.pop()


_REACHES = (0x80, 0x80, 0x180, 0x800, 0x3100, 0x10000 - 0x800, 0x20000, 0x110000)


def key_of(schema: Schema, max_candidates: int, seed: int, *more: object) -> int:
    """Return the 128 bits that stand for a schema, a limit, a seed and whatever else the requests depend on."""
    document = json.dumps([schema.to_json(), max_candidates, seed, *more], sort_keys=True)
    return int.from_bytes(hashlib.sha256(document.encode()).digest()[:16], "little")
