"""Ranking requests in columns: when somebody asked, what was known by then, and what they watched afterwards."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data._errors import DataError, LeakageError
from twinrank.training.data._interactions import Interactions


@dataclass(frozen=True)
class Ragged:
    """Rows of different length: row r is `values[offsets[r]:offsets[r + 1]]`.

    Attributes:
        values: int64, positions of events in their Interactions.
        offsets: int64, shape [rows + 1].
    """

    values: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def row(self, index: int) -> NDArray[np.int64]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Requests:
    """b requests. Constructing them checks them, so leaking requests do not exist.

    Attributes:
        events: what happened; the ragged columns point into it.
        user: int64, shape [b], position in `events.users`.
        time: int64, shape [b], milliseconds.
        end: nothing at or after this time is used as a label, milliseconds.
        known: events of the user strictly before the request, oldest first: the history.
        later: events of the user from the request's time to `end`: the labels.
    """

    events: Interactions
    user: NDArray[np.int64]
    time: NDArray[np.int64]
    end: int
    known: Ragged
    later: Ragged

    def __post_init__(self) -> None:
        for name, ragged in (("known", self.known), ("later", self.later)):
            if len(ragged.offsets) != len(self) + 1:
                raise DataError(f"{name} has {len(ragged.offsets) - 1} rows for {len(self)} requests.")
            rows = np.repeat(np.arange(len(self)), ragged.lengths)
            if np.any(self.events.user[ragged.values] != self.user[rows]):
                raise DataError(f"{name} holds events of another user.")
        asked = np.repeat(self.time, self.known.lengths)
        future = np.flatnonzero(self.events.time[self.known.values] >= asked)
        if len(future):
            event = int(self.known.values[future[0]])
            seen, when = int(self.events.time[event]), int(asked[future[0]])
            raise LeakageError(
                f"a history holds event {event} of {seen} ms for a request of {when} ms; "
                "a history is strictly before its request."
            )
        labels = self.events.time[self.later.values]
        if np.any(labels >= self.end):
            raise LeakageError(f"labels reach past the end of their period, {self.end} ms.")
        if np.any(labels < np.repeat(self.time, self.later.lengths)):
            raise LeakageError("a label is from before its request, where the history already shows it.")

    def __len__(self) -> int:
        return len(self.user)

    def history(self, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The last `length` known events of each request, oldest first.

        Returns:
            events: int64, shape [b, length]; rows are filled from the left, the rest is 0.
            lengths: int64, shape [b].
        """
        lengths = np.minimum(self.known.lengths, length)
        position = np.arange(length)[None, :]
        valid = position < lengths[:, None]
        start = (self.known.offsets[1:] - lengths)[:, None]
        events = np.zeros(valid.shape, dtype=np.int64)
        events[valid] = self.known.values[(start + position)[valid]]
        return events, lengths


def place_requests(interactions: Interactions, *, start: int, end: int, per_user: int) -> Requests:
    """Places up to `per_user` requests along each user's events in `[start, end)`.

    The first request is at the user's first event of the period, the others follow at equal steps through their
    events. A request is at the
    time of an event; that event and all others of the same time are what happens afterwards, never part of the history.

    Args:
        interactions: all events; those before `start` count as history.
        start: first millisecond of the period.
        end: first millisecond after it.
        per_user: at most this many requests a user; requests of one time are one.

    Raises:
        DataError: if nobody has an event in the period, or per_user is below 1.
    """
    if per_user < 1:
        raise DataError(f"per_user must be at least 1, not {per_user}.")
    events = interactions.before(end)
    by_user = np.argsort(events.user, kind="stable")  # within a user still in time order
    starts = np.searchsorted(events.user[by_user], np.arange(len(events.users) + 1))
    users: list[int] = []
    times: list[int] = []
    spans: list[tuple[int, int, int]] = []  # first event, first event not before the request, end: positions in by_user
    for user in range(len(events.users)):
        first, last = int(starts[user]), int(starts[user + 1])
        own = events.time[by_user[first:last]]
        active = int(np.searchsorted(own, start, side="left"))
        remaining = len(own) - active
        if remaining == 0:
            continue
        steps = active + np.arange(per_user) * remaining // per_user
        for time in np.unique(own[steps]):
            users.append(user)
            times.append(int(time))
            spans.append((first, first + int(np.searchsorted(own, time, side="left")), last))
    if not users:
        raise DataError(f"no user has an event between {start} and {end} ms.")
    return Requests(
        events,
        np.array(users, dtype=np.int64),
        np.array(times, dtype=np.int64),
        end,
        _ragged(by_user, [(first, middle) for first, middle, _ in spans]),
        _ragged(by_user, [(middle, last) for _, middle, last in spans]),
    )


def _ragged(values: NDArray[np.int64], spans: list[tuple[int, int]]) -> Ragged:
    offsets = np.cumsum([0, *(stop - start for start, stop in spans)], dtype=np.int64)
    parts = [values[start:stop] for start, stop in spans]
    return Ragged(np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64), offsets)
