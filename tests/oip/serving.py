"""The server jar with the fixture bundle, and its goldens as tensors: what tests of clients begin with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from twinrank.bridge._scorer import RouteOptions, RouteScores, Scorer
from twinrank.bridge.routes import ort
from twinrank.bridge.routes._oip import Encoded, encode
from twinrank.bridge.routes.http import serving
from twinrank.export.bundle import Manifest, read_manifest
from twinrank.training.schema import read_request


@dataclass(frozen=True)
class Golden:
    """A golden that has tensors, and the bits that its outputs must have."""

    encoded: Encoded
    outputs: dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Running:
    """A running server: `http` is its URL, `grpc` the same as HOST:PORT, `admin` the administration's HOST:PORT."""

    http: str
    grpc: str
    goldens: list[Golden]


def goldens(bundle: Path) -> list[Golden]:
    """Return the goldens of a bundle that can be said as tensors and are answered with scores.

    Most goldens have a value that is invalid, which no tensor can say. They are asked without those values, or with 0
    where one must be there, and what is then right is said by Python and ONNX Runtime.
    """
    manifest = read_manifest(bundle)
    dtypes = {**{head.name: head.dtype for head in manifest.heads}, "score": manifest.score.dtype}
    requests = (bundle / "goldens" / "requests.jsonl").read_bytes().splitlines()
    found = []
    with ort.ROUTE.open(bundle, RouteOptions()) as reference:
        for raw, line in zip(requests, (bundle / "goldens" / "rankings.jsonl").read_text().splitlines(), strict=True):
            told, encoded = json.loads(line), encode(raw, manifest.schema, manifest.max_candidates)
            if "error" in told:
                continue
            if not isinstance(encoded, Encoded):
                found.append(_without_invalid(raw, manifest, reference))
                continue
            columns = {**told.get("heads", {}), "score": told.get("score", [])}
            outputs: dict[str, np.ndarray[Any, Any]] = {}
            for name, dtype in dtypes.items():
                bits = np.array([int(each, 16) for each in columns.get(name, [])], "u4" if dtype == "float32" else "u8")
                outputs[name] = bits.view(dtype)
            # A golden's order is cut by its request's k, as the ranking is.
            outputs["ranking"] = np.array(told["order"], np.int32)
            found.append(Golden(encoded, outputs))
    return found


def _without_invalid(raw: bytes, manifest: Manifest, reference: Scorer) -> Golden:
    request = read_request(raw, manifest.schema, max_candidates=manifest.max_candidates)
    told = json.loads(raw)
    for feature in manifest.schema.features:
        rows = [told["context"]] if feature.placement == "context" else told["candidates"]
        for row, state in zip(rows, request.states(feature.name), strict=True):
            # 0 is missing, 1 is there; the others are what a policy absorbs.
            if state not in (0, 1) and feature.missing.policy == "error":
                row[feature.name] = 0
            elif state not in (0, 1):
                del row[feature.name]
    raw = json.dumps(told).encode()
    encoded, scores = encode(raw, manifest.schema, manifest.max_candidates), reference.score(raw)
    assert isinstance(encoded, Encoded), encoded
    assert isinstance(scores, RouteScores), scores
    return Golden(encoded, {**scores.outputs, "ranking": np.array(scores.order, np.int32)})


@contextmanager
def running(bundle: Path) -> Iterator[Running]:
    """Serve the folder that a bundle is in; what waits on a busy machine is answered late, and not refused."""
    with serving(bundle.parents[1], more=["--queue-age", "60000"]) as url:
        yield Running(url, urlsplit(url).netloc, goldens(bundle))
