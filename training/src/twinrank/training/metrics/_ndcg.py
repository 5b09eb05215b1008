"""Normalised discounted cumulative gain with binary gain.

Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002.
"""

import numpy as np
from numpy.typing import NDArray


def ndcg(ranked: NDArray[np.bool_], relevant: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns nDCG over the given ranks.

    Args:
        ranked: shape [q, k], whether the item at each rank is relevant, best rank first.
        relevant: shape [q], relevant items in the whole ranking.

    Returns:
        Shape [q], in [0, 1]; 0 where nothing is relevant.
    """
    k = ranked.shape[1]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(relevant, k)]
    gain = ranked @ discount
    result: NDArray[np.float64] = np.divide(gain, ideal, out=np.zeros_like(gain), where=ideal > 0)
    return result
