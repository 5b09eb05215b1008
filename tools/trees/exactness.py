"""`make trees-exactness`: models of many releases, objectives and rules, scored by the libraries and by what we export.

For each release a worker process trains a model per line of the table and scores rows at all its boundaries; the model
file is read by `twinrank.export.trees`, and the emitted graph scores the same rows on ONNX Runtime, in one block and
row by row: the Python route. Some models become bundles as well and are scored by both engines of Java, over the probe:
the Java route. A score counts as differing when a single bit does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table

from tools.trees.cells import LOCKED, RELEASES, Cell, Release, cells_of
from tools.trees.java import JavaRouteError, java_scores
from tools.trees.releases import ReleaseMissingError, Worker, interpreter
from twinrank.export.trees import Forest, TreeModelError, forest_model, probe_rows, read_lightgbm, read_xgboost

ROOT = Path(__file__).resolve().parents[2]
ALONE = 16
"""Rows that are scored one by one as well."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
log = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Line:
    """What became of one model.

    Attributes:
        rows: rows scored; 0 if it was refused.
        scores: scores compared, all targets.
        differing: scores that differ in a bit.
        java: scores compared on the Java route, of both engines; 0 where it was not asked.
        java_differing: of those, how many differ in a bit.
        refused: the code and reason, where the model cannot be exact; None otherwise.
    """

    release: str
    objective: str
    booster: str
    missing: str
    categories: int
    parameters: str
    rows: int
    scores: int
    differing: int
    java: int
    java_differing: int
    refused: str | None


@dataclass(frozen=True)
class _Size:
    """How much is asked: rows a model, boosting rounds, every which model on the Java route, and rows there."""

    quick: bool
    rows: int
    rounds: int
    java_every: int
    java_rows: int


def main() -> int:
    """Return 0 where all bits are equal, 1 where any differs, 2 where a release or model could not be had."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="the locked releases only, every fifth model, fewer rows")
    parser.add_argument("--rows", type=int, help="rows a model (2000; quick: 500)")
    parser.add_argument("--java-every", type=int, help="such models go to Java too (64: each 64th; quick: 50; 0: none)")
    parser.add_argument("--java-rows", type=int, help="rows a model there (26000; quick: 2000)")
    parser.add_argument("--rounds", type=int, default=12, help="boosting rounds a model")
    parser.add_argument("--only", action="append", help="such a release only, as in 'xgboost 2.1.4'; may be repeated")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "trees", help="environments and exactness.json")
    arguments = parser.parse_args()
    every = arguments.java_every
    size = _Size(
        arguments.quick,
        arguments.rows or (500 if arguments.quick else 2000),
        arguments.rounds,
        (50 if arguments.quick else 64) if every is None else every,
        arguments.java_rows or (2000 if arguments.quick else 26_000),
    )
    chosen = [
        release
        for release in RELEASES
        if (not arguments.quick or LOCKED[release.library] == release.version)
        and (not arguments.only or release.name in arguments.only)
    ]
    if not chosen:
        parser.error(f"no release is called so; there are {', '.join(release.name for release in RELEASES)}")
    started = time.monotonic()
    lines: list[Line] = []
    missing: list[str] = []
    for release in chosen:
        try:
            lines += _release(release, arguments.out / "envs", size)
        except (ReleaseMissingError, JavaRouteError) as e:
            missing.append(str(e))
            log.print(f"[red]{e}")
    seconds = time.monotonic() - started
    _write(arguments.out / "exactness.json", lines, missing, seconds)
    _show(lines, missing, seconds, arguments.out / "exactness.json")
    if any(line.differing or line.java_differing for line in lines):
        return 1
    return 2 if missing else 0


def _release(release: Release, envs: Path, size: _Size) -> list[Line]:
    python = interpreter(release, envs)
    lines = []
    with Worker(release, python) as worker, tempfile.TemporaryDirectory() as folder:
        for seed, cell in enumerate(cells_of(release.library, size.quick)):
            lines.append(_line(worker, cell, seed, Path(folder), size))
    bad = sum(line.differing + line.java_differing for line in lines)
    log.print(f"{release.name}: {len(lines)} models, {bad} differing scores")
    return lines


def _line(worker: Worker, cell: Cell, seed: int, folder: Path, size: _Size) -> Line:
    suffix = "txt" if worker.release.library == "lightgbm" else ("json" if seed % 2 else "ubj")
    model, seen = folder / f"model{seed}.{suffix}", folder / "seen.npy"
    files = {"model": str(model), "rows": str(seen)}
    error = worker.ask(do="train", cell=cell.to_json(), seed=seed, rounds=size.rounds, **files)
    if error is not None:
        raise ReleaseMissingError(f"{worker.release.name} does not train {cell}: {error}")
    try:
        forest = read_lightgbm(model) if worker.release.library == "lightgbm" else read_xgboost(model)
    except TreeModelError as e:
        return _row(worker.release, cell, 0, (0, 0), (0, 0), f"{e.code}: {e.detail}")
    x = np.concatenate([probe_rows(forest, size.rows, seed), np.load(seen)[: size.rows // 4]])
    python = _differing(_native(worker, cell, model, folder, x), _graph(forest, x))
    java = (0, 0)
    # Another model for each release.
    if size.java_every and (seed + 13 * RELEASES.index(worker.release)) % size.java_every == 0:
        more = probe_rows(forest, size.java_rows, seed + 1)
        due = _native(worker, cell, model, folder, more)
        for found in java_scores(worker.release.library, model, more, forest.targets, folder / "models").values():
            compared, bad = _differing(due, found)
            java = java[0] + compared, java[1] + bad
    return _row(worker.release, cell, len(x), python, java, None)


def _native(worker: Worker, cell: Cell, model: Path, folder: Path, x: NDArray[np.float64]) -> NDArray[np.floating]:
    asked, scores = folder / "asked.npy", folder / "scores.npy"
    np.save(asked, x)
    error = worker.ask(do="predict", model=str(model), rows=str(asked), scores=str(scores))
    if error is not None:
        raise ReleaseMissingError(f"{worker.release.name} does not predict with {cell}: {error}")
    found: NDArray[np.floating] = np.load(scores)
    return found


def _differing(due: NDArray[np.floating], found: NDArray[np.floating]) -> tuple[int, int]:
    """Scores compared, and those of them that differ in a bit; another type or shape differs throughout."""
    if due.shape != found.shape or due.dtype != found.dtype:
        return due.size, due.size
    kind = np.int64 if due.dtype == np.float64 else np.int32
    return due.size, int(np.count_nonzero(due.view(kind) != np.ascontiguousarray(found).view(kind)))


def _graph(forest: Forest, x: NDArray[np.float64]) -> NDArray[np.floating]:
    """Scores of the emitted graph on one thread; the first rows must score alone as they do among all."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = forest_model(forest).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with np.errstate(over="ignore"):
        typed = x.astype(forest.dtype)
    found: NDArray[np.floating] = session.run(None, {"x": typed})[0]
    for row in range(ALONE):
        found[row] = session.run(None, {"x": typed[row : row + 1]})[0][0]
    return found


