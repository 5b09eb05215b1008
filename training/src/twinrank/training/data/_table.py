"""Delimited text files with a header, read as columns of strings."""

import csv
from dataclasses import dataclass
from pathlib import Path

from twinrank.training.data._errors import DataError


@dataclass(frozen=True)
class Table:
    """A delimited file with a header, as columns of strings in file order."""

    path: Path
    columns: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of one column, in row order.

        Raises:
            DataError: if the file has no such column.
        """
        try:
            return self.columns[name]
        except KeyError:
            known = ", ".join(repr(c) for c in self.columns)
            raise DataError(f"{self.path} has no column {name!r}; its header names {known}.") from None


def read_table(path: Path, *, delimiter: str) -> Table:
    """Reads a UTF-8 file whose first line names the columns. Quotes are ordinary characters.

    Raises:
        DataError: if the file is unreadable, not UTF-8, has no rows, names a column twice, or has a row of another
            width.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text delimited by {delimiter!r}: {error}") from error
    if len(rows) < 2:
        raise DataError(f"{path} has no rows under its header.")
    header = rows[0]
    if len(set(header)) != len(header):
        raise DataError(f"{path} names a column twice: {header}.")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise DataError(f"{path}, line {number}: {len(row)} fields, the header names {len(header)}.")
    return Table(path, dict(zip(header, zip(*rows[1:], strict=True), strict=True)))
