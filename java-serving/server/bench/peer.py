"""The peer: a FastAPI service of the same models, as a team that knows FastAPI, numpy and ONNX Runtime writes it.

    PEER_MODELS=build/bench/models PEER_NAMES=light uvicorn --app-dir java-serving/server/bench peer:app --workers 2

orjson in and out, numpy blocks filled a column at a time, one session a process with the bundle's own options, uvloop
and httptools, no pydantic model between the body and the arrays. Candidates come by rows or by columns.

- ``POST /models/{name}:slate`` scores with the bundle's graph, which takes XXH3 keys of strings;
- ``POST /models/{name}:flat`` scores with the module as ``torch.onnx.export`` makes it, which takes ids out of
  vocabularies and the context once a row;
- ``GET /ready`` answers once the models are there;
- ``POST /null`` reads the body and answers nothing: the floor of this stack.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import xxhash
from fastapi import FastAPI, Request, Response

from twinrank.export.bundle import Runner, SessionSettings

_JSON = "application/json"
_DTYPES = {"int64": np.int64, "float32": np.float32}
Columns = dict[str, list[Any]]
Scores = np.ndarray[Any, np.dtype[np.float32]]


class Slate:
    """The bundle's graph: a block a placement and dtype, strings as keys.

    Args:
        folder: of the model, as ``models.py`` makes it.
    """

    def __init__(self, folder: Path) -> None:
        self._runner = Runner((folder / "1/model.onnx").read_bytes(), SessionSettings(), folder / "1")
        self._blocks = json.loads((folder / "packing.json").read_text(encoding="utf-8"))
        self.features = [
            column["feature"]
            for block in self._blocks
            if block["placement"] == "candidate"
            for column in block["columns"]
        ]

    def score(self, context: dict[str, Any], columns: Columns, n: int) -> Scores:
        """Scores, float32 of shape [n]."""
        feeds = {}
        for block in self._blocks:
            of_context = block["placement"] == "context"
            keys = block["dtype"] == "int64"
            packed = np.empty((1 if of_context else n, len(block["columns"])), _DTYPES[block["dtype"]])
            for at, column in enumerate(block["columns"]):
                name = column["feature"]
                values = [context[name]] if of_context else columns[name]
                if keys:
                    hashed = [xxhash.xxh3_64_intdigest(text.encode()) for text in values]
                    packed[:, at] = np.array(hashed, np.uint64).view(np.int64)
                else:
                    packed[:, at] = values
            feeds[block["name"]] = packed
        (scores,) = self._runner.run(feeds)
        return scores


class Flat:
    """The module alone: an array a feature, a row a candidate, strings as ids.

    Args:
        folder: of the model, as ``models.py`` makes it.
    """

    def __init__(self, folder: Path) -> None:
        self._runner = Runner((folder / "flat.onnx").read_bytes(), SessionSettings(), folder)
        tables = json.loads((folder / "vocabularies.json").read_text(encoding="utf-8"))
        self._ids = {table["feature"]: {text: row for row, text in enumerate(table["entries"], 1)} for table in tables}
        packing = json.loads((folder / "packing.json").read_text(encoding="utf-8"))
        placements = {column["feature"]: block["placement"] for block in packing for column in block["columns"]}
        self._inputs = [(name, placements[name] == "context") for name in self._runner.inputs]
        self.features = [name for name, of_context in self._inputs if not of_context]

    def score(self, context: dict[str, Any], columns: Columns, n: int) -> Scores:
        """Scores, float32 of shape [n]."""
        feeds = {}
        for name, of_context in self._inputs:
            ids = self._ids.get(name)
            if of_context:
                value = context[name]
                feeds[name] = np.full(n, value, np.float32) if ids is None else np.full(n, ids.get(value, 0), np.int64)
            elif ids is None:
                feeds[name] = np.array(columns[name], np.float32)
            else:
                feeds[name] = np.array([ids.get(text, 0) for text in columns[name]], np.int64)
        (scores,) = self._runner.run(feeds)
        return scores


def _answer(model: Slate | Flat, body: bytes) -> bytes:
    request = orjson.loads(body)
    candidates = request["candidates"]
    if isinstance(candidates, dict):
        columns, n = candidates, len(candidates[model.features[0]])
    else:
        columns, n = {name: [row[name] for row in candidates] for name in model.features}, len(candidates)
    scores = model.score(request["context"], columns, n)
    best = np.argsort(-scores, kind="stable")[: request.get("k")]
    found = zip(best.tolist(), scores[best].tolist(), strict=True)
    return orjson.dumps({"candidates": n, "ranking": [{"index": index, "score": score} for index, score in found]})


def _make() -> FastAPI:
    made = FastAPI(openapi_url=None)
    folder = Path(os.environ["PEER_MODELS"])
    ways: dict[str, Callable[[Path], Slate | Flat]] = {"slate": Slate, "flat": Flat}
    models = {
        f"{name}:{way}": open_(folder / name)
        for name in os.environ["PEER_NAMES"].split(",")
        for way, open_ in ways.items()
    }

    @made.get("/ready")
    async def ready() -> Response:
        return Response(b"")

    @made.post("/models/{which}")
    async def rank(which: str, request: Request) -> Response:
        return Response(_answer(models[which], await request.body()), media_type=_JSON)

    @made.post("/null")
    async def null(request: Request) -> Response:
        await request.body()
        return Response(b"", media_type=_JSON)

    return made


app = _make()
