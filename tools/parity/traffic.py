"""Requests as a service would get them, drawn from a schema: the same bytes for the same seed.

A catalogue of items is rendered once, and slates are drawn from it with contexts of their own, so ten million
candidates cost seconds. About one request in forty is one that must be refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator

from twinrank.training.schema import Feature, Schema

Draw = Callable[[Generator], Any]
"""Draws one value of a feature, or one element of a list or a vector, in the form that JSON takes."""

Sizes = tuple[tuple[int, float], ...]
"""How many candidates a slate has, and how often."""
SIZES: Sizes = ((1, 0.1), (2, 0.03), (20, 0.15), (200, 0.12), (1000, 0.6))
"""The suite's slates: large ones, so that crossing from route to route costs little."""
SMALL: Sizes = ((1, 0.2), (2, 0.1), (20, 0.5), (100, 0.2))
"""Those of sample requests and goldens."""

_MISSING, _INVALID, _NOT_FINITE, _UNSEEN = 0.08, 0.04, 0.05, 0.1
_REFUSED = 0.025
_CUT = 0.1
_NOW = 1_700_000_000_000
_YEAR = 366 * 24 * 3600 * 1000
_WORDS = ("NaN", "Infinity", "-Infinity")
_RANGE = {"int64": (-3, 120), "float32": (-2.0, 1.5), "float64": (1.0, 1.2)}


@dataclass(frozen=True)
class Market:
    """What a bundle's requests are drawn from.

    Attributes:
        schema: the features.
        words: the values that a vocabulary holds, by feature; others are drawn from the dtype's range.
        draws: how a feature is drawn instead; overrides `words`.
        items: how many items the catalogue holds.
    """

    schema: Schema
    words: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    draws: Mapping[str, Draw] = field(default_factory=dict)
    items: int = 4000

    def context(self, random: Generator) -> bytes:
        """One context as JSON."""
        return as_json(self._row(self.schema.context, random))

    def catalogue(self, random: Generator) -> list[bytes]:
        """The items as JSON."""
        return [as_json(self._row(self.schema.candidate, random)) for _ in range(self.items)]

    def _row(self, features: Sequence[Feature], random: Generator) -> dict[str, Any]:
        row: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for feature in features:
            if feature.group is None:
                value = self._value(feature, random)
                if value is not None:
                    row[feature.name] = value
            else:
                # Members of a group are missing together, or they differ in length.
                length = lengths.setdefault(feature.group, _length(feature, random))
                row[feature.name] = [self._element(feature, random) for _ in range(length)]
        return row

    def _value(self, feature: Feature, random: Generator) -> Any:
        if feature.missing.policy != "error" and random.random() < _MISSING:
            return None
        if feature.invalid.policy != "error" and random.random() < _INVALID:
            return {"int64": 1.5, "timestamp": "soon", "bool": 1}.get(feature.dtype, False)
        if feature.list is not None:
            return [self._element(feature, random) for _ in range(_length(feature, random))]
        if feature.vector is not None:
            return [self._element(feature, random) for _ in range(feature.vector.length)]
        return self._element(feature, random)

    def _element(self, feature: Feature, random: Generator) -> Any:
        if feature.nonfinite and random.random() < _NOT_FINITE:
            return _WORDS[int(random.integers(len(_WORDS)))]
        if feature.name in self.draws:
            return self.draws[feature.name](random)
        known = self.words.get(feature.name)
        if known is not None and (feature.unseen.policy == "error" or random.random() >= _UNSEEN):
            # A few are asked for often and most are rare, as in any shop.
            return known[int(len(known) * random.random() ** 2)]
        return _any(feature.dtype, random)


def _any(dtype: str, random: Generator) -> Any:
    match dtype:
        case "string":
            return f"new {int(random.integers(500))}"
        case "bool":
            return bool(random.integers(2))
        case "timestamp":
            return _NOW + int(random.integers(-_YEAR, _YEAR))
        case "int64":
            low, high = _RANGE[dtype]
            return int(random.integers(int(low), int(high)))
        case _:
            mean, spread = _RANGE[dtype]
            return round(float(random.lognormal(mean, spread)) * (1 if random.random() < 0.9 else -1), 4)


def _length(feature: Feature, random: Generator) -> int:
    if feature.list is None:
        raise ValueError(f"{feature.name} is no list")
    # One in a dozen is longer than what is kept, one in five is empty.
    return int(feature.list.max_length * max(0.0, random.uniform(-0.25, 1.1)))


def as_json(value: object) -> bytes:
    """A value as the shortest JSON, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def broken(schema: Schema, row: Mapping[str, Any]) -> list[bytes]:
    """Candidates that no request may hold, each for another reason.

    Args:
        schema: the features.
        row: a candidate that is good.
    """
    rows: list[Any] = [{**row, "no_such_feature": 1}, [row], None]
    for feature in schema.candidate:
        if feature.missing.policy == "error":
            rows.append({name: value for name, value in row.items() if name != feature.name})
        if feature.invalid.policy == "error":
            rows.append({**row, feature.name: {"an": "object"}})
        if feature.unseen.policy == "error":
            unseen = "nowhere" if feature.dtype == "string" else 123_456_789
            rows.append({**row, feature.name: unseen if feature.list is None else [unseen]})
    return [as_json(each) for each in rows]


def requests(
    random: Generator,
    contexts: Iterator[bytes],
    catalogue: Sequence[bytes],
    broken: Sequence[bytes],
    *,
    scores: int,
    largest: int,
    sizes: Sizes = SIZES,
) -> Iterator[bytes]:
    """Requests that rank at least so many candidates in all, the large slates first.

    Args:
        random: draws sizes, items, cuts and what is broken.
        contexts: one for each request; the last is used again where they end.
        catalogue: candidates to draw from.
        broken: candidates of which a request that must be refused holds one; empty for none such.
        scores: how many candidates the answers show in all, at least.
        largest: size of one slate in a million candidates, and of the first where twice as many are asked for.
        sizes: of the others.
    """
    counts, chances = (np.array(column) for column in zip(*sizes, strict=True))
    left, context = scores, b"{}"
    huge = min(1 + scores // 1_000_000, scores // (2 * largest))
    while left > 0:
        context = next(contexts, context)
        n = largest if huge > 0 else int(random.choice(counts, p=chances))
        rows = [catalogue[index] for index in random.integers(len(catalogue), size=n)]
        k = int(random.integers(0, n + 2)) if random.random() < _CUT else None
        if huge <= 0 and broken and random.random() < _REFUSED:
            rows[int(random.integers(n))] = broken[int(random.integers(len(broken)))]
        else:
            # A ranking service shows no score of what k cuts.
            left -= n if k is None else min(n, k)
        huge -= 1
        cut = b"" if k is None else b',"k":%d' % k
        yield b'{"context":%b,"candidates":[%b]%b}' % (context, b",".join(rows), cut)
