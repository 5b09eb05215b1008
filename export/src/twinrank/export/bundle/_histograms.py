"""Reference histograms: how the features were distributed in the requests that the export saw (contract section 16)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinrank.export.bundle._json import Json, JsonError, parse_json
from twinrank.export.bundle._manifest import Manifest
from twinrank.export.bundle._tensors import Array
from twinrank.training.schema import Block, Column, Feature, Packing, Request, Schema, candidate_rows, pack

HISTOGRAMS = "statistics/histograms.json"
FORMAT = 1
MAX_TOP = 100
_BINS = 10
_PRESENT = 1
_INT64 = (-(2**63), 2**63 - 1)
_COUNT = (0, 2**53)


class HistogramError(ValueError):
    """statistics/histograms.json is not what the contract says, or not what the manifest lists."""


@dataclass(frozen=True, slots=True)
class Bins:
    """Numbers by size: bin i holds edges[i - 1] <= x < edges[i]; the first and the last are open.

    Attributes:
        edges: strictly increasing; integers for int64, timestamps and lengths, exact float64 for floats.
        counts: one more than edges; infinities fall in the first and last.
        nan: NaNs, which are in no bin.
    """

    edges: tuple[int | float, ...]
    counts: tuple[int, ...]
    nan: int = 0


@dataclass(frozen=True, slots=True)
class Top:
    """Values by key.

    Attributes:
        top: at most 100 (key, count), by count descending, then key ascending.
        other: values that are not in ``top``.
        distinct: number of different keys.
    """

    top: tuple[tuple[int, int], ...]
    other: int
    distinct: int


@dataclass(frozen=True, slots=True)
class FeatureHistogram:
    """One feature.

    Attributes:
        count: present values, or present lists or vectors.
        missing: values that were missing under a policy.
        invalid: values that were invalid under a policy.
        values: of the values themselves; of lists and vectors the kept elements.
        lengths: of lists, the lengths before truncation; None for anything else.
    """

    count: int
    missing: int
    invalid: int
    values: Bins | Top
    lengths: Bins | None = None


@dataclass(frozen=True, slots=True)
class Histograms:
    """All features in schema order, from ``contexts`` requests with ``candidates`` candidates together."""

    contexts: int
    candidates: int
    features: Mapping[str, FeatureHistogram]

    def to_bytes(self) -> bytes:
        """The file's bytes: one feature a line, floats printed so that reading them gives the same float64."""
        lines = [f"{json.dumps(name)}: {_dump(_feature_json(entry))}" for name, entry in self.features.items()]
        head = f'{{"format": {FORMAT}, "contexts": {self.contexts}, "candidates": {self.candidates}, "features": {{\n'
        return (head + ",\n".join(lines) + "}}\n").encode("utf-8")


class HistogramBuilder:
    """Counts requests one by one. Not thread-safe.

    Args:
        schema: what the requests were checked against.
        looked_up: the int64 features that a vocabulary reads; they are counted by key, as strings are.
    """

    def __init__(self, schema: Schema, looked_up: Collection[str] = ()) -> None:
        self._packing = Packing.of(schema)
        self._columns = [_Columns(feature, self._packing) for feature in schema.features]
        self._looked_up = frozenset(looked_up)
        self._contexts = self._candidates = 0

    def add(self, raw: bytes, request: Request, blocks: Mapping[str, Array] | None = None) -> None:
        """Counts a request.

        Args:
            raw: its JSON, which alone tells how long a list was before it was cut.
            request: what ``read_request`` made of it.
            blocks: what ``pack`` made of the request, where the caller has it already.
        """
        packed = pack(request, self._packing) if blocks is None else blocks
        self._contexts += 1
        self._candidates += request.n
        document: dict[str, Any] | None = None
        for columns in self._columns:
            cut = columns.add(packed)
            if cut is not None:
                document = json.loads(raw) if document is None else document
                rows = (
                    [document["context"]]
                    if columns.feature.placement == "context"
                    else candidate_rows(document["candidates"])
                )
                columns.lengths[-1][cut] = [len(rows[row][columns.feature.name]) for row in cut.tolist()]

    def build(self) -> Histograms:
        """Everything counted so far."""
        features = {
            columns.feature.name: columns.build(by_key=columns.feature.name in self._looked_up)
            for columns in self._columns
        }
        return Histograms(self._contexts, self._candidates, features)


