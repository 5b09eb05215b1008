"""From a run file of trees to a finished run directory: on interactions, or on ranking files."""

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from twinrank.training.config import (
    ConfigError,
    RankingRunConfig,
    TreesConfig,
    TreesRunConfig,
    load_yaml,
    read_trees_config,
)
from twinrank.training.recipe._errors import RecipeError
from twinrank.training.recipe._listener import Listener
from twinrank.training.recipe._load import LoadedData, load_data
from twinrank.training.recipe._measure import choose_baselines, measure
from twinrank.training.recipe._outcome import Outcome, clear
from twinrank.training.recipe._place import place, protocol
from twinrank.training.recipe._ranking import RankingData, load_ranking, measure_ranking, ranking_front, ranking_samples
from twinrank.training.recipe._samples import sample_requests
from twinrank.training.recipe._slates import SlateRows, TreesScorer, training_queries, validation_queries
from twinrank.training.run import PLOTS, TreeLibrary, check_run, finished_fingerprint, write_trees_run
from twinrank.training.transforms import FrontGraph
from twinrank.training.trees import FittedTrees, TreeOptions, TreesError, columns_of, fit_trees, import_library, plot

_LIBRARIES = ("twinrank", "numpy", "onnxruntime", "scipy")
_EVERY = 25


@dataclass(frozen=True)
class _Made:
    """What is written of a run beside its configuration."""

    front: FrontGraph
    fitted: FittedTrees
    k: int
    metrics: Mapping[str, Any]
    requests: tuple[bytes, ...]
    watched_after: tuple[tuple[str, ...], ...]
    titles: Mapping[str, str]


def train_trees(
    text: str, out: Path, *, cache: Path, listener: Listener, seed: int | None, resume: bool, force: bool
) -> Outcome:
    """Trains the run of trees that a run file describes, or finds it trained.

    Args:
        text: of the run file.
        out: the run directory, made if absent.
        cache: of packaged data sets.
        listener: told how it goes.
        seed: instead of the run file's.
        resume: refused: trees begin anew.
        force: discard what an earlier run left in `out`.

    Raises:
        ConfigError: if the run file is wrong.
        DataError: if data are absent or damaged; LeakageError if anything would draw on the future.
        RecipeError: if `out` holds anything else, a library is absent, or `resume` is asked for.
        RunError: if the finished run in `out` is damaged.
    """
    if resume:
        raise RecipeError("a run of trees keeps no checkpoints: it takes minutes and begins anew; leave out --resume.")
    document = load_yaml(text)
    if seed is not None:
        document = {**document, "seed": seed}
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    config = read_trees_config(document)
    options = _options(config.trees)
    library: TreeLibrary = options.library
    try:
        versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
        versions[library] = import_library(library).__version__
        if isinstance(config, RankingRunConfig):
            loaded: LoadedData | RankingData = load_ranking(config.data)
            described = loaded.describe() if isinstance(loaded, RankingData) else {}
        else:
            loaded = load_data(config.data, cache=cache, listener=listener)
            described = loaded.describe(config.data)
    except TreesError as error:
        raise RecipeError(str(error)) from error
    identity = json.dumps([document, described, versions], sort_keys=True)
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    if not force and finished_fingerprint(out) == fingerprint:
        check_run(out)
        return Outcome(out, True, json.loads((out / "metrics.json").read_bytes()))
    clear(out, resume=False, force=force)
    try:
        made = _make(config, options, loaded, listener)
    except TreesError as error:
        raise ConfigError([f"run.trees: {error}"]) from error
    plots = plot(made.fitted, k=made.k)
    if not plots:
        listener.say(f"matplotlib is not installed: {' and '.join(PLOTS)} are left out")
    write_trees_run(
        out,
        name=config.name,
        config=text,
        front=made.front,
        library=library,
        model=made.fitted.model,
        plots=plots,
        metrics=made.metrics,
        data=described,
        versions=versions,
        settings=document,
        requests=made.requests,
        watched_after=made.watched_after,
        titles=made.titles,
        max_candidates=config.max_candidates,
        fingerprint=fingerprint,
    )
    return Outcome(out, False, made.metrics)


