"""Hypothesis at the end of a search: it changes several things at once, which no pass of batches does."""

from __future__ import annotations

from dataclasses import replace

from twinrank.bridge.fuzz._reductions import simplest_values
from twinrank.bridge.fuzz._search import Search, rank
from twinrank.bridge.fuzz._tree import Branch, Node, nodes, parse
from twinrank.training.schema import Schema

_MOST_NODES = 48
_EXAMPLES = 300
_ONE_IN = 16
"""One part of the request in so many changes, in an example as it is first drawn."""


def polish(raw: bytes, schema: Schema | None, search: Search) -> None:
    """Let Hypothesis look for a smaller request among the reductions of one that is small already.

    Args:
        raw: the request; it differs.
        schema: the bundle's schema, if known.
        search: asks, and remembers the best.
    """
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis import strategies as st
    from hypothesis.errors import NoSuchExample

    tree = parse(raw, space=True)
    if tree is None or sum(1 for _ in nodes(tree)) > _MOST_NODES or search.over():
        return
    simple = simplest_values(schema)
    # Nothing is the simplest choice, and what most often is drawn is that a part stays as it is.
    stays = st.sampled_from(range(_ONE_IN))
    longest = max((len(node.items) for _, node in nodes(tree) if isinstance(node, Branch)), default=0)

    def reduced(draw: st.DrawFn, node: Node, gone: set[int]) -> Node:
        # Choices are drawn for what goes too: then one choice does not shift the others.
        simpler = draw(stays) == 0
        value = draw(st.sampled_from(simple))
        if isinstance(node, Branch):
            kept = [at for at in range(len(node.items)) if draw(stays) and not (node.names is None and at in gone)]
            node = replace(node, items=tuple([reduced(draw, item, gone) for item in node.items])).keep(kept)
        return value if simpler else node

    @st.composite
    def reductions(draw: st.DrawFn) -> bytes:
        # Positions that go from every list at once: lists that belong together stay of one length.
        gone = {at for at in range(longest) if not draw(stays)}
        return bytes(reduced(draw, tree, gone))

    def better(other: bytes) -> bool:
        return rank(other) < rank(raw) and search.differs(other)

    try:
        find(
            reductions(),
            better,
            settings=settings(
                max_examples=_EXAMPLES,
                database=None,
                deadline=None,
                derandomize=True,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    except NoSuchExample:
        # Time is up or the route is gone; what was found before counts.
        return
