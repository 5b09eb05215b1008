"""Requests that nobody would write, made from a bundle's schema, and the smallest form of one that shows a difference.

`fuzz_cases` makes millions of them quickly (`bundle_cases` for a bundle and what its graph knows), `requests` is a
Hypothesis strategy over the same atoms, and `shrink` cuts a request down while two live scorers still differ on it.
Hypothesis is imported by `requests` and `shrink` when they are called, not before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from twinrank.bridge._cases import Case
from twinrank.bridge.fuzz._generator import fuzz_cases
from twinrank.bridge.fuzz._search import Differs
from twinrank.bridge.fuzz._shrink import shrink
from twinrank.bridge.fuzz._values import Vocabulary
from twinrank.bridge.fuzz._vocabulary import vocabulary_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from twinrank.training.schema import Schema

__all__ = ["Differs", "Vocabulary", "bundle_cases", "fuzz_cases", "requests", "shrink", "vocabulary_of"]


def bundle_cases(bundle: Path, count: int, seed: int) -> Iterator[Case]:
    """Yield requests for a bundle: `fuzz_cases` with its schema, its limit and its vocabulary.

    Raises:
        BundleError: if layout or manifest are not of the contract.
    """
    from twinrank.export.bundle import read_manifest

    manifest = read_manifest(bundle)
    yield from fuzz_cases(manifest.schema, manifest.max_candidates, count, seed, vocabulary_of(bundle))


def requests(
    schema: Schema, max_candidates: int = 10_000, vocabulary: Vocabulary | None = None
) -> SearchStrategy[bytes]:
    """Return a Hypothesis strategy of raw requests: about two thirds score, the others are refused for a reason.

    Args:
        schema: the bundle's schema.
        max_candidates: the most candidates that the bundle takes; slates of the strategy have at most 12.
        vocabulary: values that the bundle's graph knows, by feature; see `vocabulary_of`.
    """
    from twinrank.bridge.fuzz._strategies import requests as made

    return made(schema, max_candidates, vocabulary)