class _Columns:
    """One feature's columns in the blocks, and what was seen in them."""

    def __init__(self, feature: Feature, packing: Packing) -> None:
        self.feature = feature
        self.lengths: list[NDArray[np.int64]] = []
        self._elements: list[Array] = []
        self._counts = np.zeros(3, dtype=np.int64)
        group = {feature.group} - {None}
        value = state = length = None
        for block in packing.blocks:
            if block.placement != feature.placement:
                continue
            for column in block.columns:
                if column.role == "length" and (column.feature == feature.name or column.group in group):
                    length = (block, column)
                elif column.feature == feature.name and column.role == "state":
                    state = (block, column)
                elif column.feature == feature.name and column.role in ("value", "values"):
                    value = (block, column)
        if value is None:
            raise ValueError(f"feature {feature.name!r} has no values in the packing")
        self._value: tuple[Block, Column] = value
        self._state, self._length = state, length

    def add(self, blocks: Mapping[str, Array]) -> NDArray[np.int64] | None:
        """Counts one request's rows; returns the rows whose list was as long as may be kept, and perhaps longer."""
        block, column = self._value
        array = blocks[block.name]
        grouped = array.ndim == 3
        values = array[..., column.offset] if column.role == "value" else array[:, column.offset :][:, : column.width]
        rows = array.shape[0]
        states = _flat(blocks, self._state)
        states = np.full(rows, _PRESENT, dtype=np.int64) if states is None else states
        self._counts += np.bincount(states, minlength=3)
        present = np.flatnonzero(states == _PRESENT)
        kept = _flat(blocks, self._length)
        if self.feature.list is None or kept is None:
            self._elements.append(values[present].ravel())
            return None
        limit = self.feature.list.max_length
        inside = np.arange(values.shape[1]) < kept[:, None]
        # A group shares one length column; a member that is missing under a policy has length 0, as all then have.
        self._elements.append(values[inside & (states == _PRESENT)[:, None]] if grouped else values[inside])
        self.lengths.append(np.where(states == _PRESENT, kept, -1).astype(np.int64))
        full = np.flatnonzero((states == _PRESENT) & (kept == limit))
        return full if full.size else None

    def build(self, *, by_key: bool) -> FeatureHistogram:
        elements = np.concatenate(self._elements) if self._elements else np.zeros(0, dtype=self._value[0].dtype)
        by_key = by_key or self.feature.dtype in ("string", "bool")
        lengths = None
        if self.feature.list is not None:
            seen = np.concatenate(self.lengths) if self.lengths else np.zeros(0, dtype=np.int64)
            lengths = bins_of(seen[seen >= 0])
        missing, present, invalid = (int(count) for count in self._counts)
        return FeatureHistogram(present, missing, invalid, top_of(elements) if by_key else bins_of(elements), lengths)


def _flat(blocks: Mapping[str, Array], place: tuple[Block, Column] | None) -> NDArray[np.int64] | None:
    if place is None:
        return None
    block, column = place
    return blocks[block.name][:, column.offset]


