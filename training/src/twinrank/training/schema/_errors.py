"""The errors of the schema package, and how values are shown in their messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

SCORING_CODES: tuple[str, ...] = (
    "invalid_json",
    "invalid_request",
    "unknown_feature",
    "missing_feature",
    "wrong_type",
    "out_of_range",
    "non_finite",
    "invalid_string",
    "length_mismatch",
    "wrong_length",
    "too_many_candidates",
    "unseen_value",
    "deadline_exceeded",
    "cancelled",
    "memory_exhausted",
    "scoring_failed",
)
"""The codes a `ScoringError` may carry, in the order of tests/contract/codes.json."""

_SHOWN = 80


class ScoringError(Exception):
    """This request is bad; the model goes on.

    Attributes:
        code: One of `SCORING_CODES`; stable, shared with Java and HTTP.
        message: What was given, what is allowed, where, what to do. Printable ASCII; not part of the contract.
        feature: The feature concerned, when there is one and it could be a feature's name.
        candidate: Index of the candidate concerned; None for the context and for the request as a whole.
    """

    def __init__(self, code: str, message: str, feature: str | None = None, candidate: int | None = None) -> None:
        super().__init__(code, message, feature, candidate)
        self.code = code
        self.message = message
        self.feature = feature
        self.candidate = candidate

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class SchemaProblem(NamedTuple):
    """One thing wrong with a schema: where (a path such as `features[2].list`) and what."""

    path: str
    detail: str


class SchemaError(ValueError):
    """The schema contradicts the contract; `problems` lists everything found, in schema order."""

    def __init__(self, problems: Iterable[SchemaProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "; ".join(f"{problem.path}: {problem.detail}" for problem in self.problems)


def shown(value: object) -> str:
    """Returns the value for a message: at most about 80 characters of printable ASCII, lone surrogates escaped."""
    if isinstance(value, dict):
        return f"an object with {len(value)} members"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool | str):
        text = json.dumps(value[: _SHOWN + 1] if isinstance(value, str) else value)
    elif isinstance(value, int):
        # Python refuses to print integers beyond a configurable number of digits.
        text = str(value) if value.bit_length() <= 256 else f"an integer of {value.bit_length()} bits"
    elif isinstance(value, float):
        text = repr(value)
    else:
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
