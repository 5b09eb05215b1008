"""The one evaluation for rankers and baselines: the whole catalogue ranked, what the user already met left out."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twinrank.training.data import DataError, Requests
from twinrank.training.metrics import auc, ndcg, ranked_relevance, recall

_QUERIES_AT_ONCE = 64


class Scorer(Protocol):
    """Anything that scores the whole catalogue for a request."""

    def scores(self, requests: Requests, rows: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
        """Scores, shape [len(rows), items], higher is better."""


def evaluate(scorer: Scorer, requests: Requests, *, k: int) -> dict[str, float]:
    """Means of nDCG@k, R@k and AUC over requests.

    Ranked is the whole catalogue without the items of the user's history. Relevant is what the user met after the
    request and not before. Requests without a relevant item are left out.

    Args:
        scorer: what to evaluate.
        requests: where.
        k: cut-off of nDCG and recall.

    Raises:
        DataError: if no request has a relevant item.
    """
    items = len(requests.events.items)
    totals: dict[str, list[NDArray[np.float64]]] = {f"ndcg@{k}": [], f"recall@{k}": [], "auc": []}
    for start in range(0, len(requests), _QUERIES_AT_ONCE):
        rows = np.arange(start, min(start + _QUERIES_AT_ONCE, len(requests)))
        allowed = np.ones((len(rows), items), dtype=np.bool_)
        relevant = np.zeros_like(allowed)
        for place, row in enumerate(rows):
            allowed[place, requests.events.item[requests.known.row(int(row))]] = False
            relevant[place, requests.events.item[requests.later.row(int(row))]] = True
        relevant &= allowed
        kept = relevant.any(axis=1)
        rows, allowed, relevant = rows[kept], allowed[kept], relevant[kept]
        if len(rows):
            scores = scorer.scores(requests, rows)
            ranked = ranked_relevance(scores, relevant, allowed, k=k)
            counts = relevant.sum(axis=1)
            totals[f"ndcg@{k}"].append(ndcg(ranked, counts))
            totals[f"recall@{k}"].append(recall(ranked, counts))
            totals["auc"].append(auc(scores, relevant, allowed))
    if not totals["auc"]:
        raise DataError("no request has a relevant item; place requests where users meet items that are new to them.")
    means = {name: float(np.nanmean(np.concatenate(parts))) for name, parts in totals.items()}
    return means | {"requests": sum(len(part) for part in totals["auc"])}
