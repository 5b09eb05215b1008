"""A front graph on disk: JSON only, so that loading runs no code."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twinrank.training.schema import Schema
from twinrank.training.transforms._calendar import CyclicTime, TimePart
from twinrank.training.transforms._categorical import Cross, HashBuckets, Lookup
from twinrank.training.transforms._errors import TransformError
from twinrank.training.transforms._matrix import Matrix
from twinrank.training.transforms._numeric import Bucketize, Clip, Log1p, Standardise
from twinrank.training.transforms._plain import Number, Vector
from twinrank.training.transforms._scope import Transform
from twinrank.training.transforms._sequence import SequenceLength, SequenceMask, State
from twinrank.training.transforms._time import Elapsed
from twinrank.training.transforms._vocabulary import Vocabulary

_FORMAT = 1
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Bucketize,
        Clip,
        Cross,
        CyclicTime,
        Elapsed,
        HashBuckets,
        Log1p,
        Lookup,
        Matrix,
        Number,
        SequenceLength,
        SequenceMask,
        Standardise,
        State,
        TimePart,
        Vector,
    )
}


def write_front(path: Path, schema: Schema, transforms: Sequence[Transform]) -> None:
    """Writes schema, transforms and vocabularies below a new directory."""
    vocabularies: dict[str, Vocabulary] = {}
    specs = []
    for transform in transforms:
        spec: dict[str, Any] = {"kind": type(transform).__name__}
        for name, value in _fields_of(transform).items():
            if isinstance(value, Vocabulary):
                vocabularies[value.name] = value
                spec[name] = value.name
            else:
                spec[name] = list(value) if isinstance(value, tuple) else value
        specs.append(spec)
    path.mkdir(parents=True)
    document = {
        "format": _FORMAT,
        "schema": schema.to_json(),
        "vocabularies": [_vocabulary_head(vocabulary) for vocabulary in vocabularies.values()],
        "transforms": specs,
    }
    _write(path / "front.json", document, indent=2)
    for index, vocabulary in enumerate(vocabularies.values()):
        _write(path / f"vocabulary_{index}.json", list(vocabulary.entries), indent=0)


def read_front(path: Path) -> tuple[Schema, tuple[Transform, ...]]:
    """Reads what `write_front` wrote; raises `TransformError` on anything else."""
    file = path / "front.json"
    document = _read(file)
    expected = {"format", "schema", "vocabularies", "transforms"}
    if not isinstance(document, dict) or set(document) != expected or document["format"] != _FORMAT:
        raise TransformError([f"{file.name} is not a front graph of format {_FORMAT} with {sorted(expected)}"])
    vocabularies = {}
    for index, item in enumerate(document["vocabularies"]):
        if not {"name", "dtype"} <= set(item) <= {"name", "dtype", "oov_buckets"}:
            given = f"{file.name}, vocabularies[{index}]: fields are {sorted(item)}"
            raise TransformError([f"{given}; name and dtype are required, oov_buckets may be given"])
        entries = _read(path / f"vocabulary_{index}.json")
        vocabularies[item["name"]] = Vocabulary(**item, entries=tuple(entries))
    transforms: list[Transform] = []
    for index, item in enumerate(document["transforms"]):
        where = f"{file.name}, transforms[{index}]"
        if not isinstance(item, dict):
            raise TransformError([f"{where} is no object"])
        fields = dict(item)
        kind = _KINDS.get(fields.pop("kind", ""))
        if kind is None:
            raise TransformError([f"{where}: kind is {item.get('kind')!r}; known are {sorted(_KINDS)}"])
        names = {field.name for field in dataclasses.fields(kind)}
        if set(fields) != names:
            raise TransformError([f"{where}: fields are {sorted(fields)}; {sorted(names)} are required"])
        if "vocabulary" in fields:
            if fields["vocabulary"] not in vocabularies:
                raise TransformError([f"{where}: there is no vocabulary {fields['vocabulary']!r}"])
            fields["vocabulary"] = vocabularies[fields["vocabulary"]]
        transforms.append(
            kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
        )
    return Schema.from_json(document["schema"]), tuple(transforms)


def _vocabulary_head(vocabulary: Vocabulary) -> dict[str, Any]:
    head: dict[str, Any] = {"name": vocabulary.name, "dtype": vocabulary.dtype}
    return head if vocabulary.oov_buckets == 1 else head | {"oov_buckets": vocabulary.oov_buckets}


def _fields_of(transform: Any) -> dict[str, Any]:
    if type(transform).__name__ not in _KINDS:
        raise TransformError([f"{type(transform).__name__} is no transform that can be saved: {sorted(_KINDS)}"])
    return {field.name: getattr(transform, field.name) for field in dataclasses.fields(transform)}


def _write(file: Path, document: object, *, indent: int) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    file.write_bytes(text.encode("utf-8") + b"\n")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes().decode("utf-8", "strict"))
    except ValueError as error:
        raise TransformError([f"{file.name} is not JSON in UTF-8: {error}"]) from error
