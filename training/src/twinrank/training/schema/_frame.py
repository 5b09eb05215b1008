"""Requests from data frames: pandas, polars, or any other eager frame that narwhals takes."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from twinrank.training.schema._errors import ScoringError, shown
from twinrank.training.schema._features import Placement, Schema
from twinrank.training.schema._request import Request, request_from_mapping
from twinrank.training.schema._values import INT64_MAX, INT64_MIN

if TYPE_CHECKING:
    import narwhals as nw

_PER_MS = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}


def request_from_frame(
    context: Mapping[str, Any] | Any, candidates: Any, schema: Schema, *, max_candidates: int, k: int | None = None
) -> Request:
    """Returns the request whose candidates are the rows of a frame, by the same rules as `request_from_mapping`.

    Columns are features, in the order of the frame; an index is not looked at. Values are what the columns hold:

    - Null is missing: None, polars' null, pandas' NA and NaT, and the missing value of pandas' string and nullable
      columns.
    - NaN in a float column is NaN, and so refused as `non_finite` unless the feature declares nonfinite. A plain float
      column of pandas cannot tell NaN from missing, and nothing is guessed: use a nullable dtype (`Float64`, `Int64`)
      and NA for what is missing. In an object column of pandas, NaN is that float too.
    - Lists and vectors are cells of lists, tuples or one-dimensional numpy arrays, or polars' List and Array columns.
    - A datetime column is taken for a timestamp feature if it has a time zone and the moment is a whole number of
      milliseconds; any other datetime, and a date, is a `wrong_type`.

    Args:
        context: The context's features as a mapping, whose timestamps are int milliseconds; or a frame of one row.
        candidates: The frame, eager; one row a candidate.
        schema: What features there are.
        max_candidates: The most candidates that are allowed.
        k: How many ranking entries are wanted; None means all.

    Raises:
        ScoringError: the first problem: context first, then row by row; `invalid_request` if a column occurs twice or
            a context frame has not one row.
        TypeError: if `candidates` is no eager frame.
        ImportError: if narwhals is not installed.
    """
    given: dict[Placement, dict[str, _Column]] = {"context": {}, "candidate": {}}
    mapping: Mapping[str, Any] = context if isinstance(context, Mapping) else {}
    if not isinstance(context, Mapping):
        frame = _eager(context, "context")
        if len(frame) != 1:
            message = f"the context frame has {len(frame)} rows; exactly one is required, or a mapping"
            raise ScoringError("invalid_request", message)
        columns = _columns(frame, schema, "context")
        given["context"] = {column.name: column for column in columns}
        context = _rows(columns, 1)[0]
    frame = _eager(candidates, "candidates")
    # What lies beyond the bound is never looked at, only counted.
    columns = _columns(frame.head(max_candidates + 1), schema, "candidate")
    given["candidate"] = {column.name: column for column in columns}
    count = len(frame)
    rows = _rows(columns, min(count, max_candidates + 1))
    rows += [{}] * (count - len(rows))
    document = {"context": context, "candidates": rows, "k": k}
    try:
        return request_from_mapping(document, schema, max_candidates=max_candidates)
    except ScoringError as error:
        hint = _hint(error, given["context" if error.candidate is None else "candidate"], mapping)
        if hint is None:
            raise
        # The advice for JSON would lead away from what happened here.
        message = f"{error.message.removesuffix('; put a single value into one')}; {hint}"
        raise ScoringError(error.code, message, error.feature, error.candidate) from None


def _hint(error: ScoringError, columns: Mapping[str, _Column], context: Mapping[str, Any]) -> str | None:
    """What to do about a value that is refused only because of how the frame, or the mapping, holds it."""
    if error.code not in ("non_finite", "wrong_type") or error.feature is None:
        return None
    column = columns.get(error.feature)
    if column is None:
        value = context.get(error.feature) if error.candidate is None else None
        if isinstance(value, datetime.date | np.datetime64):
            return "give milliseconds since 1970 (UTC) as an int, or the context as a frame of one row"
        return None
    if column.no_gaps:
        hint = "a plain float column of pandas cannot tell NaN from missing: if missing is meant, use a nullable "
        return hint + "dtype (Float64, Int64) and NA"
    cell = column.values[error.candidate or 0]
    if isinstance(cell, float) and math.isnan(cell):
        return "NaN in an object column is a number and not missing: put None where a value is missing"
    return None


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as plain values, None where there is nothing; `no_gaps` says that its dtype cannot say "missing"."""

    name: str
    values: list[Any]
    no_gaps: bool


