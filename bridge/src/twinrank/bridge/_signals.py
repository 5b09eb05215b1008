"""SIGTERM and SIGINT while programs run that this one started: none is left behind, however often somebody asks."""

from __future__ import annotations

import atexit
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from twinrank.bridge._process import kill_all

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """Let the first signal end the block as an exception does; every further one only kills what is still waited for.

    Without this, SIGTERM would end Python at once and leave the Java server that it started, and a second Ctrl-C would
    end the cleaning up after the first. To be entered in the main thread.

    Raises:
        SystemExit: on SIGTERM, with the code 143.
        KeyboardInterrupt: on SIGINT.
    """
    asked = False

    def leave(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            kill_all()
            return
        asked = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        yield
    finally:
        # At the interpreter's end no handler of Python runs any more, but a JVM in it may be waited for.
        atexit.register(signal.signal, signal.SIGTERM, signal.SIG_DFL)
        for number, handler in before.items():
            if number != signal.SIGTERM:
                signal.signal(number, handler)
