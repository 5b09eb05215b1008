"""ONNX values as the probe protocol carries them (contract, section 12): described in a header, laid out in a body."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from twinrank.bridge._scorer import Array

__all__ = ["NUMPY", "Raw", "decode", "encode"]

_LENGTH = struct.Struct("<I")

NUMPY: Mapping[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "float16": np.dtype("<f2"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
    "bool": np.dtype("?"),
    "complex64": np.dtype("<c8"),
    "complex128": np.dtype("<c16"),
}
"""ONNX's names of the element types that numpy has too."""

_BITS: Mapping[str, int] = {
    "bfloat16": 16,
    "float8e4m3fn": 8,
    "float8e4m3fnuz": 8,
    "float8e5m2": 8,
    "float8e5m2fnuz": 8,
    "float8e8m0": 8,
    "uint4": 4,
    "int4": 4,
    "float4e2m1": 4,
    "uint2": 2,
    "int2": 2,
}
"""Element types that numpy has not; they travel as bytes, several elements a byte where they are smaller."""


class Raw:
    """A tensor of an element type that numpy has not.

    Attributes:
        dtype: ONNX's name of the element type.
        shape: its axes.
        data: uint8, shape [bytes]: the elements as they travel.
    """

    def __init__(self, dtype: str, shape: tuple[int, ...], data: Array) -> None:
        self.dtype = dtype
        self.shape = shape
        self.data = data


def encode(values: Mapping[str, Array | Raw]) -> tuple[list[dict[str, Any]], bytes]:
    """Return the header's description and the body of tensors, in their order.

    Raises:
        ValueError: if an array's dtype is none of ONNX's.
    """
    described: list[dict[str, Any]] = []
    pieces: list[bytes] = []
    for name, value in values.items():
        if isinstance(value, Raw):
            label, data = value.dtype, value.data.tobytes()
        elif value.dtype.kind in "OUST":
            label, data = "string", b"".join(_string(text) for text in value.ravel().tolist())
        else:
            label = value.dtype.name
            if label not in NUMPY:
                raise ValueError(f"{name!r} has dtype {label}; {', '.join(NUMPY)} and strings are allowed")
            data = np.ascontiguousarray(value).astype(NUMPY[label], copy=False).tobytes()
        described.append({"name": name, "dtype": label, "shape": list(value.shape)})
        pieces.append(data)
    return described, b"".join(pieces)


def _string(text: str | bytes) -> bytes:
    utf8 = text if isinstance(text, bytes) else text.encode("utf-8")
    return _LENGTH.pack(len(utf8)) + utf8


def decode(described: object, body: bytes | memoryview) -> dict[str, Any]:
    """Read named values; arrays of numbers are views of `body`.

    Returns:
        By name: an array (strings as objects of type `str`), a `Raw`, a list for a sequence, a dict for a map, and for
        an optional its value or None.

    Raises:
        ValueError: if body and description contradict each other.
    """
    if not isinstance(described, list) or not all(isinstance(each, dict) for each in described):
        raise ValueError(f"'outputs' must be a list of objects, but it is {str(described)[:120]}")
    reader = _Reader(memoryview(body))
    values: dict[str, Any] = {}
    for each in described:
        name = each.get("name")
        if not isinstance(name, str) or name in values:
            raise ValueError(f"a value's name must be a string of its own, but it is {name!r}")
        values[name] = reader.value(each)
    if reader.at != len(body):
        raise ValueError(f"{len(body) - reader.at} bytes follow the last value")
    return values


class _Reader:
    """Takes values from a body, one after another."""

    def __init__(self, body: memoryview) -> None:
        self._body = body
        self.at = 0

    def value(self, described: Mapping[str, Any]) -> Any:
        """Take one value."""
        match described.get("kind"):
            case "tensor":
                return self._tensor(described)
            case "sequence":
                return [self.value(each) for each in _objects(described.get("values"))]
            case "optional":
                values = [self.value(each) for each in _objects(described.get("values"))]
                if len(values) > 1:
                    raise ValueError(f"an optional has {len(values)} values")
                return values[0] if values else None
            case "map":
                keys, values = (
                    self._tensor(each) for each in _objects([described.get("keys"), described.get("values")])
                )
                if isinstance(keys, Raw) or isinstance(values, Raw) or keys.ndim != 1 or values.ndim != 1:
                    raise ValueError("a map's keys and values must be tensors of one axis, of types that numpy has")
                return dict(zip(keys.tolist(), values.tolist() if values.dtype == object else values, strict=True))
            case kind:
                raise ValueError(f"a value's kind must be tensor, sequence, map or optional, but it is {kind!r}")

    def _tensor(self, described: Mapping[str, Any]) -> Any:
        label, shape = str(described.get("dtype")), described.get("shape")
        if not isinstance(shape, list) or not all(type(axis) is int and 0 <= axis < 2**31 for axis in shape):
            raise ValueError(f"a shape must be a list of lengths, but it is {str(shape)[:120]}")
        count = math.prod(shape)
        if label == "string":
            return np.array([self._text() for _ in range(count)], dtype=object).reshape(shape)
        if label in _BITS:
            return Raw(label, tuple(shape), np.frombuffer(self._take((count * _BITS[label] + 7) // 8), np.uint8))
        dtype = NUMPY.get(label)
        if dtype is None:
            raise ValueError(f"{label!r} is no element type")
        return np.frombuffer(self._take(count * dtype.itemsize), dtype).reshape(shape)

    def _text(self) -> str:
        (length,) = _LENGTH.unpack(self._take(_LENGTH.size))
        return str(self._take(length), "utf-8")

    def _take(self, count: int) -> memoryview:
        if count > len(self._body) - self.at:
            raise ValueError(f"the body of {len(self._body)} bytes ends inside a value")
        self.at += count
        return self._body[self.at - count : self.at]


def _objects(values: object) -> list[Mapping[str, Any]]:
    if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
        raise ValueError(f"values within a value must be a list of objects, but they are {str(values)[:120]}")
    return values
