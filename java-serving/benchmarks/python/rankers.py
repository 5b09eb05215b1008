"""The three rankers of the comparison: their schemas, vocabularies and modules, with weights of a seed."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from twinrank.training.run import TrainedRun
from twinrank.training.schema import Feature, ListSpec, Schema
from twinrank.training.transforms import FrontGraph, Lookup, Number, SequenceMask, Transform, Vocabulary

MAX_CANDIDATES = 10_000
HISTORY = 50
_SEED = 7
_UNSEEN = 0.05
_SAMPLES = (20,) * 12 + (200,) * 3
_LETTERS = np.array([*(string.ascii_lowercase + string.digits)])


@dataclass(frozen=True, slots=True)
class Field:
    """A string feature that is looked up.

    Attributes:
        name: of the feature.
        placement: context or candidate.
        size: entries of its vocabulary.
        length: of a list; 0 for a scalar.
        table: the vocabulary's name where it is another's.
    """

    name: str
    placement: str
    size: int
    length: int = 0
    table: str = ""

    @property
    def vocabulary(self) -> str:
        """The vocabulary's name."""
        return self.table or self.name


@dataclass(frozen=True, slots=True)
class Ranker:
    """What one model of the comparison is made of.

    Attributes:
        name: of the model.
        fields: its strings.
        numbers: how many float32 features the context and a candidate have.
        module: makes the torch module for the front graph.
    """

    name: str
    fields: tuple[Field, ...]
    numbers: tuple[int, int]
    module: Callable[[FrontGraph], nn.Module]

    def number_names(self) -> Iterator[tuple[str, str]]:
        """Name and placement of each float."""
        for placement, count in zip(("context", "candidate"), self.numbers, strict=True):
            for i in range(count):
                yield f"{placement}_{i}", placement

    def vocabularies(self) -> dict[str, Vocabulary]:
        """By name; 8 to 16 characters an entry, 11.7 on average."""
        random = np.random.Generator(np.random.PCG64(_SEED))
        sizes = {field.vocabulary: field.size for field in self.fields if not field.table}
        return {name: Vocabulary(name, "string", _words(random, size)) for name, size in sizes.items()}

    def front(self, words: dict[str, Vocabulary]) -> FrontGraph:
        """The schema and its transforms."""
        features: list[Feature] = []
        transforms: list[Transform] = []
        for field in self.fields:
            limit = ListSpec(field.length, "last") if field.length else None
            features.append(Feature(field.name, field.placement, "string", list=limit))  # type: ignore[arg-type]
            transforms.append(Lookup(field.name, field.name, words[field.vocabulary]))
            if field.length:
                transforms.append(SequenceMask(f"{field.name}_mask", field.name))
        for name, placement in self.number_names():
            features.append(Feature(name, placement, "float32"))  # type: ignore[arg-type]
            transforms.append(Number(name, name, "float32"))
        features.sort(key=lambda feature: feature.placement, reverse=True)  # the context first; stable
        return FrontGraph(Schema(tuple(features)), tuple(transforms))

    def request(self, words: dict[str, Vocabulary], candidates: int, seed: int) -> dict[str, Any]:
        """A request by columns: the context's values, and the candidates' as one list a feature.

        One string in twenty is in no vocabulary; lists are full to three quarters or more.
        """
        random = np.random.Generator(np.random.PCG64((_SEED, candidates, seed)))

        def text(field: Field, count: int) -> list[str]:
            entries = words[field.vocabulary].entries
            picked = random.integers(len(entries), size=count)
            unseen = random.random(count) < _UNSEEN
            return [
                f"{entries[i]}"[:-1] + "~" if new else f"{entries[i]}" for i, new in zip(picked, unseen, strict=True)
            ]

        sides: dict[str, dict[str, Any]] = {"context": {}, "candidate": {}}
        for field in self.fields:
            if field.placement == "candidate":
                sides["candidate"][field.name] = text(field, candidates)
            elif field.length:
                length = int(random.integers(3 * field.length // 4, field.length + 1))
                sides["context"][field.name] = text(field, length)
            else:
                sides["context"][field.name] = text(field, 1)[0]
        for name, placement in self.number_names():
            values = random.standard_normal(candidates if placement == "candidate" else 1, np.float32).tolist()
            sides[placement][name] = values if placement == "candidate" else values[0]
        return {"context": sides["context"], "n": candidates, "candidates": sides["candidate"]}

    def run(self, words: dict[str, Vocabulary]) -> TrainedRun:
        """The ranker as a finished run, its weights freshly seeded."""
        front = self.front(words)
        torch.manual_seed(_SEED)
        samples = [self.request(words, n, 1_000_000 + i) for i, n in enumerate(_SAMPLES)]
        return TrainedRun(
            name=self.name,
            schema=front.schema,
            front=front,
            module=self.module(front).eval(),
            heads=(),
            requests=tuple(as_rows(sample) for sample in samples),
            provenance={"seed": _SEED, "data": {}, "config": {}, "versions": {}, "metrics": {}},
            max_candidates=MAX_CANDIDATES,
        )


def as_rows(request: dict[str, Any]) -> bytes:
    """The same request as the contract's JSON."""
    columns = request["candidates"]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return json.dumps({"context": request["context"], "candidates": rows}).encode()


def _words(random: np.random.Generator, count: int) -> tuple[str, ...]:
    lengths = random.integers(8, 16, count) + (random.random(count) < 0.2)
    tails = ["".join(row) for row in random.choice(_LETTERS, (count, 16))]
    return tuple(f"{i:x}-{tails[i]}"[:length] for i, length in enumerate(lengths))


def _mlp(width: int, *hidden: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*layers, nn.Linear(width, 1))


class _Rows(nn.Module):
    """Embeddings and numbers side by side, the context's repeated for each candidate."""

    def __init__(self, front: FrontGraph, width: int) -> None:
        super().__init__()
        self._sides = [[s for s in front.outputs if s.placement == side] for side in ("context", "candidate")]
        tables = {spec.name: spec.cardinality for spec in front.outputs if spec.cardinality is not None}
        self.tables = nn.ModuleDict({name: nn.Embedding(rows, width) for name, rows in tables.items()})
        self.width = len(tables) * width + len(front.outputs) - len(tables)

    def rows(self, encoded: dict[str, Tensor]) -> Tensor:
        """What is known of each candidate and its context, shape [n, width]."""
        context, candidate = (
            torch.cat(
                [
                    self.tables[spec.name](encoded[spec.name])
                    if spec.name in self.tables
                    else encoded[spec.name].unsqueeze(-1)
                    for spec in side
                ],
                dim=-1,
            )
            for side in self._sides
        )
        return torch.cat([context.expand(candidate.shape[0], -1), candidate], dim=-1)


class Dcn(_Rows):
    """Three full-rank cross layers before a perceptron (Wang et al., "DCN V2", WWW 2021)."""

    def __init__(self, front: FrontGraph) -> None:
        super().__init__(front, 16)
        self.cross = nn.ModuleList([nn.Linear(self.width, self.width) for _ in range(3)])
        self.mlp = _mlp(self.width, 256, 128)

    def forward(self, **encoded: Tensor) -> dict[str, Tensor]:
        """Scores a slate."""
        first = self.rows(encoded)
        crossed = first
        for layer in self.cross:
            crossed = first * layer(crossed) + crossed
        return {"score": self.mlp(crossed).squeeze(-1)}


class Light(_Rows):
    """Embeddings and a small perceptron."""

    def __init__(self, front: FrontGraph) -> None:
        super().__init__(front, 8)
        self.mlp = _mlp(self.width, 64, 32)

    def forward(self, **encoded: Tensor) -> dict[str, Tensor]:
        """Scores a slate."""
        return {"score": self.mlp(self.rows(encoded)).squeeze(-1)}


class Attention(nn.Module):
    """A transformer over the history, attended to by each candidate (Zhou et al., "DIN", KDD 2018)."""

    def __init__(self, front: FrontGraph, width: int = 32) -> None:
        super().__init__()
        specs = {spec.name: spec for spec in front.outputs}
        self._numbers = [spec.name for spec in front.outputs if spec.name.startswith("context_")]
        self.items = nn.Embedding(specs["item"].cardinality or 1, width)
        self.places = nn.Embedding(HISTORY, width)
        block = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.attention = nn.Sequential(nn.Linear(4 * width, 64), nn.Sigmoid(), nn.Linear(64, 1))
        self.mlp = _mlp(3 * width + len(self._numbers), 128, 64)

    def forward(self, **encoded: Tensor) -> dict[str, Tensor]:
        """Scores a slate."""
        mask = encoded["history_mask"]
        events = self.encoder(self.items(encoded["history"]) + self.places.weight, src_key_padding_mask=mask < 0.5)
        target = self.items(encoded["item"])
        shape = (target.shape[0], *events.shape[1:])
        wide, events = target.unsqueeze(1).expand(shape), events.expand(shape)
        pairs = torch.cat([wide, events, wide - events, wide * events], dim=-1)
        weights = self.attention(pairs).squeeze(-1) * mask
        interest = (weights.unsqueeze(1) @ events).squeeze(1)
        numbers = torch.stack([encoded[name] for name in self._numbers], dim=-1)
        row = torch.cat([interest, target, interest * target, numbers.expand(target.shape[0], -1)], dim=-1)
        return {"score": self.mlp(row).squeeze(-1)}


def _fields(context: Sequence[int], candidate: Sequence[int]) -> tuple[Field, ...]:
    sides = (("context", context), ("candidate", candidate))
    return tuple(Field(f"{side}_text_{i}", side, size) for side, sizes in sides for i, size in enumerate(sizes))


RANKERS = {
    ranker.name: ranker
    for ranker in (
        Ranker("heavy", _fields((100_000, *(10_000,) * 7), (100_000, 50_000, 50_000, *(10_000,) * 9)), (4, 9), Dcn),
        Ranker("light", _fields((100_000, 10_000, 10_000), (100_000, 20_000, *(10_000,) * 3)), (3, 9), Light),
        Ranker(
            "attention",
            (Field("history", "context", 0, HISTORY, "item"), Field("item", "candidate", 20_000)),
            (4, 0),
            Attention,
        ),
    )
}
"""The rankers by name."""
