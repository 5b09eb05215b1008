"""Sample requests of a run: real ones from the test period, and the edges that a reader must survive."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data import FeatureData, FeatureSource, Requests
from twinrank.training.schema import Schema

_UNSEEN_TEXT = "never seen \u2020 \U0001f39e"
_UNSEEN_NUMBER = -(2**63)


@dataclass(frozen=True)
class Sample:
    """A raw request, and the item ids that its user met afterwards."""

    raw: bytes
    watched_after: tuple[str, ...]


def sample_requests(
    data: FeatureData,
    sources: Mapping[str, FeatureSource],
    requests: Requests,
    *,
    full_catalogue: int,
    ordinary: int,
    single: int,
    smallest: int,
    largest: int,
    k: int,
    max_candidates: int,
    seed: int,
) -> tuple[Sample, ...]:
    """Writes requests: whole catalogues, ordinary slates, single candidates, then edges.

    A slate holds items that the user had not met, about a fifth of them met afterwards. Every other request asks for
    the first k. A catalogue larger than `max_candidates` is cut to its first items.

    Args:
        data: raw values.
        sources: where each feature's values come from; tells which values make a user or an item unseen.
        requests: of the test period.
        full_catalogue: how many requests with every item.
        ordinary: how many with `smallest` to `largest` candidates.
        single: how many with one candidate.
        smallest: candidates of an ordinary request, at least.
        largest: candidates of an ordinary request, at most.
        k: what some requests ask for.
        max_candidates: largest slate.
        seed: of all choices.
    """
    random = np.random.default_rng(seed)
    items = len(data.events.items)
    sizes = [min(items, max_candidates)] * full_catalogue
    sizes += np.minimum(random.integers(smallest, largest, size=ordinary, endpoint=True), items).tolist()
    sizes += [1] * single
    rows = random.permutation(np.resize(np.arange(len(requests)), len(sizes)))
    samples = []
    for place, (row, size) in enumerate(zip(rows.tolist(), sizes, strict=True)):
        whole = place < full_catalogue
        slate = np.arange(size) if whole else _slate(requests, row, size, items, random)
        asked = k if not whole and place % 2 else None
        samples.append(_sample(data, requests, row, slate, asked))
    return (*samples, *_edges(data, sources, requests, min(smallest, items), random))


def _slate(requests: Requests, row: int, size: int, items: int, random: np.random.Generator) -> NDArray[np.int64]:
    met = requests.events.item[requests.known.row(row)]
    later = np.setdiff1d(requests.events.item[requests.later.row(row)], met)
    others = np.setdiff1d(np.arange(items), np.concatenate([met, later]))
    hits = random.permutation(later)[: max(1, size // 5)]
    misses = random.permutation(others)[: size - len(hits)]
    return random.permutation(np.concatenate([hits, misses]))


def _sample(data: FeatureData, requests: Requests, row: int, slate: NDArray[np.int64], k: int | None) -> Sample:
    later = requests.events.item[requests.later.row(row)]
    names = tuple(dict.fromkeys(requests.events.items[int(item)] for item in later))
    return Sample(data.raw_request(requests, row, slate, k=k), names)


def _edges(
    data: FeatureData,
    sources: Mapping[str, FeatureSource],
    requests: Requests,
    size: int,
    random: np.random.Generator,
) -> list[Sample]:
    by_length = np.argsort(requests.known.lengths, kind="stable")
    shortest, typical, longest = (int(by_length[place]) for place in (0, len(by_length) // 2, -1))
    edges: list[tuple[int, Callable[[dict[str, Any]], None]]] = [
        (longest, _as_it_is),
        (shortest, _as_it_is),
        (typical, lambda document: _empty_history(document, sources)),
        (typical, lambda document: _unseen(document, data.schema, sources)),
        (typical, lambda document: _forget(document, data.schema)),
        (typical, lambda document: document["candidates"].clear()),
        (typical, lambda document: document["candidates"].extend(document["candidates"][:2])),
    ]
    samples = []
    for row, edit in edges:
        sample = _sample(data, requests, row, _slate(requests, row, size, len(data.events.items), random), None)
        document = json.loads(sample.raw)
        edit(document)
        raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        samples.append(Sample(raw, sample.watched_after))
    return samples


def _as_it_is(document: dict[str, Any]) -> None:
    """Real requests with the longest and the shortest history are edges themselves."""
    del document


def _empty_history(document: dict[str, Any], sources: Mapping[str, FeatureSource]) -> None:
    for name, source in sources.items():
        if source.kind in ("history_item", "history_time"):
            document["context"][name] = []


def _unseen(document: dict[str, Any], schema: Schema, sources: Mapping[str, FeatureSource]) -> None:
    for feature in schema.features:
        # Where unseen values are refused, the other sample of this kind is left: one of known values.
        if sources[feature.name].kind in ("user", "item") and feature.unseen.policy != "error":
            values = [document["context"]] if feature.placement == "context" else document["candidates"][::2]
            for value in values:
                value[feature.name] = _UNSEEN_TEXT if feature.dtype == "string" else _UNSEEN_NUMBER


def _forget(document: dict[str, Any], schema: Schema) -> None:
    # Absent and null are the same to a reader; both are shown to it.
    for feature in schema.features:
        if feature.missing.policy != "error":
            values = [document["context"]] if feature.placement == "context" else document["candidates"]
            for place, value in enumerate(values):
                value.pop(feature.name, None)
                if place % 2:
                    value[feature.name] = None
