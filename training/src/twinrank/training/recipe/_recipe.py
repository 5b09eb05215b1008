"""From a run file to a finished run directory."""

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from twinrank.training.config import ConfigError, RunConfig, read_config
from twinrank.training.data import (
    FeatureData,
    FeatureSource,
    Requests,
    TemporalSplit,
    place_requests,
    temporal_split,
)
from twinrank.training.models import SlateRanker
from twinrank.training.recipe._errors import RecipeError
from twinrank.training.recipe._features import build_front, build_schema
from twinrank.training.recipe._listener import Listener
from twinrank.training.recipe._load import LoadedData, load_data
from twinrank.training.recipe._measure import choose_baselines, measure
from twinrank.training.recipe._samples import sample_requests
from twinrank.training.run import RUN_FILES, finished_fingerprint, load_run, write_run
from twinrank.training.trainer import (
    Checkpoints,
    EncodedRequests,
    Encoder,
    FitResult,
    RankerScorer,
    RatedHead,
    TrainingSet,
    evaluate,
    fit,
    ranking_loss,
    reproducible,
)
from twinrank.training.transforms import FrontGraph

_HOUR_MS = 3_600_000
_LIBRARIES = ("twinrank", "torch", "numpy", "onnxruntime", "scipy")
_CHECKPOINTS = "checkpoint"


@dataclass(frozen=True)
class Outcome:
    """What a call of `train` came to.

    Attributes:
        path: the run directory.
        reused: whether a finished run of the same configuration and data was there already.
        metrics: what metrics.json holds.
    """

    path: Path
    reused: bool
    metrics: Mapping[str, Any]


def train(
    text: str,
    out: Path,
    *,
    cache: Path,
    listener: Listener,
    seed: int | None = None,
    resume: bool = False,
    force: bool = False,
) -> Outcome:
    """Trains the run that a run file describes, or finds it trained.

    Args:
        text: of the run file.
        out: the run directory, made if absent.
        cache: of packaged data sets.
        listener: told how it goes.
        seed: instead of the run file's; the run directory's config.yaml then says so.
        resume: go on from the checkpoint of an interrupted run of the same configuration and data.
        force: discard what an earlier run left in `out`.

    Raises:
        ConfigError: if the run file is wrong.
        DataError: if data are absent or damaged; LeakageError if anything would draw on the future.
        RecipeError: if `out` holds another run, an interrupted one without `resume`, or other files.
        RunError: if the finished run in `out` is damaged.
        CheckpointError: if the checkpoint cannot be resumed from.
    """
    config, settings = read_config(text)
    if seed is not None:
        text = yaml.safe_dump({**settings, "seed": seed}, sort_keys=False, allow_unicode=True)
        config, settings = read_config(text)
    data = load_data(config.data, cache=cache, listener=listener)
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    described = json.dumps([settings, data.digests, versions], sort_keys=True)
    fingerprint = hashlib.sha256(described.encode()).hexdigest()
    if not force and finished_fingerprint(out) == fingerprint:
        load_run(out)
        return Outcome(out, True, json.loads((out / "metrics.json").read_bytes()))
    _clear(out, resume=resume, force=force)
    checkpoints = Checkpoints(out / _CHECKPOINTS, fingerprint=fingerprint)
    with reproducible(seed=config.seed, threads=config.threads):
        prepared = _prepare(config, data, listener)
        arguments = _module_arguments(config)
        try:
            module = SlateRanker(inputs=prepared.front.outputs, **arguments)
        except ValueError as error:
            raise ConfigError([f"run.model: {error}"]) from error
        result = _fit(config, prepared, module, checkpoints, listener, resume=resume)
        listener.say("measuring ranker and baselines")
        metrics = _measure(config, prepared, module, result)
    samples = sample_requests(
        prepared.features,
        prepared.sources,
        prepared.requests["test"],
        **asdict(config.samples),
        k=config.evaluation.k,
        max_candidates=config.max_candidates,
        seed=config.seed,
    )
    write_run(
        out,
        name=config.name,
        config=text,
        front=prepared.front,
        module=module,
        module_arguments=arguments,
        metrics=metrics,
        data=data.describe(config.data),
        versions=versions,
        settings=settings,
        requests=tuple(sample.raw for sample in samples),
        watched_after=tuple(sample.watched_after for sample in samples),
        titles=data.titles,
        max_candidates=config.max_candidates,
        fingerprint=fingerprint,
    )
    shutil.rmtree(out / _CHECKPOINTS)
    return Outcome(out, False, metrics)


