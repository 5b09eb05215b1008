"""Interactions: who met which item when, the only table that every data set has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data._errors import DataError
from twinrank.training.data._table import Table

_MILLISECONDS = {"s": 1000, "ms": 1}


@dataclass(frozen=True)
class Interactions:
    """Events in time order; events of one time keep their order in the file.

    Attributes:
        users: identifiers; an event's `user` is a position here.
        items: identifiers in catalogue order; an event's `item` is a position here.
        user: int64, shape [e].
        item: int64, shape [e].
        time: int64, shape [e], milliseconds since 1970-01-01 UTC, ascending.
        rating: float64, shape [e], or None where the data have none.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    time: NDArray[np.int64]
    rating: NDArray[np.float64] | None

    def __post_init__(self) -> None:
        if np.any(np.diff(self.time) < 0):
            raise DataError("interactions must be in time order; use Interactions.of, which sorts them.")

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def of(
        cls,
        *,
        user: Sequence[str],
        item: Sequence[str],
        time: NDArray[np.int64],
        rating: NDArray[np.float64] | None = None,
        users: Sequence[str] = (),
        items: Sequence[str] = (),
    ) -> "Interactions":
        """Sorts and indexes events.

        Args:
            user: identifiers, one an event.
            item: identifiers, one an event.
            time: milliseconds since 1970-01-01 UTC, one an event.
            rating: one an event, or None.
            users: identifiers that come first in the index, in this order (those of a side table); others follow by
                first event.
            items: the same for items.
        """
        order = np.argsort(time, kind="stable")
        user_names, user_index = _index([user[e] for e in order], users)
        item_names, item_index = _index([item[e] for e in order], items)
        return cls(
            user_names, item_names, user_index, item_index, time[order], None if rating is None else rating[order]
        )

    def before(self, time: int) -> "Interactions":
        """The events strictly before a time, over the same users and catalogue."""
        end = int(np.searchsorted(self.time, time, side="left"))
        rating = None if self.rating is None else self.rating[:end]
        return Interactions(self.users, self.items, self.user[:end], self.item[:end], self.time[:end], rating)


def _index(names: Sequence[str], first: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    places = {name: place for place, name in enumerate(first)}
    if len(places) != len(first):
        raise DataError("a side table holds the same identifier in two rows.")
    positions = np.fromiter((places.setdefault(name, len(places)) for name in names), dtype=np.int64, count=len(names))
    return tuple(places), positions


def interactions_from_table(
    table: Table,
    *,
    user: str,
    item: str,
    time: str,
    time_unit: str,
    rating: str | None = None,
    users: Sequence[str] = (),
    items: Sequence[str] = (),
) -> Interactions:
    """Reads interactions from named columns.

    Args:
        table: one row an event.
        user: name of the column of user identifiers.
        item: name of the column of item identifiers.
        time: name of the column of times.
        rating: name of the column of ratings, or None.
        time_unit: "s" or "ms" since 1970-01-01 UTC.
        users: see `Interactions.of`.
        items: see `Interactions.of`.

    Raises:
        DataError: if a time or rating is not a finite number, or a column is absent.
    """
    milliseconds = np.rint(_numbers(table, time) * _MILLISECONDS[time_unit])
    if np.any(np.abs(milliseconds) >= 2**53):
        raise DataError(
            f"{table.path}: column {time!r} holds times beyond exact milliseconds; check time_unit {time_unit!r}."
        )
    return Interactions.of(
        user=table.column(user),
        item=table.column(item),
        time=milliseconds.astype(np.int64),
        rating=None if rating is None else _numbers(table, rating),
        users=users,
        items=items,
    )


def _numbers(table: Table, name: str) -> NDArray[np.float64]:
    cells = table.column(name)
    try:
        numbers = np.array(cells, dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{table.path}: column {name!r} must hold numbers: {error}") from error
    if not np.all(np.isfinite(numbers)):
        line = int(np.flatnonzero(~np.isfinite(numbers))[0]) + 2
        raise DataError(
            f"{table.path}, line {line}: column {name!r} must hold finite numbers, not {cells[line - 2]!r}."
        )
    return numbers
