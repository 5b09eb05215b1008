"""What a call of `train` comes to, and the directory it may write into."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinrank.training.recipe._errors import RecipeError
from twinrank.training.run import RUN_FILES

CHECKPOINTS = "checkpoint"


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


def clear(out: Path, *, resume: bool, force: bool) -> None:
    """Makes the directory ready for a run.

    Args:
        out: the run directory, made if absent.
        resume: keep the checkpoint.
        force: discard a finished or an interrupted run.

    Raises:
        RecipeError: if it holds anything that must not be overwritten.
    """
    names = {path.name for path in out.iterdir()} if out.exists() else set()
    foreign = sorted(names - {CHECKPOINTS, *RUN_FILES})
    if foreign:
        raise RecipeError(f"{out} holds files that are no run's ({', '.join(foreign[:5])}); choose another directory.")
    if "run.json" in names and not force:
        raise RecipeError(
            f"{out} holds a finished run of another configuration, other data or other library versions; "
            "train into another directory, or replace it with --force."
        )
    if CHECKPOINTS in names and not resume and not force:
        raise RecipeError(f"{out} holds an interrupted run; go on with --resume, or begin anew with --force.")
    out.mkdir(parents=True, exist_ok=True)
    for name in sorted(names - ({CHECKPOINTS} if resume and not force else set())):
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        else:
            (out / name).unlink()
