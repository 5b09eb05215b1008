"""Two versions of one ranker: the same schema and other weights, so that each answer says which version gave it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

from tools.service.programs import ROOT

NAME = "swap"
VERSIONS = (1, 2)
CANDIDATES = 20
_REQUESTS = 64
_MADE = "made.txt"


def make(models: Path) -> None:
    """Makes both versions, small and quick to load; what is there and was made on this host is left alone.

    Args:
        models: the directory above ``swap/1`` and ``swap/2``.
    """
    from twinrank.export.bundle import host_class, runtime_release

    made, by = models / f".{NAME}-{_MADE}", f"{host_class()} {runtime_release()} 1"
    if made.exists() and made.read_text(encoding="utf-8") == by:
        return
    shutil.rmtree(models / NAME, ignore_errors=True)
    import torch

    from twinrank.export.graph import export_run

    sys.path.append(str(ROOT / "java-serving/benchmarks/python"))
    from rankers import Field, Light, Ranker  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    fields = (Field("user", "context", 1000), Field("item", "candidate", 1000), Field("shop", "candidate", 200))
    ranker = Ranker(NAME, fields, (3, 9), Light)
    words = ranker.vocabularies()
    run = ranker.run(words)
    for version in VERSIONS:
        torch.manual_seed(version)
        export_run(dataclasses.replace(run, module=Light(run.front).eval()), models, version=version)
    lines = []
    for seed in range(_REQUESTS):
        request = ranker.request(words, CANDIDATES, seed)
        columns = request["candidates"]
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        lines.append(json.dumps({"context": request["context"], "candidates": rows}))
    requests(models).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    made.write_text(by, encoding="utf-8")


def requests(models: Path) -> Path:
    """Requests of 20 candidates without a ``k``, one a line: an answer holds every score."""
    return models / f".{NAME}-requests.jsonl"


def point(models: Path, version: int) -> None:
    """Lets the pointer name a version, by a rename as an operator's tool does it."""
    whole = models / NAME / ".active-next"
    whole.write_text(f"{version}\n", encoding="ascii")
    whole.replace(models / NAME / "active")
