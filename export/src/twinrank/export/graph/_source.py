"""What an export is made from, as one digest: the run, the code, the libraries and the host class."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

import torch

from twinrank.export.bundle import dump_document, host_class

if TYPE_CHECKING:
    from twinrank.training.run import TrainedRun

_TOOLS = ("numpy", "onnx", "onnx-ir", "onnxruntime", "onnxscript", "torch")
# What decides bytes; a change of the trainer shows in the weights and the provenance.
_CODE = (
    "twinrank.export.bundle",
    "twinrank.export.graph",
    "twinrank.training.models",
    "twinrank.training.schema",
    "twinrank.training.transforms",
)


def tool_versions() -> dict[str, str]:
    """The libraries that decide what a graph looks like and computes."""
    return {name: metadata.version(name) for name in _TOOLS}


def source_digest(run: TrainedRun) -> str:
    """SHA-256, in hex, over everything that decides the bytes of the run's bundle on this host."""
    digest = hashlib.sha256()
    for name, content in _parts(run):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _parts(run: TrainedRun) -> Iterator[tuple[str, bytes | memoryview]]:
    facts = {
        "name": run.name,
        "heads": list(run.heads),
        "max_candidates": run.max_candidates,
        "provenance": run.provenance,
        "schema": run.schema.to_json(),
        "tools": tool_versions(),
        "host_class": host_class(),
        # Arguments that are no weights (a score's weights, say) show in no other part.
        "module": [(name, type(part).__qualname__, repr(_plain(part))) for name, part in run.module.named_modules()],
    }
    yield "facts", dump_document(facts)
    yield "front", run.front.to_onnx().SerializeToString(deterministic=True)
    for name, tensor in sorted(run.module.state_dict().items()):
        # A view: a table may be half of this machine's memory.
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
        yield f"weight {name} {tensor.dtype} {list(tensor.shape)}", content
    for index, request in enumerate(run.requests):
        yield f"request {index}", request
    for package in _CODE:
        yield from _code(resources.files(package), package)
    foreign = {type(part) for part in run.module.modules() if not type(part).__module__.startswith(("torch.", *_CODE))}
    for kind in sorted(foreign, key=lambda found: (found.__module__, found.__qualname__)):
        yield f"class {kind.__qualname__}", inspect.getsource(kind).encode()


def _plain(part: torch.nn.Module) -> list[tuple[str, object]]:
    """A module's own settings: numbers, words and containers of such."""
    return sorted((key, value) for key, value in vars(part).items() if _is_plain(value))


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    return value is None or isinstance(value, bool | int | float | str)


def _code(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda found: found.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _code(entry, f"{prefix}/{entry.name}")
        elif entry.is_file() and entry.name.endswith((".py", ".onnx", ".pb", ".json")):
            yield f"{prefix}/{entry.name}", entry.read_bytes()
