"""The temporal split: one cut in time for everybody, so that nobody trains on tomorrow."""

from dataclasses import dataclass

import numpy as np

from twinrank.training.data._errors import DataError, LeakageError
from twinrank.training.data._interactions import Interactions


@dataclass(frozen=True)
class TemporalSplit:
    """Training is before `validation_start`, validation before `test_start`, test from there to `end`.

    All times are milliseconds since 1970-01-01 UTC; starts are inclusive, ends exclusive.
    """

    validation_start: int
    test_start: int
    end: int

    def training_events(self, interactions: Interactions) -> Interactions:
        """The events that models, vocabularies and statistics may be fitted on."""
        events = interactions.before(self.validation_start)
        self.check_training(events)
        return events

    def check_training(self, events: Interactions) -> None:
        """Refuses training events that are not before the cut.

        Raises:
            LeakageError: if any event is at or after `validation_start`.
        """
        late = int(np.count_nonzero(events.time >= self.validation_start))
        if late:
            raise LeakageError(
                f"{late} training events are at or after the cut {self.validation_start} ms; "
                "fit on TemporalSplit.training_events only."
            )


def temporal_split(interactions: Interactions, *, validation_at: float, test_at: float) -> TemporalSplit:
    """Cuts time where the given fractions of all events have passed.

    Events of one time stay on one side, the later one.

    Args:
        interactions: all events.
        validation_at: fraction of the events, above 0.
        test_at: fraction of the events, above `validation_at` and below 1.

    Raises:
        DataError: if the fractions are out of range or leave a part without events.
    """
    if not 0 < validation_at < test_at < 1:
        raise DataError(
            f"split fractions must satisfy 0 < validation_at < test_at < 1, not {validation_at} and {test_at}."
        )
    time = interactions.time
    split = TemporalSplit(
        int(time[int(validation_at * len(time))]), int(time[int(test_at * len(time))]), int(time[-1]) + 1
    )
    if not time[0] < split.validation_start < split.test_start:
        raise DataError(f"the fractions {validation_at} and {test_at} leave a part of the split without events.")
    return split
