"""What fitting looks at: the values that were present in training data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from twinrank.training.schema import FeatureColumn, Request

_PRESENT = 1


def observed(source: Mapping[str, FeatureColumn] | Iterable[Request], feature: str) -> Any:
    """Returns a feature's present values, list elements one after another: a list or an array.

    Of a vector feature, one vector (a tuple, or a row of the array) a present value. Of requests, lists are as the
    model sees them, after truncation; of columns, as they are given.

    Args:
        source: Columns by feature name, or requests (read once).
        feature: Name of the feature.

    Raises:
        KeyError: if the source does not hold the feature.
    """
    if isinstance(source, Mapping):
        column = source[feature]
        if column.lengths is not None or column.states is None:
            return column.values
        present = np.asarray(column.states) == _PRESENT
        if isinstance(column.values, np.ndarray):
            return column.values[present]
        return [value for value, here in zip(column.values, present, strict=True) if here]
    values: list[Any] = []
    for request in source:
        is_list = request.schema.feature(feature).list is not None
        for value in request.values(feature):
            if is_list and isinstance(value, tuple):
                values.extend(value)
            elif value is not None:
                values.append(value)
    return values
