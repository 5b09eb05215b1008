"""Sources that are no training run: a factory's module or an ONNX file, with a schema and sample requests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from twinrank.export.graph._back import Back
from twinrank.export.graph._compose import SCORE
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._onnx_back import OnnxBack
from twinrank.export.graph._requests import read_samples
from twinrank.export.graph._slates import size_of, take
from twinrank.export.graph._source import ExportSource
from twinrank.export.graph._trace import TRACED_CANDIDATES
from twinrank.export.graph._user_module import make_module, user_back
from twinrank.training.transforms import FrontGraph, TransformError, read_front_yaml

MAX_CANDIDATES = 1000
"""The largest slate, unless somebody says otherwise."""
_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def source_of_module(
    target: str,
    schema: Path,
    requests: Path,
    *,
    name: str | None = None,
    max_candidates: int = MAX_CANDIDATES,
    heads: Sequence[str] | None = None,
    allow: Mapping[str, str] | None = None,
) -> ExportSource:
    """A torch module that ``package.module:factory`` makes, as a source.

    Args:
        target: the factory; the current folder is importable.
        schema: the YAML file of features and transforms.
        requests: the sample requests, one JSON object a line.
        name: of the model; None takes the last word of the factory's module.
        max_candidates: the largest slate that a request may hold.
        heads: names for what forward returns, the score last; needed for a tuple.
        allow: reasons by the names of findings that a person lets pass.

    Raises:
        ExportError: see `make_module` and `user_back`; ``no_request``, ``schema_invalid``, ``name_invalid``.
    """
    where = target.partition(":")[0]
    chosen = checked_name(name if name is not None else where.rpartition(".")[2])
    front, lines = read_front(schema), read_lines(requests)
    samples = read_samples(lines, front, max_candidates, strict=False, tell=_nothing)
    slate = samples.slates[0]
    rows = np.arange(TRACED_CANDIDATES, dtype=np.int64) % size_of(slate, front.packing)
    example = front.encode(take(slate, rows, front.packing))
    back, names = user_back(make_module(target), front.outputs, example, heads, where)
    return _source(chosen, front, back, names, lines, target, max_candidates, allow)


def source_of_onnx(
    file: Path,
    schema: Path,
    requests: Path,
    *,
    name: str | None = None,
    max_candidates: int = MAX_CANDIDATES,
    heads: Sequence[str] | None = None,
    allow: Mapping[str, str] | None = None,
) -> ExportSource:
    """An ONNX file as a source; arguments as for `source_of_module`, the name by default the file's.

    Raises:
        ExportError: see `OnnxBack`; ``no_request``, ``schema_invalid``, ``name_invalid``.
    """
    chosen = checked_name(name if name is not None else file.stem)
    front, lines = read_front(schema), read_lines(requests)
    back = OnnxBack(file, front.outputs, heads)
    return _source(chosen, front, back, back.outputs[:-1], lines, file.name, max_candidates, allow)


def _source(
    name: str,
    front: FrontGraph,
    back: Back,
    heads: Sequence[str],
    requests: Sequence[bytes],
    origin: str,
    max_candidates: int,
    allow: Mapping[str, str] | None,
) -> ExportSource:
    checked_heads(heads)
    provenance: dict[str, object] = {"origin": {"kind": back.kind, "name": origin}}
    return ExportSource(name, front, back, tuple(heads), tuple(requests), provenance, max_candidates, allow or {})


def checked_heads(heads: Sequence[str]) -> None:
    """Refuses names that no head can have: ``outputs_differ_from_heads``."""
    for head in heads:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,63}", head) or head == SCORE:
            raise ExportError("outputs_differ_from_heads", f"{head!r} can name no head", "Use letters, digits and _")


def checked_name(name: str) -> str:
    """The name, if a bundle can have it; else ``name_invalid``."""
    if not _NAME.fullmatch(name):
        raise ExportError("name_invalid", f"{name!r} can name no model", "Give --name: letters, digits, _ . and -")
    return name


def read_front(schema: Path) -> FrontGraph:
    """The front graph of a schema file; else ``schema_invalid``."""
    try:
        return read_front_yaml(schema)
    except TransformError as e:
        remedy = "training/README.md says what a schema holds"
        raise ExportError.of(Finding("schema_invalid", schema.name, problem, remedy) for problem in e.problems) from e


def read_lines(requests: Path) -> list[bytes]:
    """The lines of a file of requests; ``no_request`` if there is none."""
    lines = requests.read_bytes().split(b"\n")
    if not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ExportError("no_request", f"{requests.name} is empty", "Give one request a line, as JSON")
    return [line.removesuffix(b"\r") for line in lines]


def _nothing(line: str) -> None:
    del line
