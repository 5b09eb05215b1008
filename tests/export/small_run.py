"""A trained-looking run, small enough to export within seconds: every dtype, lists, groups and policies, two heads."""

import json
from collections.abc import Callable
from typing import Any

import torch

from twinrank.training.run import TrainedRun
from twinrank.training.schema import Schema
from twinrank.training.transforms import (
    Bucketize,
    Clip,
    Elapsed,
    FrontGraph,
    HashBuckets,
    Lookup,
    SequenceMask,
    Standardise,
    State,
    TimePart,
    Vocabulary,
)

ITEMS = [f"item-{i}" for i in range(40)]
ERROR = {"policy": "error"}
OWN_ROW = {"policy": "own_row"}
HISTORY = {"group": "history", "list": {"max_length": 5, "keep": "last"}}


def feature(name: str, placement: str, dtype: str, missing: Any = ERROR, invalid: Any = ERROR, **more: Any) -> Any:
    return {"name": name, "placement": placement, "dtype": dtype, **more, "missing": missing, "invalid": invalid}


SCHEMA = Schema.from_json(
    {
        "features": [
            feature("user", "context", "string", missing=OWN_ROW),
            feature("when", "context", "timestamp"),
            feature("income", "context", "float64", missing={"policy": "default", "value": 0.5}),
            feature("history_item", "context", "string", missing={"policy": "default", "value": []}, **HISTORY),
            feature("history_time", "context", "timestamp", missing={"policy": "default", "value": []}, **HISTORY),
            feature("item", "candidate", "string"),
            feature("price", "candidate", "float32"),
            feature("stock", "candidate", "int64", missing={"policy": "default", "value": 0}, invalid=OWN_ROW),
            feature("genres", "candidate", "string", list={"max_length": 3, "keep": "first"}),
        ]
    }
)
VOCABULARY = Vocabulary("item", "string", tuple(ITEMS))
GENRES = Vocabulary("genre", "string", ("Comedy", "Drama", "Crime"))
USERS = Vocabulary("user", "string", ("ann", "bob", "cyd"))


def front() -> FrontGraph:
    return FrontGraph(
        SCHEMA,
        (
            Lookup("user", "user", USERS),
            TimePart("hour", "when", "hour_of_day"),
            Standardise("income", "income", mean=0.5, scale=2.0),
            Lookup("history", "history_item", VOCABULARY),
            Elapsed("age", "when", "history_time", (1, 60_000, 3_600_000)),
            SequenceMask("history_mask", "history_item"),
            Lookup("item", "item", VOCABULARY),
            Clip("price", "price", -10.0, 10.0),
            Bucketize("price_bucket", "price", (0.0, 1.0, 2.0)),
            HashBuckets("stock", "stock", 16),
            State("stock_state", "stock"),
            Lookup("genres", "genres", GENRES),
            SequenceMask("genres_mask", "genres"),
        ),
    )


class SmallRanker(torch.nn.Module):
    """Two heads over pooled history, crosses and numbers, row by row."""

    def __init__(self, encoder: FrontGraph) -> None:
        super().__init__()
        rows = {spec.name: spec.cardinality for spec in encoder.outputs}
        self.tables = torch.nn.ModuleDict(
            {name: torch.nn.Embedding(count, 6) for name, count in rows.items() if count is not None}
        )
        self.context = torch.nn.Linear(6 * 4 + 1, 12)
        self.hidden = torch.nn.Linear(6 * 5 + 1, 12)
        self.out = torch.nn.Linear(12, 2)

    def pooled(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        # One row of weights per row of the batch: a batched product, whose bits do not depend on the batch.
        return torch.bmm(mask.unsqueeze(1), ids).squeeze(1)

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        table = {name: layer(encoded[name]) for name, layer in self.tables.items()}
        history = self.pooled(table["history"] + table["age"], encoded["history_mask"])
        income = encoded["income"].unsqueeze(-1)
        context = self.context(torch.cat([table["user"], table["hour"], history, history * history, income], -1))
        genres = self.pooled(table["genres"], encoded["genres_mask"])
        numbers = encoded["price"].unsqueeze(-1)
        parts = [table["item"], table["price_bucket"], table["stock"], table["stock_state"], genres, numbers]
        logits = self.out(torch.relu(self.hidden(torch.cat(parts, -1)) + context))
        watched, liked = logits[:, 0], logits[:, 1]
        return {"watched": watched, "liked": liked, "score": watched + 0.5 * liked}


def requests(count: int = 30) -> tuple[bytes, ...]:
    """Slates of 1 to 40 candidates, written by arithmetic alone."""
    made = []
    for r in range(count):
        when = 1_600_000_000_000 + r * 7_000_000
        context: dict[str, Any] = {"user": ["ann", "bob", "cyd", "dan"][r % 4], "when": when}
        if r % 3:
            context["income"] = r / 7
        if r % 5:
            past = range(r % 7)
            context["history_item"] = [ITEMS[(r * 3 + j) % 40] for j in past]
            context["history_time"] = [when - j * 1_000_000 for j in past]
        candidates = []
        for i in range(40 if r % 6 == 5 else r % 9 + 1):
            one = {"item": ITEMS[(r + i) % 40], "price": i / 3 - 2, "genres": ["Comedy", "Crime", "Noir"][: i % 4]}
            candidates.append(one | ({"stock": i * r} if i % 2 else {}))
        made.append(json.dumps({"context": context, "candidates": candidates}).encode())
    return tuple(made)


def small_run(module: Callable[[FrontGraph], torch.nn.Module] = SmallRanker, name: str = "small") -> TrainedRun:
    """The run with freshly seeded weights."""
    encoder = front()
    torch.manual_seed(7)
    return TrainedRun(
        name=name,
        schema=SCHEMA,
        front=encoder,
        module=module(encoder).eval(),
        heads=("watched", "liked"),
        requests=requests(),
        provenance={"seed": 7, "data": {}, "config": {}, "versions": {}, "metrics": {}},
        max_candidates=300,
    )
