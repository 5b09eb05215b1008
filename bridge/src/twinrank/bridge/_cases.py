"""The requests of a parity run, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twinrank.bridge._errors import UserError


@dataclass(frozen=True)
class Case:
    """One raw request.

    Attributes:
        source: `golden`, `run`, `file` or `fuzz`.
        line: its line in that source, from 1; a fuzz request has its number there.
        raw: the request's bytes, verbatim.
    """

    source: str
    line: int
    raw: bytes

    def __str__(self) -> str:
        """Return the name that tables and messages use."""
        return f"{self.source} {self.line}"


def collect(bundle: Path, *, run: Path | None, requests: Path | None, most: int | None) -> tuple[Case, ...]:
    """Return the bundle's goldens, then the requests of a file, or else of a run.

    Args:
        bundle: bundle directory.
        run: run directory of the trainer; its requests are used unless `requests` is given.
        requests: file of raw requests, one a line.
        most: how many requests beside the goldens at most, spread evenly over the source; None means all.
            Goldens are never left out.

    Raises:
        UserError: if a file cannot be read or holds no request.
    """
    cases = _lines("golden", bundle / "goldens" / "requests.jsonl")
    if requests is not None:
        cases += _spread(_lines("file", requests), most)
    elif run is not None:
        cases += _spread(_lines("run", run / "requests.jsonl"), most)
    return tuple(cases)


def _lines(source: str, path: Path) -> list[Case]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            "requests_unreadable", f"{path}: {error.strerror}", "give a file of raw requests, one JSON object a line"
        ) from error
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if not lines:
        raise UserError("requests_empty", f"{path} holds no request", "a parity run over nothing proves nothing")
    return [Case(source, number, line) for number, line in enumerate(lines, start=1)]


def _spread(cases: Sequence[Case], most: int | None) -> list[Case]:
    if most is None or len(cases) <= most:
        return list(cases)
    # Evenly, because files are often sorted: the first N would be the N shortest, or one user's.
    return [cases[position * len(cases) // most] for position in range(most)]
