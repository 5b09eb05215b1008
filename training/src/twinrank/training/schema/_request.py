"""Requests: raw bytes or typed Python values in, a checked immutable `Request` out. Contract section 6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from twinrank.training.schema._errors import ScoringError, shown
from twinrank.training.schema._features import FEATURE_NAME, Feature, Placement, Schema
from twinrank.training.schema._json import parse
from twinrank.training.schema._values import IntegerLiteral, InvalidValueError, Scalar, elements_reader, scalar_reader

MISSING, PRESENT, INVALID = 0, 1, 2
"""The state of a value, as packed."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A checked, typed, immutable request. Make it with `read_request` or `request_from_mapping`.

    Attributes:
        schema: The schema it was checked against.
        n: Number of candidates.
        k: How many ranking entries are wanted: at most n; None means all.
    """

    schema: Schema
    n: int
    k: int | None
    _values: Mapping[str, tuple[Any, ...]]
    _states: Mapping[str, tuple[int, ...]]

    def values(self, feature: str) -> tuple[Scalar | tuple[Scalar, ...] | None, ...]:
        """Returns the feature's typed values: one entry for a context feature, n for a candidate feature.

        A list is a tuple, already truncated, a vector a tuple of its length; float32 is already rounded; None where the
        state is not 1 (present).

        Raises:
            KeyError: if the schema has no such feature.
        """
        return self._values[feature]

    def states(self, feature: str) -> tuple[int, ...]:
        """Returns the feature's states, as many as `values`: 0 missing, 1 present, 2 invalid."""
        return self._states[feature]


def read_request(raw: bytes, schema: Schema, *, max_candidates: int) -> Request:
    """Returns the request that a JSON body holds.

    Args:
        raw: The body, UTF-8.
        schema: What features there are.
        max_candidates: The most candidates that are allowed.

    Raises:
        ScoringError: the first problem in document order, with its code, `feature` and `candidate`.
    """
    return _check(parse(bytes(raw)), schema, max_candidates)


def request_from_mapping(mapping: Mapping[str, Any], schema: Schema, *, max_candidates: int) -> Request:
    """Returns the request that a mapping of typed Python values holds, by the same rules as `read_request`.

    Integers are Python or numpy integers, floats Python floats or numpy's float16/32/64, bools bool or numpy.bool;
    lists and vectors, and the columns of candidates, are lists, tuples or one-dimensional numpy arrays. An integer is
    accepted for a float feature and converted as a literal would be; a float is never accepted for an integer feature,
    nor a bool for a number.

    Raises:
        ScoringError: the first problem in the mapping's order.
    """
    return _check(_plain(mapping), schema, max_candidates)


def candidate_rows(candidates: Any) -> list[dict[str, Any]]:
    """Returns one dict a candidate, whether they came in rows or in columns.

    Args:
        candidates: the parsed `candidates` of a request that `read_request` accepts; rows are returned as they are.
    """
    if isinstance(candidates, list):
        return candidates
    rows = len(next(iter(candidates.values()), ()))
    return [{name: column[row] for name, column in candidates.items()} for row in range(rows)]


def _plain(value: object) -> object:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, np.ndarray):
        # Other kinds (dates, bytes, long doubles) would be converted by tolist; they stay what they are: a wrong type.
        if value.ndim == 1 and (value.dtype.kind in "biuUO" or value.dtype in (np.float16, np.float32, np.float64)):
            return [_plain(element) for element in value.tolist()]
        return value
    if isinstance(value, np.timedelta64):
        # To numpy a subclass of signedinteger, and an int by item() in some units: a wrong type all the same.
        return value
    if isinstance(value, np.bool_ | np.integer | np.float16 | np.float32 | np.float64):
        return value.item()
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview | range):
        return [_plain(element) for element in value]
    return value


