"""EASE, a linear item-item model in closed form.

Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
"""

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data import Interactions, Requests


class Ease:
    """Scores items by the user's whole history times an item-item matrix fitted on the training period.

    B = I - P / diag(P) with P = (X'X + lambda I)^-1 and X the binary user-item matrix (Steck 2019, eq. 8). A request
    with an empty history
    would score 0 everywhere; it gets the popularity of the training period instead, the kinder choice for a baseline.

    Args:
        training: events to fit on.
        regularisation: lambda.
    """

    def __init__(self, training: Interactions, *, regularisation: float) -> None:
        catalogue = len(training.items)
        seen = np.zeros((len(training.users), catalogue))
        seen[training.user, training.item] = 1.0
        gram = seen.T @ seen
        gram[np.diag_indices(catalogue)] += regularisation
        inverse = np.linalg.inv(gram)
        self._weights = -inverse / np.diag(inverse)
        self._weights[np.diag_indices(catalogue)] = 0.0
        self._popularity = np.bincount(training.item, minlength=catalogue).astype(np.float64)

    def scores(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scores of the whole catalogue, shape [len(rows), items]."""
        scores = np.empty((len(rows), len(self._popularity)))
        for place, row in enumerate(rows):
            history = np.unique(requests.events.item[requests.known.row(int(row))])
            # Histories are short: a few rows of the matrix cost less than a product with all of it.
            scores[place] = self._weights[history].sum(axis=0) if len(history) else self._popularity
        return scores
