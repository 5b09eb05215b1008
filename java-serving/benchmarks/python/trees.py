"""Our tree kernels beside native LightGBM and XGBoost, and ONNX Runtime's operator: the same rows, the same bits.

    tools/trees_bench.sh [--quick] [--peers] [--models A,C]

One thread each, and thread time, not the clock on the wall: the machine may do other things. Contestants take turns of
40 ms, and a ratio is of two turns of one round; the table shows the median round and the quartiles. Before that each
contestant scores every row, and a score that differs from the library's in a bit ends the comparison.

Rows are those that the model was trained on, mixed with rows at its thresholds (a tenth), NaN among them. The library
at n = 1 is LightGBM's fast entry for single rows (``LGBM_BoosterPredictForMatSingleRowFast``), called through ctypes,
which costs about 1 µs by itself; in blocks it is ``Booster.predict`` of one thread, and the operator is called through
its own Python binding with memory that stays. With ``--peers`` lleaves, tl2cgen, treelite's GTIL and daal4py are there
too, as far as they install and take the model, from an environment of their own; of each it is said whether its scores
are the library's.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper
from workers import JAVA_SERVING, ROOT, Worker, class_path, newer_jdk

from twinrank.export.bundle import SessionSettings, host_class, session_options
from twinrank.export.trees import (
    ML_DOMAIN,
    ML_OPSET,
    Forest,
    forest_nodes,
    native_raw,
    probe_rows,
    read_lightgbm,
    read_xgboost,
)

BUILD = ROOT / "build" / "bench" / "trees"
SIZES = (1, 100, 1000)
_ROWS, _FEATURES, _CARDINALITY = 50_000, 30, 200
_TURN_MS, _WARM_MS = 40, 1500
# lleaves 1.3.0 does not run with llvmlite 0.44 and later.
_PEERS = (
    "numpy<2",
    "lightgbm==4.6.0",
    "lleaves==1.3.0",
    "llvmlite==0.43.0",
    "treelite==4.8.1",
    "tl2cgen==1.0.0",
    "daal4py==2024.7.0",
    "scikit-learn==1.5.2",
)
_GOALS = {
    # model, JDK: at n = 1, and from n = 100 on
    ("A", 17): (5.0, 7.0),
    ("B", 17): (2.5, 7.0),
    ("C", 17): (2.5, 2.0),
    ("A", 25): (5.0, 13.0),
    ("B", 25): (2.5, 13.0),
    ("C", 25): (2.5, 4.0),
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the comparison.

    Attributes:
        key: its letter.
        what: for people.
        library: which trains it.
        trees: how many.
        leaves: of each, at most.
        categories: how many of its features are categories.
    """

    key: str
    what: str
    library: str
    trees: int
    leaves: int
    categories: int = 0


