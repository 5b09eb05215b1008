"""Slates of requests as the rows of trees, made by running the front graph itself."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twinrank.training.config import SlatesConfig
from twinrank.training.data import FeatureData, Requests
from twinrank.training.schema import pack_columns
from twinrank.training.transforms import FrontGraph
from twinrank.training.trees import Column, FittedTrees, Queries, columns_of, native_matrix

_SLATES_AT_ONCE = 64


class SlateRows:
    """Rows of trees for the slates of requests.

    Args:
        front: the front graph.
        data: raw values of the same schema.
        requests: whose slates.

    Raises:
        TreesError: if the front graph makes anything that is no column.
    """

    def __init__(self, front: FrontGraph, data: FeatureData, requests: Requests) -> None:
        self.columns: tuple[Column, ...] = columns_of(front)
        self._front = front
        self._data = data
        self._requests = requests
        self._blocks = {block.name for block in front.packing.blocks if block.placement == "context"}
        # One candidate row: the graph wants all inputs.
        one = data.slate_columns(requests, np.zeros(1, np.int64), [np.zeros(1, np.int64)])
        self._packed = pack_columns(
            {**data.context_columns(requests), **one}, front.packing, contexts=len(requests), candidates=1
        )
        encoded = front.encode(self._packed)
        self._context = {spec.name: encoded[spec.name] for spec in front.outputs if spec.placement == "context"}

    def of(self, rows: NDArray[np.int64], items: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        """One row a candidate, slate by slate: float64, shape [candidates of all slates, columns].

        Args:
            rows: int64, shape [b], which requests.
            items: for each, positions of its candidates in the catalogue, at least one in all.

        Raises:
            LeakageError: if a count draws on an event at or after its snapshot.
        """
        starts = range(0, len(rows), _SLATES_AT_ONCE)
        return np.concatenate(
            [self._some(rows[at : at + _SLATES_AT_ONCE], items[at : at + _SLATES_AT_ONCE]) for at in starts]
        )

    def _some(self, rows: NDArray[np.int64], items: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        sizes = np.array([len(slate) for slate in items])
        columns = self._data.slate_columns(self._requests, rows, items)
        packing = self._front.packing
        packed = pack_columns(columns, packing, contexts=0, candidates=int(sizes.sum()))
        # One context row, as the graph wants all inputs.
        own = {name: block[:1] for name, block in self._packed.items() if name in self._blocks}
        encoded = self._front.encode({**packed, **own})
        which = np.repeat(rows, sizes)
        tensors = {
            name: self._context[name][which] if name in self._context else values for name, values in encoded.items()
        }
        return native_matrix(self.columns, tensors)


class TreesScorer:
    """Trees as a scorer of the whole catalogue.

    Args:
        fitted: the trees.
        rows: of the requests that `scores` will be asked about.
    """

    def __init__(self, fitted: FittedTrees, rows: SlateRows) -> None:
        self._fitted = fitted
        self._rows = rows

    def scores(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Raw scores of the whole catalogue, shape [len(rows), items]."""
        items = len(requests.events.items)
        x = self._rows.of(rows, [np.arange(items)] * len(rows))
        return self._fitted.predict(x).astype(np.float64).reshape(len(rows), items)


def training_queries(config: SlatesConfig, requests: Requests, rows: SlateRows, *, seed: int) -> Queries:
    """Training slates: what was met next after a request, graded, and sampled items that were never met.

    Requests after which nothing new was met make none. An item is in a slate once; negatives are drawn from
    Q(item) ~ (events of the item in training)^power.

    Args:
        config: horizon, negatives, grades.
        requests: of the training period; their labels end before the cut.
        rows: of the same requests.
        seed: of the sampling.
    """
    random = np.random.default_rng(seed)
    events = requests.events
    counts = np.bincount(events.item, minlength=len(events.items)).astype(np.float64)
    weights = np.where(counts > 0, counts, 1.0) ** config.negative_power * (counts > 0)
    met = [np.unique(events.item[events.user == user]) for user in range(len(events.users))]
    chosen, slates, grades = [], [], []
    # In the order of time, so that neighbours share a snapshot.
    for row in np.argsort(requests.time, kind="stable").tolist():
        later = requests.later.row(row)
        later = later[~np.isin(events.item[later], events.item[requests.known.row(row)])]
        items, first = np.unique(events.item[later], return_index=True)
        order = np.sort(first)[: config.horizon]
        if not len(items):
            continue
        nexts = later[order]
        allowed = weights.copy()
        allowed[met[int(requests.user[row])]] = 0.0
        drawable = int(np.count_nonzero(allowed))
        drawn = np.zeros(0, np.int64)
        if drawable:
            size = min(config.negatives, drawable)
            drawn = random.choice(len(allowed), size=size, replace=False, p=allowed / allowed.sum())
        ratings = np.full(len(nexts), np.nan) if events.rating is None else events.rating[nexts]
        grade = 1 + sum((ratings >= lowest).astype(np.int64) for lowest in config.grades)
        chosen.append(row)
        slates.append(np.concatenate([events.item[nexts], drawn]))
        grades.append(np.concatenate([np.broadcast_to(grade, len(nexts)), np.zeros(len(drawn), np.int64)]))
    x = rows.of(np.array(chosen, np.int64), slates)
    sizes = np.array([len(slate) for slate in slates], np.int64)
    return Queries(x, np.concatenate(grades).astype(np.int64), sizes)


def validation_queries(requests: Requests, rows: SlateRows) -> Queries:
    """The slates that evaluation ranks: the whole catalogue without the history; grade 1 was met afterwards.

    Requests without a relevant item are left out, as evaluation leaves them out.
    """
    events = requests.events
    chosen, slates, grades = [], [], []
    for row in range(len(requests)):
        allowed = np.ones(len(events.items), np.bool_)
        allowed[events.item[requests.known.row(row)]] = False
        relevant = np.zeros_like(allowed)
        relevant[events.item[requests.later.row(row)]] = True
        slate = np.flatnonzero(allowed)
        if relevant[slate].any():
            chosen.append(row)
            slates.append(slate)
            grades.append(relevant[slate].astype(np.int64))
    x = rows.of(np.array(chosen, np.int64), slates)
    return Queries(x, np.concatenate(grades), np.array([len(slate) for slate in slates], np.int64))
