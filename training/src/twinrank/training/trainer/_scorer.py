"""The ranker as a scorer of the whole catalogue."""

import numpy as np
import torch
from numpy.typing import NDArray

from twinrank.training.data import Requests
from twinrank.training.models import SCORE, SlateRanker
from twinrank.training.trainer._encoding import EncodedRequests

_ROWS_AT_ONCE = 32


class RankerScorer:
    """Scores with the training path of a ranker, in eval mode, without gradients.

    Args:
        module: the ranker; its mode is restored after each call.
        encoded: the requests that `scores` will be asked about.
    """

    def __init__(self, module: SlateRanker, encoded: EncodedRequests) -> None:
        self._module = module
        self._encoded = encoded

    def scores(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of the whole catalogue, float32, shape [len(rows), items].

        Raises:
            ValueError: if these are not the requests that were encoded.
        """
        if len(requests) != len(self._encoded.base):
            raise ValueError(f"{len(self._encoded.base)} requests were encoded, asked is about {len(requests)}.")
        training = self._module.training
        self._module.eval()
        parts = []
        with torch.no_grad():
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                chunk = rows[start : start + _ROWS_AT_ONCE]
                catalogue = np.broadcast_to(np.arange(self._encoded.items), (len(chunk), self._encoded.items))
                parts.append(self._module.forward_batch(**self._encoded.batch(chunk, catalogue))[SCORE].numpy())
        self._module.train(training)
        return np.concatenate(parts)
