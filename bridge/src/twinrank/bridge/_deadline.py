"""Calls that cannot be interrupted, made so that nobody waits for them longer than a limit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class DeadlineError(Exception):
    """The call did not return in time; it still runs, and its worker takes no further calls."""


class Worker(Generic[T]):
    """One daemon thread that makes calls one after another. It never keeps the interpreter from leaving."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], T] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
        self._stuck = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[[], T], timeout: float) -> T:
        """Return what the function returns, or raise what it raises.

        Raises:
            DeadlineError: if it takes longer than `timeout` seconds, now or in an earlier call.
        """
        self.submit(function)
        return self.result(timeout)

    def submit(self, function: Callable[[], T]) -> None:
        """Let the thread call the function after those that it was given before; `result` says what came of it."""
        self._calls.put(function)

    def result(self, timeout: float) -> T:
        """Return what the oldest submitted call without a result returned, or raise what it raised.

        Raises:
            DeadlineError: if it takes longer than `timeout` seconds from now, or an earlier call never returned.
        """
        if self._stuck:
            raise DeadlineError
        try:
            value, error = self._results.get(timeout=timeout)
        except queue.Empty:
            self._stuck = True
            raise DeadlineError from None
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # None here is a T: the other branch raised

    def close(self) -> None:
        """Let the thread end after its current call."""
        self._calls.put(None)

    def _work(self) -> None:
        while (function := self._calls.get()) is not None:
            try:
                self._results.put((function(), None))
            except BaseException as error:  # handed to the caller's thread, whatever it is
                self._results.put((None, error))
