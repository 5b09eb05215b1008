"""Raw feature values of requests: where each comes from, as columns for training and as JSON for serving."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data._cells import Cells, parse_cells
from twinrank.training.data._errors import DataError
from twinrank.training.data._histories import Covisits, item_ratings, user_ratings
from twinrank.training.data._interactions import Interactions
from twinrank.training.data._popularity import count_popularity
from twinrank.training.data._requests import Requests
from twinrank.training.data._table import Table
from twinrank.training.schema import Feature, FeatureColumn, Schema

Kind = Literal[
    "user",
    "item",
    "users",
    "items",
    "history_item",
    "history_time",
    "history_count",
    "history_rating",
    "request_time",
    "popularity",
    "item_rating",
    "covisits",
]

_CONTEXT = ("user", "users", "history_item", "history_time", "history_count", "history_rating", "request_time")
_DTYPES = {
    "popularity": "int64",
    "history_count": "int64",
    "history_rating": "float64",
    "item_rating": "float64",
    "covisits": "float64",
}
_HISTORY = ("history_item", "history_time")
_PAIRS = ("covisits",)


@dataclass(frozen=True)
class FeatureSource:
    """Where one feature's values come from.

    Attributes:
        kind: `user`, `item`: the identifier. `users`, `items`: a column of the side table. `history_item`,
            `history_time`: the user's events strictly before the request. `request_time`: its time. `popularity`:
            how many events the item had strictly before the request's snapshot. `history_count`, `history_rating`: how
            many events the user had strictly before the request, and their mean rating, missing where there is none.
            `item_rating`: the item's mean rating strictly before the snapshot, missing where there is none. `covisits`:
            how alike the item and those of the history are, see `Covisits`; it is another for every pair of request
            and item, so it goes with trees only.
        column: name in the side table; for `users` and `items` only.
        separator: splits a cell into a list; for list features from a side table only.
        absent: cells that mean missing.
        window: milliseconds that popularity looks back, None for all time.
    """

    kind: Kind
    column: str | None = None
    separator: str | None = None
    absent: frozenset[str] = field(default_factory=frozenset)
    window: int | None = None


@dataclass(frozen=True)
class SideTable:
    """What is known of every user, or of every item: a table and the column that identifies its rows."""

    table: Table
    key: str

    def cells(self, column: str, names: Sequence[str]) -> list[str | None]:
        """One cell for each name, None where the table has no row."""
        found = dict(zip(self.table.column(self.key), self.table.column(column), strict=True))
        return [found.get(name) for name in names]


class FeatureData:
    """The raw features of a data set.

    Args:
        schema: what the features are.
        sources: where each comes from, by feature name.
        events: all events. What is used of them for a request is what was known at its time.
        users: side table of users, if there is one.
        items: side table of items, if there is one.
        snapshot: milliseconds; popularity is frozen at multiples of it, as a daily feature store freezes it.

    Raises:
        DataError: if a source does not fit its feature, a table lacks a column, or a cell has another type.
    """

    def __init__(
        self,
        schema: Schema,
        sources: Mapping[str, FeatureSource],
        events: Interactions,
        *,
        users: SideTable | None,
        items: SideTable | None,
        snapshot: int,
    ) -> None:
        _check(schema, sources)
        rated = [name for name, source in sources.items() if source.kind in ("history_rating", "item_rating")]
        if rated and events.rating is None:
            raise DataError(f"features {rated} are of ratings, and these interactions have none.")
        self.schema = schema
        self.events = events
        self._sources = dict(sources)
        self._snapshot = snapshot
        self._cells: dict[str, Cells] = {}
        for feature in schema.features:
            source = sources[feature.name]
            if source.kind in ("user", "users"):
                self._cells[feature.name] = _read(feature, source, users, events.users)
            elif source.kind in ("item", "items", "history_item"):
                self._cells[feature.name] = _read(feature, source, items, events.items)

    def snapshots(self, requests: Requests) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns the distinct snapshot times, ascending, and for each request the position of its own."""
        as_of, row = np.unique(requests.time // self._snapshot * self._snapshot, return_inverse=True)
        return as_of, row.astype(np.int64)

    def context_columns(self, requests: Requests) -> dict[str, FeatureColumn]:
        """Every context feature, one row a request."""
        return {feature.name: self._context_column(feature, requests) for feature in self.schema.context}

    def _context_column(self, feature: Feature, requests: Requests) -> FeatureColumn:
        source = self._sources[feature.name]
        if source.kind == "request_time":
            return FeatureColumn(requests.time)
        if source.kind == "history_count":
            return FeatureColumn(requests.known.lengths)
        if source.kind == "history_rating":
            return _maybe(user_ratings(requests))
        if feature.list is None or source.kind not in _HISTORY:
            return self._cells[feature.name].take(requests.user)
        events, lengths = requests.history(feature.list.max_length)
        kept = events[np.arange(events.shape[1]) < lengths[:, None]]
        if source.kind == "history_time":
            return FeatureColumn(requests.events.time[kept], lengths)
        return FeatureColumn(self._cells[feature.name].flat[requests.events.item[kept]], lengths)

    def candidate_columns(self, as_of: NDArray[np.int64]) -> dict[str, FeatureColumn]:
        """Every candidate feature of the whole catalogue at every snapshot: row s * items + i is item i at as_of[s].

        Raises:
            LeakageError: if a count draws on an event at or after its snapshot.
            DataError: if a feature differs by request; `slate_columns` gives those.
        """
        pairs = list(self.pair_features)
        if pairs:
            raise DataError(f"features {pairs} differ for every request, so a catalogue cannot be shared; use trees.")
        catalogue = len(self.events.items)
        rows = np.tile(np.arange(catalogue), len(as_of))
        columns = {}
        for feature in self.schema.candidate:
            source = self._sources[feature.name]
            if source.kind == "popularity":
                table = count_popularity(self.events, as_of, window=source.window)
                table.check(self.events)
                columns[feature.name] = FeatureColumn(table.counts.reshape(-1))
            elif source.kind == "item_rating":
                columns[feature.name] = _maybe(item_ratings(self.events, as_of).reshape(-1))
            else:
                columns[feature.name] = self._cells[feature.name].take(rows)
        return columns

    @property
    def pair_features(self) -> tuple[str, ...]:
        """Candidate features that differ for every pair of request and item."""
        return tuple(feature.name for feature in self.schema.candidate if self._sources[feature.name].kind in _PAIRS)

    def slate_columns(
        self, requests: Requests, rows: NDArray[np.int64], items: Sequence[NDArray[np.int64]]
    ) -> dict[str, FeatureColumn]:
        """Every candidate feature of some requests' slates, one row a candidate, slate by slate.

        Args:
            requests: the requests.
            rows: int64, shape [b], which of them.
            items: for each, int64, positions of its candidates in the catalogue.

        Raises:
            LeakageError: if a count draws on an event at or after its snapshot.
        """
        as_of, snapshot = np.unique(requests.time[rows] // self._snapshot * self._snapshot, return_inverse=True)
        sizes = [len(slate) for slate in items]
        flat = np.concatenate(items)
        place = np.repeat(snapshot, sizes)
        columns = {}
        for feature in self.schema.candidate:
            source = self._sources[feature.name]
            if source.kind == "popularity":
                table = count_popularity(self.events, as_of, window=source.window)
                table.check(self.events)
                columns[feature.name] = FeatureColumn(table.counts[place, flat])
            elif source.kind == "item_rating":
                columns[feature.name] = _maybe(item_ratings(self.events, as_of)[place, flat])
            elif source.kind == "covisits":
                known = [Covisits(self.events, int(time)) for time in as_of]
                met = [requests.events.item[requests.known.row(int(row))] for row in rows]
                parts = [known[at].of(own)[slate] for at, own, slate in zip(snapshot, met, items, strict=True)]
                columns[feature.name] = FeatureColumn(np.concatenate(parts))
            else:
                columns[feature.name] = self._cells[feature.name].take(flat)
        return columns

    def observed(self, name: str, population: Requests) -> list[Any]:
        """A feature's present values, one an event: what vocabularies and boundaries are fitted to.

        Context features give one value a request, candidate features one for each item met after a request, as of the
        request's snapshot. List elements stand one after another.

        Args:
            name: of a feature that does not come from the history or the request's time: those have no fixed values.
            population: requests of the training period.

        Raises:
            KeyError: if there is no such feature, or its values cannot be fitted to.
        """
        source = self._sources[name]
        items = population.events.item[population.later.values]
        if source.kind == "popularity":
            as_of, snapshot = self.snapshots(population)
            counts = count_popularity(self.events, as_of, window=source.window).counts
            counted: list[Any] = counts[np.repeat(snapshot, population.later.lengths), items].tolist()
            return counted
        if name not in self._cells or source.kind in _HISTORY:
            raise KeyError(f"feature {name!r} comes from {source.kind!r}; nothing can be fitted to it")
        values = self._cells[name].values
        rows = population.user if self.schema.feature(name).placement == "context" else items
        present = [value for value in (values[row] for row in rows.tolist()) if value is not None]
        return [part for value in present for part in (value if isinstance(value, list) else [value])]

    def raw_request(self, requests: Requests, row: int, items: NDArray[np.int64], *, k: int | None = None) -> bytes:
        """One request as a service would send it: compact JSON in UTF-8, one line.

        Args:
            requests: the requests.
            row: which of them.
            items: positions of the candidates in the catalogue, in slate order.
            k: as in the contract; None leaves it out.
        """
        document: dict[str, Any] = {"context": self._raw_context(requests, row)}
        document["candidates"] = self._raw_candidates(requests, row, items)
        if k is not None:
            document["k"] = k
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def _raw_context(self, requests: Requests, row: int) -> dict[str, Any]:
        context: dict[str, Any] = {}
        history = requests.known.row(row)
        for feature in self.schema.context:
            source = self._sources[feature.name]
            if source.kind == "request_time":
                context[feature.name] = int(requests.time[row])
            elif source.kind == "history_count":
                context[feature.name] = len(history)
            elif source.kind == "history_rating":
                _put(context, feature, _known(user_ratings(requests)[row]))
            elif source.kind == "history_time":
                context[feature.name] = requests.events.time[history].tolist()
            elif source.kind == "history_item":
                values = self._cells[feature.name].values
                context[feature.name] = [values[item] for item in requests.events.item[history]]
            else:
                _put(context, feature, self._cells[feature.name].values[int(requests.user[row])])
        return context

    def _raw_candidates(self, requests: Requests, row: int, items: NDArray[np.int64]) -> list[dict[str, Any]]:
        as_of = requests.time[row : row + 1] // self._snapshot * self._snapshot
        candidates: list[dict[str, Any]] = [{} for _ in items]
        for feature in self.schema.candidate:
            source = self._sources[feature.name]
            if source.kind == "popularity":
                values: Sequence[Any] = count_popularity(self.events, as_of, window=source.window).counts[0].tolist()
            elif source.kind == "item_rating":
                values = [_known(value) for value in item_ratings(self.events, as_of)[0]]
            elif source.kind == "covisits":
                met = requests.events.item[requests.known.row(row)]
                values = Covisits(self.events, int(as_of[0])).of(met).tolist()
            else:
                values = self._cells[feature.name].values
            for candidate, item in zip(candidates, items, strict=True):
                _put(candidate, feature, values[item])
        return candidates


def _maybe(values: NDArray[np.float64]) -> FeatureColumn:
    """NaN as missing."""
    present = ~np.isnan(values)
    return FeatureColumn(np.where(present, values, 0.0), None, present.astype(np.int64))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _put(target: dict[str, Any], feature: Feature, value: object) -> None:
    if value is not None:
        target[feature.name] = value


def _read(feature: Feature, source: FeatureSource, side: SideTable | None, names: Sequence[str]) -> Cells:
    cells: Sequence[str | None] = names
    if source.kind in ("users", "items"):
        if side is None or source.column is None:
            raise DataError(f"feature {feature.name!r} comes from {source.kind!r}: give that table, and a column.")
        cells = side.cells(source.column, names)
    if source.kind == "history_item":
        # A history holds items; its cells are those of one item each.
        feature = Feature(feature.name, "candidate", feature.dtype)
    return parse_cells(feature, cells, separator=source.separator, absent=source.absent)


def _check(schema: Schema, sources: Mapping[str, FeatureSource]) -> None:
    names = [feature.name for feature in schema.features]
    if sorted(names) != sorted(sources):
        differing = sorted(set(names) ^ set(sources))
        raise DataError(f"every feature needs one source and every source a feature; these have not: {differing}.")
    for feature in schema.features:
        kind = sources[feature.name].kind
        if (kind in _CONTEXT) != (feature.placement == "context"):
            raise DataError(f"feature {feature.name!r} is a {feature.placement} feature and cannot come from {kind!r}.")
        if (kind in _HISTORY) and (feature.list is None or feature.list.keep != "last"):
            raise DataError(f"feature {feature.name!r} is a history: make it a list that keeps the last elements.")
        if kind in ("history_time", "request_time") and feature.dtype != "timestamp":
            raise DataError(f"feature {feature.name!r} comes from {kind!r} and must be a timestamp.")
        if kind in _DTYPES and (feature.dtype != _DTYPES[kind] or feature.list or feature.vector):
            raise DataError(f"feature {feature.name!r} comes from {kind!r} and must be one {_DTYPES[kind]}.")