@dataclass(frozen=True, slots=True)
class _Untimely:
    """A moment that is no timestamp of the contract: of no type that any feature takes, so a wrong type."""

    text: str


def _eager(frame: Any, what: str) -> nw.DataFrame[Any]:
    import narwhals as nw

    try:
        return nw.from_native(frame, eager_only=True)
    except nw.exceptions.DuplicateError as error:
        names = str(error).replace("\n", " ")
        raise ScoringError("invalid_request", f"{what}: {shown(names)}; give every column once") from None
    except TypeError as error:
        given = type(frame).__name__
        raise TypeError(
            f"{what} is a {given}; an eager frame is required: pandas, polars (collect a LazyFrame first), ..."
        ) from error


def _columns(frame: nw.DataFrame[Any], schema: Schema, placement: Placement) -> list[_Column]:
    timestamps = {f.name for f in schema.features if f.placement == placement and f.dtype == "timestamp"}
    return [_column(series, series.name in timestamps) for series in frame.iter_columns()]


def _rows(columns: list[_Column], count: int) -> list[dict[str, Any]]:
    if not columns:
        return [{} for _ in range(count)]
    names = [column.name for column in columns]
    cells: Iterable[tuple[Any, ...]] = zip(*(column.values for column in columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in cells]


def _column(series: nw.Series[Any], timestamp: bool) -> _Column:
    import narwhals as nw

    plain = getattr(series.to_native(), "dtype", None)
    kind = plain.kind if isinstance(plain, np.dtype) else ""
    if kind == "f":
        return _Column(series.name, series.to_list(), True)
    if kind == "O":
        # Not is_null, for which a NaN is one; here it is the float that somebody put into the column.
        pandas = nw.get_native_namespace(series)
        return _Column(series.name, [None if v is pandas.NA or v is pandas.NaT else v for v in series.to_list()], False)
    null = series.is_null().to_list()
    if isinstance(series.dtype, nw.Datetime):
        values = _moments(series, null, timestamp)
    else:
        values = [None if absent else value for value, absent in zip(series.to_list(), null, strict=True)]
    return _Column(series.name, values, False)


def _moments(series: nw.Series[Any], null: list[bool], timestamp: bool) -> list[Any]:
    import narwhals as nw

    dtype = series.dtype
    if not isinstance(dtype, nw.Datetime) or dtype.time_zone is None or not timestamp:
        zone = "a datetime" if not timestamp else "a datetime without a time zone (make it UTC, or integers of ms)"
        return [None if absent else _Untimely(zone) for absent in null]
    # Through numpy, because Python's datetime has no nanoseconds and no years beyond 9999.
    present = series.filter(~series.is_null())
    moments = present.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_numpy()
    factor, divisor = _PER_MS[np.datetime_data(moments.dtype)[0]]
    exact = iter([_milliseconds(ticks * factor, divisor) for ticks in moments.astype(np.int64).tolist()])
    return [None if absent else next(exact) for absent in null]


def _milliseconds(ticks: int, divisor: int) -> int | _Untimely:
    whole, rest = divmod(ticks, divisor)
    if rest or not INT64_MIN <= whole <= INT64_MAX:
        return _Untimely(f"a moment that is no whole number of milliseconds in int64 ({ticks} / {divisor})")
    return whole
