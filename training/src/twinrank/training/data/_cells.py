"""Cells of text as typed feature values, row by row for JSON and as columns for packing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data._errors import DataError
from twinrank.training.schema import Feature, FeatureColumn, string_keys

Value = int | float | str | list[str]
"""A raw value as it stands in a JSON request."""


@dataclass(frozen=True)
class Cells:
    """One feature's values for every user or every item, ready to be taken many times.

    Attributes:
        values: what a request says, None for missing.
        flat: the present values one after another, strings as keys.
        lengths: int64, shape [rows], elements of `flat` a row owns.
        is_list: whether the feature is a list.
    """

    values: tuple[Value | None, ...]
    flat: NDArray[np.int64] | NDArray[np.float64]
    lengths: NDArray[np.int64]
    is_list: bool

    def take(self, rows: NDArray[np.int64]) -> FeatureColumn:
        """The column that has these rows, in this order."""
        lengths = self.lengths[rows]
        starts = np.cumsum(self.lengths) - self.lengths
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        flat = self.flat[np.repeat(starts[rows], lengths) + within]
        if self.is_list:
            return FeatureColumn(flat, lengths, np.array([value is not None for value in self.values], np.int64)[rows])
        dense = np.zeros(len(rows), dtype=flat.dtype)
        dense[lengths == 1] = flat
        return FeatureColumn(dense, None, lengths)


def parse_cells(
    feature: Feature, cells: Sequence[str | None], *, separator: str | None, absent: frozenset[str]
) -> Cells:
    """Reads one cell a row.

    Args:
        feature: says what the values are.
        cells: text, or None where the side table has no row.
        separator: splits a cell into the elements of a list feature; an empty cell is an empty list.
        absent: cells that mean missing.

    Raises:
        DataError: if a cell is no value of the feature's type.
    """
    is_list = feature.list is not None
    if is_list != (separator is not None):
        raise DataError(f"feature {feature.name!r} is {'a' if is_list else 'no'} list; give a separator to lists only.")
    values: list[Value | None] = []
    for cell in cells:
        if cell is None or cell in absent:
            values.append(None)
        elif separator is not None:
            values.append([part for part in cell.split(separator) if part])
        else:
            values.append(_scalar(feature, cell))
    present = [value for value in values if value is not None]
    lengths = np.array([0 if v is None else len(v) if isinstance(v, list) else 1 for v in values], dtype=np.int64)
    if feature.dtype == "string":
        parts = [part for value in present for part in (value if isinstance(value, list) else [str(value)])]
        return Cells(tuple(values), string_keys(parts), lengths, is_list)
    if feature.dtype in ("float32", "float64"):
        return Cells(tuple(values), np.array(present, dtype=np.float64), lengths, is_list)
    return Cells(tuple(values), np.array(present, dtype=np.int64), lengths, is_list)


def _scalar(feature: Feature, cell: str) -> Value:
    if feature.dtype == "string":
        return cell
    try:
        if feature.dtype in ("int64", "timestamp"):
            return int(cell)
        if feature.dtype in ("float32", "float64"):
            return float(cell)
    except ValueError:
        raise DataError(
            f"feature {feature.name!r}: {cell!r} is no {feature.dtype}; correct the table, "
            "or list the cell under `absent` if it means that nothing is known."
        ) from None
    raise DataError(f"feature {feature.name!r}: tables cannot give {feature.dtype} values.")
