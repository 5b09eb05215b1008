"""Requests as encoded tensors, made by running the front graph itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twinrank.training.data import FeatureData, Requests
from twinrank.training.schema import pack_columns
from twinrank.training.transforms import FrontGraph

_ROWS_AT_ONCE = 65536


@dataclass(frozen=True)
class EncodedRequests:
    """b requests, and the whole catalogue at every snapshot that they refer to.

    Memory is snapshots * items rows; a longer snapshot makes fewer of them.

    Attributes:
        context: by encoded name, shape [b] or [b, L].
        candidate: by encoded name, shape [snapshots * items] or [snapshots * items, L].
        base: int64, shape [b]: item i of request r is candidate row base[r] + i.
        items: size of the catalogue.
    """

    context: Mapping[str, Tensor]
    candidate: Mapping[str, Tensor]
    base: NDArray[np.int64]
    items: int

    def batch(self, rows: NDArray[np.int64], items: NDArray[np.int64]) -> dict[str, Tensor]:
        """The encoded tensors of some requests with chosen candidates, for `SlateRanker.forward_batch`.

        Args:
            rows: int64, shape [b'], requests.
            items: int64, shape [b', m], positions in the catalogue.
        """
        places = torch.from_numpy(self.base[rows, None] + items)
        chosen = torch.from_numpy(rows)
        context = {name: values[chosen] for name, values in self.context.items()}
        return context | {name: values[places] for name, values in self.candidate.items()}


class Encoder:
    """Encodes requests with a front graph.

    Args:
        front: the front graph.
        data: raw values of the same schema.

    Raises:
        ValueError: if the schemas differ, or a transform reads both placements: its results cannot be shared by the
            requests of one snapshot.
    """

    def __init__(self, front: FrontGraph, data: FeatureData) -> None:
        if front.schema != data.schema:
            raise ValueError("the front graph and the data have different schemas.")
        placements = {feature.name: feature.placement for feature in data.schema.features}
        mixed = [t.name for t in front.transforms if len({placements[name] for name in t.inputs}) > 1]
        if mixed:
            raise ValueError(f"transforms {mixed} read context and candidate; this trainer encodes the two apart.")
        self._front = front
        self._data = data

    def encode(self, requests: Requests) -> EncodedRequests:
        """Encodes contexts, and the catalogue at the requests' snapshots.

        Raises:
            LeakageError: if a count draws on an event at or after its snapshot.
        """
        as_of, snapshot = self._data.snapshots(requests)
        items = len(self._data.events.items)
        blocks = pack_columns(
            {**self._data.context_columns(requests), **self._data.candidate_columns(as_of)},
            self._front.packing,
            contexts=len(requests),
            candidates=len(as_of) * items,
        )
        return EncodedRequests(
            self._run(blocks, "context", len(requests)),
            self._run(blocks, "candidate", len(as_of) * items),
            snapshot * items,
            items,
        )

    def _run(self, blocks: Mapping[str, NDArray[np.generic]], placement: str, rows: int) -> dict[str, Tensor]:
        own = {block.name for block in self._front.packing.blocks if block.placement == placement}
        names = [spec.name for spec in self._front.outputs if spec.placement == placement]
        parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in names}
        for start in range(0, rows, _ROWS_AT_ONCE):
            # One row of the other side: the graph wants all inputs, and its cost is negligible.
            chunk = {
                name: block[start : start + _ROWS_AT_ONCE] if name in own else block[:1]
                for name, block in blocks.items()
            }
            encoded = self._front.encode(chunk)
            for name in names:
                parts[name].append(encoded[name])
        return {name: torch.from_numpy(np.concatenate(arrays)) for name, arrays in parts.items()}