class _Slot:
    """Collects the values of one feature while a request is walked."""

    __slots__ = ("absorbs", "feature", "lengths", "limit", "read", "read_all", "required", "states", "values", "vector")

    def __init__(self, feature: Feature, rows: int) -> None:
        self.feature = feature
        self.read = scalar_reader(feature.dtype, feature.nonfinite)
        self.read_all = elements_reader(feature.dtype, feature.nonfinite)
        self.required = feature.missing.policy == "error"
        self.absorbs = feature.invalid.policy != "error"
        self.vector = None if feature.vector is None else feature.vector.length
        self.limit = 0
        if feature.list is not None:
            self.limit = feature.list.max_length if feature.list.keep == "first" else -feature.list.max_length
        self.values: list[Any] = [None] * rows
        self.states = [MISSING] * rows
        self.lengths = [0] * rows

    def put(self, row: int, value: object) -> None:
        """Checks and stores a value; raises `InvalidValueError`."""
        if self.limit:
            elements = self.elements(value, "list")
            self.lengths[row] = len(elements)
            self.values[row] = tuple(elements[: self.limit] if self.limit > 0 else elements[self.limit :])
        elif self.vector is not None:
            elements = self.elements(value, "vector")
            if len(elements) != self.vector:
                raise InvalidValueError("wrong_length", f"vectors of exactly {self.vector} elements")
            self.values[row] = tuple(elements)
        else:
            self.values[row] = self.read(value)
        self.states[row] = PRESENT

    def elements(self, value: object, kind: str) -> list[Scalar]:
        """Checks every element, also those that will not be kept; raises `InvalidValueError`."""
        if type(value) is not list:
            raise InvalidValueError("wrong_type", f"a {kind} of {self.feature.dtype}; put a single value into one")
        return self.read_all(value)


class _Rows:
    """Walks the objects of one placement."""

    def __init__(self, schema: Schema, placement: Placement, rows: int) -> None:
        self.placement = placement
        features = schema.context if placement == "context" else schema.candidate
        self.slots = {feature.name: _Slot(feature, rows) for feature in features}
        self.required = [slot for slot in self.slots.values() if slot.required]
        self.groups = [[self.slots[member.name] for member in group] for group in schema.groups(placement).values()]

    def walk(self, members: dict[str, object], row: int) -> None:
        slots = self.slots
        for name, value in members.items():
            slot = slots.get(name)
            if slot is None:
                raise self._unknown(name, row)
            if value is None:
                continue
            self._put(slot, row, value)
        self.finish(row)

    def _put(self, slot: _Slot, row: int, value: object) -> None:
        try:
            slot.put(row, value)
        except InvalidValueError as problem:
            if not slot.absorbs:
                raise self._invalid(problem, slot.feature, value, row) from None
            slot.states[row] = INVALID

    def walk_columns(self, columns: dict[str, object], rows: int, max_candidates: int) -> None:
        """Walks candidates that come feature by feature, of which the first column has `rows`."""
        for name, column in columns.items():
            slot = self.slots.get(name)
            if slot is None:
                raise self._unknown(name, None)
            if type(column) is not list:
                raise self._column(slot.feature, f"is {_shown(column)}", None)
            self._walk_column(slot, column, rows, max_candidates)
        for row in range(rows):
            self.finish(row)

    def _walk_column(self, slot: _Slot, column: list[object], rows: int, max_candidates: int) -> None:
        for row, value in enumerate(column[:rows]):
            if row == max_candidates:
                raise _too_many(rows, max_candidates)
            if value is not None:
                self._put(slot, row, value)
        if len(column) != rows:
            what = f"has {len(column)} elements, but the first column has {rows}"
            raise self._column(slot.feature, what, min(len(column), rows))

    def finish(self, row: int) -> None:
        """Ends an object: looks for absent features, then for groups of unequal lengths."""
        for slot in self.required:
            # An invalid value is not an absent one: its state was set above.
            if slot.states[row] == MISSING:
                raise self._missing(slot.feature, row)
        for group in self.groups:
            for slot in group:
                if slot.lengths[row] != group[0].lengths[row]:
                    raise self._mismatch(group, slot, row)

    def _where(self, row: int | None) -> tuple[str, int | None]:
        if self.placement == "context":
            return "the context", None
        return "the candidates" if row is None else f"candidate {row}", row

    def _column(self, feature: Feature, what: str, row: int | None) -> ScoringError:
        message = (
            f"column {feature.name!r} of the candidates {what}; send arrays of one length, one element a candidate"
        )
        return ScoringError("invalid_request", message, feature.name, row)

    def _unknown(self, name: object, row: int | None) -> ScoringError:
        where, candidate = self._where(row)
        known = ", ".join(self.slots) or "none"
        message = f"{where} has the field {shown(name)}, which is no {self.placement} feature; "
        message += f"remove it, or correct the name (allowed: {known})"
        feature = name if isinstance(name, str) and FEATURE_NAME.fullmatch(name) else None
        return ScoringError("unknown_feature", message, feature, candidate)

    def _invalid(self, problem: InvalidValueError, feature: Feature, value: object, row: int) -> ScoringError:
        where, candidate = self._where(row)
        message = f"feature {feature.name!r} of {where} is {_shown(value)}; {feature.dtype} takes {problem.allowed}"
        return ScoringError(problem.code, message, feature.name, candidate)

    def _missing(self, feature: Feature, row: int) -> ScoringError:
        where, candidate = self._where(row)
        message = f"feature {feature.name!r} of {where} is absent or null; its missing policy is 'error': send a "
        kind = " list" if feature.list else " vector" if feature.vector else ""
        message += f"{feature.dtype}{kind}, or train with another policy"
        return ScoringError("missing_feature", message, feature.name, candidate)

    def _mismatch(self, group: list[_Slot], slot: _Slot, row: int) -> ScoringError:
        where, candidate = self._where(row)
        lengths = ", ".join(f"{member.feature.name}: {member.lengths[row]}" for member in group)
        message = f"the members of group {slot.feature.group!r} of {where} differ in length ({lengths}); "
        message += "they are aligned by position, so send lists of one length"
        return ScoringError("length_mismatch", message, slot.feature.name, candidate)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}" + (f" that begins with {shown(value[0])}" if value else "")
    text = getattr(value, "text", None)
    return str(text)[:80] if isinstance(text, str) else shown(value)


