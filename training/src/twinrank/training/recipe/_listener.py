"""Who is told how training goes."""

from typing import Protocol

from twinrank.training.trainer import EpochReport


class Listener(Protocol):
    """Told what happens, in order, on the training thread."""

    def say(self, line: str) -> None:
        """One step of the recipe."""

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """One optimisation step is done: epoch and step from 1, and the epoch's mean loss so far."""

    def epoch(self, report: EpochReport) -> None:
        """One epoch is done."""
