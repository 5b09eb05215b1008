"""The commands of this room: `twinrank train` and `twinrank data`. Heavy libraries load when a command runs."""

import os
import re
import sys
from pathlib import Path

import click
from rich.console import Console

__all__ = ["data", "train"]

_CACHE_VARIABLE = "TWINRANK_CACHE"
_DEFAULT_CACHE = Path(".cache") / "twinrank"


def _cache() -> Path:
    return Path(os.environ.get(_CACHE_VARIABLE) or _DEFAULT_CACHE)


def _fail(console: Console, error: Exception, code: int) -> None:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
    console.print(f"error [{getattr(error, 'code', name)}] {error}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The run directory.")
@click.option("--seed", type=click.IntRange(min=0), help="Instead of the configuration's seed.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint of an interrupted run.")
@click.option("--force", is_flag=True, help="Discard what an earlier run left in the directory.")
def train(config: Path, out: Path, *, seed: int | None, resume: bool, force: bool) -> None:
    """Train a ranker as CONFIG says.

    A finished run of the same configuration and data is not trained again. Exit codes: 0 done, 1 data or run problem,
    2 wrong usage or configuration.
    """
    console = Console(stderr=True)
    if resume and force:
        raise click.UsageError("--resume goes on with an earlier run, --force discards it; choose one.")
    # Importing it takes seconds, and half a minute on a machine that is busy.
    console.print("loading PyTorch", style="dim")
    from twinrank.training._console import TrainingProgress, metrics_table
    from twinrank.training.config import ConfigError
    from twinrank.training.data import DataError
    from twinrank.training.recipe import RecipeError
    from twinrank.training.recipe import train as run_recipe
    from twinrank.training.run import RunError
    from twinrank.training.trainer import CheckpointError

    try:
        text = config.read_text(encoding="utf-8")
        with TrainingProgress(console) as listener:
            outcome = run_recipe(text, out, cache=_cache(), listener=listener, seed=seed, resume=resume, force=force)
    except (ConfigError, UnicodeDecodeError) as error:
        _fail(console, error, 2)
    except (DataError, RecipeError, RunError, CheckpointError) as error:
        _fail(console, error, 1)
    Console().print(metrics_table(outcome.metrics))
    done = "already trained: reused, nothing was computed" if outcome.reused else "trained"
    console.print(f"{outcome.path}: {done}", markup=False, highlight=False, soft_wrap=True)


@click.group()
def data() -> None:
    """Fetch data sets."""


@data.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Fetch the data set NAME into the cache, verified by digest; what was there is replaced.

    The cache is the directory in TWINRANK_CACHE, or .cache/twinrank below the current directory.
    """
    console = Console(stderr=True)
    from twinrank.training.data import PACKAGED_SETS, DataError
    from twinrank.training.data import fetch as fetch_set

    if name not in PACKAGED_SETS:
        raise click.BadParameter(f"{name!r} is no data set; there are {', '.join(sorted(PACKAGED_SETS))}.")
    source = PACKAGED_SETS[name]
    try:
        fetch_set(source, _cache(), say=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
    except DataError as error:
        _fail(console, error, 1)
    console.print(source.notice, markup=False, highlight=False)