MODELS = (
    Model("A", "LightGBM, 100 trees of 31 leaves", "lightgbm", 100, 31),
    Model("B", "LightGBM, 1,000 trees of 31 leaves", "lightgbm", 1000, 31),
    Model("C", "LightGBM, 300 trees of 255 leaves", "lightgbm", 300, 255),
    Model("K", "LightGBM, 300 trees of 31 leaves, 4 of 30 features categories", "lightgbm", 300, 31, 4),
    Model("X", "XGBoost, 300 trees of depth 6", "xgboost", 300, 64),
)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def rows_of(model: Model) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Features and labels, the same every time."""
    random = np.random.default_rng(11)
    x = random.normal(size=(_ROWS, _FEATURES))
    x[:, :5] = np.round(np.abs(x[:, :5]) * 20)
    for column in range(model.categories):
        x[:, -1 - column] = random.integers(0, _CARDINALITY, _ROWS)
    effects = random.normal(size=_CARDINALITY)
    latent = x[:, 5] + np.sin(x[:, 6] * 2) + x[:, 0] * 0.05 + x[:, 7] * x[:, 8]
    for column in range(model.categories):
        latent = latent + effects[x[:, -1 - column].astype(int)]
    x[random.random(x.shape) < 0.05] = np.nan
    noisy = latent + random.normal(size=_ROWS)
    return x, np.digitize(noisy, np.quantile(noisy, [0.5, 0.75, 0.9, 0.97]))


def trained(model: Model) -> Path:
    """The model's file, trained unless it is there."""
    path = BUILD / f"{model.key}{'.txt' if model.library == 'lightgbm' else '.ubj'}"
    if path.is_file():
        return path
    BUILD.mkdir(parents=True, exist_ok=True)
    _say(f"training {model.key}: {model.what}")
    x, y = rows_of(model)
    if model.library == "lightgbm":
        import lightgbm

        categories = [_FEATURES - 1 - column for column in range(model.categories)]
        data = lightgbm.Dataset(x, y, group=[100] * (_ROWS // 100), categorical_feature=categories)
        parameters = {
            "objective": "lambdarank",
            "num_leaves": model.leaves,
            "learning_rate": 0.05,
            "verbose": -1,
            "seed": 5,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": os.cpu_count(),
        }
        lightgbm.train(parameters, data, model.trees).save_model(str(path))
    else:
        import xgboost

        matrix = xgboost.DMatrix(x, y, qid=np.repeat(np.arange(_ROWS // 100), 100))
        settings = {"objective": "rank:ndcg", "max_depth": 6, "eta": 0.05, "seed": 5}
        xgboost.train(settings, matrix, model.trees).save_model(str(path))
    return path


def write_worker_files(forest: Forest, rows: NDArray[np.float64], folder: Path) -> None:
    """What the Java worker reads: the forest over its own columns, and the rows column by column."""
    folder.mkdir(parents=True, exist_ok=True)
    roots, targets = list(forest.roots), list(forest.tree_targets)
    leaves = forest.leaves.astype(np.float64)
    if forest.base is not None:
        roots = [*(~(len(leaves) + k) for k in range(forest.targets)), *roots]
        targets = [*range(forest.targets), *targets]
        leaves = np.append(leaves, forest.base.astype(np.float64))
    parts = [np.array([forest.dtype == "float32", len(forest.columns), forest.targets], "<i4").tobytes()]
    for values, kind in (
        (roots, "<i4"),
        (targets, "<i4"),
        (forest.split_columns, "<i4"),
        (forest.split_modes, "<i4"),
        (forest.thresholds, "<f8"),
        (forest.trues, "<i4"),
        (forest.falses, "<i4"),
        (forest.missing_true, "<i4"),
        (forest.member_starts, "<i4"),
        (forest.members, "<f8"),
        (leaves, "<f8"),
    ):
        array = np.asarray(values).astype(kind)
        parts += [np.array([len(array)], "<i4").tobytes(), array.tobytes()]
    (folder / "forest.bin").write_bytes(b"".join(parts))
    ruled = [_ruled(rows[:, column.feature], column.rule.value) for column in forest.columns]
    if forest.dtype == "float32":
        ruled = [each.astype(np.float32).astype(np.float64) for each in ruled]
    (folder / "rows.bin").write_bytes(np.ascontiguousarray(ruled, "<f8").tobytes())


def _ruled(values: NDArray[np.float64], rule: str) -> NDArray[np.float64]:
    """What a column's rule makes of a feature; the kernels begin behind it, as the library's own time does not."""
    if rule == "truncated":
        return np.where(values > -1, np.floor(np.maximum(values, 0)), -1.0)
    if rule == "plain":
        return values
    raise SystemExit(f"the comparison has no model with the rule {rule}")


class Library:
    """Native LightGBM or XGBoost in this process, by one thread."""

    def __init__(self, model: Model, path: Path, rows: NDArray[np.float64]) -> None:
        self._model, self._rows = model, rows
        if model.library == "lightgbm":
            import lightgbm
            from lightgbm.basic import _LIB, _safe_call

            self._booster: Any = lightgbm.Booster(model_file=str(path))
            self._lib = _LIB
            self._fast = ctypes.c_void_p()
            _safe_call(
                _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                    self._booster._handle,
                    ctypes.c_int(1),  # raw scores
                    ctypes.c_int(0),
                    ctypes.c_int(-1),
                    ctypes.c_int(1),  # float64
                    ctypes.c_int32(rows.shape[1]),
                    ctypes.c_char_p(b"num_threads=1"),
                    ctypes.byref(self._fast),
                )
            )
        else:
            import xgboost

            self._booster = xgboost.Booster(model_file=str(path))
            self._booster.set_param({"nthread": 1})
            self._rows = rows.astype(np.float32)

    def caller(self, n: int) -> Callable[[int], object]:
        """What scores the n rows from a row on."""
        rows, booster = self._rows, self._booster
        if self._model.library != "lightgbm":
            return lambda at: booster.inplace_predict(rows[at : at + n], predict_type="margin", validate_features=False)
        if n > 1:
            return lambda at: booster.predict(rows[at : at + n], raw_score=True, num_threads=1)
        length, result = ctypes.c_int64(), (ctypes.c_double * 1)()
        size, address = rows.shape[1] * 8, rows.ctypes.data
        fast, call = self._fast, self._lib.LGBM_BoosterPredictForMatSingleRowFast
        out = ctypes.byref(length)
        return lambda at: call(fast, ctypes.c_void_p(address + at * size), out, result)


class Operator:
    """ONNX Runtime's TreeEnsemble in this process, by one thread."""

    def __init__(self, forest: Forest, rows: NDArray[np.float64]) -> None:
        kind = TensorProto.DOUBLE if forest.dtype == "float64" else TensorProto.FLOAT
        nodes, constants = forest_nodes(forest, "x", "scores", "trees")
        graph = helper.make_graph(
            nodes,
            "forest",
            [helper.make_tensor_value_info("x", kind, ["n", len(forest.features)])],
            [helper.make_tensor_value_info("scores", kind, ["n", forest.targets])],
            constants,
        )
        imports = [helper.make_opsetid("", 20), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=10)
        self._session = ort.InferenceSession(
            model.SerializeToString(), session_options(SessionSettings()), providers=["CPUExecutionProvider"]
        )
        self._rows = rows.astype(forest.dtype)

    def all(self) -> NDArray[np.floating]:
        """Every row's scores."""
        found: NDArray[np.floating] = self._session.run(None, {"x": self._rows})[0]
        return found

    def caller(self, n: int) -> Callable[[int], object]:
        """What scores the n rows from a row on."""
        binding = self._session.io_binding()
        # The runtime takes the array's own memory: it must live as long as the call does.
        held = np.ascontiguousarray(self._rows[:n])
        x = ort.OrtValue.ortvalue_from_numpy(held)
        binding.bind_ortvalue_input("x", x)
        binding.bind_output("scores", "cpu")

        def call(at: int) -> None:
            held[:] = self._rows[at : at + n]
            self._session.run_with_iobinding(binding)

        return call


def turn(call: Callable[[int], object], n: int, rows: int, ms: float) -> tuple[int, int]:
    """Calls for so many milliseconds of this thread's time; rows scored, and nanoseconds."""
    at, done = 0, 0
    begin = time.thread_time_ns()
    while True:
        for _ in range(4):
            call(at)
            at = at + n if at + 2 * n <= rows else 0
        done += 4 * n
        taken = time.thread_time_ns() - begin
        if taken >= ms * 1e6:
            return done, taken


def _turns(call: Callable[[int], object], n: int, rows: int) -> Callable[[float], tuple[int, int]]:
    return lambda ms: turn(call, n, rows, ms)


@dataclass(frozen=True, slots=True)
class Cell:
    """One contestant at one size: microseconds a row, and how many times faster than the library."""

    us: float
    ratio: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.us:8.2f}  {self.ratio:5.2f} ({self.low:.2f}-{self.high:.2f})"


def measure(turns: dict[str, Callable[[float], tuple[int, int]]], rounds: int, base: str) -> dict[str, Cell]:
    """Lets contestants take turns, and compares each turn with the library's of the same round."""
    for call in turns.values():
        call(_WARM_MS)
    seen: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, call in turns.items():
            rows, nanos = call(_TURN_MS)
            seen[name].append(nanos / rows / 1000)
    cells = {}
    for name, values in seen.items():
        ratios = sorted(b / own for b, own in zip(seen[base], values, strict=True))
        low, _, high = statistics.quantiles(ratios, n=4)
        cells[name] = Cell(statistics.median(values), statistics.median(ratios), low, high)
    return cells


def _workers() -> dict[int, Worker]:
    """The Java processes by release; the newer one has the Vector API where its artifact was built."""
    logs = BUILD / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    main = "dev.twinrank.benchmarks.trees.TreeWorker"
    heap = ["-Xms512m", "-Xmx1g"]
    workers = {17: Worker(["java", *heap, "-cp", class_path(), main], logs / "jdk17.log")}
    newer = newer_jdk()
    if newer is not None:
        jars = [p for p in (JAVA_SERVING / "vector/target").glob("twinrank-vector-*.jar") if "-sources" not in p.name]
        vector = ["--add-modules", "jdk.incubator.vector"] if jars else []
        workers[25] = Worker(
            [str(newer / "bin/java"), *heap, *vector, "-cp", class_path(*jars), main], logs / "jdk25.log"
        )
    return workers


def _same(found: NDArray[np.floating], expected: NDArray[np.floating], who: str) -> None:
    wide = np.ascontiguousarray(found, np.float64), np.ascontiguousarray(expected, np.float64)
    differing = int((wide[0].view(np.int64) != wide[1].view(np.int64)).sum())
    if differing:
        raise SystemExit(f"{who}: {differing} of {expected.size} scores differ from the library's")


def peers_worker() -> Worker:
    """A process that has the peers, in an environment that is made unless it is there."""
    home = BUILD / "peers"
    python = home / "bin/python"
    if not python.is_file():
        uv = str(ROOT / ".venv/bin/uv")
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *_PEERS], check=True)
    return Worker([str(python), str(Path(__file__).with_name("trees_peers.py"))], BUILD / "logs" / "peers.log")


def compare(model: Model, workers: dict[int, Worker], rounds: int, peers: Worker | None) -> dict[str, Any]:
    """One model: equal bits first, then times."""
    path = trained(model)
    forest = read_lightgbm(path) if model.library == "lightgbm" else read_xgboost(path)
    x, _ = rows_of(model)
    rows = np.ascontiguousarray(np.where((np.arange(len(x)) % 10 == 0)[:, None], probe_rows(forest, len(x), 1), x))
    expected = native_raw(forest.source, path, rows)
    folder = BUILD / model.key
    write_worker_files(forest, rows, folder)
    operator, library = Operator(forest, rows), Library(model, path, rows)
    _same(operator.all(), expected, "the operator")
    kernels = {}
    for release, worker in workers.items():
        told = worker.ask("load", folder=str(folder))
        kernels[release] = told
        for name in told["kernels"]:
            for n in (1, 333):
                worker.ask("scores", kernel=name, n=n, file=str(folder / "scores.bin"))
                found = np.fromfile(folder / "scores.bin", "<f8").reshape(forest.targets, -1).T
                _same(found, expected, f"{name} on JDK {release}, n = {n}")
    _say(f"\n{model.key}. {model.what}: {len(rows):,} rows, 0 differing bits in every kernel and the operator")
    for release, told in kernels.items():
        _say(
            f"   JDK {release} chose {told['alone']} for single rows and {told['block']} from {told['many']} rows on, "
            f"in {told['chosen_ms']:.0f} ms"
        )
    asked_peers = _meet(model, path, rows, expected, peers)
    result: dict[str, Any] = {"model": model.what, "rows": len(rows), "kernels": kernels, "cells": {}}
    for n in SIZES:
        turns = {
            "library": _turns(library.caller(n), n, len(rows)),
            "operator": _turns(operator.caller(n), n, len(rows)),
        }
        for release, worker in workers.items():
            for name in [*kernels[release]["kernels"], "chosen"]:

                def asked(ms: float, worker: Worker = worker, name: str = name, n: int = n) -> tuple[int, int]:
                    told = worker.ask("block", kernel=name, n=n, ms=int(ms))
                    return told["rows"], told["cpu"]

                turns[f"JDK {release} {name}"] = asked
        for name in asked_peers:

            def asked_peer(ms: float, name: str = name, n: int = n) -> tuple[int, int]:
                told = peers.ask("block", peer=name, n=n, ms=int(ms)) if peers is not None else {}
                return told["rows"], told["cpu"]

            turns[name] = asked_peer
        _say(f"   n = {n}: µs a row, times the library (quartiles)")
        cells = measure(turns, rounds, "library")
        for name, cell in cells.items():
            _say(f"     {name:<26} {cell}")
        result["cells"][n] = {name: asdict(cell) for name, cell in cells.items()}
    return result


def _meet(
    model: Model, path: Path, rows: NDArray[np.float64], expected: NDArray[np.floating], peers: Worker | None
) -> list[str]:
    """The peers that take a model, after saying of each whether it is exact."""
    if peers is None or model.library != "lightgbm":
        return []
    np.save(BUILD / model.key / "rows.npy", rows)
    told = peers.ask("load", model=str(path), rows=str(BUILD / model.key / "rows.npy"))
    for name, why in told["absent"].items():
        _say(f"   {name} does not take it: {why}")
    for name in told["peers"]:
        peers.ask("scores", peer=name, file=str(BUILD / model.key / "peer.npy"))
        found = np.load(BUILD / model.key / "peer.npy")
        apart = (found.view(np.int64) != expected.astype(np.float64).view(np.int64)).any(axis=1)
        plain = np.arange(len(rows)) % 10 != 0
        _say(
            f"   {name}, made in {told['seconds'][name]:.0f} s: {int((apart & plain).sum()):,} of {int(plain.sum()):,} "
            f"ordinary rows differ, and {int((apart & ~plain).sum()):,} of {int((~plain).sum()):,} at thresholds; the "
            f"largest difference is {float(np.nanmax(np.abs(found - expected))):.2g}"
        )
    return list(told["peers"])


def goals(results: dict[str, Any]) -> list[str]:
    """What the project set itself, and what came out, a line each."""
    lines = []
    for (key, release), (alone, blocks) in _GOALS.items():
        if key not in results:
            continue
        for n, goal in ((1, alone), (100, blocks), (1000, blocks)):
            cell = results[key]["cells"][n].get(f"JDK {release} chosen")
            if cell is None:
                lines.append(f"{key}, JDK {release}, n = {n}: not measured, no such JDK")
                continue
            met = "met" if cell["ratio"] >= goal else "missed"
            lines.append(f"{key}, JDK {release}, n = {n}: {cell['ratio']:.2f} times the library (goal {goal:g}) {met}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument(
        "--quick", action="store_true", help="two models, few rounds: equal bits, and no time to believe"
    )
    parser.add_argument("--peers", action="store_true", help="lleaves, tl2cgen, treelite and daal4py too (minutes)")
    parser.add_argument("--models", default="", help="letters, as in A,C")
    given = parser.parse_args(arguments)
    chosen = given.models.split(",") if given.models else ["A", "K"] if given.quick else [m.key for m in MODELS]
    global _WARM_MS
    _WARM_MS = 200 if given.quick else _WARM_MS
    facts = {"processor_count": os.cpu_count(), "load": os.getloadavg(), "host_class": host_class()}
    _say(json.dumps(facts))
    workers = _workers()
    peers = peers_worker() if given.peers else None
    try:
        results = {m.key: compare(m, workers, 3 if given.quick else 9, peers) for m in MODELS if m.key in chosen}
    finally:
        for worker in (*workers.values(), *([peers] if peers is not None else [])):
            worker.close()
    _say("\ngoals")
    for line in goals(results):
        _say(f"  {line}")
    out = BUILD / "trees.json"
    out.write_text(json.dumps({"facts": facts, "results": results}, indent=1) + "\n", encoding="utf-8")
    _say(f"load of the machine {os.getloadavg()[0]:.1f}; all of it: {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
