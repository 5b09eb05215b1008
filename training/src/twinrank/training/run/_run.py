"""TrainedRun and its directory.

config.yaml            the configuration, verbatim
schema.json            the schema, in the manifest's form
front/                 the front graph's transforms and vocabularies
weights.safetensors    the module's parameters
module.json            the module's class and flat keyword arguments
metrics.json           measures of ranker and baselines, validation and test
data.json              digests of the data files
requests.jsonl         sample requests, one a line
watched_after.jsonl    for each of them, the items its user watched afterwards, one JSON list a line
items.json             item id -> title, where the data have titles
run.json               name, max_candidates, versions, and the digest of every file above
checkpoint/            the trainer's own, not part of the finished run
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from twinrank.training.models import SlateRanker
from twinrank.training.schema import Schema
from twinrank.training.transforms import FrontGraph

_FORMAT = 1
_MODULES = {SlateRanker.__name__: SlateRanker}
_UNFINISHED = ".tmp-run.json"

RUN_FILES = (
    "config.yaml",
    "schema.json",
    "front",
    "weights.safetensors",
    "module.json",
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
    if len(requests) != len(watched_after) or any(b"\n" in request for request in requests):
        raise ValueError("every request is one line and has one list of what was watched after it.")
    front.save(path / "front")
    weights = save({key: value.contiguous() for key, value in sorted(module.state_dict().items())})
    files: dict[str, bytes] = {
        "config.yaml": config.encode(),
        "schema.json": _json(front.schema.to_json()),
        "module.json": _json({"class": type(module).__name__, "arguments": dict(module_arguments)}),
        "weights.safetensors": weights,
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


def load_run(path: Path) -> TrainedRun:
    """Reads a finished run, every file checked against its digest.

    Raises:
        RunError: if the directory holds no finished run, or a file is missing or damaged; all such files are named.
    """
    document = _document(path)
    problems = []
    for file, digest in document["files"].items():
        if not (path / file).is_file():
            problems.append(f"{file} is missing")
        elif _sha256(path / file) != digest:
            problems.append(f"{file} differs from the digest in run.json")
    if problems:
        raise RunError(f"{path} is damaged: {'; '.join(problems)}. Train again with --force.")
    front = FrontGraph.load(path / "front")
    described = _read(path / "module.json")
    module = _MODULES[described["class"]](inputs=front.outputs, **described["arguments"])
    try:
        module.load_state_dict(load((path / "weights.safetensors").read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        raise RunError(f"{path / 'weights.safetensors'} does not fit module.json: {error}") from error
    module.eval()
    settings = document["settings"]
    data = _read(path / "data.json")
    provenance: dict[str, object] = {
        "seed": settings["seed"],
        "data": data,
        "config": settings,
        "versions": document["versions"],
        "metrics": _read(path / "metrics.json"),
    }
    requests = tuple((path / "requests.jsonl").read_bytes().split(b"\n")[:-1])
    return TrainedRun(
        name=document["name"],
        schema=front.schema,
        front=front,
        module=module,
        heads=module.heads,
        requests=requests,
        provenance=provenance,
        max_candidates=document["max_candidates"],
    )


def _document(path: Path) -> dict[str, Any]:
    if not (path / "run.json").is_file():
        raise RunError(f"{path} holds no finished run; make one with `twinrank train CONFIG --out {path}`.")
    document = _read(path / "run.json")
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise RunError(f"{path / 'run.json'} is not of run format {_FORMAT}; train again with --force.")
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
