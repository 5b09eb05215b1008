"""Recall@k: the share of the relevant items that reach the first k ranks."""

import numpy as np
from numpy.typing import NDArray


def recall(ranked: NDArray[np.bool_], relevant: NDArray[np.int64]) -> NDArray[np.float64]:
    """Recall over the given ranks.

    Args:
        ranked: shape [q, k], whether the item at each rank is relevant.
        relevant: shape [q], relevant items in the whole ranking.

    Returns:
        Shape [q], in [0, 1]; 0 where nothing is relevant.
    """
    found = ranked.sum(axis=1).astype(np.float64)
    result: NDArray[np.float64] = np.divide(found, relevant, out=np.zeros_like(found), where=relevant > 0)
    return result
