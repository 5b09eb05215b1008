"""Popularity as a daily feature store would serve it: counts frozen at the start of each period."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data._errors import DataError, LeakageError
from twinrank.training.data._interactions import Interactions


@dataclass(frozen=True)
class PopularityTable:
    """Events per item in `[as_of - window, as_of)`, one row a snapshot.

    Attributes:
        as_of: int64, shape [s], ascending, milliseconds; a row knows nothing at or after its time.
        window: milliseconds, or None for all time.
        counts: int64, shape [s, i], i in catalogue order.
    """

    as_of: NDArray[np.int64]
    window: int | None
    counts: NDArray[np.int64]

    def check(self, interactions: Interactions) -> None:
        """Counts again, another way, and refuses rows that differ.

        Raises:
            LeakageError: if a row counts an event at or after its time.
            DataError: if a row differs otherwise.
        """
        catalogue = len(interactions.items)
        for as_of, row in zip(self.as_of, self.counts, strict=True):
            known = interactions.time < as_of
            if self.window is not None:
                known &= interactions.time >= as_of - self.window
            expected = np.bincount(interactions.item[known], minlength=catalogue)
            if np.any(row > expected):
                item = interactions.items[int(np.argmax(row - expected))]
                raise LeakageError(
                    f"popularity as of {as_of} ms counts events of item {item!r} that come at or after that time."
                )
            if np.any(row != expected):
                raise DataError(f"popularity as of {as_of} ms leaves out events that were known by then.")


def count_popularity(
    interactions: Interactions, as_of: NDArray[np.int64], *, window: int | None = None
) -> PopularityTable:
    """Counts the events of every item strictly before each time.

    Args:
        interactions: all events; those at or after a row's time do not count in it.
        as_of: snapshot times in milliseconds, ascending.
        window: how far back to count, in milliseconds; None counts all time.
    """
    upper = _cumulative(interactions, as_of)
    counts = upper if window is None else upper - _cumulative(interactions, as_of - window)
    return PopularityTable(as_of, window, counts)


def _cumulative(interactions: Interactions, times: NDArray[np.int64]) -> NDArray[np.int64]:
    catalogue = len(interactions.items)
    ends = np.searchsorted(interactions.time, times, side="left")
    counts = np.zeros((len(times), catalogue), dtype=np.int64)
    running = np.zeros(catalogue, dtype=np.int64)
    start = 0
    for row, end in enumerate(ends):
        running += np.bincount(interactions.item[start:end], minlength=catalogue)
        counts[row] = running
        start = end
    return counts
