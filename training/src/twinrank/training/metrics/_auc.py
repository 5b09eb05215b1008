"""AUC: the chance that a relevant item scores above one that is not (Mann-Whitney U, ties count half)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def auc(
    scores: NDArray[np.floating[Any]], relevant: NDArray[np.bool_], allowed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Area under the ROC curve of each query, over its allowed items.

    Args:
        scores: shape [q, n].
        relevant: shape [q, n].
        allowed: shape [q, n].

    Returns:
        Shape [q], in [0, 1]; NaN where all allowed items are relevant or none is.
    """
    result = np.full(len(scores), np.nan)
    for query in range(len(scores)):
        positive = scores[query, relevant[query] & allowed[query]]
        negative = np.sort(scores[query, ~relevant[query] & allowed[query]])
        if len(positive) and len(negative):
            below = np.searchsorted(negative, positive, side="left")
            not_above = np.searchsorted(negative, positive, side="right")
            result[query] = (below + not_above).mean() / (2 * len(negative))
    return result
