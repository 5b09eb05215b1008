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

from twinrank.training.config import ConfigError, RunConfig, load_yaml, read_config
from twinrank.training.models import SlateRanker
from twinrank.training.recipe._listener import Listener
from twinrank.training.recipe._load import LoadedData, load_data
from twinrank.training.recipe._measure import choose_baselines, measure
from twinrank.training.recipe._outcome import CHECKPOINTS, Outcome, clear
from twinrank.training.recipe._place import Placed, place, protocol
from twinrank.training.recipe._samples import sample_requests
from twinrank.training.recipe._trees import train_trees
from twinrank.training.run import finished_fingerprint, load_run, write_run
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

_LIBRARIES = ("twinrank", "torch", "numpy", "onnxruntime", "scipy")


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
    document = load_yaml(text)
    if isinstance(document, Mapping) and "trees" in document:
        return train_trees(text, out, cache=cache, listener=listener, seed=seed, resume=resume, force=force)
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
    clear(out, resume=resume, force=force)
    checkpoints = Checkpoints(out / CHECKPOINTS, fingerprint=fingerprint)
    with reproducible(seed=config.seed, threads=config.threads):
        prepared = _prepare(config, data, listener)
        arguments = _module_arguments(config)
        try:
            module = SlateRanker(inputs=prepared.placed.front.outputs, **arguments)
        except ValueError as error:
            raise ConfigError([f"run.model: {error}"]) from error
        result = _fit(config, prepared, module, checkpoints, listener, resume=resume)
        listener.say("measuring ranker and baselines")
        metrics = _measure(config, prepared, module, result)
    samples = sample_requests(
        prepared.placed.features,
        prepared.placed.sources,
        prepared.placed.requests["test"],
        **asdict(config.samples),
        k=config.evaluation.k,
        max_candidates=config.max_candidates,
        seed=config.seed,
    )
    write_run(
        out,
        name=config.name,
        config=text,
        front=prepared.placed.front,
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
    shutil.rmtree(out / CHECKPOINTS)
    return Outcome(out, False, metrics)


@dataclass(frozen=True)
class _Prepared:
    """Everything that training and measuring read; `encoded` by period."""

    placed: Placed
    encoded: dict[str, EncodedRequests]


def _prepare(config: RunConfig, data: LoadedData, listener: Listener) -> _Prepared:
    placed = place(config, data, listener)
    try:
        encoder = Encoder(placed.front, placed.features)
    except ValueError as error:
        raise ConfigError([f"run.transforms: {error}"]) from error
    return _Prepared(placed, {name: encoder.encode(requests) for name, requests in placed.requests.items()})


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
        prepared.placed.requests["training"],
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
        validate=lambda: evaluate(scorer, prepared.placed.requests["validation"], k=k)[f"ndcg@{k}"],
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
        prepared.placed.requests["training"].events,
        prepared.placed.requests["validation"],
        recent_days=config.evaluation.baselines.recent_days,
        ease_regularisation=config.evaluation.baselines.ease_regularisation,
        snapshot=prepared.placed.snapshot,
        k=k,
    )
    return {
        "protocol": protocol(config, prepared.placed),
        "best_epoch": result.best_epoch,
        "epochs": [asdict(each) for each in result.epochs],
        "chosen_on_validation": baselines.chosen,
        **{
            period: measure(
                {"ranker": RankerScorer(module, prepared.encoded[period]), **baselines.scorers},
                prepared.placed.requests[period],
                k=k,
            )
            for period in ("validation", "test")
        },
    }
