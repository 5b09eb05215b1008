"""Requests as a Hypothesis strategy: the same atoms, plans and flaws, every choice one that Hypothesis can shrink."""

from __future__ import annotations

from hypothesis import strategies as st

from twinrank.bridge.fuzz._atoms import GOOD_K
from twinrank.bridge.fuzz._documents import Document, respelled
from twinrank.bridge.fuzz._generator import Plan
from twinrank.bridge.fuzz._values import Vocabulary
from twinrank.training.schema import Schema

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=24)
_INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_MOST = 12


class _Drawn:
    """A source whose choices Hypothesis makes."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def below(self, limit: int) -> int:
        return self._draw(st.integers(0, limit - 1))

    def text(self) -> str:
        return self._draw(_TEXTS)

    def integer(self) -> int:
        return self._draw(_INTEGERS)

    def number(self) -> float:
        return self._draw(_NUMBERS)


def requests(
    schema: Schema, max_candidates: int = 10_000, vocabulary: Vocabulary | None = None
) -> st.SearchStrategy[bytes]:
    """Return a strategy of raw requests, valid ones and others; see `twinrank.bridge.fuzz.requests`."""
    plan = Plan.of(schema, max_candidates, vocabulary)

    @st.composite
    def request(draw: st.DrawFn) -> bytes:
        source = _Drawn(draw)
        kind = source.below(8)
        k = source.below(4 * len(GOOD_K))
        size = source.below(min(_MOST, max_candidates) + 1)
        document = Document(
            plan.members("context", source),
            [plan.members("candidate", source) for _ in range(size)],
            GOOD_K[k] if k < len(GOOD_K) else None,
            columnar=source.below(4) == 1,
        )
        if kind < 4:
            return document.to_bytes()
        if kind == 4:
            return respelled(document, source)
        if kind == 5:
            return plan.flaws.break_text(document, source)
        return plan.flaws.spoil(document, source)

    return request()
