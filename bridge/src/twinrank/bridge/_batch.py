"""The bodies of the probe protocol's score_batch (contract, section 12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from twinrank.bridge import _frames
from twinrank.bridge._scorer import Array, RouteError, RouteScores, Scored

_LENGTH = struct.Struct("<I")
_INDEX = np.dtype("<i4")
_DIGEST = np.dtype("<u8")
_REFUSED = -1


def parts(raws: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut requests into runs whose bodies fit a frame; a request that fits none is a run of its own."""
    start, size = 0, 0
    for index, raw in enumerate(raws):
        size += _LENGTH.size + len(raw)
        if size > _frames.LIMIT and index > start:
            yield raws[start:index]
            start, size = index, _LENGTH.size + len(raw)
    if start < len(raws):
        yield raws[start:]


def body(raws: Sequence[bytes]) -> bytes:
    """Return each request's length and bytes, one after another."""
    pieces: list[bytes] = []
    for raw in raws:
        pieces += (_LENGTH.pack(len(raw)), raw)
    return b"".join(pieces)


def read(
    header: Mapping[str, Any], data: bytes | memoryview, count: int, outputs: Mapping[str, np.dtype[Any]]
) -> list[Scored]:
    """Read an answer; its arrays are views of `data`.

    Args:
        header: the answer's header.
        data: the answer's body.
        count: how many requests were sent.
        outputs: dtype of every head in order, then of the score.

    Raises:
        ValueError: if the two are not an answer to `count` requests; the message says where.
    """
    n = _counts(header, "n", count, _REFUSED)
    ranked, dropped = _counts(header, "ranked", count, 0), _counts(header, "dropped", count, 0)
    errors = _errors(header, [index for index in range(count) if n[index] == _REFUSED])
    accepted = np.maximum(n, 0)
    if np.any(ranked + dropped > accepted):
        raise ValueError("a request has more ranked and dropped candidates than candidates")
    rows, places, drops = int(accepted.sum()), int(ranked.sum()), int(dropped.sum())
    expected = (
        rows * sum(dtype.itemsize for dtype in outputs.values())
        + (places + drops) * _INDEX.itemsize
        + count * _DIGEST.itemsize
    )
    if len(data) != expected:
        raise ValueError(f"the body has {len(data)} bytes; what the header says needs {expected}")
    columns: dict[str, Array] = {}
    offset = 0
    for name, dtype in outputs.items():
        columns[name] = np.frombuffer(data, dtype, rows, offset)
        offset += rows * dtype.itemsize
    orders = _indices(data, "ranked", ranked, accepted, offset)
    offset += places * _INDEX.itemsize
    lost = _indices(data, "dropped", dropped, accepted, offset)
    digests = np.frombuffer(data, _DIGEST, count, offset + drops * _INDEX.itemsize).tolist()

    scored: list[Scored] = []
    row = place = drop = 0
    for index, (size, best, nans) in enumerate(zip(n.tolist(), ranked.tolist(), dropped.tolist(), strict=True)):
        if size == _REFUSED:
            scored.append(Scored(errors[index]))
            continue
        scores = RouteScores(
            n=size,
            outputs={name: column[row : row + size] for name, column in columns.items()},
            order=tuple(orders[place : place + best]),
            dropped=tuple(lost[drop : drop + nans]),
            known=np.ones(size, np.bool_),
        )
        scored.append(Scored(scores, digests[index]))
        row, place, drop = row + size, place + best, drop + nans
    return scored


def _counts(header: Mapping[str, Any], name: str, count: int, least: int) -> npt.NDArray[np.int64]:
    values = header.get(name)
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(type(value) is int and least <= value < 2**31 for value in values)
    ):
        raise ValueError(f"{name!r} must be {count} integers from {least}, but it is {str(values)[:120]}")
    return np.array(values, np.int64)


def _errors(header: Mapping[str, Any], refused: list[int]) -> dict[int, RouteError]:
    entries = header.get("errors")
    if not isinstance(entries, list) or [_request(entry) for entry in entries] != refused:
        raise ValueError(
            f"'errors' must name the requests {refused[:20]} whose n is -1, but it is {str(entries)[:120]}"
        )
    return {entry["request"]: error(entry) for entry in entries}


def _request(entry: object) -> object:
    request = entry.get("request") if isinstance(entry, dict) else None
    return request if type(request) is int else None


def error(entry: Mapping[str, Any]) -> RouteError:
    """Return a refusal from what a testee says of it.

    Raises:
        ValueError: if it has no code, or a member has another type than the contract gives it.
    """
    code, feature, candidate = entry.get("code"), entry.get("feature"), entry.get("candidate")
    if (
        not isinstance(code, str)
        or not isinstance(feature, str | None)
        or not (candidate is None or type(candidate) is int)
    ):
        raise ValueError(f"an error must be a code, and may have a feature and a candidate, but it is {dict(entry)!r}")
    return RouteError(code, feature, candidate)


def _indices(
    data: bytes | memoryview,
    name: str,
    counts: npt.NDArray[np.int64],
    candidates: npt.NDArray[np.int64],
    offset: int,
) -> list[int]:
    indices = np.frombuffer(data, _INDEX, int(counts.sum()), offset)
    if np.any(indices < 0) or np.any(indices >= np.repeat(candidates, counts)):
        raise ValueError(f"a {name} candidate is none of its request's")
    return list(indices.tolist())
