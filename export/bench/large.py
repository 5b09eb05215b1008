"""A run whose item table is as large as asked for: 10,000,000 rows of 32 are 1.28 GB."""

import json

import numpy as np
import torch

from twinrank.training.run import TrainedRun
from twinrank.training.schema import Feature, Schema
from twinrank.training.transforms import FrontGraph, HashBuckets, Standardise

ROWS = 10_000_000
WIDTH = 32
_USERS = 1000
_HIDDEN = 64
_REQUESTS = 40
_MAX_CANDIDATES = 1000
_SEED = 7


class LargeRanker(torch.nn.Module):
    """An item table, a user table, their product and a hidden layer; two heads.

    Args:
        rows: of the item table.
        users: of the user table.
    """

    def __init__(self, rows: int, users: int) -> None:
        super().__init__()
        self.items = torch.nn.Embedding.from_pretrained(torch.empty(rows, WIDTH).uniform_(-0.5, 0.5))
        self.users = torch.nn.Embedding(users, WIDTH)
        self.hidden = torch.nn.Linear(2 * WIDTH + 1, _HIDDEN)
        self.out = torch.nn.Linear(_HIDDEN, 2)

    def forward(self, user: torch.Tensor, item: torch.Tensor, price: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores a slate: user ids of shape [1], item ids and prices of shape [n]."""
        items = self.items(item)
        parts = torch.cat([items, items * self.users(user), price.unsqueeze(-1)], -1)
        logits = self.out(torch.relu(self.hidden(parts)))
        watched, liked = logits[:, 0], logits[:, 1]
        return {"watched": watched, "liked": liked, "score": watched + 0.5 * liked}


def large_run(rows: int = ROWS) -> TrainedRun:
    """The run, its weights freshly seeded; items are hashed into the table's rows, so no vocabulary is as large."""
    schema = Schema(
        (
            Feature("user", "context", "int64"),
            Feature("item", "candidate", "int64"),
            Feature("price", "candidate", "float32"),
        )
    )
    front = FrontGraph(
        schema,
        (
            HashBuckets("user", "user", _USERS),
            HashBuckets("item", "item", rows),
            Standardise("price", "price", mean=10.0, scale=5.0),
        ),
    )
    torch.manual_seed(_SEED)
    return TrainedRun(
        name="large",
        schema=schema,
        front=front,
        module=LargeRanker(rows, _USERS).eval(),
        heads=("watched", "liked"),
        requests=large_requests(_REQUESTS),
        provenance={"seed": _SEED, "data": {}, "config": {"rows": rows, "width": WIDTH}, "versions": {}, "metrics": {}},
        max_candidates=_MAX_CANDIDATES,
    )


def large_requests(count: int, candidates: int = 100) -> tuple[bytes, ...]:
    """Raw requests of random items."""
    random = np.random.Generator(np.random.PCG64(_SEED))
    return tuple(
        json.dumps(
            {
                "context": {"user": int(random.integers(1 << 40))},
                "candidates": [
                    {"item": int(random.integers(1 << 60)), "price": round(float(random.uniform(1, 20)), 2)}
                    for _ in range(candidates)
                ],
            }
        ).encode()
        for _ in range(count)
    )
