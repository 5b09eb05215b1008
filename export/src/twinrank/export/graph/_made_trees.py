"""Sources that are models of trees: with a schema of one's own, or with one that follows from the model."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np

from twinrank.export.graph._compose import SCORE
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._made import MAX_CANDIDATES, checked_heads, checked_name, read_front, read_lines
from twinrank.export.graph._source import ExportSource
from twinrank.export.graph._stack_back import StackBack
from twinrank.export.graph._trees_back import TreesBack, feature_names
from twinrank.export.trees import (
    Forest,
    TreeModelError,
    open_xgboost,
    probe_rows,
    read_catboost,
    read_lightgbm_file,
)
from twinrank.training.schema import Feature, Policy, Schema
from twinrank.training.transforms import EncodedSpec, FrontGraph, Lookup, Matrix, Transform, Vocabulary

if TYPE_CHECKING:
    from twinrank.training.run import TreesRun

TreeLibrary = Literal["lightgbm", "xgboost", "catboost"]

_SUFFIXES: dict[TreeLibrary, str] = {"lightgbm": ".txt", "xgboost": ".ubj", "catboost": ".json"}
_SIZES = (1, 2, 3, 5, 8, 13, 20, 40, 40, 40, 64, 100)
_DIFFERENT = 64
"""Candidates that a sample holds at least, of which no two are alike where the columns are numbers."""
_SEED = 3
_SHOWN = 6
_NUMBERS = "features"
_TREES, _NETWORK = "trees_score", "network_score"
_NEVER = "never seen \U0001f600"


@runtime_checkable
class _Saving(Protocol):
    """A booster of one of the libraries, or its wrapper."""

    def save_model(self, file: str) -> object:
        """Writes it."""


@dataclass(frozen=True)
class _Read:
    """A model file.

    Attributes:
        forest: its trees.
        categories: by feature, what codes stood for where the model was trained on a data frame; None of the others.
        notes: what a person should know.
    """

    forest: Forest
    categories: tuple[tuple[object, ...] | None, ...]
    notes: tuple[str, ...] = ()


def source_of_trees(
    library: TreeLibrary,
    model: Path | object,
    schema: Path | None = None,
    requests: Path | None = None,
    *,
    name: str | None = None,
    max_candidates: int = MAX_CANDIDATES,
    heads: Sequence[str] | None = None,
    score: str | None = None,
    link: bool = False,
    allow: Mapping[str, str] | None = None,
) -> ExportSource:
    """A model of LightGBM, XGBoost or CatBoost as a source; its raw score, or margin, is the score, to the bit.

    Without a schema each column is a float64 candidate feature under the model's name, absent is NaN, and a category
    of strings is a string feature. Without requests rows at the model's own boundaries are the sample.

    Args:
        library: what trained it.
        model: the file (LightGBM's text, XGBoost's JSON or UBJSON, CatBoost's JSON with the .cbm beside it), or a
            booster of LightGBM or XGBoost.
        schema: the YAML file of features and transforms; columns are met by name.
        requests: the sample requests, one JSON object a line.
        name: of the model; None takes the file's.
        max_candidates: the largest slate that a request may hold.
        heads: names of the raw scores of a model that has several; None calls them ``class_0``, ...
        score: which of them orders the slate; needed where there are several.
        link: whether the library's own predictions (probabilities, say) become heads too: ``prediction``, or
            ``prediction_<name>``; at level reference, as no runtime has the bits of another's exponential.
        allow: reasons by the names of findings that a person lets pass.

    Raises:
        ExportError: the code of `TreeModelError` for what is wrong with the model; ``input_unknown``, ``no_request``,
            ``schema_invalid``, ``name_invalid``, ``outputs_differ_from_heads``; ``tree_categories_differ`` if the
            schema gives words other codes than the model file does.
        ValueError: if the library is none of those.
    """
    if isinstance(model, _Saving):
        with tempfile.TemporaryDirectory(prefix="twinrank-") as folder:
            path = Path(folder) / f"model{_SUFFIXES[library]}"
            model.save_model(str(path))
            return source_of_trees(
                library,
                path,
                schema,
                requests,
                name=name,
                max_candidates=max_candidates,
                heads=heads,
                score=score,
                link=link,
                allow=allow,
            )
    path = Path(str(model))
    if schema is not None and requests is None:
        raise ExportError(
            "no_request",
            "a schema of one's own needs a sample of requests, and none is given",
            "Give --requests FILE, one JSON object a line; without --schema the model's own boundaries are the sample",
        )
    read = _read(library, path)
    chosen = checked_name(name if name is not None else path.stem)
    names, target = _targets(read.forest, heads, score)
    front = read_front(schema) if schema is not None else _front(read)
    _require_words(read, front, path)
    lines = read_lines(requests) if requests is not None else _lines(read, front)
    back = TreesBack(read.forest, path, front, target, names, read.notes, link=link)
    provenance: dict[str, object] = {
        "origin": {"kind": library, "name": path.name},
        "trees": back.provenance(),
    }
    return ExportSource(chosen, front, back, back.heads, tuple(lines), provenance, max_candidates, allow or {})


def source_of_stack(
    network: ExportSource,
    library: TreeLibrary,
    model: Path,
    *,
    name: str | None = None,
    heads: Sequence[str] | None = None,
    score: str | None = None,
) -> ExportSource:
    """A network and trees as one source: the trees' columns may be the network's heads, and both are heads.

    The trees are compared with their library given what the network says *in the graph*: no tolerance of the network
    moves a row across a threshold of the trees.

    Args:
        network: its front encodes for both; columns are met by name, also ``network_score``, the network's own score.
        library: what trained the trees.
        model: their file.
        name: of the whole; None takes the network's.
        heads: names of the trees' raw scores; None calls one ``trees_score``, several ``class_0``, ...
        score: the head that orders the slate; None takes the trees' where they have one raw score.

    Raises:
        ExportError: see `source_of_trees` and `StackBack`.
    """
    read = _read(library, model)
    _require_words(read, network.front, model)
    targets = read.forest.targets
    names = tuple(heads) if heads else (_TREES,) if targets == 1 else tuple(f"class_{i}" for i in range(targets))
    checked_heads(names)
    if len(names) != targets:
        raise ExportError(
            "outputs_differ_from_heads",
            f"the trees have {targets} raw scores, and {len(names)} names are given",
            "Give one name each",
        )
    network_heads = (*network.heads, _NETWORK)
    beside = [EncodedSpec(head, "candidate", "float32", (-1,), None) for head in network_heads]
    trees = TreesBack(read.forest, model, network.front, 0, names if targets > 1 else (), read.notes, beside=beside)
    back = StackBack(network.back, network_heads, trees, names, score or (names[0] if targets == 1 else ""))
    return replace(
        network,
        name=checked_name(name) if name is not None else network.name,
        back=back,
        heads=back.heads,
        provenance={**network.provenance, "trees": back.provenance()},
    )


def source_of_trees_run(run: TreesRun, allow: Mapping[str, str] | None = None) -> ExportSource:
    """A training run of trees as a source.

    Raises:
        ExportError: see `source_of_trees`.
    """
    read = _read(run.library, run.model)
    back = TreesBack(read.forest, run.model, run.front, 0, (), read.notes)
    return ExportSource(
        name=run.name,
        front=run.front,
        back=back,
        heads=run.heads,
        requests=run.requests,
        provenance={**run.provenance, "trees": back.provenance()},
        max_candidates=run.max_candidates,
        allow=allow or {},
        strict=True,
    )


def _read(library: TreeLibrary, path: Path) -> _Read:
    if library not in _READERS:
        raise ValueError(f"library is {library!r}; allowed are {', '.join(map(repr, _READERS))}")
    try:
        return _READERS[library](path)
    except TreeModelError as e:
        raise ExportError.of((Finding(e.code, e.where, e.detail, e.remedy),)) from e
    except OSError as e:
        raise ExportError("tree_model_invalid", f"{path.name} cannot be read: {e.strerror}", "Give a model file") from e


def _lightgbm(path: Path) -> _Read:
    file = read_lightgbm_file(path)
    return _Read(file.forest, file.pandas_categories, file.notes)


def _xgboost(path: Path) -> _Read:
    file = open_xgboost(path)
    categories = tuple(file.categories.get(name) for name in file.forest.features)
    return _Read(file.forest, categories, file.notes)


def _catboost(path: Path) -> _Read:
    forest = read_catboost(path)
    return _Read(forest, (None,) * len(forest.features))


_READERS = {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}


def _require_words(read: _Read, front: FrontGraph, path: Path) -> None:
    """Refuses lookups that give words other codes than the data frame did that the model was trained on.

    Bits would be the library's for the codes, and the scores those of other words.
    """
    lookups = {each.name: each for each in front.transforms if isinstance(each, Lookup)}
    found = []
    for given, name, entries in zip(
        read.forest.features, feature_names(read.forest.features), read.categories, strict=True
    ):
        lookup = lookups.get(name)
        if lookup is None or entries is None or lookup.vocabulary.entries == entries:
            continue
        found.append(
            Finding(
                "tree_categories_differ",
                f"{path.name}, {given}",
                f"the schema gives {_listed(lookup.vocabulary.entries)} the codes 0, 1, …, and the model was trained "
                f"on a data frame where {_listed(entries)} had them",
                "Write the entries as the model file lists them, in their order; or leave --schema out, which does so",
            )
        )
    if found:
        raise ExportError.of(tuple(found))


def _listed(entries: Sequence[object]) -> str:
    shown = ", ".join(map(repr, entries[:_SHOWN]))
    return shown if len(entries) <= _SHOWN else f"{shown}, … ({len(entries):,} in all)"


def _targets(forest: Forest, heads: Sequence[str] | None, score: str | None) -> tuple[tuple[str, ...], int]:
    """The names of the heads beside the score, and which target is the score."""
    if forest.targets == 1:
        if heads not in (None, [SCORE], (SCORE,)) or score not in (None, SCORE):
            raise ExportError(
                "outputs_differ_from_heads", "the model has one raw score", "Leave --heads and --score out"
            )
        return (), 0
    names = tuple(heads) if heads is not None else tuple(f"class_{index}" for index in range(forest.targets))
    checked_heads(names)
    if len(names) != forest.targets or len(set(names)) < len(names):
        raise ExportError(
            "outputs_differ_from_heads",
            f"the model has {forest.targets} raw scores, and {len(set(names))} different names are given",
            "Give one name each",
        )
    if score not in names:
        given = "none is named" if score is None else f"{score!r} is none of them"
        raise ExportError(
            "outputs_differ_from_heads",
            f"the model has the raw scores {', '.join(names)}; one must order the slate, and {given}",
            f"Say which, as in --score {names[-1]}",
        )
    return names, names.index(score)


def _front(read: _Read) -> FrontGraph:
    """The schema that follows from the model, in the order of its columns."""
    features: list[Feature] = []
    lookups: list[Transform] = []
    numbers: list[str] = []
    nan = Policy("default", "NaN")
    names = feature_names(read.forest.features)
    for given, name, entries in zip(read.forest.features, names, read.categories, strict=True):
        if entries is None:
            features.append(Feature(name, "candidate", "float64", nonfinite=True, missing=nan))
            numbers.append(name)
            continue
        if all(isinstance(entry, str) for entry in entries):
            vocabulary = Vocabulary(name, "string", tuple(str(entry) for entry in entries))
        elif all(type(entry) is int for entry in entries):
            vocabulary = Vocabulary(name, "int64", tuple(int(str(entry)) for entry in entries))
        else:
            raise ExportError(
                "schema_invalid",
                f"the categories of {given!r} are neither strings nor integers: {str(entries[:3])[:80]}",
                "Give a schema in which a transform makes the column",
            )
        features.append(Feature(name, "candidate", vocabulary.dtype, missing=Policy("own_row")))
        lookups.append(Lookup(name, name, vocabulary))
    matrix = [Matrix(_free(_NUMBERS, {each.name for each in lookups}), tuple(numbers))] if numbers else []
    return FrontGraph(Schema(tuple(features)), [*matrix, *lookups])


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _lines(read: _Read, front: FrontGraph) -> list[bytes]:
    """Sample requests on both sides of the model's thresholds."""
    rows = probe_rows(read.forest, sum(_SIZES), _SEED)
    sizes: tuple[int, ...] = _SIZES
    if len({row.tobytes() for row in rows}) < _DIFFERENT:
        # A stump over one column has fewer boundaries than an export wants different candidates.
        more = np.repeat(np.linspace(-31.75, 31.25, _DIFFERENT)[:, np.newaxis], rows.shape[1], axis=1)
        rows, sizes = np.concatenate([rows, more]), (*_SIZES, _DIFFERENT)
    lines, start = [], 0
    names = feature_names(read.forest.features)
    dtypes = {feature.name: feature.dtype for feature in front.schema.features}
    for size in sizes:
        candidates = [
            {
                name: _said(value, entries, dtypes[name])
                for name, value, entries in zip(names, row, read.categories, strict=True)
            }
            for row in rows[start : start + size].tolist()
        ]
        start += size
        lines.append(json.dumps({"context": {}, "candidates": candidates}, separators=(",", ":")).encode())
    return lines


def _said(value: float, entries: tuple[object, ...] | None, dtype: str) -> object:
    """A value of a row as a request says it."""
    if entries is None:
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if math.isnan(value):
        return None
    if 0 <= value < len(entries):
        return entries[int(value)]
    return _NEVER if dtype == "string" else -(2**62) - 1
