"""One route of a run in a thread of its own: opened, asked chunk after chunk, and closed, whatever happens to it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinrank.bridge._cases import Case
from twinrank.bridge._deadline import DeadlineError, Worker
from twinrank.bridge._process import close_started_by
from twinrank.bridge._scorer import (
    Array,
    Facts,
    Reason,
    Route,
    RouteError,
    RouteFailedError,
    RouteOptions,
    Scored,
    Scorer,
)
from twinrank.export.bundle import BundleError

_GRACE = 15.0
"""Seconds beyond a route's own limit after which the engine itself names it hung."""

_TURN = 0.5
"""Seconds after which a thread that is to leave is looked at again."""

_LAST_SECONDS = 3.0
"""How long a thread is waited for whose programs were ended."""

_SEARCH_SECONDS = 120.0
"""How long one request after another is asked, at most, to find the one that ends a testee."""


@dataclass(frozen=True)
class Reply:
    """What a route said to one chunk.

    Attributes:
        answers: one for each request, in order; fewer if the route failed at the request after them.
        seconds: what it took.
        failure: why it said no more.
    """

    answers: Sequence[Scored]
    seconds: float
    failure: RouteFailedError | None = None


class Lane:
    """One route of a run.

    Its thread does everything that may take long; every wait for it is bounded. Not thread-safe itself.

    Attributes:
        route: the route.
        scorer: the opened bundle; None before, after a failure, and after closing.
        facts: who answers; None until it is open.
        failure: why the route is out; None while it takes part.
    """

    def __init__(self, route: Route, bundle: Path, options: RouteOptions) -> None:
        self.route = route
        self.scorer: Scorer | None = None
        self.facts: Facts | None = None
        self.failure: RouteFailedError | None = None
        self._bundle = bundle
        self._options = options
        self._worker: Worker[Any] = Worker(f"twinrank-{route.name}")
        self._thread = 0
        self._stack = ExitStack()
        self._asked: deque[tuple[Case, ...]] = deque()
        self._lost = threading.Event()
        self._over = threading.Event()
        self._given_up = threading.Event()
        self._released = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether the route takes part."""
        return self.scorer is not None and self.failure is None

    def start(self) -> None:
        """Begin to open the bundle."""
        self._worker.submit(self._open)

    def await_open(self) -> None:
        """Wait until the bundle is open or the route has failed; see `facts` and `failure`."""
        limit = 2 * self._options.load_timeout + _GRACE
        try:
            opened: tuple[Scorer, Facts] = self._worker.result(limit)
            self.scorer, self.facts = opened
        except DeadlineError:
            self.failure = self._failed("hung", f"it did not open the bundle within {limit:g} s")
        except RouteFailedError as failure:
            self.failure = failure

    def ask(self, chunk: tuple[Case, ...]) -> None:
        """Begin to ask a chunk; `reply` returns what came of it, in the order of asking."""
        self._asked.append(chunk)
        self._worker.submit(lambda: self._answer(chunk))

    def reply(self) -> Reply:
        """Wait for the reply to the oldest chunk asked; after a failure the route is out, and takes no more."""
        chunk = self._asked.popleft()
        limit = 2 * self._options.batch_timeout(len(chunk)) + 2 * self._options.load_timeout + _SEARCH_SECONDS + _GRACE
        try:
            reply: Reply = self._worker.result(limit)
        except DeadlineError:
            self._lost.set()
            reply = Reply((), limit, self._failed("hung", f"no answer to {named(chunk)} within {limit:g} s"))
        if reply.failure is not None:
            self.failure = reply.failure
        return reply

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        """Return the packed blocks of a request; see `Scorer.pack`.

        Raises:
            RouteFailedError: if the route is out, or fails now.
        """
        packed: Mapping[str, Array] | RouteError | None = self._call(lambda scorer: scorer.pack(raw), 1)
        return packed

    def score(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        """Return the answers to some requests beside the run's own; see `Scorer.score_batch`.

        Raises:
            RouteFailedError: if the route is out, or fails now.
        """
        answers: Sequence[Scored] = self._call(lambda scorer: scorer.score_batch(raws), len(raws))
        return answers

    def _call(self, function: Callable[[Scorer], Any], requests: int) -> Any:
        scorer = self.scorer
        if scorer is None or self.failure is not None:
            raise self.failure or self._failed("unavailable", "it is closed")
        timeout = 2 * self._options.batch_timeout(requests) + _GRACE
        try:
            return self._worker.call(lambda: function(scorer), timeout)
        except DeadlineError:
            self._lost.set()
            self.failure = self._failed("hung", f"no answer within {timeout:g} s")
            raise self.failure from None
        except RouteFailedError as failure:
            self.failure = failure
            raise

    def close(self) -> None:
        """Begin to release what the route holds; `await_close` waits for it."""
        self._over.set()
        self._worker.submit(self._leave)

    def await_close(self, timeout: float) -> None:
        """Wait until everything is released, or the time is over; programs of a stuck thread are ended."""
        deadline = time.monotonic() + timeout
        if not self._lost.is_set():
            while not self._released.wait(_TURN) and time.monotonic() < deadline:
                if self._given_up.is_set():
                    # What the thread started just as the run was given up is ended as well.
                    close_started_by(self._thread)
        if not self._released.is_set():
            close_started_by(self._thread)
            # The end of its programs ends the thread's wait, and it removes their folders.
            self._released.wait(_LAST_SECONDS)
        self._worker.close()

    def abandon(self) -> None:
        """End the route's programs at once, whatever its thread waits for: the run is over."""
        self._over.set()
        self._given_up.set()
        close_started_by(self._thread)

    def _open(self) -> tuple[Scorer, Facts]:
        self._thread = threading.get_ident()
        if self._over.is_set():
            raise self._failed("unavailable", "the run is over")
        try:
            scorer = self._stack.enter_context(self.route.open(self._bundle, self._options))
        except BundleError as error:
            raise RouteFailedError(self.route.name, "refused", str(error), code=error.code) from error
        self.scorer = scorer
        return scorer, scorer.facts()

    def _answer(self, chunk: tuple[Case, ...]) -> Reply:
        began = time.perf_counter()
        scorer = self.scorer
        if scorer is None or self._over.is_set():
            return Reply((), 0.0)
        try:
            answers = scorer.score_batch([case.raw for case in chunk])
        except RouteFailedError as failure:
            self._release()
            if self._over.is_set():
                return Reply((), 0.0, failure)
            return self._search(chunk, failure, began)
        if len(answers) != len(chunk):
            detail = f"{len(answers)} answers to {len(chunk)} requests, {named(chunk)}"
            return Reply((), time.perf_counter() - began, self._failed("protocol", detail))
        return Reply(answers, time.perf_counter() - began)

    def _search(self, chunk: tuple[Case, ...], failure: RouteFailedError, began: float) -> Reply:
        """Ask a testee that was opened anew one request after another, to name the one that it does not survive."""
        deadline = time.monotonic() + _SEARCH_SECONDS
        answers: list[Scored] = []
        said = "it answered each of them alone after a restart"
        try:
            with self.route.open(self._bundle, self._options) as scorer:
                for case in chunk:
                    if time.monotonic() > deadline:
                        said = f"a restarted one answered {len(answers)} of them alone until the time was over"
                        break
                    try:
                        answers += scorer.score_batch([case.raw])
                    except RouteFailedError as again:
                        failure, said = again, f"a restarted one did not survive {case} alone"
                        break
        except (RouteFailedError, BundleError) as error:
            said = f"it could not be opened anew: {error}"
        detail = f"{failure.detail}; asked for {named(chunk)}: {said}"
        told = RouteFailedError(failure.route, failure.reason, detail, failure.evidence)
        return Reply(answers, time.perf_counter() - began, told)

    def _leave(self) -> None:
        self._release()
        self._released.set()

    def _release(self) -> None:
        self.scorer = None
        # Closing never raises for a testee that is gone; what else it raises must not hide the result.
        with contextlib.suppress(Exception):
            self._stack.close()

    def _failed(self, reason: Reason, detail: str) -> RouteFailedError:
        return RouteFailedError(self.route.name, reason, detail)


def named(chunk: Sequence[Case]) -> str:
    """Return a chunk's name: `golden 1-64`, or `golden 30 to run 12` where it spans two sources."""
    first, last = chunk[0], chunk[-1]
    if len(chunk) == 1:
        return str(first)
    return f"{first}-{last.line}" if first.source == last.source else f"{first} to {last}"
