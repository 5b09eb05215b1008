"""The probe protocol's other end, in Python: answers each frame's header and body (contract, section 12)."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from twinrank.bridge._frames import LIMIT
from twinrank.bridge._plain import PlainModel, PlainModelError
from twinrank.bridge._scorer import packed_digest
from twinrank.export.bundle import Bundle, BundleError, Scores, SessionSettings, open_bundle, read_manifest
from twinrank.export.bundle import runtime_release as release
from twinrank.export.bundle._bundle import open_under_other_release
from twinrank.training.schema import ScoringError, pack

PROTOCOL = 1

_LENGTH = struct.Struct("<I")
_STRING = "string"
_MOST_GOLDENS_TOLD = 3


class Reply(NamedTuple):
    """One answer: its header, and its body."""

    header: dict[str, Any]
    body: bytes = b""


class ProtocolError(Exception):
    """A header or a body that the operation does not take; `code` is one of the protocol's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Answering:
    """A reader behind the protocol: holds one bundle and one plain graph at most. Not thread-safe.

    Args:
        any_release: whether a bundle of another release of ONNX Runtime is opened all the same, unverified.
        facts: what to tell of this process.
    """

    def __init__(self, facts: Mapping[str, Any], *, any_release: bool = False) -> None:
        self._facts = facts
        self._any_release = any_release
        self._bundle: Bundle | None = None
        self._plain: PlainModel | None = None
        self._answers: Mapping[str, tuple[Callable[[dict[str, Any], bytes], Reply], frozenset[str]]] = {
            "hello": (self._hello, frozenset()),
            "load": (self._load, frozenset({"bundle", "require"})),
            "score": (self._score, frozenset()),
            "score_batch": (self._score_batch, frozenset()),
            "pack": (self._pack, frozenset()),
            "open_onnx": (self._open_onnx, frozenset({"model", "taps", "session", "folder"})),
            "run": (self._run, frozenset({"inputs"})),
            "bye": (self._bye, frozenset()),
        }
        self.finished = False

    def answer(self, header: bytes, body: bytes) -> Reply:
        """Answer one frame. Never raises for what a frame holds: every fault is a failure's answer."""
        try:
            told = _object(header)
            op = told.pop("op", None)
            if not isinstance(op, str):
                raise ProtocolError("invalid_header", "the header has no 'op', or it is no string")
            if op not in self._answers:
                raise ProtocolError("unknown_op", f"no operation {op!r}; there are {', '.join(self._answers)}")
            operation, takes = self._answers[op]
            unknown = sorted(set(told) - takes)
            if unknown:
                allowed = ", ".join(sorted(takes)) or "none"
                raise ProtocolError(
                    "invalid_header", f"the header of {op!r} has the members {unknown}; it takes {allowed}"
                )
            if body and op in ("hello", "load", "open_onnx", "bye"):
                raise ProtocolError("invalid_frame", f"{op!r} takes no body; {len(body)} bytes were sent")
            reply = operation(told, body)
            if len(reply.body) > LIMIT:
                raise ProtocolError(
                    "response_too_large",
                    f"the answer's body has {len(reply.body)} bytes; {LIMIT} are allowed. Ask for less at once",
                )
            return reply
        except ScoringError as error:
            return _failure("scoring", error.code, error.message, **_where(error))
        except BundleError as error:
            problems = [{"code": each.code, "path": each.path, "detail": each.detail} for each in error.problems]
            return _failure("bundle", error.code, str(error), problems=problems)
        except ProtocolError as error:
            return _failure("protocol", error.code, error.message)
        except (Exception, RecursionError, MemoryError) as error:
            return _failure("protocol", "internal_error", f"the testee failed: {error!r}")

    # ---- the bundle's operations

    def _hello(self, header: dict[str, Any], body: bytes) -> Reply:
        del header, body
        return Reply({"ok": True, "protocol": PROTOCOL, **self._facts, "ops": list(self._answers)})

    def _load(self, header: dict[str, Any], body: bytes) -> Reply:
        del body
        path, require = header.get("bundle"), header.get("require", "bits")
        if not isinstance(path, str):
            raise ProtocolError("invalid_header", "load needs 'bundle', the directory's path")
        if require not in ("bits", "reference"):
            raise ProtocolError("invalid_header", f"'require' is {require!r}; bits and reference are allowed")
        self._bundle, told = self._opened(Path(path), require)
        bundle = self._bundle
        return Reply(
            {
                "ok": True,
                "model": bundle.name,
                "bundle": bundle.digest,
                "verification": bundle.verification,
                "signature": bundle.signature,
                "attested": bundle.attested,
                "allowed": [
                    {"finding": each.finding, "detail": each.detail, "reason": each.reason}
                    for each in bundle.manifest.allowed
                ],
                "heads": [{"name": head.name, "dtype": head.dtype} for head in bundle.heads],
                "score": {"dtype": bundle.manifest.score.dtype},
                **told,
            }
        )

    def _opened(self, path: Path, require: Literal["bits", "reference"]) -> tuple[Bundle, dict[str, Any]]:
        if not self._any_release or read_manifest(path).release == release():
            return open_bundle(path, require=require), {}
        other = open_under_other_release(path)
        first = [
            f"golden {index + 1}: {detail}" for index, detail in list(other.differing.items())[:_MOST_GOLDENS_TOLD]
        ]
        told = {
            "pinned": other.bundle.manifest.release,
            "release": release(),
            "goldens": len(other.bundle.goldens),
            "goldens_equal": other.to_the_bit,
            "goldens_differing": first,
        }
        return other.bundle, {"unverified": told}

    def _score(self, header: dict[str, Any], body: bytes) -> Reply:
        del header
        scores = self._loaded().score(body)
        told = {"ok": True, "n": scores.n, "order": scores.order.tolist(), "dropped": scores.dropped.tolist()}
        return Reply(told, b"".join(_bytes(values) for values in _columns(scores)))

    def _score_batch(self, header: dict[str, Any], body: bytes) -> Reply:
        del header
        bundle = self._loaded()
        answers: list[Scores] = []
        digests: list[int] = []
        n: list[int] = []
        ranked: list[int] = []
        dropped: list[int] = []
        errors: list[dict[str, Any]] = []
        for index, raw in enumerate(_requests(body)):
            try:
                request = bundle.read(raw)
                scores = bundle.score_request(request)
            except ScoringError as error:
                errors.append({"request": index, "code": error.code, **_where(error)})
                for numbers, nothing in ((n, -1), (ranked, 0), (dropped, 0), (digests, 0)):
                    numbers.append(nothing)
                continue
            answers.append(scores)
            n.append(scores.n)
            ranked.append(len(scores.order))
            dropped.append(len(scores.dropped))
            digests.append(packed_digest(pack(request, bundle.manifest.packing)))
        columns = zip(*(_columns(scores) for scores in answers), strict=True)
        parts = [_bytes(values) for column in columns for values in column]
        parts += [_bytes(scores.order.astype(np.int32)) for scores in answers]
        parts += [_bytes(scores.dropped.astype(np.int32)) for scores in answers]
        parts.append(np.array(digests, dtype="<u8").tobytes())
        return Reply({"ok": True, "n": n, "ranked": ranked, "dropped": dropped, "errors": errors}, b"".join(parts))

    def _pack(self, header: dict[str, Any], body: bytes) -> Reply:
        del header
        bundle = self._loaded()
        request = bundle.read(body)
        blocks = pack(request, bundle.manifest.packing)
        return Reply({"ok": True, "n": request.n, "inputs": _described(blocks)}, b"".join(map(_bytes, blocks.values())))

    def _loaded(self) -> Bundle:
        if self._bundle is None:
            raise ProtocolError("not_loaded", "no bundle is loaded; send load first")
        return self._bundle

    # ---- plain graphs

    def _open_onnx(self, header: dict[str, Any], body: bytes) -> Reply:
        del body
        model, taps, folder = header.get("model"), header.get("taps", []), header.get("folder")
        if not isinstance(model, str) or not isinstance(folder, str | None):
            raise ProtocolError("invalid_header", "open_onnx needs 'model', the file's path; 'folder' is a path too")
        if not isinstance(taps, list) or not all(isinstance(tap, str) for tap in taps):
            raise ProtocolError("invalid_header", "'taps' is a list of names")
        try:
            self._plain = PlainModel(
                Path(model), _settings(header.get("session", {})), taps, beside=None if folder is None else Path(folder)
            )
        except (OSError, PlainModelError) as error:
            return _graph_refused(model, error)
        told = {
            side: [{"name": value.name, "type": value.type, "shape": list(value.shape)} for value in values]
            for side, values in (("inputs", self._plain.inputs), ("outputs", self._plain.outputs))
        }
        return Reply({"ok": True, **told})

    def _run(self, header: dict[str, Any], body: bytes) -> Reply:
        if self._plain is None:
            raise ProtocolError("not_loaded", "no graph is open; send open_onnx first")
        inputs = read_tensors(header.get("inputs"), body)
        try:
            outputs = self._plain.run(inputs)
        except PlainModelError as error:
            return _failure("graph", "run_failed", f"the run failed: {error}")
        told, parts = [], []
        for name, value in outputs.items():
            described, data = _tensor(name, value)
            told.append(described)
            parts.append(data)
        return Reply({"ok": True, "outputs": told}, b"".join(parts))

    def _bye(self, header: dict[str, Any], body: bytes) -> Reply:
        del header, body
        self.finished = True
        return Reply({"ok": True})


