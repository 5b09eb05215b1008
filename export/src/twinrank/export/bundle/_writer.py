"""Writing a bundle: all bytes decided first, then a temporary sibling, sync, rename."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import onnx

from twinrank.export.bundle._external import Content, Weights, content_facts, external_weights
from twinrank.export.bundle._goldens import Golden, ranking_line
from twinrank.export.bundle._histograms import HISTOGRAMS
from twinrank.export.bundle._installation import RECORD_TEMPORARY
from twinrank.export.bundle._json import Json, dump_document
from twinrank.export.bundle._manifest import (
    FORMAT_MAJOR,
    FORMAT_MINOR,
    MANIFEST,
    MANIFEST_DIGEST,
    MODEL,
    MODEL_DATA,
    PLAIN_REFERENCES,
    RANKINGS,
    REQUESTS,
    TIE_POLICY,
    TREES_MINOR,
    Allowed,
    Head,
    ReferenceSource,
    SessionSettings,
    Tolerance,
    parse_manifest,
)
from twinrank.export.bundle._tensors import tensor_to_bytes
from twinrank.training.schema import Packing, Schema

_VERSION = re.compile("[1-9][0-9]{0,17}")
_TEMPORARY = ".tmp-"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an export measured.

    Attributes:
        host_class: where it was measured.
        rows: candidates that were compared with the torch module.
        tolerances: per head, and ``score``.
        sizes: the slate sizes at which batch invariance was tested.
        compared: the values that were compared for it.
        source: what the graph was compared with: the torch module, the ONNX graph that it was made from, or the library
            of trees.
        differing: of the compared values those that differed in a bit; above 0 only where ``allowed`` says so.
        allowed: findings that a person let pass.
    """

    host_class: str
    rows: int
    tolerances: Mapping[str, Tolerance]
    sizes: Sequence[int]
    compared: int
    source: ReferenceSource = "torch"
    differing: int = 0
    allowed: tuple[Allowed, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The manifest's form."""
        outputs: dict[str, Json] = {
            name: {"a": seen.a, "max_abs": seen.max_abs, "max_ulp": seen.max_ulp}
            for name, seen in self.tolerances.items()
        }
        return {
            "host_class": self.host_class,
            "tie_policy": TIE_POLICY,
            "reference": {"source": self.source, "rows": self.rows, "outputs": outputs},
            "invariance": {"sizes": list(self.sizes), "compared": self.compared, "differing_values": self.differing},
            "allowed": [entry.to_json() for entry in self.allowed],
        }


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything a bundle says, before it is bytes.

    Attributes:
        name: the model's name.
        schema: the raw inputs.
        heads: without the score.
        score: the output that orders the slate, under the name ``score``.
        model: the slate graph; its inputs are the blocks, its outputs the heads' and the score's.
        goldens: at least one with n >= 1.
        evidence: what the export measured.
        provenance: any JSON object; nothing of the wall clock or of this machine.
        max_candidates: the most that one request may hold.
        release: the ONNX Runtime release that made the evidence.
        session: the options it ran under.
        weights: values of initialisers that ``model`` keeps outside, by name; never copied into a protobuf, and not to
            be changed while the draft is used.
        statistics: the bytes of statistics/histograms.json, None for none.
    """

    name: str
    schema: Schema
    heads: tuple[Head, ...]
    score: Head
    model: onnx.ModelProto
    goldens: tuple[Golden, ...]
    evidence: Evidence
    provenance: Mapping[str, object]
    max_candidates: int
    release: str
    session: SessionSettings = field(default_factory=SessionSettings)
    weights: Weights = field(default_factory=dict)
    statistics: bytes | None = None


def bundle_files(draft: Draft) -> dict[str, Content]:
    """Every file of the bundle by relative path, manifest and its digest last. The same draft gives the same bytes.

    Large weights are given as a ``StreamedFile``, all other files as bytes.

    Raises:
        BundleError: if the manifest would not be one that readers accept.
        ValueError: if the weights are not those that the graph keeps outside.
    """
    model, weights = external_weights(draft.model, draft.weights)
    files: dict[str, Content] = {MODEL: model}
    if weights is not None:
        files[MODEL_DATA] = weights
    if draft.statistics is not None:
        files[HISTOGRAMS] = draft.statistics
    requests, rankings, data_sets = [], [], 0
    packing = Packing.of(draft.schema)
    for index, golden in enumerate(draft.goldens):
        if b"\n" in golden.request:
            raise ValueError(
                f"golden {index}: a request with a line feed cannot be stored as a line; print it on one line"
            )
        number = None
        if golden.expected.n > 0:
            number, data_sets = data_sets, data_sets + 1
            folder = f"goldens/test_data_set_{number}"
            for j, (block, values) in enumerate(zip(packing.blocks, golden.expected.inputs, strict=True)):
                files[f"{folder}/input_{j}.pb"] = tensor_to_bytes(values, block.name)
            for j, (head, output) in enumerate(zip((*draft.heads, draft.score), golden.expected.outputs, strict=True)):
                files[f"{folder}/output_{j}.pb"] = tensor_to_bytes(output, head.output)
        requests.append(golden.request + b"\n")
        rankings.append(ranking_line(index, golden.expected, draft.heads, number))
    files[REQUESTS] = b"".join(requests)
    files[RANKINGS] = b"".join(rankings)
    manifest = dump_document(_manifest(draft, packing, data_sets, files))
    digest = (hashlib.sha256(manifest).hexdigest() + "\n").encode()
    parse_manifest(manifest, digest)
    return {**files, MANIFEST: manifest, MANIFEST_DIGEST: digest}


def _manifest(draft: Draft, packing: Packing, data_sets: int, files: Mapping[str, Content]) -> dict[str, object]:
    return {
        "format": {
            "major": FORMAT_MAJOR,
            "minor": FORMAT_MINOR if draft.evidence.source in PLAIN_REFERENCES else TREES_MINOR,
        },
        "name": draft.name,
        "runtime": {
            "name": "onnxruntime",
            "release": draft.release,
            "ir_version": draft.model.ir_version,
            "opsets": {entry.domain: entry.version for entry in draft.model.opset_import},
            "session": draft.session.to_json(),
        },
        "schema": draft.schema.to_json(),
        "packing": packing.to_json(),
        "heads": [{"name": head.name, "output": head.output, "dtype": head.dtype} for head in draft.heads],
        "score": {"output": draft.score.output, "dtype": draft.score.dtype},
        "max_candidates": draft.max_candidates,
        "goldens": {"count": len(draft.goldens), "data_sets": data_sets},
        "files": {
            path: {"sha256": digest, "size": size}
            for path, (digest, size) in ((path, content_facts(content)) for path, content in files.items())
        },
        "evidence": draft.evidence.to_json(),
        "provenance": dict(draft.provenance),
    }


def versions_of(model_dir: Path) -> list[int]:
    """The versions below ``<models>/<name>``, ascending."""
    if not model_dir.is_dir():
        return []
    return sorted(int(entry.name) for entry in model_dir.iterdir() if _VERSION.fullmatch(entry.name))


def write_bundle(
    models_dir: Path,
    name: str,
    version: int,
    files: Mapping[str, Content],
    *,
    verify: Callable[[Path], object] | None = None,
) -> Path:
    """Writes ``<models_dir>/<name>/<version>``: completely, or not at all.

    Temporary siblings that killed writers left are removed.

    Args:
        models_dir: the folder of all models.
        name: the model's name.
        version: a positive integer that does not exist yet.
        files: what ``bundle_files`` gave.
        verify: called with the complete temporary directory; what it raises prevents the bundle.

    Raises:
        FileExistsError: if the version exists; nothing in a bundle ever changes.
        ValueError: if the version is not positive; if streamed weights changed since their digest was taken.
    """
    if version < 1:
        raise ValueError(f"version is {version}; expected a positive integer")
    model_dir = models_dir / name
    target = model_dir / str(version)
    if target.exists():
        raise FileExistsError(f"{target} exists, and nothing in a bundle changes; choose another version")
    model_dir.mkdir(parents=True, exist_ok=True)
    sweep(model_dir)
    with temporary_sibling(model_dir, str(version)) as temporary:
        for path, content in files.items():
            place = temporary / path
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, content)
        for folder in sorted((entry for entry in temporary.rglob("*") if entry.is_dir()), reverse=True):
            _sync(folder)
        _sync(temporary)
        if verify is not None:
            verify(temporary)
        # Another writer may have been faster: rename() replaces an empty directory only, and a bundle is never empty.
        try:
            os.rename(temporary, target)
        except OSError as e:
            if target.exists():
                raise FileExistsError(f"{target} was written meanwhile; choose another version") from e
            raise
    _sync(model_dir)
    return target


@contextlib.contextmanager
def temporary_sibling(model_dir: Path, label: str) -> Iterator[Path]:
    """A locked temporary folder beside the versions; what is left of it at the end is removed.

    The lock dies with the process, and the next writer removes what killed ones left.

    Args:
        model_dir: ``<models>/<name>``.
        label: what its name says after ``.tmp-``.
    """
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{label}-", dir=model_dir))
        lock = os.open(path, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            break
        os.close(lock)  # swept between its making and its lock
    try:
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _write(place: Path, content: Content) -> None:
    """Writes and syncs a new file; streamed content is digested on the way, its arrays may have been changed."""
    try:
        with open(place, "xb") as file:
            _fill(file, place, content)
    except OSError as e:
        # write() and fsync() do not say which file it was, and "No space left on device" alone sends nobody anywhere.
        e.filename = os.fspath(place)
        raise


def _fill(file: BinaryIO, place: Path, content: Content) -> None:
    if isinstance(content, bytes):
        file.write(content)
    else:
        digest = hashlib.sha256()
        for chunk in content.chunks():
            digest.update(chunk)
            file.write(chunk)
        if digest.hexdigest() != content.sha256:
            raise ValueError(f"{place.name} changed while it was written; nobody may train a module that is exported")
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(model_dir: Path) -> None:
    """Removes what killed writers left in ``<models>/<name>``: temporary folders and records without a lock on them."""
    for entry in sorted(model_dir.glob(f"{_TEMPORARY}*")):
        kind = 0 if entry.name.startswith(RECORD_TEMPORARY) else os.O_DIRECTORY
        try:
            lock = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | kind)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if kind:
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
