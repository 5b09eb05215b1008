"""The library that trained a bundle's trees, on one thread: raw scores to the bit, at level trees.

Heads that are the library's own predictions (probabilities, say) are asked of it too; they owe what the bundle states.

What it reads of the bundle is its schema and what its provenance notes of the trees: which model file (by digest),
which column of the model is which feature. Requests become the library's matrix without the bundle's graph: through the
front half of the run or of the schema file where there is one, else value by value, as the schema's defaults say.
"""

from __future__ import annotations

import hashlib
import importlib
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twinrank.bridge._origin import origin_of, read_origin
from twinrank.bridge._scorer import (
    SCORE,
    Array,
    Facts,
    Route,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scorer,
    ScorerBase,
)
from twinrank.export.bundle import Manifest, order_of, read_manifest
from twinrank.export.trees import TreeModelError, open_native, open_xgboost, read_lightgbm_file
from twinrank.training.schema import Feature, Packing, Request, ScoringError, pack, read_request
from twinrank.training.transforms import FrontGraph, TransformError, read_front_yaml

__all__ = ["tree_route"]

Encode = Callable[[Request], npt.NDArray[np.float64]]
"""From a request with candidates to the library's matrix, float64 [n, F]."""

Predict = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.floating]]
"""From the library's matrix to values, float32 or float64 [n, K]."""

_NUMBERS = ("float32", "float64", "int64", "bool")
_MISSING, _INVALID = 0, 2


def tree_route(name: str, library: str, files: Sequence[str]) -> Route:
    """Return the route of a library of trees.

    Args:
        name: the route's, what provenance calls the library, and what Python imports it as.
        library: what people call it.
        files: what a run calls the model file, the preferred one first.
    """
    kind = _Kind(name, library, tuple(files))
    return Route(
        name=name,
        summary=f"{library} itself on one thread: the trained model's raw scores, to the bit",
        level="trees",
        open=lambda bundle, options: _open(kind, bundle, options),
        lacks=lambda bundle, options: _lacks(kind, bundle, options),
    )


@dataclass(frozen=True)
class _Kind:
    name: str
    library: str
    files: tuple[str, ...]


class _Library(ScorerBase):
    """A model file as a scorer: request, matrix, library.

    Args:
        kind: which library.
        manifest: the bundle's.
        model: the file.
        targets: the model's target by output.
        encode: see there.
        predict: from a matrix to raw scores [n, K].
        link: from a matrix to the library's own predictions [n, K]; None where no output is one.
    """

    def __init__(
        self,
        kind: _Kind,
        manifest: Manifest,
        model: Path,
        targets: _Targets,
        encode: Encode,
        predict: Predict,
        link: Predict | None,
    ) -> None:
        self._kind, self._manifest, self._model = kind, manifest, model
        self._targets = targets
        self._encode, self._predict, self._link = encode, predict, link
        self._empty = {
            **{head.name: np.zeros(0, head.dtype) for head in manifest.heads},
            SCORE: np.zeros(0, manifest.score.dtype),
        }

    def facts(self) -> Facts:
        return Facts(
            implementation=f"model {self._model.name}",
            runtime=f"{self._kind.name} {importlib.import_module(self._kind.name).__version__}",
            details={"python": platform.python_version(), "threads": "1", "arch": platform.machine()},
        )

    def score(self, raw: bytes) -> RouteScores | RouteError:
        try:
            request = read_request(raw, self._manifest.schema, max_candidates=self._manifest.max_candidates)
        except ScoringError as error:
            return RouteError(error.code, error.feature, error.candidate)
        if request.n == 0:
            return RouteScores(0, self._empty, (), (), np.ones(0, np.bool_))
        matrix = self._encode(request)
        found = self._predict(matrix)
        values: dict[str, Array] = {name: found[:, target].copy() for name, target in self._targets.raw.items()}
        if self._link is not None:
            linked = self._link(matrix)
            values |= {name: linked[:, target].copy() for name, target in self._targets.links.items()}
        outputs = {name: values[name] for name in self._empty}
        order, dropped = order_of(outputs[SCORE])
        ranked = tuple(int(index) for index in order)
        return RouteScores(
            n=request.n,
            outputs=outputs,
            order=ranked if request.k is None else ranked[: request.k],
            dropped=tuple(int(index) for index in dropped),
            known=np.ones(request.n, np.bool_),
        )


