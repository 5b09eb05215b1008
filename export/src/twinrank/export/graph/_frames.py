"""Where in the model's own code an error comes from."""

from __future__ import annotations

import contextlib
import importlib
import linecache
import traceback
from collections.abc import Iterator
from pathlib import Path

from twinrank.export.graph._errors import ExportError


@contextlib.contextmanager
def theirs(what: str, ranges: str = "") -> Iterator[None]:
    """Shows an error of the user's code as theirs: what was done, the error, and their last line.

    Args:
        what: what is done.
        ranges: the ids that it is given, told with an IndexError: torch says of an embedding that is too small only
            that an index is out of range.

    Raises:
        ExportError: ``module_failed``.
    """
    try:
        yield
    except ExportError:
        raise
    except (Exception, SystemExit) as e:
        last = their_frame(e) or traceback.extract_tb(e.__traceback__)[-1]
        line = (last.line or linecache.getline(last.filename, last.lineno or 0)).strip()
        text = str(e).strip().splitlines()
        detail = (
            f"{what} raised {type(e).__name__}: {text[0] if text else ''} "
            f"({Path(last.filename).name}:{last.lineno}, in {last.name}: {line})"
        )
        if isinstance(e, IndexError) and ranges:
            remedy = f"An embedding must have as many rows as its ids: {ranges}. `twinrank schema` lists them"
            raise ExportError("module_failed", detail, remedy) from e
        raise ExportError("module_failed", detail, "That is the model's own code: mend it there") from e


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