def _row(
    release: Release, cell: Cell, rows: int, python: tuple[int, int], java: tuple[int, int], refused: str | None
) -> Line:
    parameters = " ".join(f"{key}={value}" for key, value in cell.parameters.items())
    return Line(
        release.name,
        cell.objective,
        cell.booster,
        cell.missing,
        cell.categories,
        parameters,
        rows,
        *python,
        *java,
        refused,
    )


def _write(path: Path, lines: list[Line], missing: list[str], seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    totals = {
        "models": len(lines),
        "rows": sum(line.rows for line in lines),
        "scores": sum(line.scores for line in lines),
        "differing": sum(line.differing for line in lines),
        "java": sum(line.java for line in lines),
        "java_differing": sum(line.java_differing for line in lines),
        "refused": sum(line.refused is not None for line in lines),
        "seconds": round(seconds, 1),
    }
    document = {
        "routes": {
            "python": f"onnxruntime {onnxruntime.__version__}, one thread",
            "java": "twinrank export, then probe",
        },
        "totals": totals,
        "missing": missing,
        "lines": [asdict(line) for line in lines],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _show(lines: list[Line], missing: list[str], seconds: float, path: Path) -> None:
    releases = list(dict.fromkeys(line.release for line in lines))
    for library in ("lightgbm", "xgboost"):
        own = [release for release in releases if release.startswith(library)]
        if not own:
            continue
        table = Table(
            title=f"{library}: differing of compared scores, by release", box=box.SIMPLE, title_justify="left"
        )
        for title in ("", *own):
            table.add_column(title.removeprefix(f"{library} "), justify="left" if not title else "right")
        of_library = [line for line in lines if line.release in own]
        for heading, key in (("objective", "objective"), ("booster", "booster"), ("missing", "missing")):
            _section(table, heading, key, of_library, own)
        _section(table, "categories", "categories", of_library, own)
        table.add_section()
        table.add_row("[bold]all", *(_cell(line for line in of_library if line.release == one) for one in own))
        table.add_row(
            "[bold]Java route", *(_java_cell(line for line in of_library if line.release == one) for one in own)
        )
        console.print(table)
    for (release, reason), count in Counter((line.release, line.refused) for line in lines if line.refused).items():
        console.print(f"refused: {release}, {count} models: {reason}")
    for reason in missing:
        console.print(f"missing: {reason}")
    for line in lines:
        if line.differing or line.java_differing:
            console.print(f"[red]differs: {line}")
    rows, scores = sum(line.rows for line in lines), sum(line.scores for line in lines)
    java, models = sum(line.java for line in lines), sum(line.java > 0 for line in lines)
    differing = sum(line.differing + line.java_differing for line in lines)
    colour = "red" if differing else "green"
    console.print(
        f"[{colour}]{len(lines)} models, {rows:,} rows, {scores:,} scores in Python; {models} of them, {java:,} scores "
        f"in Java: {differing} differ in a bit[/] ({seconds:.0f} s; {path})"
    )


def _section(table: Table, heading: str, key: str, lines: list[Line], releases: list[str]) -> None:
    table.add_section()
    for value in dict.fromkeys(getattr(line, key) for line in lines):
        chosen = [line for line in lines if getattr(line, key) == value]
        table.add_row(
            f"{heading} {value}", *(_cell(line for line in chosen if line.release == release) for release in releases)
        )


def _cell(lines: Iterable[Line]) -> str:
    found = list(lines)
    differing, scores = sum(line.differing for line in found), sum(line.scores for line in found)
    refused = sum(line.refused is not None for line in found)
    text = f"[red]{differing}[/] / {scores:,}" if differing else f"0 / {scores:,}"
    return f"{text} ({refused} refused)" if refused else text


def _java_cell(lines: Iterable[Line]) -> str:
    found = list(lines)
    differing, scores = sum(line.java_differing for line in found), sum(line.java for line in found)
    return f"[red]{differing}[/] / {scores:,}" if differing else f"0 / {scores:,}"


if __name__ == "__main__":
    sys.exit(main())
