"""Vocabularies: the values that have embedding rows of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from twinrank.training.schema import ScoringError, string_keys
from twinrank.training.transforms._errors import TransformError

VocabularyDType = Literal["string", "int64"]

_MAX_OOV_BUCKETS = 1 << 20


@dataclass(frozen=True)
class Vocabulary:
    """An ordered set of string or int64 values. Every `Lookup` of one vocabulary shares one embedding table.

    The table's rows: `oov_buckets` rows for unseen values (row 0 is also that of padding), then a row for missing and
    one for invalid where a feature that uses the table has the policy `own_row`, then one row per entry in order. With
    one out-of-vocabulary row every unseen value has row 0; with more, a key's row is mix(key) mod `oov_buckets`,
    unsigned, as `HashBuckets` of seed 0 has it.

    Attributes:
        name: Name of the table.
        dtype: Type of the entries; a feature of another dtype cannot use it.
        entries: The values; not empty.
        oov_buckets: How many rows unseen values share, 1 to 2^20.

    Raises:
        TransformError: if there is no entry, an entry has another type, occurs twice, or has another entry's key; if
            `oov_buckets` is out of bounds.
    """

    name: str
    dtype: VocabularyDType
    entries: tuple[str, ...] | tuple[int, ...]
    oov_buckets: int = 1

    def __post_init__(self) -> None:
        problems = []
        if type(self.oov_buckets) is not int or not 1 <= self.oov_buckets <= _MAX_OOV_BUCKETS:
            given = f"vocabulary {self.name!r}: oov_buckets is {self.oov_buckets!r}"
            problems.append(f"{given}; an integer from 1 to {_MAX_OOV_BUCKETS} is required")
        if self.dtype not in ("string", "int64"):
            problems.append(f"vocabulary {self.name!r} has dtype {self.dtype!r}; allowed: string, int64")
        else:
            kind = str if self.dtype == "string" else int
            problems += [
                f"vocabulary {self.name!r}: entry {entry!r} is no {self.dtype}"
                for entry in self.entries
                if type(entry) is not kind or (isinstance(entry, int) and not -(1 << 63) <= entry < 1 << 63)
            ]
        if not self.entries:
            problems.append(f"vocabulary {self.name!r} is empty; lower min_count, or drop the transform")
        if problems:
            raise TransformError(problems)
        _, first, counts = np.unique(self.keys, return_index=True, return_counts=True)
        for index in first[counts > 1]:
            same = [entry for entry, key in zip(self.entries, self.keys, strict=True) if key == self.keys[index]]
            # The graph sees keys only: entries of one key could not be told apart.
            raise TransformError([f"vocabulary {self.name!r}: entries {same} share the key {self.keys[index]}"])

    @cached_property
    def keys(self) -> npt.NDArray[np.int64]:
        """The entries' keys in order: int64, shape [len(entries)]."""
        if self.dtype == "string":
            try:
                return string_keys(str(entry) for entry in self.entries)
            except ScoringError as error:
                raise TransformError([f"vocabulary {self.name!r}: {error.message}"]) from None
        return np.array(self.entries, dtype=np.int64)

    def position(self, value: object) -> int | None:
        """Returns an entry's place among the entries, by value; None if there is no such entry."""
        return self._positions.get(value)

    @cached_property
    def _positions(self) -> dict[object, int]:
        return {entry: place for place, entry in enumerate(self.entries)}

    @classmethod
    def fit(
        cls,
        name: str,
        dtype: VocabularyDType,
        values: Iterable[Any],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        oov_buckets: int = 1,
    ) -> Vocabulary:
        """Returns the vocabulary of observed values: most frequent first, then by value.

        Ties are broken by the value itself (strings by code point), so neither order nor container of `values` matter.

        Args:
            name: Name of the table.
            dtype: Type of the values.
            values: Observed values of all features that will share the table, with repetitions; see `observed`.
            min_count: Rarer values get no entry; at least 1.
            max_size: At most so many entries; None means no bound, else at least 1.
            oov_buckets: As the attribute.

        Raises:
            TransformError: if a bound is out of range, no value is left, or as the constructor.
        """
        if min_count < 1 or (max_size is not None and max_size < 1):
            given = f"min_count is {min_count} and max_size is {max_size}"
            raise TransformError([f"vocabulary {name!r}: {given}; both are at least 1"])
        if isinstance(values, np.ndarray):
            distinct, counts = np.unique(values, return_counts=True)
            counted = dict(zip(distinct.tolist(), counts.tolist(), strict=True))
        else:
            counted = dict(Counter(values))
        kept = sorted((-count, value) for value, count in counted.items() if count >= min_count)
        return cls(name, dtype, tuple(value for _, value in kept[:max_size]), oov_buckets)
