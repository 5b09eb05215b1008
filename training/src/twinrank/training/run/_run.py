"""TrainedRun, TreesRun and their directory.

config.yaml            the configuration, verbatim
schema.json            the schema, in the manifest's form
front/                 the front graph's transforms and vocabularies
weights.safetensors    of a module: its parameters
module.json            of a module: its class and flat keyword arguments
model.lightgbm.txt     of trees: the model as LightGBM writes it,
model.xgboost.ubj      or XGBoost
learning.png           of trees: validation nDCG by round,
importance.png         and what each column gave (where matplotlib is installed)
metrics.json           measures of ranker and baselines, validation and test
data.json              digests of the data files
requests.jsonl         sample requests, one a line
watched_after.jsonl    for each of them, the items its user watched afterwards, one JSON list a line
items.json             item id -> title, where the data have titles
run.json               kind (module or trees), name, max_candidates, versions, and the digest of every file above
checkpoint/            the trainer's own, not part of the finished run
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from twinrank.training.models import SlateRanker
from twinrank.training.schema import Schema
from twinrank.training.transforms import FrontGraph

_FORMAT = 1
_MODULES = {SlateRanker.__name__: SlateRanker}
_UNFINISHED = ".tmp-run.json"

TreeLibrary = Literal["lightgbm", "xgboost"]
RunKind = Literal["module", "trees"]

MODEL_FILES: Mapping[TreeLibrary, str] = {"lightgbm": "model.lightgbm.txt", "xgboost": "model.xgboost.ubj"}
"""The file of a model of trees, by the library that writes and reads it."""

PLOTS = ("learning.png", "importance.png")

RUN_FILES = (
    "config.yaml",
    "schema.json",
    "front",
    "weights.safetensors",
    "module.json",
    *MODEL_FILES.values(),
    *PLOTS,
    "metrics.json",
    "data.json",
    "requests.jsonl",
    "watched_after.jsonl",
    "items.json",
    "run.json",
    _UNFINISHED,
)
"""Everything that `write_run` makes: what may be cleared before another run is written."""


class RunError(Exception):
    """A run directory is absent, unfinished or damaged."""


@dataclass(frozen=True)
class TrainedRun:
    """A trained ranker and what is needed to export it. The module is in eval mode; do not train it further.

    Attributes:
        name: of the model.
        schema: raw features.
        front: from blocks to encoded tensors.
        module: `forward(**encoded)`: context tensors with leading axis 1, candidate tensors with leading axis n;
            returns float32 [n] by head in order, the last entry is "score".
        heads: names without the score.
        requests: sample raw requests, real ones from the test period, then edge cases; no line feed in any.
        provenance: seed, data digest, configuration, metrics, library versions; nothing of the wall clock.
        max_candidates: the largest slate that the model accepts.
    """

    name: str
    schema: Schema
    front: FrontGraph
    module: nn.Module
    heads: tuple[str, ...]
    requests: tuple[bytes, ...]
    provenance: dict[str, object]
    max_candidates: int


@dataclass(frozen=True)
class TreesRun:
    """Trained trees and what is needed to export them.

    The model's columns are named: a column of a `Matrix` is the feature's name, a scalar `Lookup` or `Number` is the
    transform's. A lookup is a category whose code is the position of its entry; unseen and absent ones are NaN.

    Attributes:
        name: of the model.
        schema: raw features.
        front: from blocks to encoded tensors.
        library: the library that trained the model, and the one that reads its file.
        model: the model file; its digest was checked when the run was loaded.
        model_sha256: of that file, lower-case hex.
        heads: names without the score; trees have none.
        requests: sample raw requests, no line feed in any.
        provenance: seed, data digest, configuration, metrics, library versions; nothing of the wall clock.
        max_candidates: the largest slate that the model accepts.
    """

    name: str
    schema: Schema
    front: FrontGraph
    library: TreeLibrary
    model: Path
    model_sha256: str
    heads: tuple[str, ...]
    requests: tuple[bytes, ...]
    provenance: dict[str, object]
    max_candidates: int


def write_run(
    path: Path,
    *,
    name: str,
    config: str,
    front: FrontGraph,
    module: SlateRanker,
    module_arguments: Mapping[str, Any],
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    versions: Mapping[str, str],
    settings: Mapping[str, Any],
    requests: tuple[bytes, ...],
    watched_after: tuple[tuple[str, ...], ...],
    titles: Mapping[str, str],
    max_candidates: int,
    fingerprint: str,
) -> None:
    """Writes the files of a finished run; run.json, written last, makes it one.

    Args:
        path: an existing directory; files of an earlier run in it must be gone.
        name: of the model.
        config: the text of the configuration.
        front: the front graph.
        module: the trained module.
        module_arguments: its keyword arguments but `inputs`, which the front graph gives.
        metrics: what metrics.json holds.
        data: what data.json holds.
        versions: library versions.
        settings: the configuration as parsed, for the provenance.
        requests: sample requests.
        watched_after: item ids, one tuple a request.
        titles: item id to title.
        max_candidates: the largest slate.
        fingerprint: identifies configuration, data and code; see `finished_fingerprint`.

    Raises:
        ValueError: if `watched_after` has not one entry a request, or a request holds a line feed.
    """
    weights = save({key: value.contiguous() for key, value in sorted(module.state_dict().items())})
    described = _json({"class": type(module).__name__, "arguments": dict(module_arguments)})
    _write(
        path,
        kind="module",
        own={"module.json": described, "weights.safetensors": weights},
        name=name,
        config=config,
        front=front,
        metrics=metrics,
        data=data,
        versions=versions,
        settings=settings,
        requests=requests,
        watched_after=watched_after,
        titles=titles,
        max_candidates=max_candidates,
        fingerprint=fingerprint,
    )


def write_trees_run(
    path: Path,
    *,
    name: str,
    config: str,
    front: FrontGraph,
    library: TreeLibrary,
    model: bytes,
    plots: Mapping[str, bytes],
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    versions: Mapping[str, str],
    settings: Mapping[str, Any],
    requests: tuple[bytes, ...],
    watched_after: tuple[tuple[str, ...], ...],
    titles: Mapping[str, str],
    max_candidates: int,
    fingerprint: str,
) -> None:
    """Writes the files of a finished run of trees; run.json, written last, makes it one.

    Args:
        path: an existing directory; files of an earlier run in it must be gone.
        name: of the model.
        config: the text of the configuration.
        front: the front graph.
        library: that trained the model.
        model: the model file's bytes.
        plots: PNG by file name, of `PLOTS`.
        metrics: what metrics.json holds.
        data: what data.json holds.
        versions: library versions.
        settings: the configuration as parsed, for the provenance.
        requests: sample requests.
        watched_after: item ids, one tuple a request.
        titles: item id to title.
        max_candidates: the largest slate.
        fingerprint: identifies configuration, data and code; see `finished_fingerprint`.

    Raises:
        ValueError: if `watched_after` has not one entry a request, a request holds a line feed, or a plot is none of
            `PLOTS`.
    """
    if set(plots) - set(PLOTS):
        raise ValueError(f"plots are {PLOTS}, not {sorted(plots)}.")
    _write(
        path,
        kind="trees",
        own={MODEL_FILES[library]: model, **plots},
        name=name,
        config=config,
        front=front,
        metrics=metrics,
        data=data,
        versions=versions,
        settings=settings,
        requests=requests,
        watched_after=watched_after,
        titles=titles,
        max_candidates=max_candidates,
        fingerprint=fingerprint,
    )


def _write(
    path: Path,
    *,
    kind: RunKind,
    own: Mapping[str, bytes],
    name: str,
    config: str,
    front: FrontGraph,
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    versions: Mapping[str, str],
    settings: Mapping[str, Any],
    requests: tuple[bytes, ...],
    watched_after: tuple[tuple[str, ...], ...],
    titles: Mapping[str, str],
    max_candidates: int,
    fingerprint: str,
) -> None:
    if len(requests) != len(watched_after) or any(b"\n" in request for request in requests):
        raise ValueError("every request is one line and has one list of what was watched after it.")
    front.save(path / "front")
    files: dict[str, bytes] = {
        "config.yaml": config.encode(),
        "schema.json": _json(front.schema.to_json()),
        **own,
        "metrics.json": _json(metrics),
        "data.json": _json(data),
        "requests.jsonl": b"".join(request + b"\n" for request in requests),
        "watched_after.jsonl": b"".join(_line(list(items)) for items in watched_after),
        "items.json": _json(titles),
    }
    for file, content in files.items():
        (path / file).write_bytes(content)
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    digests |= {f"front/{part.name}": _sha256(part) for part in sorted((path / "front").iterdir())}
    document = {
        "format": _FORMAT,
        "kind": kind,
        "name": name,
        "max_candidates": max_candidates,
        "fingerprint": fingerprint,
        "settings": dict(settings),
        "versions": dict(versions),
        "files": dict(sorted(digests.items())),
    }
    unfinished = path / _UNFINISHED
    unfinished.write_bytes(_json(document))
    unfinished.replace(path / "run.json")


def finished_fingerprint(path: Path) -> str | None:
    """The fingerprint of the finished run in a directory, None where there is none.

    Raises:
        RunError: if run.json is there but is not what `write_run` writes.
    """
    if not (path / "run.json").exists():
        return None
    return str(_document(path)["fingerprint"])


def run_kind(path: Path) -> RunKind:
    """What the finished run in a directory holds: a module for `load_run`, or trees for `load_trees_run`.

    Raises:
        RunError: if the directory holds no finished run.
    """
    kind: RunKind = _document(path)["kind"]
    return kind


def load_run(path: Path) -> TrainedRun:
    """Reads a finished run of a module, every file checked against its digest.

    Raises:
        RunError: if the directory holds no finished run or one of trees, or a file is missing or damaged; all such
            files are named.
    """
    document = _checked(path, "module")
    front = FrontGraph.load(path / "front")
    described = _read(path / "module.json")
    module = _MODULES[described["class"]](inputs=front.outputs, **described["arguments"])
    try:
        module.load_state_dict(load((path / "weights.safetensors").read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        raise RunError(f"{path / 'weights.safetensors'} does not fit module.json: {error}") from error
    module.eval()
    return TrainedRun(
        name=document["name"],
        schema=front.schema,
        front=front,
        module=module,
        heads=module.heads,
        requests=_requests(path),
        provenance=_provenance(path, document),
        max_candidates=document["max_candidates"],
    )


def load_trees_run(path: Path) -> TreesRun:
    """Reads a finished run of trees, every file checked against its digest. Needs neither of the tree libraries.

    Raises:
        RunError: if the directory holds no finished run or one of a module, or a file is missing or damaged; all such
            files are named.
    """
    document = _checked(path, "trees")
    front = FrontGraph.load(path / "front")
    libraries: list[TreeLibrary] = [each for each, file in MODEL_FILES.items() if file in document["files"]]
    if len(libraries) != 1:
        raise RunError(
            f"{path / 'run.json'} must name one of {sorted(MODEL_FILES.values())}. Train again with --force."
        )
    file = MODEL_FILES[libraries[0]]
    return TreesRun(
        name=document["name"],
        schema=front.schema,
        front=front,
        library=libraries[0],
        model=path / file,
        model_sha256=document["files"][file],
        heads=(),
        requests=_requests(path),
        provenance=_provenance(path, document),
        max_candidates=document["max_candidates"],
    )


def check_run(path: Path) -> None:
    """Checks every file of a finished run, of either kind, against its digest.

    Raises:
        RunError: if the directory holds no finished run, or a file is missing or damaged.
    """
    _checked(path, run_kind(path))


def _checked(path: Path, kind: RunKind) -> dict[str, Any]:
    document = _document(path)
    if document["kind"] != kind:
        reader = {"module": "load_run", "trees": "load_trees_run"}[document["kind"]]
        raise RunError(f"{path} is a run of kind {document['kind']!r}, wanted is {kind!r}; {reader} reads it.")
    problems = []
    for file, digest in document["files"].items():
        if not (path / file).is_file():
            problems.append(f"{file} is missing")
        elif _sha256(path / file) != digest:
            problems.append(f"{file} differs from the digest in run.json")
    if problems:
        raise RunError(f"{path} is damaged: {'; '.join(problems)}. Train again with --force.")
    return document


def _provenance(path: Path, document: Mapping[str, Any]) -> dict[str, object]:
    return {
        "seed": document["settings"]["seed"],
        "data": _read(path / "data.json"),
        "config": document["settings"],
        "versions": document["versions"],
        "metrics": _read(path / "metrics.json"),
    }


def _requests(path: Path) -> tuple[bytes, ...]:
    return tuple((path / "requests.jsonl").read_bytes().split(b"\n")[:-1])


def _document(path: Path) -> dict[str, Any]:
    if not (path / "run.json").is_file():
        raise RunError(f"{path} holds no finished run; make one with `twinrank train CONFIG --out {path}`.")
    document = _read(path / "run.json")
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise RunError(f"{path / 'run.json'} is not of run format {_FORMAT}; train again with --force.")
    # Runs of before there were trees do not say what they are: modules.
    document.setdefault("kind", "module")
    if document["kind"] not in ("module", "trees"):
        raise RunError(f"{path / 'run.json'}: kind must be 'module' or 'trees', not {document['kind']!r}.")
    return document


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise RunError(f"{path} is not JSON: {error}. Train again with --force.") from error


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _line(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
