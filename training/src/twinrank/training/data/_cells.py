"""Cells of text as typed feature values, row by row for JSON and as columns for packing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data._errors import DataError
from twinrank.training.schema import Feature, FeatureColumn, string_keys

Value = int | float | str | list[str] | list[int] | list[float]
"""A raw value as it stands in a JSON request."""


@dataclass(frozen=True)
class Cells:
    """One feature's values for every user or every item, ready to be taken many times.

    Attributes:
        values: what a request says, None for missing.
        flat: the present values one after another, strings as keys.
        lengths: int64, shape [rows], elements of `flat` a row owns.
        is_list: whether the feature is a list.
        components: the length of a vector feature, else None.
    """

    values: tuple[Value | None, ...]
    flat: NDArray[np.int64] | NDArray[np.float64]
    lengths: NDArray[np.int64]
    is_list: bool
    components: int | None = None

    def take(self, rows: NDArray[np.int64]) -> FeatureColumn:
        """The column that has these rows, in this order."""
        lengths = self.lengths[rows]
        starts = np.cumsum(self.lengths) - self.lengths
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        flat = self.flat[np.repeat(starts[rows], lengths) + within]
        if self.is_list:
            return FeatureColumn(flat, lengths, np.array([value is not None for value in self.values], np.int64)[rows])
        present = lengths > 0
        if self.components is not None:
            vectors = np.zeros((len(rows), self.components), dtype=flat.dtype)
            vectors[present] = flat.reshape(-1, self.components)
            return FeatureColumn(vectors, None, present.astype(np.int64))
        dense = np.zeros(len(rows), dtype=flat.dtype)
        dense[present] = flat
        return FeatureColumn(dense, None, lengths)


def parse_cells(
    feature: Feature, cells: Sequence[str | None], *, separator: str | None, absent: frozenset[str]
) -> Cells:
    """Reads one cell a row.

    Args:
        feature: says what the values are.
        cells: text, or None where the side table has no row.
        separator: splits a cell into the elements of a list feature, where an empty cell is an empty list, or into the
            components of a vector feature.
        absent: cells that mean missing.

    Raises:
        DataError: if a cell is no value of the feature's type.
    """
    is_list = feature.list is not None
    components = None if feature.vector is None else feature.vector.length
    if (is_list or components is not None) != (separator is not None):
        kind = "a list" if is_list else "a vector" if components is not None else "neither a list nor a vector"
        raise DataError(f"feature {feature.name!r} is {kind}; give a separator to lists and vectors, and only to them.")
    values: list[Value | None] = []
    for cell in cells:
        if cell is None or cell in absent:
            values.append(None)
        elif components is not None:
            values.append(_vector(feature, cell.split(separator), components))
        elif separator is not None:
            values.append([part for part in cell.split(separator) if part])
        else:
            values.append(_scalar(feature, cell))
    present = [value for value in values if value is not None]
    lengths = np.array([0 if v is None else len(v) if isinstance(v, list) else 1 for v in values], dtype=np.int64)
    if feature.dtype == "string":
        parts = [str(part) for value in present for part in (value if isinstance(value, list) else [value])]
        return Cells(tuple(values), string_keys(parts), lengths, is_list)
    flat: NDArray[np.int64] | NDArray[np.float64]
    if feature.dtype in ("float32", "float64"):
        flat = np.array(present, dtype=np.float64).reshape(-1)
    else:
        flat = np.array(present, dtype=np.int64).reshape(-1)
    return Cells(tuple(values), flat, lengths, is_list, components)


def _vector(feature: Feature, parts: list[str], components: int) -> list[int] | list[float]:
    if len(parts) != components:
        raise DataError(f"feature {feature.name!r}: a cell has {len(parts)} components; the vector has {components}.")
    numbers = [_scalar(feature, part) for part in parts]
    return [number for number in numbers if isinstance(number, int | float)]


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
