"""Split, requests, features and front graph: what modules and trees are trained on alike."""

from dataclasses import dataclass
from typing import Any

from twinrank.training.config import RunConfig, TreesRunConfig
from twinrank.training.data import (
    FeatureData,
    FeatureSource,
    Requests,
    TemporalSplit,
    place_requests,
    temporal_split,
)
from twinrank.training.recipe._features import build_front, build_schema
from twinrank.training.recipe._listener import Listener
from twinrank.training.recipe._load import LoadedData
from twinrank.training.transforms import FrontGraph

_HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Placed:
    """Everything that training and measuring read; `requests` by period."""

    split: TemporalSplit
    features: FeatureData
    sources: dict[str, FeatureSource]
    front: FrontGraph
    requests: dict[str, Requests]
    snapshot: int


def place(config: RunConfig | TreesRunConfig, data: LoadedData, listener: Listener) -> Placed:
    """Splits time, places requests, and fits the front graph on training events.

    Raises:
        ConfigError: if features, vocabularies or transforms are wrong.
        DataError: if data do not fit them; LeakageError if anything would draw on the future.
    """
    events = data.events
    split = temporal_split(events, validation_at=config.split.validation_at, test_at=config.split.test_at)
    begin = int(events.time[0])
    periods = {
        "training": (begin, split.validation_start, config.requests.training_per_user),
        "validation": (split.validation_start, split.test_start, config.requests.evaluation_per_user),
        "test": (split.test_start, split.end, config.requests.evaluation_per_user),
    }
    requests = {
        name: place_requests(events, start=start, end=end, per_user=per_user)
        for name, (start, end, per_user) in periods.items()
    }
    split.check_training(requests["training"].events)
    for name, placed in requests.items():
        listener.say(f"{name}: {len(placed):,} requests of {len(set(placed.user.tolist())):,} users")
    schema, sources = build_schema(config.features)
    snapshot = config.requests.snapshot_hours * _HOUR_MS
    features = FeatureData(schema, sources, events, users=data.users, items=data.items, snapshot=snapshot)
    # One request a user, at the first event: then the labels are the training events, each once.
    population = place_requests(events, start=begin, end=split.validation_start, per_user=1)
    split.check_training(population.events)
    front = build_front(schema, features, population, vocabularies=config.vocabularies, transforms=config.transforms)
    return Placed(split, features, sources, front, requests, snapshot)


def protocol(config: RunConfig | TreesRunConfig, placed: Placed) -> dict[str, Any]:
    """What metrics.json says of how it was measured."""
    split = placed.split
    return {
        "split": {"validation_start": split.validation_start, "test_start": split.test_start, "end": split.end},
        "evaluation_per_user": config.requests.evaluation_per_user,
        "ranking": "whole catalogue, items of the history removed",
        "relevant": "items met at or after the request, within the period",
        "ties": "input index",
    }
