"""What a person sees while a parity run goes on: bars in a terminal, lines in a log. Both may be told by threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from twinrank.bridge._text import printable

__all__ = ["LineProgress", "LiveProgress", "progress_for"]

_FIRST_BEAT, _LAST_BEAT = 5.0, 60.0
_ALL = "all"
_ROOMY = 100


@dataclass
class _Going:
    """One route on its way."""

    total: int
    began: float
    done: int = 0
    rows: int = 0
    over: bool = False


class LiveProgress:
    """A bar for each route, all at once, and one for all together. Use it as a context manager."""

    def __init__(self, console: Console) -> None:
        plain = console.options.ascii_only
        self._bars = Progress(
            SpinnerColumn("line" if plain else "dots", finished_text=" "),
            TextColumn("{task.fields[route]}", table_column=Column(no_wrap=True, max_width=18, overflow="ellipsis")),
            BarColumn(bar_width=24 if console.width >= _ROOMY else 12),
            TextColumn("{task.percentage:>3.0f}%", table_column=Column(no_wrap=True)),
            _Said(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def start(self, route: str, requests: int) -> None:
        """Show the route's bar."""
        with self._lock:
            if len(self._tasks) == 1:
                (first,) = (task for task in self._bars.tasks if task.id in self._tasks.values())
                self._tasks[_ALL] = self._bars.add_task(
                    "", total=first.total, completed=int(first.completed), route="all", rows=0
                )
            if _ALL in self._tasks:
                every = self._task(_ALL)
                self._bars.update(every.id, total=(every.total or 0) + requests)
            self._tasks[route] = self._bars.add_task("opening", total=requests, route=printable(route), rows=0)

    def advance(self, route: str, requests: int = 1, rows: int = 0) -> None:
        """Move the route's bar.

        Args:
            route: a route that was started.
            requests: how many more are answered.
            rows: how many candidates these had.
        """
        with self._lock:
            for name in (route, _ALL):
                if name in self._tasks:
                    task = self._task(name)
                    self._bars.update(task.id, advance=requests, description="", rows=task.fields["rows"] + rows)

    def finish(self, route: str, outcome: str) -> None:
        """Stop the bar and say how it went."""
        with self._lock:
            task = self._task(route)
            self._bars.update(task.id, description=printable(outcome))
            self._bars.stop_task(task.id)
            if _ALL in self._tasks:
                # What a route that left early does not answer is nothing to wait for.
                every, left = self._task(_ALL), (task.total or 0) - task.completed
                self._bars.update(every.id, total=(every.total or 0) - left)

    def _task(self, name: str) -> Task:
        return next(task for task in self._bars.tasks if task.id == self._tasks[name])

    def __enter__(self) -> Self:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing; the last state stays."""
        self._bars.stop()


class _Said(TextColumn):
    """How far, how fast and how long yet; or how it went."""

    def __init__(self) -> None:
        super().__init__("", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))

    def render(self, task: Task) -> Text:
        if task.description:
            return Text(task.description)
        elapsed = task.elapsed or 0.0
        parts = [f"{task.completed:,.0f}/{task.total or 0:,.0f}"]
        if task.fields["rows"] and elapsed > 0:
            parts.append(f"{task.fields['rows'] / elapsed:,.0f} rows/s")
        if task.time_remaining:
            parts.append(f"{clock(task.time_remaining)} left")
        return Text("  ".join(parts))


class LineProgress:
    """A line when a route starts and when it ends, and between them a heartbeat for all: for logs.

    The heartbeat comes every 5 seconds at first and every minute at last, whether or not a route answers: a log that is
    silent looks hung. Use it as a context manager.
    """

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._going: dict[str, _Going] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._heart: threading.Thread | None = None
        self._began = now()

    def start(self, route: str, requests: int) -> None:
        """Say that a route opens."""
        with self._lock:
            self._going[route] = _Going(requests, self._now())
            self._say(f"{route:<6} opening, {requests:,} {'request' if requests == 1 else 'requests'} to come")

    def advance(self, route: str, requests: int = 1, rows: int = 0) -> None:
        """Note how far the route is; see `LiveProgress.advance`."""
        with self._lock:
            self._going[route].done += requests
            self._going[route].rows += rows

    def finish(self, route: str, outcome: str) -> None:
        """Say how it went."""
        with self._lock:
            self._going[route].over = True
            self._say(f"{route:<6} {outcome} ({self._now() - self._going[route].began:.1f} s)")

    def beat(self) -> None:
        """Say how far all routes are; nothing once all are over."""
        with self._lock:
            running = {name: going for name, going in self._going.items() if not going.over}
            if not running:
                return
            sums = [sum(getattr(going, name) for going in self._going.values()) for name in ("done", "total", "rows")]
            done, total, rows = (int(one) for one in sums)
            elapsed = self._now() - min(going.began for going in self._going.values())
            if done == 0:
                self._say(f"{clock(elapsed)} waiting for the first answers of {', '.join(running)}")
                return
            parts = [f"{done:,} of {total:,} answers"]
            if rows and elapsed > 0:
                parts.append(f"{rows / elapsed:,.0f} rows/s")
            left = max((_left(going, self._now()) for going in running.values()), default=0.0)
            if left:
                parts.append(f"{clock(left)} left")
            each = ", ".join(f"{name} {_percent(going)}" for name, going in running.items())
            self._say(f"{clock(elapsed)} {', '.join(parts)}: {each}")

    def _say(self, text: str) -> None:
        self._console.print(Text(printable(f"  {text}")), soft_wrap=True)

    def pause(self) -> float:
        """Return the seconds until the next heartbeat: a tenth of the time so far, within bounds."""
        return min(max((self._now() - self._began) / 10, _FIRST_BEAT), _LAST_BEAT)

    def _live(self) -> None:
        while not self._over.wait(self.pause()):
            self.beat()

    def __enter__(self) -> Self:
        """Start the heartbeat."""
        self._began = self._now()
        self._heart = threading.Thread(target=self._live, name="twinrank-progress", daemon=True)
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the heartbeat."""
        self._over.set()
        if self._heart is not None:
            self._heart.join()


def progress_for(console: Console) -> LiveProgress | LineProgress:
    """Return bars for a terminal, lines for anything else."""
    return LiveProgress(console) if console.is_terminal else LineProgress(console)


def clock(seconds: float) -> str:
    """Return a duration as a clock shows it: `0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _left(going: _Going, now: float) -> float:
    return (going.total - going.done) * (now - going.began) / going.done if going.done else 0.0


def _percent(going: _Going) -> str:
    return f"{100 * going.done // going.total}%" if going.total else "0%"
