"""What a person sees of training: lines, a progress bar, and the table of measures."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from twinrank.training.trainer import EpochReport

_PERIODS = ("validation", "test")


class TrainingProgress:
    """A listener of the recipe that draws on a console; use it as a context manager.

    Args:
        console: where to draw; without a terminal only lines are printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._validation = "-"
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  validation nDCG {task.fields[validation]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", visible=False, epoch=1, loss="-", validation="-")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        """Prints one line."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """Moves the bar."""
        self._progress.update(
            self._task,
            visible=True,
            completed=step,
            total=steps,
            epoch=epoch,
            loss=f"{loss:.4f}",
            validation=self._validation,
        )

    def epoch(self, report: EpochReport) -> None:
        """Prints the epoch's line."""
        self._validation = f"{report.validation:.4f}"
        self.say(f"epoch {report.epoch}: loss {report.loss:.4f}, validation nDCG {self._validation}")


def metrics_table(metrics: Mapping[str, Any]) -> Table:
    """The measures of ranker and baselines, validation and test, as they stand in metrics.json."""
    names = [name for name in metrics[_PERIODS[0]]["ranker"] if name != "requests"]
    chosen = ", ".join(f"{name} {value:g}" for name, value in metrics["chosen_on_validation"].items())
    best = f"best epoch {metrics['best_epoch']}" if "best_epoch" in metrics else f"{metrics['best_round']} rounds kept"
    table = Table(caption=f"{best}; chosen on validation: {chosen}" if chosen else best)
    for heading in ("period", "requests", "model"):
        table.add_column(heading)
    for name in names:
        table.add_column(name, justify="right")
    for period in (each for each in _PERIODS if each in metrics):
        for scorer, measures in metrics[period].items():
            cells = [f"{measures[name]:.4f}" for name in names]
            first = (period, f"{measures['requests']:,}") if scorer == "ranker" else ("", "")
            table.add_row(*first, scorer, *cells, style="bold" if scorer == "ranker" else None)
        table.add_section()
    return table
