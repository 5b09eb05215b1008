"""Events from files: order, units, identifiers, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from twinrank.training.data import (
    DataError,
    Interactions,
    LeakageError,
    TemporalSplit,
    interactions_from_table,
    read_table,
    temporal_split,
)

Make = Callable[..., Interactions]


def test_events_are_in_time_order_and_equal_times_keep_their_order(interactions: Make) -> None:
    events = interactions(("a", "x", 20), ("b", "y", 10), ("a", "z", 10), items=("w",))
    assert events.time.tolist() == [10, 10, 20]
    assert [events.users[user] for user in events.user] == ["b", "a", "a"]
    assert events.items == ("w", "y", "z", "x"), "the side table's items come first"


def test_events_out_of_order_cannot_be_constructed() -> None:
    with pytest.raises(DataError, match="time order"):
        Interactions(("a",), ("x",), np.array([0, 0]), np.array([0, 0]), np.array([2, 1]), None)


def test_before_is_strict(interactions: Make) -> None:
    events = interactions(("a", "x", 10), ("a", "y", 20), ("a", "z", 20))
    assert len(events.before(20)) == 1
    assert len(events.before(21)) == 3


@pytest.mark.parametrize(("unit", "expected"), [("s", 881250949000), ("ms", 881250949)])
def test_times_become_milliseconds(tmp_path: Path, unit: str, expected: int) -> None:
    file = tmp_path / "e.tsv"
    file.write_text("u\ti\tt\nann\tx\t881250949.0\n", encoding="utf-8")
    events = interactions_from_table(read_table(file, delimiter="\t"), user="u", item="i", time="t", time_unit=unit)
    assert events.time.tolist() == [expected]
    assert events.rating is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("u\ti\tt\n", "no rows"),
        ("u\tu\tt\na\tb\t1\n", "names a column twice"),
        ("u\ti\tt\na\tb\n", "line 2: 2 fields, the header names 3"),
        ("u\ti\tt\na\tb\tsoon\n", "must hold numbers"),
        ("u\ti\tt\na\tb\tnan\n", "line 2: column 't' must hold finite numbers"),
        ("u\ti\tt\na\tb\t1e17\n", "beyond exact milliseconds"),
        ("u\ti\twhen\na\tb\t1\n", "has no column 't'; its header names 'u', 'i', 'when'"),
    ],
)
def test_damaged_tables_are_refused_with_the_place(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "e.tsv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        interactions_from_table(read_table(file, delimiter="\t"), user="u", item="i", time="t", time_unit="s")


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "e.tsv"
    file.write_bytes(b"u\ti\tt\na\xff\tb\t1\n")
    with pytest.raises(DataError, match="cannot be read as UTF-8"):
        read_table(file, delimiter="\t")


def test_quotes_are_ordinary_characters(tmp_path: Path) -> None:
    file = tmp_path / "e.tsv"
    file.write_text('title\n"Crocodile" Dundee\n', encoding="utf-8")
    assert read_table(file, delimiter="\t").column("title") == ('"Crocodile" Dundee',)


def test_events_of_one_time_stay_on_one_side_of_the_cut(interactions: Make) -> None:
    events = interactions(*[("a", f"i{n}", 10 * (n // 4)) for n in range(20)])
    split = temporal_split(events, validation_at=0.5, test_at=0.8)
    # Half of 20 is event 10, of time 20; its whole group of four belongs to validation.
    assert (split.validation_start, split.test_start, split.end) == (20, 40, 41)
    assert len(split.training_events(events)) == 8


@pytest.mark.parametrize(("validation_at", "test_at"), [(0.0, 0.5), (0.5, 0.5), (0.6, 0.5), (0.5, 1.0)])
def test_fractions_out_of_range_are_refused(interactions: Make, validation_at: float, test_at: float) -> None:
    events = interactions(*[("a", f"i{n}", n) for n in range(10)])
    with pytest.raises(DataError, match="fractions must satisfy"):
        temporal_split(events, validation_at=validation_at, test_at=test_at)


def test_a_split_without_training_events_is_refused(interactions: Make) -> None:
    events = interactions(*[("a", f"i{n}", 5) for n in range(9)], ("a", "z", 6))
    with pytest.raises(DataError, match="leave a part of the split without events"):
        temporal_split(events, validation_at=0.3, test_at=0.6)


def test_a_training_event_at_the_cut_is_leakage(interactions: Make) -> None:
    split = TemporalSplit(validation_start=20, test_start=30, end=40)
    split.check_training(interactions(("a", "x", 19)))
    with pytest.raises(LeakageError, match="1 training events are at or after the cut 20"):
        split.check_training(interactions(("a", "x", 19), ("a", "y", 20)))
