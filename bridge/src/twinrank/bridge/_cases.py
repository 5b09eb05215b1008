"""The requests of a parity run, and where each comes from; they are read when they are needed, never all at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twinrank.bridge._errors import UserError

MAX_LINE = 64 * 1024 * 1024
"""Most bytes of a request: what a frame and a service's body may hold."""

_FORM = "give a file of raw requests, one JSON object a line"


FUZZ = "fuzz"
"""The source of requests that were made from a schema."""


@dataclass(frozen=True)
class Case:
    """One raw request.

    Attributes:
        source: `golden`, `run`, `file`, `fuzz`, or another word for requests that a program handed over.
        line: its line in that source, or its number among the generated ones; from 1.
        raw: the request's bytes, verbatim.
    """

    source: str
    line: int
    raw: bytes

    def __str__(self) -> str:
        """Return the name that tables and messages use."""
        return f"{self.source} {self.line}"


@dataclass(frozen=True)
class Source:
    """Requests of one origin.

    Attributes:
        name: as in `Case.source`.
        count: how many there are.
        read: returns them, from the first on, each time that it is called.
    """

    name: str
    count: int
    read: Callable[[], Iterator[Case]]


@dataclass(frozen=True)
class Requests:
    """All requests of a run, one source after another."""

    sources: tuple[Source, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(source.count for source in self.sources)

    @property
    def by_source(self) -> Mapping[str, int]:
        """How many there are of each source."""
        return {source.name: source.count for source in self.sources}

    def __iter__(self) -> Iterator[Case]:
        """Read them, from the first on."""
        for source in self.sources:
            yield from source.read()


def listed(cases: Sequence[Case]) -> Requests:
    """Return requests that are in memory already."""
    names = dict.fromkeys(case.source for case in cases)
    return Requests(tuple(_listed(name, [case for case in cases if case.source == name]) for name in names))


def _listed(name: str, cases: list[Case]) -> Source:
    return Source(name, len(cases), lambda: iter(cases))


def collect(
    bundle: Path,
    *,
    run: Path | None = None,
    requests: Path | None = None,
    most: int | None = None,
    more: Sequence[Source] = (),
) -> Requests:
    """Return the bundle's goldens, then the requests of a file, or else of a run, then others, such as generated ones.

    Args:
        bundle: bundle directory. Goldens that cannot be read are for the readers to refuse, so none are listed then.
        run: run directory of the trainer; its requests are used unless `requests` is given.
        requests: file of raw requests, one a line.
        most: how many requests of the file or run at most, spread evenly over it; None means all. Goldens are never
            left out.
        more: further requests.

    Raises:
        UserError: if a file cannot be read, holds no request, or is damaged; the message names the line.
    """
    sources = [_goldens(bundle / "goldens" / "requests.jsonl")]
    if requests is not None:
        sources.append(_file("file", requests, most))
    elif run is not None:
        sources.append(_file("run", run / "requests.jsonl", most))
    return Requests((*sources, *more))


def _goldens(path: Path) -> Source:
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return _listed("golden", [Case("golden", number, line) for number, line in enumerate(lines, start=1)])


def _file(name: str, path: Path, most: int | None) -> Source:
    count = _checked(path)
    if most is None or count <= most:
        return Source(name, count, lambda: (Case(name, number, raw) for number, raw in _lines(path)))
    return Source(name, most, lambda: _spread(name, path, count, most))


def _spread(name: str, path: Path, count: int, most: int) -> Iterator[Case]:
    # Evenly, because files are often sorted: the first N would be the N shortest, or one user's.
    wanted = (position * count // most + 1 for position in range(most))
    next_one = next(wanted, None)
    for number, raw in _lines(path):
        if number == next_one:
            yield Case(name, number, raw)
            next_one = next(wanted, None)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Read lines with their numbers from 1, without their line feeds."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            yield number, line.removesuffix(b"\n")


def _checked(path: Path) -> int:
    """Return how many requests a file holds, after a look at every line for what a broken copy leaves."""
    count = 0
    last, ended = b"", True
    if path.exists() and not path.is_file() and not path.is_dir():
        problem = f"{path} is no regular file, and requests are read twice: to count them, and to ask them"
        raise UserError("requests_unreadable", problem, "write them into a file first")
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE + 1):
                count += 1
                _check_line(path, count, line)
                last, ended = line, line.endswith(b"\n")
    except OSError as error:
        raise UserError("requests_unreadable", f"{path}: {error.strerror}", _FORM) from error
    if count == 0:
        raise UserError(
            "requests_empty", f"{path} holds no request", "give a file with at least one request, one a line"
        )
    if not ended and not _is_json(last):
        raise UserError(
            "requests_truncated",
            f"{path}:{count}: the last line has no line feed and is no whole JSON text: the file was cut off",
            "copy it again; if the line is meant, end it with a line feed",
        )
    return count


def _check_line(path: Path, number: int, line: bytes) -> None:
    place = f"{path}:{number}"
    if number == 1 and line.startswith(b"\xef\xbb\xbf"):
        raise UserError("requests_bom", f"{place}: begins with a byte order mark", f"save it as UTF-8 without; {_FORM}")
    if len(line) > MAX_LINE:
        raise UserError(
            "requests_line_too_long", f"{place}: is longer than {MAX_LINE:,} bytes, and no route takes such", _FORM
        )
    if not line.strip(b" \t\r\n"):
        raise UserError("requests_blank_line", f"{place}: is empty", f"remove the line; {_FORM}")
    if b"\x00" in line:
        raise UserError(
            "requests_nul",
            f"{place}: holds a NUL byte, which a damaged disk or an UTF-16 text leaves",
            "write the file anew as UTF-8; a NUL in a value is written \\u0000",
        )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
