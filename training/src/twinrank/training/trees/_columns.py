"""A model's columns: what of the encoded tensors each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twinrank.training.transforms import FrontGraph, Lookup, Matrix, Number
from twinrank.training.trees._errors import TreesError


@dataclass(frozen=True)
class Column:
    """One column of a model.

    Attributes:
        name: in the model file: a feature's name for a matrix, else the transform's.
        tensor: the encoded tensor.
        index: column of a matrix, None of a tensor of one axis.
        first: of a category: the row of the vocabulary's first entry, which is code 0; rows before it (unseen, missing)
            are NaN. None of a number.
    """

    name: str
    tensor: str
    index: int | None
    first: int | None

    @property
    def categorical(self) -> bool:
        """Whether its values are codes, not numbers."""
        return self.first is not None


def columns_of(front: FrontGraph) -> tuple[Column, ...]:
    """The columns that a front graph makes, in the order of its transforms; a matrix gives its features in order.

    Raises:
        TreesError: if a transform is no `Matrix`, scalar `Lookup` or scalar `Number`, or two columns have one name.
    """
    columns: list[Column] = []
    for transform, spec in zip(front.transforms, front.outputs, strict=True):
        if isinstance(transform, Matrix):
            columns += [Column(name, spec.name, index, None) for index, name in enumerate(transform.features)]
        elif isinstance(transform, Lookup) and len(spec.shape) == 1 and spec.cardinality is not None:
            columns.append(Column(spec.name, spec.name, None, spec.cardinality - len(transform.vocabulary.entries)))
        elif isinstance(transform, Number) and len(spec.shape) == 1:
            columns.append(Column(spec.name, spec.name, None, None))
        else:
            raise TreesError(
                f"transform {spec.name!r} ({type(transform).__name__}) makes no column of trees: "
                "use Matrix for numbers, and Lookup of a scalar feature for categories."
            )
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TreesError(f"columns {twice} are there twice; rename a transform.")
    return tuple(columns)


def native_matrix(columns: Sequence[Column], encoded: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float64]:
    """The encoded tensors, all of as many rows, as a library takes them.

    Args:
        columns: which, in order.
        encoded: by name.

    Returns:
        float64, shape [rows, columns]; NaN is missing.
    """
    parts = []
    for column in columns:
        values = encoded[column.tensor] if column.index is None else encoded[column.tensor][:, column.index]
        wide = values.astype(np.float64)
        if column.first is not None:
            wide = np.where(wide < column.first, np.nan, wide - column.first)
        parts.append(wide)
    return np.stack(parts, axis=1)
