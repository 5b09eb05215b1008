"""Makes what the comparison runs: bundles, the same models as others would export them, and the requests.

    .venv/bin/python java-serving/benchmarks/python/models.py build/bench/models

For each ranker ``<out>/<name>/`` gets

- ``1/``: the bundle, made and proved by this project's exporter;
- ``columns.onnx``: the bundle's graph with one input a column, which are joined again before anything else: what a team
  feeds that makes one tensor a feature. Same nodes behind, same bits;
- ``flat.onnx``: the module alone as ``torch.onnx.export`` makes it of rows, the context's values repeated for each
  candidate, ids instead of strings; with ``vocabularies.json``, which turns strings into ids;
- ``packing.json``: which columns make up each input of the bundle's graph;
- ``requests-<n>.json``: requests by columns, the same for every contestant.

What is there already and was made by this code is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from rankers import RANKERS, Ranker

import twinrank.export.bundle
import twinrank.export.graph
import twinrank.training.transforms
from twinrank.export.bundle import host_class, runtime_release
from twinrank.export.graph import export_run
from twinrank.training.run import TrainedRun
from twinrank.training.schema import Column, Packing

POOLS = {1: 64, 20: 64, 200: 32, 1000: 8, 10_000: 2}
"""How many requests there are of each number of candidates."""

LARGE = "large"
LARGE_ROWS = 800_000
OPSET = 20
_MADE = "made.txt"
_TRACED = 7
_DTYPES = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT}


def main() -> None:
    """Makes what is not there."""
    out = Path(sys.argv[1])
    torch.set_num_threads(1)
    by = _maker()
    for name in sys.argv[2:] or [*RANKERS, LARGE]:
        made = out / name / _MADE
        if not made.exists() or made.read_text(encoding="utf-8") != by:
            shutil.rmtree(out / name, ignore_errors=True)
            if name == LARGE:
                _make_large(out)
            else:
                _make(RANKERS[name], out)
            made.write_text(by, encoding="utf-8")


def _maker() -> str:
    """What decides the bytes: this host's class, the runtime, the exporter and these two files."""
    digest = hashlib.sha256(f"{host_class()} {runtime_release()} {torch.__version__}".encode())
    for package in (twinrank.export.graph, twinrank.export.bundle, twinrank.training.transforms):
        for source in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(source.read_bytes())
    for source in (Path(__file__), Path(__file__).with_name("rankers.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _make_large(out: Path) -> None:
    """A bundle of 100 MB, nearly all of it one table, for the question how long loading takes."""
    sys.path.append(str(Path(__file__).resolve().parents[3] / "export/bench"))
    from large import large_run

    sys.stdout.write(f"{LARGE}: exporting\n")
    sys.stdout.flush()
    export_run(large_run(LARGE_ROWS), out, version=1)


def _make(ranker: Ranker, out: Path) -> None:
    sys.stdout.write(f"{ranker.name}: exporting\n")
    sys.stdout.flush()
    words = ranker.vocabularies()
    run = ranker.run(words)
    bundle = export_run(run, out, version=1)
    folder = out / ranker.name
    packing = Packing.of(run.schema)
    columns = [[column_name(column) for column in block.columns] for block in packing.blocks]
    _write(
        folder / "packing.json",
        [
            {
                "name": block.name,
                "dtype": block.dtype,
                "placement": block.placement,
                "columns": [
                    {
                        "name": name,
                        "feature": column.feature,
                        "role": column.role,
                        "offset": column.offset,
                        "width": column.width,
                    }
                    for name, column in zip(names, block.columns, strict=True)
                ],
            }
            for block, names in zip(packing.blocks, columns, strict=True)
        ],
    )
    by_columns(bundle / "model.onnx", packing, folder / "columns.onnx")
    flat_rows(run, folder / "flat.onnx")
    _write(
        folder / "vocabularies.json",
        [
            {"feature": field.name, "length": field.length, "entries": words[field.vocabulary].entries}
            for field in ranker.fields
        ],
    )
    for n, count in POOLS.items():
        _write(folder / f"requests-{n}.json", [ranker.request(words, n, seed) for seed in range(count)])


def column_name(column: Column) -> str:
    """What the input of a column is called in ``columns.onnx``."""
    return f"{column.feature}.{column.role}"


def by_columns(model: Path, packing: Packing, path: Path) -> None:
    """Writes the graph with an input a column, joined to the blocks by one Concat each."""
    graph = onnx.load(model)
    joins, inputs = [], []
    for block in packing.blocks:
        names = [column_name(column) for column in block.columns]
        rows: Any = 1 if block.placement == "context" else "n"
        inputs += [
            helper.make_tensor_value_info(name, _DTYPES[block.dtype], [rows, column.width])
            for name, column in zip(names, block.columns, strict=True)
        ]
        joins.append(helper.make_node("Concat", names, [block.name], name=f"join.{block.name}", axis=1))
    nodes = [*joins, *graph.graph.node]
    del graph.graph.node[:], graph.graph.input[:]
    graph.graph.node.extend(nodes)
    graph.graph.input.extend(inputs)
    path.write_bytes(graph.SerializeToString())


class _Positional(torch.nn.Module):
    """The module with its encoded tensors by position: dynamic shapes are told by position."""

    def __init__(self, module: torch.nn.Module, names: list[str]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """The scores."""
        score: torch.Tensor = self.module(**dict(zip(self.names, tensors, strict=True)))["score"]
        return score


def flat_rows(run: TrainedRun, path: Path) -> None:
    """Exports the module of rows: every input has n rows, the context's too."""
    specs = run.front.outputs
    random = np.random.Generator(np.random.PCG64(7))
    example = []
    for spec in specs:
        shape = (_TRACED, *spec.shape[1:])
        values = random.integers(0, spec.cardinality, shape) if spec.cardinality else np.ones(shape, np.float32)
        example.append(torch.from_numpy(values))
    axis = torch.export.Dim("n", min=2)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.inference_mode():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Positional(run.module, [spec.name for spec in specs]).eval(),
            tuple(example),
            dynamo=True,
            dynamic_shapes=(tuple({0: axis} for _ in specs),),
            input_names=[spec.name for spec in specs],
            output_names=["score"],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise SystemExit("torch exported nothing")
    path.write_bytes(program.model_proto.SerializeToString())


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":
    main()
