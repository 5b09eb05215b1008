"""What speaks against a set of transforms for a schema, each with the place it was found in."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import dataclass

from twinrank.training.schema import Feature, Schema
from twinrank.training.transforms._categorical import Lookup
from twinrank.training.transforms._numeric import Clip, Log1p, Standardise
from twinrank.training.transforms._plain import Number
from twinrank.training.transforms._scope import Transform

_NUMBERS = (Standardise, Clip, Log1p, Number)


@dataclass(frozen=True, slots=True)
class FrontProblem:
    """One problem: the position of the transform or feature concerned, its label, and what is wrong.

    Attributes:
        transform: Position in the list of transforms, if a transform is wrong by itself.
        feature: Position in the schema, if a feature is read wrongly.
        label: What a message begins with where no position is shown.
        detail: What is wrong, and what would be right.
    """

    transform: int | None
    feature: int | None
    label: str
    detail: str

    def __str__(self) -> str:
        return f"{self.label}{'' if self.transform is None else ':'} {self.detail}"


def front_problems(schema: Schema, transforms: tuple[Transform, ...]) -> Iterator[FrontProblem]:
    """Yields everything: first of each transform; if all of them fit, how the features are read."""
    names: set[str] = set()
    vocabularies: dict[str, object] = {}
    found = False
    for place, transform in enumerate(transforms):
        for detail in _own_problems(transform, names, vocabularies):
            yield FrontProblem(place, None, _label(transform), detail)
        for detail in transform.problems(schema):
            found = True
            yield FrontProblem(place, None, _label(transform), detail)
    if found:
        return
    for place, feature in enumerate(schema.features):
        readers = [transform for transform in transforms if feature.name in transform.inputs]
        for detail in _reading_problems(feature, readers):
            yield FrontProblem(None, place, f"feature {feature.name!r}", detail)


def _label(transform: Transform) -> str:
    return f"{type(transform).__name__} {transform.name!r}"


def _own_problems(transform: Transform, names: set[str], vocabularies: dict[str, object]) -> Iterator[str]:
    if not transform.name.isidentifier() or keyword.iskeyword(transform.name) or not transform.name.isascii():
        yield f"the name is {transform.name!r}; it must be an ASCII identifier, because it becomes a keyword argument"
    if transform.name in names:
        yield "another transform has this name"
    names.add(transform.name)
    if isinstance(transform, Lookup):
        vocabulary = transform.vocabulary
        if vocabularies.setdefault(vocabulary.name, vocabulary) != vocabulary:
            yield f"two different vocabularies are named {vocabulary.name!r}"


def _reading_problems(feature: Feature, readers: list[Transform]) -> Iterator[str]:
    if not readers:
        yield "is read by no transform; add one, or drop it from the schema"
        return
    if "own_row" in (feature.missing.policy, feature.invalid.policy) and all(
        isinstance(reader, _NUMBERS) for reader in readers
    ):
        # Its states would all be 0, which is also a number.
        yield "has the policy own_row, but only number transforms read it; add a State"
    if feature.unseen.policy != "own_row" and not any(isinstance(reader, Lookup) for reader in readers):
        yield (
            f"has the unseen policy {feature.unseen.policy}, but no Lookup reads it, so that nothing can be unseen; "
            "add a Lookup, or leave the policy out"
        )
