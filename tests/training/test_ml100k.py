"""MovieLens 100K through the shipped configuration, up to training: what the data are, and that nothing leaks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinrank.training.config import read_config
from twinrank.training.data import LeakageError, Ragged, place_requests, temporal_split
from twinrank.training.recipe._load import LoadedData, load_data

pytestmark = pytest.mark.data

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def loaded() -> LoadedData:
    class Silent:
        def say(self, line: str) -> None: ...

    config, _ = read_config((ROOT / "training/configs/ml100k.yaml").read_text(encoding="utf-8"))
    listener: Any = Silent()
    return load_data(config.data, cache=ROOT / ".cache" / "twinrank", listener=listener)


def test_the_set_is_what_grouplens_says_it_is(loaded: LoadedData) -> None:
    # The set's own README: 100,000 ratings (1-5) from 943 users on 1682 movies, each user at least 20, collected
    # from 1997-09-19 through 1998-04-22.
    events = loaded.events
    assert (len(events), len(events.users), len(events.items)) == (100_000, 943, 1682)
    assert events.rating is not None
    assert set(np.unique(events.rating)) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert np.bincount(events.user).min() == 20
    days = np.array([events.time[0], events.time[-1]]).astype("datetime64[ms]").astype("datetime64[D]")
    assert [str(day) for day in days] == ["1997-09-20", "1998-04-22"]
    assert events.items[:3] == ("1", "2", "3")
    assert loaded.titles["50"] == "Star Wars"


def test_a_future_event_planted_in_a_real_history_is_refused(loaded: LoadedData) -> None:
    split = temporal_split(loaded.events, validation_at=0.7, test_at=0.85)
    requests = place_requests(loaded.events, start=split.test_start, end=split.end, per_user=3)
    row = int(np.argmax(requests.known.lengths))
    values = requests.known.values.copy()
    values[requests.known.offsets[row + 1] - 1] = requests.later.row(row)[-1]
    with pytest.raises(LeakageError, match="strictly before its request"):
        replace(requests, known=Ragged(values, requests.known.offsets))


def test_training_on_everything_is_refused(loaded: LoadedData) -> None:
    split = temporal_split(loaded.events, validation_at=0.7, test_at=0.85)
    assert len(split.training_events(loaded.events)) < 70_001
    with pytest.raises(LeakageError, match="at or after the cut"):
        split.check_training(loaded.events)