def _options(config: TreesConfig) -> TreeOptions:
    try:
        return TreeOptions(**{name: getattr(config, name) for name in config.__dataclass_fields__})
    except TreesError as error:
        raise ConfigError([f"run.trees: {error}"]) from error


def _make(
    config: TreesRunConfig | RankingRunConfig,
    options: TreeOptions,
    data: LoadedData | RankingData,
    listener: Listener,
) -> _Made:
    if isinstance(config, RankingRunConfig) and isinstance(data, RankingData):
        return _on_ranking_files(config, options, data, listener)
    if isinstance(config, TreesRunConfig) and isinstance(data, LoadedData):
        return _on_interactions(config, options, data, listener)
    raise TypeError(f"{type(config).__name__} does not go with {type(data).__name__}.")


def _on_interactions(config: TreesRunConfig, options: TreeOptions, data: LoadedData, listener: Listener) -> _Made:
    placed = place(config, data, listener)
    rows = {name: SlateRows(placed.front, placed.features, requests) for name, requests in placed.requests.items()}
    training = training_queries(config.slates, placed.requests["training"], rows["training"], seed=config.seed)
    validation = validation_queries(placed.requests["validation"], rows["validation"])
    columns = rows["training"].columns
    listener.say(f"training on {len(training.x):,} rows of {len(training.sizes):,} queries, {len(columns)} columns")
    k = config.evaluation.k
    fitted = fit_trees(
        options,
        columns,
        training,
        validation,
        seed=config.seed,
        threads=config.threads,
        k=k,
        progress=_progress(listener, k),
    )
    listener.say("measuring ranker and baselines")
    baselines = choose_baselines(
        placed.requests["training"].events,
        placed.requests["validation"],
        recent_days=config.evaluation.baselines.recent_days,
        ease_regularisation=config.evaluation.baselines.ease_regularisation,
        snapshot=placed.snapshot,
        k=k,
    )
    metrics = {
        "protocol": protocol(config, placed),
        **_training(fitted),
        "chosen_on_validation": baselines.chosen,
        **{
            period: measure(
                {"ranker": TreesScorer(fitted, rows[period]), **baselines.scorers}, placed.requests[period], k=k
            )
            for period in ("validation", "test")
        },
    }
    samples = sample_requests(
        placed.features,
        placed.sources,
        placed.requests["test"],
        **asdict(config.samples),
        k=k,
        max_candidates=config.max_candidates,
        seed=config.seed,
    )
    return _Made(
        placed.front,
        fitted,
        k,
        metrics,
        tuple(sample.raw for sample in samples),
        tuple(sample.watched_after for sample in samples),
        data.titles,
    )


def _on_ranking_files(config: RankingRunConfig, options: TreeOptions, data: RankingData, listener: Listener) -> _Made:
    front = ranking_front(data)
    k = config.evaluation.k[0]
    listener.say(f"training on {len(data.training.x):,} rows of {len(data.training.sizes):,} queries")
    fitted = fit_trees(
        options,
        columns_of(front),
        data.training,
        data.validation,
        seed=config.seed,
        threads=config.threads,
        k=k,
        progress=_progress(listener, k),
    )
    metrics = {
        "protocol": {
            "gain": list(options.label_gain),
            "queries without a relevant row": "count 1",
            "ties": "input index",
        },
        **_training(fitted),
        "chosen_on_validation": {},
        **{
            period: {
                "ranker": measure_ranking(queries, fitted.predict(queries.x), options.label_gain, config.evaluation.k)
            }
            for period, queries in data.periods.items()
        },
    }
    requests = ranking_samples(data, config.samples, max_candidates=config.max_candidates)
    return _Made(front, fitted, k, metrics, requests, ((),) * len(requests), {})


def _training(fitted: FittedTrees) -> dict[str, Any]:
    return {
        "best_round": fitted.best_round,
        "rounds": list(fitted.validation),
        "importance": {name: {"gain": fitted.gain[name], "splits": fitted.splits[name]} for name in fitted.gain},
    }


def _progress(listener: Listener, k: int) -> Callable[[int, int, float], None]:
    def tell(done: int, rounds: int, ndcg: float) -> None:
        if done % _EVERY == 0 or done == rounds:
            listener.say(f"round {done} of at most {rounds}: validation nDCG@{k} {ndcg:.4f}")

    return tell
