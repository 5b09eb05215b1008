"""Ranking files: one row a line, `grade column:value ...`, and beside it how many rows each query has."""

import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twinrank.training.trees._errors import TreesError


@dataclass(frozen=True)
class RankingFile:
    """What a ranking file says.

    Attributes:
        x: float64, shape [rows, columns]; a column that a line leaves out is 0, as the format means it.
        grade: int64, shape [rows].
        sizes: int64, shape [queries].
    """

    x: NDArray[np.float64]
    grade: NDArray[np.int64]
    sizes: NDArray[np.int64]


def read_ranking_file(path: Path, queries: Path | None, *, columns: int | None = None) -> RankingFile:
    """Reads a ranking file, plain or gzip.

    Args:
        path: of rows: `grade [qid:q] column:value ... [# comment]`, columns from 0 and rising in a line.
        queries: of sizes: a number a line, in the order of the rows; None where every line has a qid.
        columns: how many there are; None takes the highest that is there.

    Raises:
        TreesError: for an absent file, for whatever is not of this form, with file and line, and for sizes that are not
            as many rows as there are.
    """
    grades: list[int] = []
    qids: list[str | None] = []
    rows: list[int] = []
    places: list[int] = []
    values: list[float] = []
    for number, line in enumerate(_lines(path), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        try:
            grade = float(words.pop(0))
            if grade < 0 or not grade.is_integer():
                raise ValueError("a grade is a whole number from 0")
            qids.append(words.pop(0)[4:] if words and words[0].startswith("qid:") else None)
            before = -1
            for word in words:
                place, _, value = word.partition(":")
                column = int(place)
                if column <= before:
                    raise ValueError(f"column {column} comes after {before}")
                if columns is not None and column >= columns:
                    raise ValueError(f"column {column} is beyond the {columns} of the training file")
                number_given = float(value)
                if math.isinf(number_given):
                    raise ValueError(f"column {column} is infinite")
                rows.append(len(grades))
                places.append(column)
                values.append(number_given)
                before = column
        except ValueError as error:
            raise TreesError(f"{path.name}, line {number}: {error}") from error
        grades.append(int(grade))
    if not grades:
        raise TreesError(f"{path.name} holds no rows")
    width = columns if columns is not None else max(places, default=-1) + 1
    x = np.zeros((len(grades), width))
    x[rows, places] = values
    sizes = _sizes(path, queries, qids)
    if int(sizes.sum()) != len(grades):
        raise TreesError(f"{path.name} has {len(grades)} rows, its queries have {int(sizes.sum())}")
    return RankingFile(x, np.array(grades, np.int64), sizes)


def _sizes(path: Path, queries: Path | None, qids: list[str | None]) -> NDArray[np.int64]:
    if queries is None:
        if None in qids:
            raise TreesError(f"{path.name}: row {qids.index(None) + 1} has no qid, and no file of query sizes is given")
        starts = [0, *(place for place in range(1, len(qids)) if qids[place] != qids[place - 1])]
        if len({qids[place] for place in starts}) < len(starts):
            raise TreesError(f"{path.name}: the rows of a query do not stand together")
        return np.diff([*starts, len(qids)]).astype(np.int64)
    sizes = read_numbers(queries)
    if (sizes < 1).any():
        raise TreesError(f"{queries.name}: a query has no rows")
    return sizes


def read_numbers(path: Path) -> NDArray[np.int64]:
    """A file of whole numbers from 0, one a line.

    Raises:
        TreesError: for an absent file or any other line.
    """
    numbers = []
    for place, line in enumerate(_lines(path), 1):
        if not line.strip().isdecimal():
            raise TreesError(f"{path.name}, line {place}: a whole number from 0 is expected, not {line.strip()!r}")
        numbers.append(int(line))
    return np.array(numbers, np.int64)


def _lines(path: Path) -> list[str]:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise TreesError(f"{path} cannot be read: {error}") from error
