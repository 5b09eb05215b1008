"""What can be wrong with data: DataError, and its special case LeakageError."""


class DataError(Exception):
    """Input data are absent, damaged or contradict their description."""


class LeakageError(DataError):
    """A feature, label or statistic draws on an event that was not yet known at its time."""
