"""Requests never know the future: placement, histories, and planted leaks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from twinrank.training.data import (
    DataError,
    Interactions,
    LeakageError,
    Ragged,
    Requests,
    count_popularity,
    place_requests,
)

Make = Callable[..., Interactions]


def names(requests: Requests, ragged: Ragged, row: int) -> list[str]:
    return [requests.events.items[item] for item in requests.events.item[ragged.row(row)]]


@pytest.fixture
def events(interactions: Make) -> Interactions:
    return interactions(
        ("ann", "a", 10), ("ann", "b", 20), ("ann", "c", 20), ("ann", "d", 30), ("ann", "e", 40), ("bob", "a", 25)
    )


def test_a_history_is_strictly_before_its_request_and_the_labels_are_the_rest(events: Interactions) -> None:
    requests = place_requests(events, start=20, end=40, per_user=9)
    assert requests.time.tolist() == [20, 30, 25], "by user, then by time; the two events of time 20 are one request"
    assert names(requests, requests.known, 0) == ["a"]
    assert names(requests, requests.later, 0) == ["b", "c", "d"], "e is at the period's end, which is exclusive"
    assert names(requests, requests.known, 1) == ["a", "b", "c"]
    assert names(requests, requests.later, 1) == ["d"]
    assert names(requests, requests.known, 2) == []


def test_one_request_a_user_is_at_the_first_event_and_labels_everything_once(events: Interactions) -> None:
    requests = place_requests(events, start=0, end=41, per_user=1)
    assert requests.time.tolist() == [10, 25]
    assert sorted(requests.later.values.tolist()) == list(range(6))


def test_requests_stand_at_equal_steps_through_a_users_events(interactions: Make) -> None:
    events = interactions(*[("ann", f"i{n}", n) for n in range(10)])
    assert place_requests(events, start=2, end=10, per_user=4).time.tolist() == [2, 4, 6, 8]


def test_a_history_keeps_its_last_events_oldest_first(events: Interactions) -> None:
    requests = place_requests(events, start=30, end=41, per_user=1)
    kept, lengths = requests.history(2)
    assert lengths.tolist() == [2]
    assert [events.items[item] for item in events.item[kept[0]]] == ["b", "c"]
    padded, lengths = requests.history(5)
    assert (padded.shape, lengths.tolist(), padded[0, 3:].tolist()) == ((1, 5), [3], [0, 0])


def test_a_planted_future_event_in_a_history_is_leakage(events: Interactions) -> None:
    requests = place_requests(events, start=20, end=41, per_user=1)
    planted = Ragged(np.append(requests.known.values, 4), np.array([0, len(requests.known.values) + 1]))
    ann = replace_rows(requests, known=planted)
    with pytest.raises(LeakageError, match=r"holds event 4 of 30 ms for a request of 20 ms"):
        ann()


def test_an_event_of_the_very_time_of_the_request_is_leakage_too(events: Interactions) -> None:
    requests = place_requests(events, start=20, end=41, per_user=1)
    with pytest.raises(LeakageError, match="strictly before"):
        replace_rows(requests, known=Ragged(np.array([0, 1]), np.array([0, 2])))()


def test_labels_past_the_period_are_leakage(events: Interactions) -> None:
    requests = place_requests(events, start=0, end=41, per_user=1)
    with pytest.raises(LeakageError, match="reach past the end of their period, 30 ms"):
        replace(requests, end=30)


def test_labels_that_the_history_shows_are_leakage(events: Interactions) -> None:
    requests = place_requests(events, start=20, end=41, per_user=1)
    with pytest.raises(LeakageError, match="from before its request"):
        replace_rows(requests, later=Ragged(np.array([0]), np.array([0, 1])))()


def test_events_of_somebody_else_are_refused(events: Interactions) -> None:
    requests = place_requests(events, start=30, end=41, per_user=1)
    with pytest.raises(DataError, match="known holds events of another user"):
        replace_rows(requests, known=Ragged(np.array([3]), np.array([0, 1])))()


def test_a_period_without_events_is_refused(events: Interactions) -> None:
    with pytest.raises(DataError, match="no user has an event between 50 and 60"):
        place_requests(events, start=50, end=60, per_user=1)
    with pytest.raises(DataError, match="per_user must be at least 1"):
        place_requests(events, start=0, end=60, per_user=0)


def replace_rows(requests: Requests, **columns: Ragged) -> Callable[[], Requests]:
    """The first request alone, with other ragged columns; made when called."""
    first = {
        name: Ragged(ragged.row(0), np.array([0, len(ragged.row(0))]))
        for name, ragged in (("known", requests.known), ("later", requests.later))
    } | columns
    return lambda: replace(requests, user=requests.user[:1], time=requests.time[:1], **first)


def test_popularity_counts_what_was_before_the_snapshot_and_within_the_window(events: Interactions) -> None:
    # By hand, items a to e: times 10 and 25, 20, 20, 30, 40.
    everything = count_popularity(events, np.array([10, 25, 41]))
    assert everything.counts.tolist() == [[0, 0, 0, 0, 0], [1, 1, 1, 0, 0], [2, 1, 1, 1, 1]]
    recent = count_popularity(events, np.array([25, 41]), window=11)
    assert recent.counts.tolist() == [[0, 1, 1, 0, 0], [0, 0, 0, 1, 1]]
    everything.check(events)
    recent.check(events)


@pytest.mark.parametrize("window", [None, 15])
def test_a_count_that_knows_tomorrow_is_leakage(events: Interactions, window: int | None) -> None:
    table = count_popularity(events, np.array([25, 30]), window=window)
    table.counts[1, 3] += 1  # d, of time 30, in the snapshot of time 30
    with pytest.raises(LeakageError, match="as of 30 ms counts events of item 'd'"):
        table.check(events)


def test_a_count_that_forgets_is_refused(events: Interactions) -> None:
    table = count_popularity(events, np.array([25]))
    table.counts[0, 0] -= 1
    with pytest.raises(DataError, match="leaves out events"):
        table.check(events)
