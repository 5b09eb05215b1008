"""Where in the model's own code an error comes from."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from pathlib import Path


def their_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of the model's own code in an error, or else in what caused it; None if there is none."""
    for cause in _causes(error):
        own = [frame for frame in traceback.extract_tb(cause.__traceback__) if not _is_ours(frame.filename)]
        if own:
            return own[-1]
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, the first cause first: a library's own error may keep only its own frames."""
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return reversed(chain)


def _is_ours(file: str) -> bool:
    """Whether a frame is of this project, of torch or of Python itself."""
    path = Path(file)
    return (
        file.startswith("<")
        or "site-packages" in path.parts
        or path.is_relative_to(Path(__file__).resolve().parents[2])
        or path.is_relative_to(Path(importlib.__file__).resolve().parents[1])
    )