def read_tensors(described: Any, body: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors that a header describes and a body holds, by name.

    Args:
        described: a list of `name`, `dtype` (numpy's word, or `string`) and `shape`.
        body: the tensors one after another, row-major little-endian; each string as its length (u32) and UTF-8.

    Raises:
        ProtocolError: if header and body do not fit each other.
    """
    if not isinstance(described, list):
        raise ProtocolError("invalid_header", "'inputs' is a list of name, dtype and shape")
    tensors: dict[str, npt.NDArray[Any]] = {}
    offset = 0
    for entry in described:
        try:
            name, word, shape = str(entry["name"]), str(entry["dtype"]), tuple(int(axis) for axis in entry["shape"])
            dtype = np.dtype(object) if word == _STRING else np.dtype(word).newbyteorder("<")
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError("invalid_header", f"{entry!r} is no name, dtype and shape") from error
        if min(shape, default=0) < 0 or (dtype.hasobject and word != _STRING):
            raise ProtocolError("invalid_header", f"{name!r} has the dtype {word!r} and the shape {list(shape)}")
        count = math.prod(shape)
        if word == _STRING:
            values, offset = _strings(body, offset, count)
            tensors[name] = np.array(values, dtype=object).reshape(shape)
            continue
        end = offset + count * dtype.itemsize
        if end > len(body):
            raise ProtocolError("invalid_frame", f"the body of {len(body)} bytes ends inside {name!r}")
        tensors[name] = np.frombuffer(body, dtype=dtype, count=count, offset=offset).reshape(shape)
        offset = end
    if offset != len(body):
        raise ProtocolError("invalid_frame", f"{len(body) - offset} bytes follow the last tensor")
    return tensors


def _strings(body: bytes, offset: int, count: int) -> tuple[list[str], int]:
    values = []
    for _ in range(count):
        data, offset = _prefixed(body, offset, "a string")
        try:
            values.append(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ProtocolError("invalid_frame", f"a string of the body is no UTF-8: {error}") from error
    return values, offset


def _requests(body: bytes) -> list[bytes]:
    requests: list[bytes] = []
    offset = 0
    while offset < len(body):
        raw, offset = _prefixed(body, offset, f"request {len(requests)}")
        requests.append(raw)
    return requests


def _prefixed(body: bytes, offset: int, what: str) -> tuple[bytes, int]:
    begin = offset + _LENGTH.size
    end = begin + int(_LENGTH.unpack_from(body, offset)[0]) if begin <= len(body) else len(body) + 1
    if end > len(body):
        raise ProtocolError("invalid_frame", f"the body of {len(body)} bytes ends inside {what}")
    return body[begin:end], end


def _tensor(name: str, value: Any) -> tuple[dict[str, Any], bytes]:
    """One output as header and bytes; sequences and maps are nested in the header, their tensors in order."""
    described, data = _described_value(value)
    return {"name": name, **described}, data


def _described_value(value: Any) -> tuple[dict[str, Any], bytes]:
    if isinstance(value, np.ndarray):
        tensor = {"kind": "tensor", "shape": list(value.shape)}
        if value.dtype.kind in "OSU":
            texts = [str(each).encode() for each in value.reshape(-1)]
            return {**tensor, "dtype": _STRING}, b"".join(_LENGTH.pack(len(text)) + text for text in texts)
        return {**tensor, "dtype": value.dtype.name}, _bytes(value)
    if value is None:
        return {"kind": "optional", "values": []}, b""
    if isinstance(value, dict):
        keys, values = (_described_value(np.array(list(side))) for side in (value.keys(), value.values()))
        return {"kind": "map", "keys": keys[0], "values": values[0]}, keys[1] + values[1]
    inner = [_described_value(each) for each in value]
    return {"kind": "sequence", "values": [told for told, _ in inner]}, b"".join(data for _, data in inner)


def _object(text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ProtocolError("invalid_header", "the header has a member twice")
        return dict(pairs)

    try:
        told = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except ValueError as error:
        raise ProtocolError("invalid_header", f"the header is no JSON in UTF-8: {error}") from error
    if not isinstance(told, dict):
        raise ProtocolError("invalid_header", "the header is no JSON object")
    return told


def _settings(told: Any) -> SessionSettings:
    known = {field.name for field in fields(SessionSettings)}
    if not isinstance(told, dict) or not set(told) <= known:
        raise ProtocolError("invalid_header", f"'session' is an object of {', '.join(sorted(known))}; it is {told!r}")
    return SessionSettings(**told)


def _graph_refused(model: str, error: Exception) -> Reply:
    return _failure("graph", "file_unreadable" if isinstance(error, OSError) else "graph_refused", f"{model}: {error}")


def _failure(family: str, code: str, message: str, **more: Any) -> Reply:
    return Reply({"ok": False, "family": family, "code": code, "message": message, **more})


def _where(error: ScoringError) -> dict[str, Any]:
    told = {"feature": error.feature, "candidate": error.candidate}
    return {name: value for name, value in told.items() if value is not None}


def _columns(scores: Scores) -> list[npt.NDArray[Any]]:
    return [*scores.heads.values(), scores.score]


def _described(blocks: Mapping[str, npt.NDArray[Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "dtype": block.dtype.name, "shape": list(block.shape)} for name, block in blocks.items()]


def _bytes(values: npt.NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
