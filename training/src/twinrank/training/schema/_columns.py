"""From typed values to blocks, one request or a hundred thousand rows: contract section 5, vectorised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from twinrank.training.schema._errors import ScoringError
from twinrank.training.schema._features import Feature, Schema
from twinrank.training.schema._keys import string_keys
from twinrank.training.schema._packing import Block, Packing, block_dtype
from twinrank.training.schema._request import INVALID, MISSING, PRESENT, Request

Array = npt.NDArray[Any]
Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureColumn:
    """The values of one feature in many rows. r: rows, t: elements of all rows together, L: a vector's length.

    Attributes:
        values: Shape [r]; for a list feature shape [t], the rows' elements one after another, before truncation; for a
            vector feature an array of shape [r, L].
            bool array for `bool`; integers for `int64` and `timestamp`; floats or integers for the float dtypes
            (float64 is rounded to a float32 feature as in a request); for `string` either strings or their int64 keys.
            Entries of a scalar or vector feature whose state is not 1 are ignored.
        lengths: int64 [r], elements per row; only for a list feature.
        states: int64 [r], 0 missing, 1 present, 2 invalid; None means all present.
    """

    values: Array | Sequence[str] | Sequence[float]
    lengths: Array | None = None
    states: Array | None = None


def pack(request: Request, packing: Packing) -> dict[str, Array]:
    """Returns the request's blocks by name, in packing order: C-contiguous, in the block's dtype and shape.

    Raises:
        ValueError: if the request was checked against another schema than the packing's.
    """
    schema = packing.schema
    if request.schema is not schema and request.schema != schema:
        raise ValueError("the request was checked against another schema than this packing's; read it with that one")
    cells = {feature.name: _request_cells(request, feature) for feature in schema.features}
    return _fill(packing, cells, 1, request.n)


def pack_columns(
    columns: Mapping[str, FeatureColumn], packing: Packing, *, contexts: int, candidates: int
) -> dict[str, Array]:
    """Returns the blocks of many rows at once: context blocks [contexts, ...], candidate blocks [candidates, ...].

    The two row counts are independent; either may be 0. The bits are those that `pack` gives row by row.

    Args:
        columns: By feature name. A feature without a column is missing in every row.
        packing: The layout.
        contexts: Rows of every context column.
        candidates: Rows of every candidate column.

    Raises:
        ScoringError: `missing_feature`, `wrong_type`, `out_of_range`, `non_finite`, `invalid_string`, `wrong_length` or
            `length_mismatch`, with `feature` and, for a candidate feature, the row as `candidate` where one is known.
            An invalid policy absorbs nothing here: rows that are invalid are declared by their state.
        ValueError: if a column's name is no feature, or its arrays do not fit together.
    """
    schema = packing.schema
    known = {feature.name for feature in schema.features}
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise ValueError(f"columns {unknown} are no features of the schema; it has {sorted(known)}")
    cells: dict[str, _Cells] = {}
    for feature in schema.features:
        rows = contexts if feature.placement == "context" else candidates
        cells[feature.name] = _column_cells(feature, columns.get(feature.name), rows)
    for group in (*schema.groups("context").values(), *schema.groups("candidate").values()):
        for member in group[1:]:
            differing = np.flatnonzero(cells[member.name].given != cells[group[0].name].given)
            if differing.size:
                raise _refused("length_mismatch", member, int(differing[0]), f"differs in length from {group[0].name}")
    return _fill(packing, cells, contexts, candidates)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """One feature, typed.

    `dense` is [r], or [r, L] of a list or vector, with zeros where nothing is; `lengths` are those after the cut,
    `given` those before it.
    """

    dense: Array
    lengths: Int64s
    given: Int64s
    states: Int64s


def _fill(packing: Packing, cells: Mapping[str, _Cells], contexts: int, candidates: int) -> dict[str, Array]:
    return {
        block.name: _fill_block(packing.schema, block, cells, contexts if block.placement == "context" else candidates)
        for block in packing.blocks
    }


def _fill_block(schema: Schema, block: Block, cells: Mapping[str, _Cells], rows: int) -> Array:
    out = np.zeros((rows, *block.shape[1:]), dtype=block.dtype)
    for column in block.columns:
        owner = column.feature
        if column.group is not None:
            owner = schema.groups(block.placement)[column.group][0].name
        cell = cells[str(owner)]
        if column.role == "value":
            out[..., column.offset] = cell.dense
        elif column.role == "values":
            out[:, column.offset : column.offset + column.width] = cell.dense
        else:
            out[:, column.offset] = cell.lengths if column.role == "length" else cell.states
    return out


def _request_cells(request: Request, feature: Feature) -> _Cells:
    raw = request.values(feature.name)
    states = np.array(request.states(feature.name), dtype=np.int64)
    dtype = block_dtype(feature)
    if feature.vector is not None:
        length = feature.vector.length
        dense: Array = np.array([(0,) * length if value is None else value for value in raw], dtype=dtype)
        return _Cells(dense.reshape(len(raw), length), states, states, states)
    if feature.list is None:
        if feature.dtype == "string":
            dense = np.zeros(len(raw), dtype=np.int64)
            dense[states == PRESENT] = string_keys(value for value in raw if isinstance(value, str))
        else:
            dense = np.array([0 if value is None else value for value in raw], dtype=dtype)
        return _Cells(dense, states, states, states)
    rows = [value if isinstance(value, tuple) else () for value in raw]
    flat = [element for row in rows for element in row]
    typed: Array = string_keys(flat) if feature.dtype == "string" else np.array(flat, dtype=dtype)  # type: ignore[arg-type]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return _list_cells(feature, typed, lengths, states)


def _list_cells(feature: Feature, flat: Array, given: Int64s, states: Int64s) -> _Cells:
    if feature.list is None:
        raise ValueError(f"feature {feature.name!r} is no list")
    limit = feature.list.max_length
    kept = np.minimum(given, limit)
    first = np.cumsum(given) - given
    if feature.list.keep == "last":
        first = first + given - kept
    positions = np.arange(limit, dtype=np.int64)
    present = positions < kept[:, None]
    dense = np.zeros((given.size, limit), dtype=block_dtype(feature))
    dense[present] = flat[(first[:, None] + positions)[present]]
    return _Cells(dense, kept, given, states)


def _column_cells(feature: Feature, column: FeatureColumn | None, rows: int) -> _Cells:
    if column is None:
        extent = (0,) if feature.list else (rows, feature.vector.length) if feature.vector else (rows,)
        column = FeatureColumn(
            np.zeros(extent, dtype=bool if feature.dtype == "bool" else np.int64),
            np.zeros(rows, dtype=np.int64) if feature.list else None,
            np.zeros(rows, dtype=np.int64),
        )
    states = np.ones(rows, dtype=np.int64) if column.states is None else _counts(feature, "states", column.states, rows)
    _check_states(feature, states)
    if feature.list is None:
        if column.lengths is not None:
            raise ValueError(f"column {feature.name!r} has lengths, but the feature is no list")
        present = states == PRESENT
        if feature.vector is not None:
            values: Any = _vectors(feature, column.values, rows, feature.vector.length)
            shape: tuple[int, ...] = (rows, feature.vector.length)
        else:
            values = _sized(feature, column.values, rows)
            shape = (rows,)
        dense: Array = np.zeros(shape, dtype=block_dtype(feature))
        dense[present] = _typed(feature, _select(values, present))
        return _Cells(dense, states, states, states)
    if column.lengths is None:
        raise ValueError(f"column {feature.name!r} has no lengths, but the feature is a list")
    lengths = _counts(feature, "lengths", column.lengths, rows)
    if np.any(lengths[states != PRESENT]):
        raise ValueError(f"column {feature.name!r} has elements in rows whose state is not 1; give them length 0")
    flat = _typed(feature, _sized(feature, column.values, int(lengths.sum())))
    return _list_cells(feature, flat, lengths, states)


def _counts(feature: Feature, what: str, given: Array, rows: int) -> Int64s:
    array = np.asarray(given)
    if array.shape != (rows,) or array.dtype.kind not in "iu" or (array.size and int(array.min()) < 0):
        required = f"integers >= 0 of shape ({rows},) are required"
        raise ValueError(f"column {feature.name!r}: {what} is {array.dtype} {array.shape}; {required}")
    return array.astype(np.int64)


def _check_states(feature: Feature, states: Int64s) -> None:
    if states.size and int(states.max()) > INVALID:
        raise ValueError(f"column {feature.name!r}: states are 0 missing, 1 present, 2 invalid; got {states.max()}")
    missing = np.flatnonzero(states == MISSING)
    if missing.size and feature.missing.policy == "error":
        raise _refused("missing_feature", feature, int(missing[0]), "is missing, and its missing policy is 'error'")
    if feature.invalid.policy == "error" and np.any(states == INVALID):
        raise ValueError(f"column {feature.name!r} declares invalid rows, but the feature's invalid policy is 'error'")


def _sized(feature: Feature, values: Any, size: int) -> Any:
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise ValueError(f"column {feature.name!r}: values have shape {values.shape}; one dimension is required")
    if len(values) != size:
        raise ValueError(f"column {feature.name!r} has {len(values)} values; {size} are required")
    return values


def _vectors(feature: Feature, values: Any, rows: int, length: int) -> Array:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[0] != rows:
        raise ValueError(f"column {feature.name!r}: values have shape {array.shape}; ({rows}, {length}) is required")
    if array.shape[1] != length:
        raise _refused("wrong_length", feature, None, f"has {array.shape[1]} elements a row; exactly {length} fit")
    return array


def _select(values: Any, present: npt.NDArray[np.bool_]) -> Any:
    if present.all():
        return values
    if isinstance(values, np.ndarray):
        return values[present]
    return [value for value, here in zip(values, present, strict=True) if here]


def _typed(feature: Feature, values: Any) -> Array:
    if feature.dtype == "string":
        if isinstance(values, np.ndarray) and values.dtype == np.int64:
            return values
        elements = values.tolist() if isinstance(values, np.ndarray) else values
        if not all(isinstance(value, str) for value in elements):
            raise _refused("wrong_type", feature, None, "takes strings, or their keys as an int64 array")
        try:
            return string_keys(elements)
        except ScoringError as error:
            raise ScoringError(error.code, error.message, feature.name) from None
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(array.shape, dtype=block_dtype(feature))
    if feature.dtype == "bool":
        if array.dtype.kind != "b":
            raise _refused("wrong_type", feature, None, f"takes bools, not {array.dtype}")
        return array.astype(np.int64)
    if feature.dtype in ("int64", "timestamp"):
        if array.dtype.kind not in "iu":
            raise _refused("wrong_type", feature, None, f"takes integers, not {array.dtype}")
        if array.dtype == np.uint64 and int(array.max()) > np.iinfo(np.int64).max:
            raise _refused("out_of_range", feature, None, "takes integers up to 2^63-1")
        return array.astype(np.int64)
    return _floats(feature, array)


def _floats(feature: Feature, array: Array) -> Array:
    if array.dtype.kind not in "iu" and array.dtype not in (np.float16, np.float32, np.float64):
        raise _refused("wrong_type", feature, None, f"takes floats or integers, not {array.dtype}")
    wide = array.astype(np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(block_dtype(feature))
    if not feature.nonfinite and not np.isfinite(wide).all():
        raise _refused("non_finite", feature, None, "takes finite numbers; it does not declare nonfinite")
    if np.any(np.isinf(narrow) & np.isfinite(wide)):
        raise _refused("out_of_range", feature, None, f"takes numbers whose nearest {feature.dtype} is finite")
    # Every NaN becomes the quiet NaN with sign and payload zero.
    narrow[np.isnan(narrow)] = np.nan
    return narrow


def _refused(code: str, feature: Feature, row: int | None, what: str) -> ScoringError:
    candidate = row if feature.placement == "candidate" else None
    where = "" if row is None else f" in row {row}"
    return ScoringError(code, f"feature {feature.name!r}{where} {what}", feature.name, candidate)