def bins_of(values: Array) -> Bins:
    """The bins of numbers, int64 or float: edges are the nine deciles of the finite ones, each an observed value.

    A decile is the smallest value that at least d tenths of the finite values do not exceed (the inverse of the
    empirical distribution function); equal ones are one edge.
    """
    floating = values.dtype.kind == "f"
    nan = np.isnan(values) if floating else np.zeros(values.shape, dtype=bool)
    numbers = values[~nan]
    ordered = np.sort(numbers[np.isfinite(numbers)] if floating else numbers)
    # Integers all the way: d/10 * n in floating point would round to another index for some n.
    places = sorted({(d * ordered.size + _BINS - 1) // _BINS - 1 for d in range(1, _BINS)}) if ordered.size else []
    edges = np.unique(ordered[places])
    if floating:
        edges = edges + edges.dtype.type(0)  # -0.0 becomes 0.0, which compares the same
    counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=edges.size + 1)
    return Bins(tuple(edges.tolist()), tuple(counts.tolist()), int(nan.sum()))


def top_of(keys: NDArray[np.int64]) -> Top:
    """The most frequent keys."""
    distinct, counts = np.unique(keys, return_counts=True)
    order = np.lexsort((distinct, -counts))[:MAX_TOP]
    top = tuple((int(distinct[i]), int(counts[i])) for i in order)
    return Top(top, int(keys.size) - sum(count for _, count in top), int(distinct.size))


def histograms_of(
    requests: Iterable[tuple[bytes, Request]], schema: Schema, looked_up: Collection[str] = ()
) -> Histograms:
    """The histograms of raw requests and what was read from them; see ``HistogramBuilder``."""
    builder = HistogramBuilder(schema, looked_up)
    for raw, request in requests:
        builder.add(raw, request)
    return builder.build()


def _dump(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _feature_json(entry: FeatureHistogram) -> dict[str, Json]:
    document: dict[str, Json] = {"count": entry.count, "missing": entry.missing, "invalid": entry.invalid}
    if isinstance(entry.values, Top):
        top = [list(pair) for pair in entry.values.top]
        document |= {"kind": "categorical", "top": top, "other": entry.values.other, "distinct": entry.values.distinct}
    else:
        document |= {"kind": "numeric", **_bins_json(entry.values), "nan": entry.values.nan}
    if entry.lengths is not None:
        document["lengths"] = _bins_json(entry.lengths)
    return document


def _bins_json(bins: Bins) -> dict[str, Json]:
    return {"edges": list(bins.edges), "counts": list(bins.counts)}


def read_histograms(path: Path | str, manifest: Manifest) -> Histograms | None:
    """The histograms of the bundle at ``path``, None if it has none; the file is digested again.

    Raises:
        HistogramError: if the file is not the one that the manifest lists, or not what the contract says.
        OSError: if it cannot be read.
    """
    entry = manifest.files.get(HISTOGRAMS)
    if entry is None:
        return None
    raw = (Path(path) / HISTOGRAMS).read_bytes()
    if len(raw) != entry.size or hashlib.sha256(raw).hexdigest() != entry.sha256:
        raise HistogramError(f"{HISTOGRAMS} is not the file that the manifest lists; fetch the bundle again")
    return parse_histograms(raw, manifest.schema)


def parse_histograms(raw: bytes, schema: Schema) -> Histograms:
    """The checked histograms of a file's bytes.

    Raises:
        HistogramError: naming the first place that is not what the contract says.
    """
    try:
        document = parse_json(raw)
    except JsonError as e:
        raise HistogramError(f"{HISTOGRAMS}: {e}") from e
    fields = _fields(document, "", ("format", "contexts", "candidates", "features"))
    if _integer(fields["format"], "/format", _COUNT) != FORMAT:
        raise HistogramError(f"{HISTOGRAMS}#/format is {fields['format']}; this reader knows {FORMAT}")
    rows = {
        "context": _integer(fields["contexts"], "/contexts", _COUNT),
        "candidate": _integer(fields["candidates"], "/candidates", _COUNT),
    }
    names = tuple(feature.name for feature in schema.features)
    found = _fields(fields["features"], "/features", names)
    features = {
        feature.name: _feature(found[feature.name], feature, rows[feature.placement]) for feature in schema.features
    }
    return Histograms(rows["context"], rows["candidate"], features)


def _feature(value: Json, feature: Feature, rows: int) -> FeatureHistogram:
    at = f"/features/{feature.name}"
    kind = value.get("kind") if isinstance(value, dict) else None
    allowed = {"string": ("categorical",), "bool": ("categorical",), "int64": ("numeric", "categorical")}
    if kind not in allowed.get(feature.dtype, ("numeric",)):
        raise HistogramError(f"{HISTOGRAMS}#{at}/kind is {kind!r}, which {feature.dtype} cannot have")
    own = ("edges", "counts", "nan") if kind == "numeric" else ("top", "other", "distinct")
    is_list = feature.list is not None
    fields = _fields(value, at, ("count", "missing", "invalid", "kind", *own, *(("lengths",) if is_list else ())))
    count, missing, invalid = (
        _integer(fields[name], f"{at}/{name}", _COUNT) for name in ("count", "missing", "invalid")
    )
    if count + missing + invalid != rows:
        raise HistogramError(f"{HISTOGRAMS}#{at} counts {count + missing + invalid} rows of {rows}")
    values: Bins | Top
    if kind == "numeric":
        nan = _integer(fields["nan"], f"{at}/nan", _COUNT)
        values = _bins(fields, at, integers=feature.dtype in ("int64", "timestamp"), nan=nan)
        total = sum(values.counts) + nan
    else:
        values = _top(fields, at)
        total = sum(number for _, number in values.top) + values.other
    lengths = None
    if is_list:
        lengths = _bins(
            _fields(fields["lengths"], f"{at}/lengths", ("edges", "counts")), f"{at}/lengths", integers=True
        )
        if sum(lengths.counts) != count:
            raise HistogramError(f"{HISTOGRAMS}#{at}/lengths counts {sum(lengths.counts)} lists of {count}")
    elif total != count * _width(feature):
        raise HistogramError(f"{HISTOGRAMS}#{at} counts {total} values of {count * _width(feature)}")
    return FeatureHistogram(count, missing, invalid, values, lengths)


def _width(feature: Feature) -> int:
    vector = feature.vector
    return 1 if vector is None else vector.length


def _bins(fields: Mapping[str, Json], at: str, *, integers: bool, nan: int = 0) -> Bins:
    edges, counts = _array(fields["edges"], f"{at}/edges"), _array(fields["counts"], f"{at}/counts")
    for index, edge in enumerate(edges):
        if integers:
            _integer(edge, f"{at}/edges/{index}", _INT64)
        elif not isinstance(edge, int | float) or isinstance(edge, bool) or not math.isfinite(edge):
            raise HistogramError(f"{HISTOGRAMS}#{at}/edges/{index} is {edge!r}; expected a number")
        if index and edge <= edges[index - 1]:
            raise HistogramError(f"{HISTOGRAMS}#{at}/edges/{index} is not above the edge before it")
    if len(counts) != len(edges) + 1:
        raise HistogramError(f"{HISTOGRAMS}#{at}/counts has {len(counts)} bins for {len(edges)} edges")
    checked = tuple(_integer(count, f"{at}/counts/{index}", _COUNT) for index, count in enumerate(counts))
    return Bins(tuple(edge if integers else float(edge) for edge in edges), checked, nan)


def _top(fields: Mapping[str, Json], at: str) -> Top:
    pairs = _array(fields["top"], f"{at}/top")
    if len(pairs) > MAX_TOP:
        raise HistogramError(f"{HISTOGRAMS}#{at}/top has {len(pairs)} entries; at most {MAX_TOP}")
    top: list[tuple[int, int]] = []
    for index, pair in enumerate(pairs):
        where = f"{at}/top/{index}"
        if len(_array(pair, where)) != 2:
            raise HistogramError(f"{HISTOGRAMS}#{where} is no [key, count]")
        entry = (_integer(pair[0], f"{where}/0", _INT64), _integer(pair[1], f"{where}/1", (1, _COUNT[1])))
        if top and (-top[-1][1], top[-1][0]) >= (-entry[1], entry[0]):
            raise HistogramError(f"{HISTOGRAMS}#{where} is out of order: count descending, then key ascending")
        top.append(entry)
    if len({key for key, _ in top}) != len(top):
        raise HistogramError(f"{HISTOGRAMS}#{at}/top names a key twice")
    other, distinct = (_integer(fields[name], f"{at}/{name}", _COUNT) for name in ("other", "distinct"))
    if not len(top) <= distinct <= len(top) + other or (other and len(top) < MAX_TOP):
        raise HistogramError(f"{HISTOGRAMS}#{at} has {len(top)} top keys, {other} other values and {distinct} distinct")
    return Top(tuple(top), other, distinct)


def _fields(value: Json, at: str, names: tuple[str, ...]) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise HistogramError(f"{HISTOGRAMS}#{at} is no object")
    if set(value) != set(names):
        odd = sorted(set(value) ^ set(names))
        raise HistogramError(f"{HISTOGRAMS}#{at} has missing or unknown fields: {', '.join(odd[:5])}")
    return value


def _array(value: Json, at: str) -> list[Json]:
    if not isinstance(value, list):
        raise HistogramError(f"{HISTOGRAMS}#{at} is no array")
    return value


def _integer(value: Json, at: str, bounds: tuple[int, int]) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not bounds[0] <= value <= bounds[1]:
        raise HistogramError(f"{HISTOGRAMS}#{at} is {value!r}; expected an integer from {bounds[0]} to {bounds[1]}")
    return value
