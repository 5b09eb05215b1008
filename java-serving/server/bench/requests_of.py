"""The requests of the comparison on the wire: the same values by rows and by columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

K = 10
_POOL_OF = {20: 20, 100: 200, 200: 200, 1000: 1000}


def write(models: Path, model: str, n: int, out: Path) -> dict[str, Path]:
    """Writes the pool of a model and a number of candidates, one request a line.

    Args:
        models: what ``models.py`` made.
        model: its name.
        n: how many candidates.
        out: a folder.

    Returns:
        the file of each form, ``rows`` and ``columns``.
    """
    pool = json.loads((models / model / f"requests-{_POOL_OF[n]}.json").read_text(encoding="utf-8"))
    files = {}
    for form, make in {"rows": _rows, "columns": _columns}.items():
        files[form] = out / f"{model}-{n}-{form}.jsonl"
        lines = [json.dumps(make(_short(request, n)), separators=(",", ":")) for request in pool]
        files[form].write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return files


def _rows(request: dict[str, Any]) -> dict[str, Any]:
    columns = request["candidates"]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return request | {"candidates": rows}


def _columns(request: dict[str, Any]) -> dict[str, Any]:
    return request


def _short(request: dict[str, Any], n: int) -> dict[str, Any]:
    """The first candidates, and every float32 as shortly as it can be written."""

    def value(given: Any) -> Any:
        return float(str(np.float32(given))) if isinstance(given, float) else given

    return {
        "context": {name: value(given) for name, given in request["context"].items()},
        "candidates": {name: [value(each) for each in column[:n]] for name, column in request["candidates"].items()},
        "k": K,
    }
