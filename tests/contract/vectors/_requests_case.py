"""What the request vectors are made of, and how a file of them is written."""

import base64
from dataclasses import dataclass
from typing import Any

import xxhash
from _vectors import finish, tensor

__all__ = [
    "ERROR",
    "OWN_ROW",
    "TINY",
    "Case",
    "default",
    "error",
    "feature",
    "finish_requests",
    "key",
    "listed",
    "packed",
    "tensor",
    "vector",
]

ABOUT = (
    "Raw requests (request: the text, request_base64: bytes that are no UTF-8) and what must come of them. Either "
    "error: code, feature and candidate, where a field that is absent here must be absent there; or n, k (null for "
    "all, else min(k, n)) and all blocks in packing order, whose hex is the row-major little-endian content."
)
PROVENANCE = (
    "codes, fields and blocks are written by hand from sections 4 to 6 of the contract; no implementation of twinrank "
    "takes part. Keys come from python-xxhash, as in keys.json."
)
ERROR = {"policy": "error"}
OWN_ROW = {"policy": "own_row"}


def feature(name: str, placement: str, dtype: str, **more: Any) -> dict[str, Any]:
    """A feature in manifest form; both policies are `error` unless given."""
    return {"name": name, "placement": placement, "dtype": dtype, "missing": ERROR, "invalid": ERROR} | more


def default(value: Any) -> dict[str, Any]:
    """The policy `default`."""
    return {"policy": "default", "value": value}


def listed(length: int, keep: str = "first") -> dict[str, Any]:
    """A list specification."""
    return {"max_length": length, "keep": keep}


def vector(length: int) -> dict[str, Any]:
    """A vector specification."""
    return {"length": length}


TINY = [feature("user", "context", "int64"), feature("item", "candidate", "int64")]


def key(text: str) -> int:
    """A string's key, from the referee of keys.json."""
    return int.from_bytes(xxhash.xxh3_64_digest(text.encode()), "big", signed=True)


def error(code: str, feature: str | None = None, candidate: int | None = None) -> dict[str, Any]:
    """An expected error; a field that is absent here must be absent there."""
    found: dict[str, Any] = {"code": code}
    if feature is not None:
        found["feature"] = feature
    if candidate is not None:
        found["candidate"] = candidate
    return {"error": found}


def packed(n: int, k: int | None, blocks: dict[str, Any]) -> dict[str, Any]:
    """An expected request: k is None for all, else at most n."""
    return {"n": n, "k": k, "blocks": blocks}


@dataclass
class Case:
    """A request and what must come of it; `key` stands for one candidate whose only feature has this string."""

    name: str
    features: list[dict[str, Any]]
    request: bytes | str
    expect: dict[str, Any] | None
    max_candidates: int = 4
    key: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The case as it is stored: `request` where the bytes are UTF-8, else `request_base64`."""
        raw = self.request.encode() if isinstance(self.request, str) else self.request
        try:
            stored = {"request": raw.decode("utf-8")}
        except UnicodeDecodeError:
            stored = {"request_base64": base64.b64encode(raw).decode()}
        expect = self.expect
        if self.key is not None:
            expect = packed(1, None, {"candidate.i64": tensor("int64", [1, 1], [key(self.key)])})
        if expect is None:
            raise ValueError(f"case {self.name!r} expects nothing")
        document = {"name": self.name, "schema": {"features": self.features}, "max_candidates": self.max_candidates}
        return document | stored | {"expect": expect}


def finish_requests(topic: str, cases: list[Case]) -> int:
    """Write `requests_<topic>.json`, or with `--check` compare it; the process's exit code."""
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"case names must be unique: {sorted(twice)}")
    provenance = f"generate_requests_{topic}.py: {PROVENANCE}"
    document = {"about": ABOUT, "provenance": provenance, "cases": [case.to_json() for case in cases]}
    return finish(f"requests_{topic}.json", document)