@dataclass(frozen=True)
class _Prepared:
    """Everything that training and measuring read; `requests` and `encoded` by period."""

    split: TemporalSplit
    features: FeatureData
    sources: dict[str, FeatureSource]
    front: FrontGraph
    requests: dict[str, Requests]
    encoded: dict[str, EncodedRequests]
    snapshot: int


def _clear(out: Path, *, resume: bool, force: bool) -> None:
    names = {path.name for path in out.iterdir()} if out.exists() else set()
    foreign = sorted(names - {_CHECKPOINTS, *RUN_FILES})
    if foreign:
        raise RecipeError(f"{out} holds files that are no run's ({', '.join(foreign[:5])}); choose another directory.")
    if "run.json" in names and not force:
        raise RecipeError(
            f"{out} holds a finished run of another configuration, other data or other library versions; "
            "train into another directory, or replace it with --force."
        )
    if _CHECKPOINTS in names and not resume and not force:
        raise RecipeError(f"{out} holds an interrupted run; go on with --resume, or begin anew with --force.")
    out.mkdir(parents=True, exist_ok=True)
    for name in sorted(names - ({_CHECKPOINTS} if resume and not force else set())):
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        else:
            (out / name).unlink()


def _prepare(config: RunConfig, data: LoadedData, listener: Listener) -> _Prepared:
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
    try:
        encoder = Encoder(front, features)
    except ValueError as error:
        raise ConfigError([f"run.transforms: {error}"]) from error
    encoded = {name: encoder.encode(placed) for name, placed in requests.items()}
    return _Prepared(split, features, sources, front, requests, encoded, snapshot)


def _module_arguments(config: RunConfig) -> dict[str, Any]:
    model = config.model
    return {
        "heads": [head.name for head in model.heads],
        "score_weights": [head.score_weight for head in model.heads],
        "item": model.item,
        "history": model.history,
        "history_mask": model.history_mask,
        "history_extras": list(model.history_extras),
        "list_masks": dict(model.list_masks),
        "widths": dict(model.widths),
        "width": model.width,
        "small_width": model.small_width,
        "hidden": list(model.hidden),
        "dropout": model.dropout,
        "history_dropout": model.history_dropout,
        "unseen_rates": dict(model.unseen_rates),
    }


def _fit(
    config: RunConfig,
    prepared: _Prepared,
    module: SlateRanker,
    checkpoints: Checkpoints,
    listener: Listener,
    *,
    resume: bool,
) -> FitResult:
    options, k = config.training, config.evaluation.k
    training = TrainingSet(
        prepared.requests["training"],
        prepared.encoded["training"],
        batch_size=options.batch_size,
        positives=options.positives,
        horizon=options.horizon,
        negatives=options.negatives,
        power=options.negative_power,
    )
    scorer = RankerScorer(module, prepared.encoded["validation"])
    watched = config.model.heads[0].name
    rated = [
        RatedHead(head.name, head.rating_at_least, head.loss_weight)
        for head in config.model.heads
        if head.rating_at_least is not None
    ]

    return fit(
        module,
        training,
        loss=lambda outputs, batch: ranking_loss(outputs, batch, watched=watched, rated=rated),
        validate=lambda: evaluate(scorer, prepared.requests["validation"], k=k)[f"ndcg@{k}"],
        seed=config.seed,
        epochs=options.epochs,
        patience=options.patience,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        checkpoints=checkpoints,
        resume=resume,
        progress=listener.step,
        report=listener.epoch,
    )


def _measure(config: RunConfig, prepared: _Prepared, module: SlateRanker, result: FitResult) -> dict[str, Any]:
    k = config.evaluation.k
    baselines = choose_baselines(
        prepared.requests["training"].events,
        prepared.requests["validation"],
        recent_days=config.evaluation.baselines.recent_days,
        ease_regularisation=config.evaluation.baselines.ease_regularisation,
        snapshot=prepared.snapshot,
        k=k,
    )
    split = prepared.split
    return {
        "protocol": {
            "split": {"validation_start": split.validation_start, "test_start": split.test_start, "end": split.end},
            "evaluation_per_user": config.requests.evaluation_per_user,
            "ranking": "whole catalogue, items of the history removed",
            "relevant": "items met at or after the request, within the period",
            "ties": "input index",
        },
        "best_epoch": result.best_epoch,
        "epochs": [asdict(each) for each in result.epochs],
        "chosen_on_validation": baselines.chosen,
        **{
            period: measure(
                {"ranker": RankerScorer(module, prepared.encoded[period]), **baselines.scorers},
                prepared.requests[period],
                k=k,
            )
            for period in ("validation", "test")
        },
    }
