"""A run of 20 raw features of every kind, for the question what the transforms in the graph cost."""

import json
from typing import Any

import numpy as np
import torch

from twinrank.training.run import TrainedRun
from twinrank.training.schema import Feature, ListSpec, Schema
from twinrank.training.transforms import (
    Bucketize,
    Clip,
    Cross,
    Elapsed,
    FrontGraph,
    HashBuckets,
    Log1p,
    Lookup,
    SequenceMask,
    Standardise,
    TimePart,
    Vocabulary,
)

CANDIDATES = 200
_WIDTH = 16
_HIDDEN = 128
_HISTORY = 20
_TAGS = 5
_SEED = 7
_NOW = 1_700_000_000_000
_REQUESTS = 60
_SIZES = {
    "user": 20_000,
    "country": 200,
    "item": 20_000,
    "brand": 5_000,
    "category": 300,
    "seller": 5_000,
    "tag": 1_000,
}


def vocabulary(name: str, size: int) -> Vocabulary:
    """Strings like ``item-17``."""
    return Vocabulary(name, "string", tuple(f"{name}-{i}" for i in range(size)))


def front(sizes: dict[str, int]) -> FrontGraph:
    """The schema and its transforms: 5 features of the context, 15 of a candidate.

    Args:
        sizes: entries by vocabulary.
    """
    words = {name: vocabulary(name, size) for name, size in sizes.items()}
    texts = ("item", "brand", "category", "seller")
    numbers = ("price", "discount", "rating", "reviews", "clicks", "rate")
    schema = Schema(
        (
            Feature("user", "context", "string"),
            Feature("country", "context", "string"),
            Feature("now", "context", "timestamp"),
            Feature("age", "context", "int64"),
            Feature("history", "context", "string", list=ListSpec(_HISTORY, "last")),
            *(Feature(name, "candidate", "string") for name in texts),
            Feature("tags", "candidate", "string", list=ListSpec(_TAGS, "first")),
            *(Feature(name, "candidate", "float32") for name in numbers),
            Feature("stock", "candidate", "int64"),
            Feature("launched", "candidate", "timestamp"),
            Feature("campaign", "candidate", "int64"),
            Feature("promoted", "candidate", "bool"),
        )
    )
    return FrontGraph(
        schema,
        (
            Lookup("user", "user", words["user"]),
            Lookup("country", "country", words["country"]),
            TimePart("hour", "now", "hour_of_day"),
            Bucketize("age", "age", (18, 25, 35, 45, 55, 65)),
            Lookup("history", "history", words["item"]),
            SequenceMask("history_mask", "history"),
            *(Lookup(name, name, words[name]) for name in texts),
            Lookup("tags", "tags", words["tag"]),
            SequenceMask("tags_mask", "tags"),
            Standardise("price", "price", mean=10.0, scale=5.0),
            Clip("discount", "discount", 0.0, 1.0),
            Bucketize("rating", "rating", (1.0, 2.0, 3.0, 4.0)),
            Log1p("reviews", "reviews"),
            Bucketize("clicks", "clicks", tuple(float(2**i) for i in range(16))),
            Standardise("rate", "rate", mean=0.1, scale=0.1),
            HashBuckets("stock", "stock", 64),
            Elapsed("launched", "now", "launched", (3_600_000, 86_400_000, 604_800_000)),
            HashBuckets("campaign", "campaign", 4096),
            HashBuckets("promoted", "promoted", 2),
            Cross("local", ("country", "category"), 8192),
        ),
    )


class TwentyRanker(torch.nn.Module):
    """Embeddings and numbers side by side, pooled lists, two hidden layers; one head.

    Args:
        encoder: the front graph.
    """

    def __init__(self, encoder: FrontGraph) -> None:
        super().__init__()
        specs = encoder.outputs
        self._masks = {"history": "history_mask", "tags": "tags_mask"}
        named = [spec for spec in specs if spec.name not in self._masks.values()]
        self._context = [spec.name for spec in named if spec.placement == "context"]
        self._candidate = [spec.name for spec in named if spec.placement == "candidate"]
        tables = {spec.name: spec.cardinality for spec in named if spec.cardinality is not None}
        self.tables = torch.nn.ModuleDict({name: torch.nn.Embedding(rows, _WIDTH) for name, rows in tables.items()})
        widths = {spec.name: _WIDTH if spec.name in tables else 1 for spec in named}
        self.context = torch.nn.Linear(sum(widths[name] for name in self._context), _HIDDEN)
        self.candidate = torch.nn.Linear(sum(widths[name] for name in self._candidate), _HIDDEN)
        self.hidden = torch.nn.Linear(_HIDDEN, _HIDDEN // 2)
        self.out = torch.nn.Linear(_HIDDEN // 2, 1)

    def _side(self, names: list[str], encoded: dict[str, torch.Tensor]) -> torch.Tensor:
        parts = []
        for name in names:
            values = self.tables[name](encoded[name]) if name in self.tables else encoded[name].unsqueeze(-1)
            if name in self._masks:
                values = torch.bmm(encoded[self._masks[name]].unsqueeze(1), values).squeeze(1)
            parts.append(values)
        return torch.cat(parts, -1)

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores a slate."""
        both = self.context(self._side(self._context, encoded)) + self.candidate(self._side(self._candidate, encoded))
        clicked = self.out(torch.relu(self.hidden(torch.relu(both)))).squeeze(-1)
        return {"clicked": clicked, "score": clicked * 1.0}


def request(random: np.random.Generator, candidates: int) -> bytes:
    """A raw request; one value in twenty is in no vocabulary."""

    def word(name: str) -> str:
        return f"{name}-{int(random.integers(_SIZES[name] * 20 // 19))}"

    def candidate() -> dict[str, Any]:
        texts = {name: word(name) for name in ("item", "brand", "category", "seller")}
        numbers = {name: round(float(random.uniform(0, 20)), 3) for name in ("price", "rating", "reviews", "clicks")}
        return {
            **texts,
            **numbers,
            "tags": [word("tag") for _ in range(int(random.integers(_TAGS + 1)))],
            "discount": round(float(random.random()), 3),
            "rate": round(float(random.random()), 4),
            "stock": int(random.integers(1000)),
            "launched": _NOW - int(random.integers(10**9)),
            "campaign": int(random.integers(1 << 60)),
            "promoted": bool(random.integers(2)),
        }

    context = {
        "user": word("user"),
        "country": word("country"),
        "now": _NOW,
        "age": int(random.integers(16, 80)),
        "history": [word("item") for _ in range(_HISTORY)],
    }
    return json.dumps({"context": context, "candidates": [candidate() for _ in range(candidates)]}).encode()


def twenty_run(sizes: dict[str, int] | None = None) -> TrainedRun:
    """The run with freshly seeded weights.

    Args:
        sizes: entries by vocabulary, where they are not the usual ones.
    """
    encoder = front(_SIZES | (sizes or {}))
    torch.manual_seed(_SEED)
    random = np.random.Generator(np.random.PCG64(_SEED))
    return TrainedRun(
        name="twenty",
        schema=encoder.schema,
        front=encoder,
        module=TwentyRanker(encoder).eval(),
        heads=("clicked",),
        requests=tuple(request(random, CANDIDATES if i % 4 == 0 else 20) for i in range(_REQUESTS)),
        provenance={"seed": _SEED, "data": {}, "config": {}, "versions": {}, "metrics": {}},
        max_candidates=1000,
    )
