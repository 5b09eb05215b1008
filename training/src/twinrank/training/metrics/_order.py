"""From scores to relevance in rank order, where the tie rule lives."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ranked_relevance(
    scores: NDArray[np.floating[Any]], relevant: NDArray[np.bool_], allowed: NDArray[np.bool_], *, k: int
) -> NDArray[np.bool_]:
    """Whether the item at each rank is relevant.

    q: queries, n: items.

    Args:
        scores: shape [q, n]; not NaN.
        relevant: shape [q, n].
        allowed: shape [q, n]; items that are not allowed are not ranked.
        k: how many ranks.

    Returns:
        Shape [q, k], best rank first; ranks beyond the last allowed item are not relevant.

    Raises:
        ValueError: if a score is NaN, shapes differ or k is below 1.
    """
    if not scores.shape == relevant.shape == allowed.shape or scores.ndim != 2:
        raise ValueError(
            f"scores {scores.shape}, relevant {relevant.shape} and allowed {allowed.shape} must be one [q, n]."
        )
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    if np.any(np.isnan(scores)):
        raise ValueError("a score is NaN, so there is no order; find out which model gave it.")
    order = np.lexsort((-scores, ~allowed), axis=-1)[:, :k]
    hits = np.take_along_axis(relevant & allowed, order, axis=1)
    padding = np.zeros((len(hits), k - hits.shape[1]), dtype=np.bool_)
    return np.concatenate([hits, padding], axis=1)
