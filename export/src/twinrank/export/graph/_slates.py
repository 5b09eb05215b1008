"""Slates at the level of blocks: joining, cutting and reordering candidates without a request around them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from twinrank.export.bundle import Array
from twinrank.training.schema import Packing

Blocks = dict[str, Array]


def size_of(blocks: Mapping[str, Array], packing: Packing) -> int:
    """The number of candidates."""
    return next(len(blocks[block.name]) for block in packing.blocks if block.placement == "candidate")


def with_candidates(context: Mapping[str, Array], candidates: Mapping[str, Array], packing: Packing) -> Blocks:
    """The context of one slate with the candidates of another."""
    return {
        block.name: (context if block.placement == "context" else candidates)[block.name] for block in packing.blocks
    }


def take(blocks: Mapping[str, Array], rows: NDArray[np.int64], packing: Packing) -> Blocks:
    """The slate of the candidates ``rows``, in that order."""
    return {
        block.name: blocks[block.name] if block.placement == "context" else blocks[block.name][rows]
        for block in packing.blocks
    }


def joined(slates: Sequence[Mapping[str, Array]], packing: Packing) -> Blocks:
    """The context of the first slate with the candidates of all."""
    return {
        block.name: slates[0][block.name]
        if block.placement == "context"
        else np.concatenate([slate[block.name] for slate in slates])
        for block in packing.blocks
    }


def pool(context: Blocks, slates: Sequence[Blocks], packing: Packing, count: int) -> Blocks:
    """``count`` candidates of the slates, over again if need be, under one context."""
    parts: list[Blocks] = []
    held = 0
    while held < count:
        parts.append(slates[len(parts) % len(slates)])
        held += size_of(parts[-1], packing)
    whole = with_candidates(context, joined(parts, packing), packing)
    return take(whole, np.arange(count, dtype=np.int64), packing)
