"""TensorProto files: the goldens' tensors, in ONNX's own layout and with one way to write each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from twinrank.export.bundle._wire import BYTES, VARINT, WireError, read_span, read_tag, read_text, read_varint

Array = NDArray[Any]

_NUMPY: dict[int, np.dtype[Any]] = {
    onnx.TensorProto.FLOAT: np.dtype("<f4"),
    onnx.TensorProto.DOUBLE: np.dtype("<f8"),
    onnx.TensorProto.INT64: np.dtype("<i8"),
}
_PROTO = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE, "int64": onnx.TensorProto.INT64}
# Field numbers of TensorProto, and the wire type of each that a golden may hold.
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA, _DOC_STRING = 1, 2, 8, 9, 12
_WIRE = {_DIMS: VARINT, _DATA_TYPE: VARINT, _NAME: BYTES, _RAW_DATA: BYTES, _DOC_STRING: BYTES}
_MAX_BYTES = 2**31 - 1
# numpy's own limit is 64; a block has three.
_MAX_DIMS = 8


class TensorFormatError(ValueError):
    """The bytes are no tensor as goldens hold them."""


def proto_dtype(name: str) -> int:
    """ONNX's number of a contract dtype: float32, float64 or int64."""
    return _PROTO[name]


def tensor_to_bytes(array: Array, name: str) -> bytes:
    """A TensorProto of ``array``: dims, dtype, name and raw little-endian data, serialised deterministically.

    Raises:
        TypeError: if the dtype is none of float32, float64 and int64.
    """
    if array.dtype.name not in _PROTO:
        raise TypeError(f"goldens hold float32, float64 and int64, given {array.dtype}")
    proto = onnx.TensorProto(name=name, data_type=_PROTO[array.dtype.name], dims=array.shape)
    proto.raw_data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
    return bytes(proto.SerializeToString(deterministic=True))


def tensor_from_bytes(raw: bytes) -> tuple[str, Array]:
    """Name and values of a TensorProto that holds its values as raw data, the only place where goldens have them.

    Raises:
        TensorFormatError: if the bytes are no TensorProto of dims, data_type, name, raw_data and doc_string alone, each
            but the dims at most once, if the dtype is another one, or the number of values contradicts the dims.
    """
    try:
        return _read(raw)
    except WireError as e:
        raise TensorFormatError(f"not a TensorProto of raw values: {e}") from e


def _read(raw: bytes) -> tuple[str, Array]:
    dims: list[int] = []
    singular: dict[int, Any] = {}
    at, end = 0, len(raw)
    while at < end:
        number, wire, at = read_tag(raw, at, end)
        if number not in _WIRE or (wire != _WIRE[number] and not (number == _DIMS and wire == BYTES)):
            raise WireError(f"it has field {number} with wire type {wire}; values are in raw_data, nothing is external")
        if number in singular:
            raise WireError(f"it has field {number} twice")
        if wire == VARINT:
            value, at = read_varint(raw, at, end)
            signed = value - 2**64 if value >= 2**63 else value
            if number == _DIMS:
                dims.append(signed)
            else:
                singular[number] = signed
            continue
        span = read_span(raw, at, end, number)
        at = span[1]
        if number == _DIMS:
            packed = span[0]
            while packed < at:
                value, packed = read_varint(raw, packed, at)
                dims.append(value - 2**64 if value >= 2**63 else value)
        else:
            singular[number] = span if number == _RAW_DATA else read_text(raw, span, number)
    return singular.get(_NAME, ""), _array(raw, dims, singular)


def _array(raw: bytes, dims: list[int], singular: Mapping[int, Any]) -> Array:
    kind = singular.get(_DATA_TYPE, 0)
    if kind not in _NUMPY:
        raise TensorFormatError(f"data_type is {kind}; goldens hold float32 (1), int64 (7) and float64 (11)")
    dtype = _NUMPY[kind]
    start, end = singular.get(_RAW_DATA, (0, 0))
    count = 1
    for dim in dims:
        # The limit keeps a crowd of dims from growing numbers without bound.
        if dim < 0 or (dim > 0 and count > _MAX_BYTES // dtype.itemsize // dim):
            raise TensorFormatError(f"dims are {dims[:8]}; that is negative or too large")
        count *= dim
    if end - start != count * dtype.itemsize:
        raise TensorFormatError(f"dims {dims[:8]} need {count * dtype.itemsize} bytes of raw_data, found {end - start}")
    if len(dims) > _MAX_DIMS:
        raise TensorFormatError(f"has {len(dims)} dims; goldens have at most {_MAX_DIMS}")
    # A slice of its own is aligned; raw_data begins anywhere.
    return np.frombuffer(raw[start:end], dtype=dtype).reshape(dims)
