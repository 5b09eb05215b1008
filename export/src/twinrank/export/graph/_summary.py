"""What a bundle's provenance says of the transforms in its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from twinrank.training.transforms import EncodedSpec, Transform, Vocabulary

_NAMED_APART = ("name", "feature", "features", "now", "then", "vocabulary")


def transforms_summary(transforms: Sequence[Transform], outputs: Sequence[EncodedSpec]) -> list[dict[str, Any]]:
    """The transforms in order, as JSON: name, kind, features, rows (null for numbers), vocabulary and parameters.

    Vocabularies are named and counted; their entries stay out, for provenance is shown to everybody.
    """
    return [_one(transform, spec) for transform, spec in zip(transforms, outputs, strict=True)]


def _one(transform: Transform, spec: EncodedSpec) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "name": transform.name,
        "kind": type(transform).__name__,
        "features": list(transform.inputs),
        "rows": spec.cardinality,
        "dtype": spec.dtype,
        "parameters": {},
    }
    vocabulary = getattr(transform, "vocabulary", None)
    if isinstance(vocabulary, Vocabulary):
        summary["vocabulary"] = {"name": vocabulary.name, "entries": len(vocabulary.entries)}
    for field in fields(transform):  # type: ignore[arg-type]  # every transform is a frozen dataclass of plain values
        if field.name not in _NAMED_APART:
            value = getattr(transform, field.name)
            summary["parameters"][field.name] = list(value) if isinstance(value, tuple) else value
    return summary
