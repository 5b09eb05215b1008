"""Rows that ask a forest all its questions: each threshold from both sides, each category, and every odd number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._emit import ZERO_THRESHOLD
from twinrank.export.trees._forest import Forest, Mode, Rule

_TINY = np.float64(ZERO_THRESHOLD)
_EDGES = np.array([0.0, _TINY, -_TINY, 5e-324, -5e-324, np.finfo(np.float64).tiny, -np.finfo(np.float64).tiny])
_FLOAT32 = np.finfo(np.float32)
ODD_NUMBERS = np.concatenate(
    [
        _EDGES,
        -np.zeros(1),
        np.nextafter(_EDGES[1:3], np.inf),
        np.nextafter(_EDGES[1:3], -np.inf),
        [np.nan, np.inf, -np.inf, np.finfo(np.float64).max, -np.finfo(np.float64).max],
        [float(_FLOAT32.max), float(_FLOAT32.tiny), float(_FLOAT32.smallest_subnormal)],
        # Seconds and milliseconds since 1970: more digits than float32 keeps.
        [1_763_856_000.0, 1_763_856_000.25, 1_763_856_000_123.0],
    ]
)
"""Values that every column sees, whatever it is compared with."""
ODD_CATEGORIES = np.array(
    [
        -0.5,
        -1.0,
        -1.5,
        -7.0,
        0.5,
        2.0**24 - 1,
        2.0**24,
        2.0**31 - 1,
        2.0**31,
        2.0**32 + 5,
        -(2.0**31) - 1,
        1e10,
        2.0**63,
    ]
)
"""Values that are no category, or only after truncation, or of another type's range."""


def probe_rows(forest: Forest, rows: int, seed: int) -> NDArray[np.float64]:
    """Returns rows at the boundaries of a forest; the same arguments give the same bits.

    The first rows go through every column's values in turn, so that none is left out where there are as many rows as
    values; the others mix the values of all columns, a tenth of them missing.

    Args:
        forest: whose thresholds and categories are asked, each one and its neighbours one ULP below and above (in
            float32, too, where the forest compares so).
        rows: how many.
        seed: for the mixture.

    Returns: float64 [rows, F].
    """
    generator = np.random.default_rng(seed)
    pools = [_pool(forest, feature) for feature in range(len(forest.features))]
    found = np.empty((rows, len(pools)), np.float64)
    for feature, pool in enumerate(pools):
        found[:, feature] = pool[generator.integers(0, pool.size, rows)]
    found[generator.random(found.shape) < 0.1] = np.nan
    longest = max(pool.size for pool in pools)
    in_turn = min(rows, longest)
    for feature, pool in enumerate(pools):
        order = generator.permutation(pool.size)
        found[:in_turn, feature] = pool[order[np.arange(in_turn) % pool.size]]
    return found


def _pool(forest: Forest, feature: int) -> NDArray[np.float64]:
    of_feature = np.array([column.feature == feature for column in forest.columns], np.bool_)
    splits = of_feature[forest.split_columns] if forest.columns else np.zeros(0, np.bool_)
    numeric = splits & (forest.split_modes != Mode.MEMBER)
    exact = np.unique(forest.thresholds[numeric].astype(np.float64))
    parts = [*_neighbours(exact, np.float64), ODD_NUMBERS, np.linspace(-3.0, 3.0, 25)]
    rules = {column.rule for column in forest.columns if column.feature == feature}
    if forest.dtype == "float32" or Rule.FLOAT32 in rules:
        # Values that a rounding to float32 moves to a threshold, past it, and halfway.
        narrow = _neighbours(exact, np.float32)
        parts += [*narrow, *((exact + one) / 2 for one in narrow[1:])]
    categories = np.array(forest.categories[feature], np.float64)
    if categories.size or bool((splits & ~numeric).any()):
        parts += [categories, categories - 1, categories + 1, categories + 0.5, ODD_CATEGORIES]
    pool: NDArray[np.float64] = np.concatenate(parts)
    bits = np.unique(pool.view(np.int64))
    return bits.view(np.float64)


def _neighbours(values: NDArray[np.float64], kind: type[np.floating]) -> list[NDArray[np.float64]]:
    """Values, and one ULP of a type above and below each."""
    own = values.astype(kind)
    with np.errstate(over="ignore"):
        above, below = np.nextafter(own, kind(np.inf)), np.nextafter(own, kind(-np.inf))
    return [own.astype(np.float64), above.astype(np.float64), below.astype(np.float64)]
