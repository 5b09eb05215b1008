"""The commands of this room: `twinrank train`, `schema` and `data`. Heavy libraries load when a command runs."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

__all__ = ["data", "schema", "train"]

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


@click.command(
    epilog="""\b
Examples:
  twinrank schema schema.yaml
  twinrank schema schema.yaml --json | jq '.encoded[] | {name, rows}'

Exit codes: 0 the file is right, 1 it has problems, which are listed, 2 wrong usage."""
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document (training/README.md) instead of tables.")
def schema(file: Path, *, as_json: bool) -> None:
    """Show what a schema FILE makes: features, and the encoded tensors that a model gets.

    An id runs from 0 to rows - 1, so an embedding of it has at least that many rows.
    """
    from twinrank.training.transforms import TransformError, read_front_yaml

    try:
        front = read_front_yaml(file)
    except TransformError as error:
        lines = "".join(f"\n  {problem}" for problem in error.problems)
        _fail(Console(stderr=True), TransformError([f"{file.name} cannot be read:{lines}"]), 1)
    encoded = [
        {
            "name": spec.name,
            "kind": type(transform).__name__,
            "features": list(transform.inputs),
            "placement": spec.placement,
            "dtype": spec.dtype,
            "shape": [1 if spec.placement == "context" else "n", *spec.shape[1:]],
            "rows": spec.cardinality,
            "table": spec.table,
        }
        for transform, spec in zip(front.transforms, front.outputs, strict=True)
    ]
    if as_json:
        document = {"schema": 1, **front.schema.to_json(), "encoded": encoded, "counted": list(front.unseen_outputs)}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        return
    _show_schema([feature.to_json() for feature in front.schema.features], encoded)


def _show_schema(features: list[dict[str, Any]], encoded: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(
        "feature", "placement", "dtype", "missing", "invalid", "unseen", title="Features", title_justify="left"
    )
    looked_up = {name for item in encoded if item["kind"] == "Lookup" for name in item["features"]}
    for feature in features:
        dtype = feature["dtype"]
        if "list" in feature:
            dtype += f", list of {feature['list']['max_length']}, {feature['list']['keep']} kept"
        if "vector" in feature:
            dtype += f", vector of {feature['vector']['length']}"
        policies = [feature.get(key, {}).get("policy", "own_row") for key in ("missing", "invalid", "unseen")]
        if feature["name"] not in looked_up:
            policies[2] = ""
        table.add_row(feature["name"], feature["placement"], dtype, *policies)
    console.print(table)
    table = Table(
        "tensor", "made by", "placement", "dtype", "shape", "rows", title="Encoded tensors", title_justify="left"
    )
    for item in encoded:
        made = f"{item['kind']} of {', '.join(item['features'])}"
        shape = f"[{', '.join(map(str, item['shape']))}]"
        rows = "" if item["rows"] is None else f"{item['rows']:,}"
        table.add_row(item["name"], made, item["placement"], item["dtype"], escape(shape), rows)
    console.print(table)


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
