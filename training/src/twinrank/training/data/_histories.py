"""What the past says of users and items: mean ratings, and which items are met by the same people."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from twinrank.training.data._errors import DataError
from twinrank.training.data._interactions import Interactions
from twinrank.training.data._requests import Requests


def user_ratings(requests: Requests) -> NDArray[np.float64]:
    """The mean rating of each request's history, float64, shape [b]; NaN where the history is empty."""
    lengths = requests.known.lengths
    rows = np.repeat(np.arange(len(requests)), lengths)
    ratings = _ratings(requests.events)[requests.known.values]
    return _means(np.bincount(rows, ratings, minlength=len(requests)), lengths)


def item_ratings(interactions: Interactions, as_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean rating of each item strictly before each time, float64, shape [s, items]; NaN where there is none.

    Args:
        interactions: all events; those at or after a row's time do not count in it.
        as_of: times in milliseconds.
    """
    catalogue = len(interactions.items)
    ratings = _ratings(interactions)
    means = np.empty((len(as_of), catalogue))
    for row, end in enumerate(np.searchsorted(interactions.time, as_of, side="left")):
        known = interactions.item[:end]
        sums = np.bincount(known, ratings[:end], minlength=catalogue)
        means[row] = _means(sums, np.bincount(known, minlength=catalogue))
    return means


class Covisits:
    """Cosines of items over the users who met them strictly before a time.

    The cosine of two items is the number of users who met both, over the root of the product of the numbers that met
    each.

    Args:
        interactions: all events; those at or after `as_of` do not count.
        as_of: milliseconds.
    """

    def __init__(self, interactions: Interactions, as_of: int) -> None:
        end = int(np.searchsorted(interactions.time, as_of, side="left"))
        users, items = interactions.user[:end], interactions.item[:end]
        shape = (len(interactions.users), len(interactions.items))
        met = sparse.csr_matrix((np.ones(end), (users, items)), shape=shape)
        met.sum_duplicates()
        met.data[:] = 1.0
        counts = np.asarray(met.sum(axis=0)).reshape(-1)
        met.data /= np.sqrt(counts[met.indices])
        self._met = met
        self._transposed = met.T.tocsr()

    def of(self, history: NDArray[np.int64]) -> NDArray[np.float64]:
        """The sum of each item's cosines with the items of a history, float64, shape [items].

        Args:
            history: positions of items in the catalogue; an item counts once.
        """
        marks = np.zeros(self._met.shape[1])
        marks[history] = 1.0
        return np.asarray(self._transposed @ (self._met @ marks), dtype=np.float64)


def _ratings(interactions: Interactions) -> NDArray[np.float64]:
    if interactions.rating is None:
        raise DataError("these interactions have no ratings.")
    return interactions.rating


def _means(sums: NDArray[np.number[Any]], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.divide(
        sums.astype(np.float64), counts, out=np.full(len(sums), np.nan), where=counts > 0
    )
    return means
