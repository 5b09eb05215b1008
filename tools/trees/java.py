"""The Java route of the exactness table: the model exported as a bundle, and scored by both engines of Java."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.trees.cells import Library
from twinrank.bridge import RouteFailedError, RouteOptions, RouteScores, routes
from twinrank.export.graph import ExportError, export_source, source_of_trees

ENGINES = ("java", "onnxruntime")
"""Values of the Java property ``twinrank.trees``: our own kernels, and the operator."""
_SLATE = 1000
_OPTIONS = "JDK_JAVA_OPTIONS"


class JavaRouteError(Exception):
    """The model became no bundle, or Java did not score it."""


def java_scores(
    library: Library, model: Path, x: NDArray[np.float64], targets: int, folder: Path
) -> dict[str, NDArray[np.floating]]:
    """Return by engine scores [n, K] of rows float64 [n, F], as ``twinrank export`` and the route ``probe`` give them.

    Args:
        library: what trained the model.
        model: its file.
        x: the rows; they are sent as JSON, in slates of 1000.
        targets: K.
        folder: of models; gets one more.

    Raises:
        JavaRouteError: with what failed.
    """
    try:
        source = source_of_trees(library, model, score=None if targets == 1 else "class_0")
        bundle = export_source(source, folder)
        names = [feature.name for feature in source.front.schema.features]
        heads = ["score"] if targets == 1 else [f"class_{target}" for target in range(targets)]
        raws = [_request(names, x[start : start + _SLATE]) for start in range(0, len(x), _SLATE)]
        _must_obey(bundle)
        return {engine: _scored(bundle, raws, heads, engine) for engine in ENGINES}
    except (ExportError, RouteFailedError) as e:
        raise JavaRouteError(f"{model.name}: {e}") from e


def _must_obey(bundle: Path) -> None:
    """An engine that is forced scores or the bundle is refused; a jar that knows no engines would be asked in vain."""
    try:
        with _forced("neither"), routes.route("probe").open(bundle, RouteOptions()):
            pass
    except RouteFailedError:
        return
    raise JavaRouteError("the probe's jar does not obey the property twinrank.trees; build the jars anew")


def _scored(bundle: Path, raws: list[bytes], heads: list[str], engine: str) -> NDArray[np.floating]:
    parts: list[NDArray[np.floating]] = []
    with _forced(engine), routes.route("probe").open(bundle, RouteOptions()) as scorer:
        for raw in raws:
            found = scorer.score(raw)
            if not isinstance(found, RouteScores):
                raise JavaRouteError(f"{bundle}: {found}")
            parts.append(np.stack([found.outputs[head] for head in heads], axis=1))
    return np.concatenate(parts)


@contextmanager
def _forced(engine: str) -> Iterator[None]:
    """Every Java that is started meanwhile takes this engine."""
    before = os.environ.get(_OPTIONS)
    os.environ[_OPTIONS] = f"{before or ''} -Dtwinrank.trees={engine}".strip()
    try:
        yield
    finally:
        del os.environ[_OPTIONS]
        if before is not None:
            os.environ[_OPTIONS] = before


def _request(names: list[str], rows: NDArray[np.float64]) -> bytes:
    candidates = [dict(zip(names, map(_number, row), strict=True)) for row in rows.tolist()]
    return json.dumps({"context": {}, "candidates": candidates}).encode()


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
