"""Popularity: everybody gets the same list."""

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data import Interactions, Requests, count_popularity


class Popularity:
    """Scores items by how often they were met in the training period.

    Args:
        training: the events to count.
    """

    def __init__(self, training: Interactions) -> None:
        self._counts = np.bincount(training.item, minlength=len(training.items)).astype(np.float64)

    def scores(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scores of the whole catalogue, shape [len(rows), items]; `requests` gives only the number of rows."""
        return np.broadcast_to(self._counts, (len(requests.time[rows]), len(self._counts)))


class RecentPopularity:
    """Scores items by how often they were met within a window that ends where the request's snapshot does.

    Unlike `Popularity` it is live: it may count events after the training period, never any at or after the request.

    Args:
        window: milliseconds.
        snapshot: popularity is frozen at multiples of this many milliseconds.
    """

    def __init__(self, *, window: int, snapshot: int) -> None:
        self._window = window
        self._snapshot = snapshot

    def scores(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Scores of the whole catalogue, shape [len(rows), items]."""
        as_of, row = np.unique(requests.time[rows] // self._snapshot * self._snapshot, return_inverse=True)
        table = count_popularity(requests.events, as_of, window=self._window)
        table.check(requests.events)
        return table.counts[row].astype(np.float64)
