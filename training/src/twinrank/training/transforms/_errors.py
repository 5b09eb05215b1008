"""The error of the transforms package."""

from __future__ import annotations

from collections.abc import Iterable


class TransformError(ValueError):
    """Transforms contradict each other, their schema or their data; `problems` lists everything found."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "; ".join(self.problems)