def _lacks(kind: _Kind, bundle: Path, options: RouteOptions) -> str | None:
    """Return what is missing: trees of this library, or their model file."""
    noted = read_origin(bundle).trees
    if noted is None or noted["source"] != kind.name:
        return f"this bundle's scores are not {kind.library}'s"
    return None if _model(kind, options) is not None else "needs the model file: --native FILE, or --run RUN"


def _model(kind: _Kind, options: RouteOptions) -> Path | None:
    if options.native is not None:
        return options.native
    if options.run is None:
        return None
    return next((path for file in kind.files if (path := options.run / file).is_file()), None)


def _open(kind: _Kind, bundle: Path, options: RouteOptions) -> Scorer:
    def unavailable(why: str) -> RouteFailedError:
        return RouteFailedError(kind.name, "unavailable", why)

    manifest = read_manifest(bundle)
    noted = origin_of(manifest).trees
    if noted is None or noted["source"] != kind.name:
        made = "no trees" if noted is None else f"trees of {noted['source']}"
        raise unavailable(f"the bundle's provenance notes {made}, so {kind.library} cannot have its scores")
    model = _model(kind, options)
    if model is None:
        wanted = f"none of {', '.join(kind.files)} is in {options.run}" if options.run else "no model file was given"
        raise unavailable(f"{wanted}: pass --native FILE, the model that the bundle was made from")
    try:
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
    except OSError as error:
        raise unavailable(f"{model}: {error.strerror or error}") from error
    if digest != noted.get("model_sha256"):
        raise unavailable(
            f"{model} is not the model that the bundle was made from: its sha256 is {digest}, "
            f"the bundle notes {noted.get('model_sha256')}"
        )
    try:
        targets = _targets(manifest, noted)
        front = _front(options, manifest)
        if front is not None:
            encode = _by_front(front, manifest, noted)
        else:
            encode = _by_value(manifest, noted, _categories(kind, model))
    except _UnknownError as error:
        raise unavailable(str(error)) from error
    try:
        # The routes' names are the sources'.
        predict = open_native(kind.name, model)  # type: ignore[arg-type]
        link = open_native(kind.name, model, link=True) if targets.links else None  # type: ignore[arg-type]
    except TreeModelError as error:
        raise unavailable(str(error)) from error
    return _Library(kind, manifest, model, targets, encode, predict, link)


class _UnknownError(Exception):
    """Provenance that says too little, or other than this release understands."""


@dataclass(frozen=True)
class _Targets:
    """Which target of the model each output is.

    Attributes:
        raw: of raw scores, `score` among them.
        links: of the library's own predictions.
    """

    raw: Mapping[str, int]
    links: Mapping[str, int]


def _targets(manifest: Manifest, noted: Mapping[str, Any]) -> _Targets:
    count, score = noted.get("targets", 1), noted.get("score_target", 0)
    if not _is_index(count) or not _is_index(score) or score >= count:
        raise _UnknownError(f"the bundle's provenance names target {score!r} of {count!r} as the score")
    raw, links = (_by_head(noted, key, count) for key in ("raw_heads", "links"))
    heads = {head.name for head in manifest.heads}
    others = sorted(heads - raw.keys() - links.keys())
    if others:
        raise _UnknownError(
            f"the heads {', '.join(others)} are not the model's: something else in the bundle makes them, "
            "and the library knows nothing of it"
        )
    if (raw.keys() | links.keys()) - heads:
        raise _UnknownError("the bundle's provenance names heads of the model that the bundle has not")
    return _Targets({**raw, SCORE: score}, links)


def _by_head(noted: Mapping[str, Any], key: str, count: int) -> dict[str, int]:
    found = noted.get(key)
    if not isinstance(found, dict) or not all(_is_index(target) and target < count for target in found.values()):
        raise _UnknownError(f"the bundle's provenance does not say which of {count} targets its heads are ({key})")
    return found


def _features(noted: Mapping[str, Any]) -> list[str]:
    features = noted.get("features")
    if not isinstance(features, list) or not features or not all(isinstance(name, str) for name in features):
        raise _UnknownError("the bundle's provenance does not list the model's features")
    return features


