"""What an export is made from: schema, front graph, back half and requests; and all of it as one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from twinrank.export.bundle import dump_document, host_class
from twinrank.export.graph._back import Back, Part, TorchBack
from twinrank.training.schema import Schema
from twinrank.training.transforms import FrontGraph

if TYPE_CHECKING:
    from twinrank.training.run import TrainedRun

_TOOLS = ("numpy", "onnx", "onnx-ir", "onnxruntime", "onnxscript", "torch")
# What decides bytes; a change of the trainer shows in the weights and the provenance.
CODE = (
    "twinrank.export.bundle",
    "twinrank.export.graph",
    "twinrank.export.trees",
    "twinrank.training.models",
    "twinrank.training.schema",
    "twinrank.training.transforms",
)


@dataclass(frozen=True)
class ExportSource:
    """Everything that an export needs.

    Attributes:
        name: of the model.
        front: from blocks to encoded tensors; it holds the schema.
        back: from encoded tensors to heads and score.
        heads: names without the score.
        requests: raw sample requests, one line each; those that the schema refuses are listed and left out.
        provenance: any JSON object; nothing of the wall clock or of this machine.
        max_candidates: the largest slate that the model accepts.
        allow: reasons by the names of findings that a person lets pass.
        strict: whether a request that the schema refuses ends the export.
    """

    name: str
    front: FrontGraph
    back: Back
    heads: tuple[str, ...]
    requests: tuple[bytes, ...]
    provenance: Mapping[str, object]
    max_candidates: int
    allow: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False

    @property
    def schema(self) -> Schema:
        """The raw features."""
        return self.front.schema


def source_of_run(run: TrainedRun, allow: Mapping[str, str] | None = None) -> ExportSource:
    """A training run as a source."""
    return ExportSource(
        name=run.name,
        front=run.front,
        back=TorchBack(run.module, CODE),
        heads=run.heads,
        requests=run.requests,
        provenance=run.provenance,
        max_candidates=run.max_candidates,
        allow=allow or {},
        strict=True,
    )


def tool_versions() -> dict[str, str]:
    """The libraries that decide what a graph looks like and computes."""
    return {name: metadata.version(name) for name in _TOOLS}


def source_digest(source: ExportSource) -> str:
    """SHA-256, in hex, over everything that decides the bytes of the source's bundle on this host."""
    return _digest(_parts(source))


def code_revision() -> str:
    """SHA-256, in hex, over twinrank's own code that decides bytes: an installed package knows no revision of git."""
    return _digest(_code_parts())


def _digest(parts: Iterable[Part]) -> str:
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _parts(source: ExportSource) -> Iterator[Part]:
    facts = {
        "name": source.name,
        "heads": list(source.heads),
        "max_candidates": source.max_candidates,
        "provenance": dict(source.provenance),
        "schema": source.schema.to_json(),
        "allow": dict(source.allow),
        "tools": tool_versions(),
        "host_class": host_class(),
    }
    yield "facts", dump_document(facts)
    yield "front", source.front.to_onnx().SerializeToString(deterministic=True)
    yield from source.back.parts()
    for index, request in enumerate(source.requests):
        yield f"request {index}", request
    yield from _code_parts()


def _code_parts() -> Iterator[Part]:
    for package in CODE:
        yield from _code(resources.files(package), package)


def _code(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda found: found.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _code(entry, f"{prefix}/{entry.name}")
        elif entry.is_file() and entry.name.endswith((".py", ".onnx", ".pb", ".json")):
            yield f"{prefix}/{entry.name}", entry.read_bytes()