def _check(document: object, schema: Schema, max_candidates: int) -> Request:
    if type(document) is not dict:
        raise _shape(f"the request is {_shown(document)}", "an object with context and candidates is required")
    context: _Rows | None = None
    candidates: _Rows | None = None
    n = 0
    k: int | None = None
    for name, value in document.items():
        if name == "context":
            context = _read_context(value, schema)
        elif name == "candidates":
            candidates, n = _read_candidates(value, schema, max_candidates)
        elif name == "k":
            k = _read_k(value, max_candidates)
        else:
            raise _shape(f"the request has the field {shown(name)}", "allowed are context, candidates and k")
    if context is None:
        raise _shape("the request has no context", "send an object, {} if no feature needs one")
    if candidates is None:
        raise _shape("the request has no candidates", "send an array, [] for an empty slate")
    slots = {**context.slots, **candidates.slots}
    return Request(
        schema,
        n,
        None if k is None else min(k, n),
        {name: tuple(slot.values) for name, slot in slots.items()},
        {name: tuple(slot.states) for name, slot in slots.items()},
    )


def _read_context(value: object, schema: Schema) -> _Rows:
    if type(value) is not dict:
        raise _shape(f"context is {_shown(value)}", "an object is required, feature names to values")
    rows = _Rows(schema, "context", 1)
    rows.walk(value, 0)
    return rows


def _read_candidates(value: object, schema: Schema, max_candidates: int) -> tuple[_Rows, int]:
    if type(value) is dict:
        # A first column that is no array is found by the walk, before any row is needed.
        column = next(iter(value.values()), None)
        n = len(column) if type(column) is list else 0
        columns = _Rows(schema, "candidate", min(n, max_candidates))
        columns.walk_columns(value, n, max_candidates)
        return columns, n
    if type(value) is not list:
        raise _shape(
            f"candidates is {_shown(value)}", "an array of objects, or an object of arrays (columns), is required"
        )
    rows = _Rows(schema, "candidate", min(len(value), max_candidates))
    for index, element in enumerate(value):
        if index >= max_candidates:
            raise _too_many(len(value), max_candidates)
        if type(element) is not dict:
            raise _shape(f"candidate {index} is {_shown(element)}", "an object is required", index)
        rows.walk(element, index)
    return rows, len(value)


def _too_many(given: int, max_candidates: int) -> ScoringError:
    message = f"the request has {given} candidates; this model takes at most {max_candidates}: "
    message += "split the slate, or cut it before scoring"
    return ScoringError("too_many_candidates", message, None, max_candidates)


def _read_k(value: object, max_candidates: int) -> int | None:
    if value is None:
        return None
    if type(value) is int and value >= 0:
        return value
    if type(value) is IntegerLiteral and (value.text == "-0" or not value.text.startswith("-")):
        # Beyond int64 is beyond any n, and so means all.
        return 0 if value.text == "-0" else max_candidates
    raise _shape(f"k is {_shown(value)}", "an integer literal >= 0, or null for all, is required")


def _shape(given: str, allowed: str, candidate: int | None = None) -> ScoringError:
    return ScoringError("invalid_request", f"{given}; {allowed}", None, candidate)
