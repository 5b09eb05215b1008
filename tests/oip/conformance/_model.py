"""What every check is given: the server, the model, and a request that the model answers."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import numpy as np

Level = Literal["must", "should", "extension"]

WIDTHS = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
DATATYPES = {*WIDTHS, "BYTES", "BF16"}
SECONDS = 30.0


class BrokenError(Exception):
    """The server does not do what the clause says."""


class NotHereError(Exception):
    """The check says nothing about this server or model."""


def expect(condition: object, said: str) -> None:
    """Raise `BrokenError` with what was seen unless the condition holds."""
    if not condition:
        raise BrokenError(said)


@dataclass(frozen=True)
class Check:
    """One clause, and what tells whether a server keeps it.

    Attributes:
        name: a stable name, for people and scripts.
        level: `must` and `should` as the specification says them; `extension` where the server itself claims it.
        clause: where that is written.
        run: raises `BrokenError` or `NotHereError`.
    """

    name: str
    level: Level
    clause: str
    run: Callable[[Target], None]


@dataclass
class Target:
    """A server, one of its models, and a request that the model answers.

    Attributes:
        http: base URL; empty to leave HTTP out.
        grpc: HOST:PORT; empty to leave gRPC out.
        model: the model's name.
        request: `inputs` of a JSON inference request; empty to make one from the model's metadata.
        parameters: request parameters that the model needs with it.
        channel: the connection of the checks over gRPC, once there is one.
    """

    http: str
    grpc: str
    model: str
    request: Sequence[Mapping[str, Any]] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    channel: Any = None
    _client: httpx.Client | None = None
    _metadata: dict[str, Any] | None = None

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    # ---- HTTP

    @property
    def client(self) -> httpx.Client:
        """The client of the whole run; it asks for no compression unless a check does."""
        if self._client is None:
            headers = {"Accept-Encoding": "identity"}
            self._client = httpx.Client(base_url=self.http, timeout=SECONDS, trust_env=False, headers=headers)
        return self._client

    def get(self, path: str) -> httpx.Response:
        """GET a path below the base URL."""
        return self.client.get(path)

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """POST JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **(headers or {})}
        return self.client.post(path, content=content, headers=told)

    @property
    def infer_path(self) -> str:
        """The path that infers."""
        return f"/v2/models/{self.model}/infer"

    def infer(self, body: object, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Infer, and return the JSON answer; anything but 200 is broken."""
        answer = self.post(self.infer_path, body, headers)
        expect(answer.status_code == 200, f"{answer.status_code} {answer.text[:200]}")
        return dict(answer.json())

    def body(self, **more: object) -> dict[str, Any]:
        """Return the JSON request, with further members."""
        told: dict[str, Any] = {"inputs": [dict(each) for each in self.inputs()]}
        if self.parameters:
            told["parameters"] = dict(self.parameters)
        return {**told, **more}

    def answer(self) -> dict[str, Any]:
        """Return the answer to the plain request."""
        return self.infer(self.body())

    def metadata(self) -> dict[str, Any]:
        """Return the model's metadata, asked once, by whichever protocol is there."""
        if self._metadata is None:
            if self.http:
                answer = self.get(f"/v2/models/{self.model}")
                expect(answer.status_code == 200, f"metadata: {answer.status_code} {answer.text[:200]}")
                self._metadata = dict(answer.json())
            else:
                from conformance._grpc import metadata

                self._metadata = metadata(self)
        return self._metadata

    def extensions(self) -> list[str]:
        """Return what the server claims beyond the specification."""
        answer = self.get("/v2")
        told = answer.json().get("extensions", []) if answer.status_code == 200 else []
        return [str(each) for each in told] if isinstance(told, list) else []

    def claim(self, extension: str) -> None:
        """Raise `NotHereError` unless the server claims an extension."""
        if extension not in self.extensions():
            raise NotHereError(f"the server does not claim {extension}")

    # ---- tensors

    def inputs(self) -> Sequence[Mapping[str, Any]]:
        """Return the inputs of a request that the model answers; made from the metadata if none were given."""
        if not self.request:
            self.request = [made(each) for each in self.metadata()["inputs"]]
        return self.request

    def changed(self, index: int, **members: object) -> dict[str, Any]:
        """Return the request with members of one input changed."""
        body = self.body()
        body["inputs"][index] = {**body["inputs"][index], **members}
        return body

    def places(self, *datatypes: str) -> Iterator[int]:
        """Yield the places of the inputs of these types."""
        for place, each in enumerate(self.inputs()):
            if each["datatype"] in datatypes:
                yield place


def made(tensor: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input from its metadata: sizes that vary are 1, numbers are 1, strings are "a"."""
    shape = [size if size > 0 else 1 for size in tensor["shape"]]
    one: Any = {"BYTES": "a", "BOOL": True, "FP16": 1.0, "FP32": 1.0, "FP64": 1.0}.get(tensor["datatype"], 1)
    data = [one] * int(np.prod(shape))
    return {"name": tensor["name"], "datatype": tensor["datatype"], "shape": shape, "data": data}


def flat(data: Any) -> list[Any]:
    """Return nested data as one list."""
    return [leaf for each in data for leaf in flat(each)] if isinstance(data, list) else [data]


def nested(values: Sequence[Any], shape: Sequence[int]) -> Any:
    """Return flat data nested as a shape says."""
    if len(shape) <= 1:
        return list(values)
    step = len(values) // max(shape[0], 1)
    return [nested(values[at * step : (at + 1) * step], shape[1:]) for at in range(shape[0])]


def binary(tensor: Mapping[str, Any]) -> bytes:
    """Return an input's data in the binary form of the extension binary_tensor_data."""
    values = flat(tensor["data"])
    if tensor["datatype"] == "BYTES":
        told = [each.encode() if isinstance(each, str) else bytes(each) for each in values]
        return b"".join(struct.pack("<I", len(each)) + each for each in told)
    if tensor["datatype"] not in WIDTHS:
        raise NotHereError(f"this suite makes no {tensor['datatype']}")
    return np.array(values, WIDTHS[tensor["datatype"]]).tobytes()


def unpacked(datatype: str, raw: bytes) -> list[Any]:
    """Return binary data as a list; BYTES as bytes."""
    if datatype != "BYTES":
        return list(np.frombuffer(raw, WIDTHS[datatype]).tolist())
    found, at = [], 0
    while at < len(raw):
        (length,) = struct.unpack_from("<I", raw, at)
        found.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def same(one: Sequence[Any], other: Sequence[Any], datatype: str) -> bool:
    """Return whether two lists of values are the same; FP32 as JSON shows it may have fewer digits than a float64."""
    if datatype == "FP32":
        return np.array(one, np.float32).tobytes() == np.array(other, np.float32).tobytes()
    if datatype == "BYTES":
        return [each.encode() if isinstance(each, str) else each for each in one] == [
            each.encode() if isinstance(each, str) else each for each in other
        ]
    return list(one) == list(other)


def with_binary(target: Target, places: Sequence[int], **more: object) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of the request with some inputs in binary form."""
    body, parts = target.body(**more), []
    for place in places:
        raw = binary(body["inputs"][place])
        kept = {name: value for name, value in body["inputs"][place].items() if name != "data"}
        body["inputs"][place] = {**kept, "parameters": {"binary_data_size": len(raw)}}
        parts.append(raw)
    header = json.dumps(body).encode()
    headers = {"Inference-Header-Content-Length": str(len(header)), "Content-Type": "application/octet-stream"}
    return header + b"".join(parts), headers


def compressed(body: bytes, coding: str) -> bytes:
    """Return bytes in a Content-Encoding."""
    return gzip.compress(body) if coding == "gzip" else zlib.compress(body)
