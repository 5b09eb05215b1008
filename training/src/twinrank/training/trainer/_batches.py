"""Batches: some requests, sampled positives among what was watched after them, sampled negatives."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twinrank.training.data import Requests
from twinrank.training.trainer._encoding import EncodedRequests


@dataclass(frozen=True)
class Batch:
    """b requests with p positives, then m negatives as candidates.

    Attributes:
        encoded: keyword arguments of `SlateRanker.forward_batch`, candidates [b, p + m].
        positives: p.
        rating: float32, shape [b, p], NaN where unknown.
        log_expected: float32, shape [b, m], log(m Q) of each negative.
        excluded: bool, shape [b, m], negatives that the user met in the period: no negatives at all.
    """

    encoded: dict[str, Tensor]
    positives: int
    rating: Tensor
    log_expected: Tensor
    excluded: Tensor


class TrainingSet:
    """Draws batches from requests. Everything random comes from the generator that the caller passes.

    Negatives are drawn with replacement from Q(item) ~ (events of the item in training)^power, the same for every
    request. Items without an event in training are never drawn.

    Args:
        requests: training requests; their labels end before the cut.
        encoded: the same requests, encoded.
        batch_size: requests a batch.
        positives: positives a request, drawn with replacement from the next `horizon` events after it.
        horizon: events; a far one asks for taste, a near one for what comes next.
        negatives: negatives a request.
        power: 0 draws items uniformly, 1 as often as they were met.
    """

    def __init__(
        self,
        requests: Requests,
        encoded: EncodedRequests,
        *,
        batch_size: int,
        positives: int,
        horizon: int,
        negatives: int,
        power: float,
    ) -> None:
        self._requests = requests
        self._encoded = encoded
        self._batch_size = batch_size
        self._positives = positives
        self._reach = np.minimum(requests.later.lengths, horizon)
        self._negatives = negatives
        counts = np.bincount(requests.events.item, minlength=encoded.items).astype(np.float64)
        weights = np.where(counts > 0, counts, 1.0) ** power * (counts > 0)
        self._chance = weights / weights.sum()
        self._cumulative = np.cumsum(self._chance)
        self._met = np.unique(requests.events.user * encoded.items + requests.events.item)

    @property
    def batches(self) -> int:
        """Batches an epoch; the last one may be smaller."""
        return -(-len(self._requests) // self._batch_size)

    def epoch(self, random: np.random.Generator) -> Iterator[Batch]:
        """Yields every request once, in random order."""
        order = random.permutation(len(self._requests))
        for start in range(0, len(order), self._batch_size):
            yield self._batch(order[start : start + self._batch_size], random)

    def _batch(self, rows: NDArray[np.int64], random: np.random.Generator) -> Batch:
        events = self._requests.events
        later = self._requests.later
        steps = random.random((len(rows), self._positives)) * self._reach[rows, None]
        chosen = later.values[later.offsets[rows, None] + steps.astype(np.int64)]  # [b, p]
        drawn = random.random((len(rows), self._negatives)) * self._cumulative[-1]
        negative = np.searchsorted(self._cumulative, drawn, side="right")  # [b, m]
        pairs = self._requests.user[rows, None] * self._encoded.items + negative
        place = np.minimum(np.searchsorted(self._met, pairs), len(self._met) - 1)
        rating = np.full(chosen.shape, np.nan) if events.rating is None else events.rating[chosen]
        return Batch(
            self._encoded.batch(rows, np.concatenate([events.item[chosen], negative], axis=1)),
            self._positives,
            torch.from_numpy(rating.astype(np.float32)),
            torch.from_numpy(np.log(self._negatives * self._chance[negative]).astype(np.float32)),
            torch.from_numpy(self._met[place] == pairs),
        )