def _columns(noted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    columns, features = noted.get("columns"), _features(noted)
    if not isinstance(columns, list) or len(columns) != len(features):
        raise _UnknownError(f"the bundle's provenance does not say where the model's {len(features)} columns come from")
    for name, column in zip(features, columns, strict=True):
        places = column.get("column"), column.get("first") if isinstance(column, dict) else 0
        if not isinstance(column.get("tensor"), str) or not all(place is None or _is_index(place) for place in places):
            raise _UnknownError(
                f"the bundle's provenance says of column {name!r} what this release does not understand"
            )
    return columns


def _is_index(value: object) -> bool:
    return type(value) is int and value >= 0


def _front(options: RouteOptions, manifest: Manifest) -> FrontGraph | None:
    """Return the front half of the schema file or of the run, or None if nobody gave one."""
    in_run = None if options.run is None else options.run / "front"
    path = options.schema if options.schema is not None else in_run
    if path is None or (path is in_run and not path.is_dir()):
        return None
    try:
        front = read_front_yaml(path) if path is options.schema else FrontGraph.load(path)
    except (OSError, TransformError) as error:
        raise _UnknownError(f"{path}: {error}") from error
    if front.schema != manifest.schema:
        raise _UnknownError(f"the schema of {path} is not the bundle's")
    return front


def _by_front(front: FrontGraph, manifest: Manifest, noted: Mapping[str, Any]) -> Encode:
    """Return the encoding by a front half: each column is one of an encoded tensor."""
    columns = _columns(noted)
    absent = sorted({column["tensor"] for column in columns} - {spec.name for spec in front.outputs})
    if absent:
        raise _UnknownError(f"the front half makes no tensor {', '.join(absent)}")
    packing = Packing.of(manifest.schema)

    def encode(request: Request) -> npt.NDArray[np.float64]:
        tensors = front.encode(pack(request, packing))
        matrix = np.empty((request.n, len(columns)), np.float64)
        for position, column in enumerate(columns):
            values = tensors[column["tensor"]]
            values = values if column["column"] is None else values[:, column["column"]]
            if column["first"] is not None:
                # Ids before the first entry are rows for what is absent or unseen, which trees know as NaN.
                values = np.where(values < column["first"], np.nan, (values - column["first"]).astype(np.float64))
            matrix[:, position] = values
        return matrix

    return encode


def _categories(kind: _Kind, model: Path) -> Mapping[str, Sequence[object]]:
    """Return by feature what codes stood for in the data frame that the model was trained on, as its file says."""
    try:
        if kind.name == "xgboost":
            return open_xgboost(model).categories
        if kind.name == "lightgbm":
            file = read_lightgbm_file(model)
            found = zip(file.forest.features, file.pandas_categories, strict=True)
            return {name: entries for name, entries in found if entries is not None}
    except TreeModelError as error:
        raise _UnknownError(str(error)) from error
    return {}


def _by_value(manifest: Manifest, noted: Mapping[str, Any], categories: Mapping[str, Sequence[object]]) -> Encode:
    """Return the encoding without a front half: each column is a number of the request, or a category's code.

    A category that the model's file does not list is NaN, as the library's own reading of a data frame has it.
    """
    by_name = {feature.name: feature for feature in manifest.schema.features}
    found: list[tuple[Feature, Mapping[object, int] | None]] = []
    for name, column in zip(_features(noted), _columns(noted), strict=True):
        feature = by_name.get(feature_name(name))
        if feature is not None and (feature.list is not None or feature.vector is not None):
            feature = None
        if feature is not None and column["first"] is None and feature.dtype in _NUMBERS:
            found.append((feature, None))
        elif feature is not None and column["first"] is not None and name in categories:
            found.append((feature, {entry: code for code, entry in enumerate(categories[name])}))
        else:
            raise _UnknownError(
                f"column {name!r} of the model is neither a number of the request nor a category that the model file "
                "lists: pass the schema file that it was exported with (--schema FILE), or the run (--run RUN)"
            )

    def encode(request: Request) -> npt.NDArray[np.float64]:
        matrix = np.empty((request.n, len(found)), np.float64)
        for position, (feature, codes) in enumerate(found):
            matrix[:, position] = _values(request, feature, codes)
        return matrix

    return encode


def _values(request: Request, feature: Feature, codes: Mapping[object, int] | None) -> list[float] | float:
    """Return a feature's numbers with its defaults in place, one for each candidate; one for all of a context's."""

    def number(value: Any, state: int) -> float:
        policy = feature.missing if state == _MISSING else feature.invalid if state == _INVALID else None
        if policy is not None:
            value = feature.default_of(policy) if policy.policy == "default" else None
        if codes is not None:
            return float(codes.get(value, np.nan))
        return float(value)

    found = list(map(number, request.values(feature.name), request.states(feature.name)))
    return found[0] if feature.placement == "context" else found


def feature_name(name: str) -> str:
    """Return what a schema calls a model's feature: letters, digits and _, at most 64 of them, no digit first."""
    made = re.sub("[^A-Za-z0-9_]", "_", name)[:64]
    return made if made and not made[0].isdigit() else f"_{made}"[:64]
