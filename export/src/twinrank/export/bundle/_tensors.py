"""TensorProto files: the goldens' tensors, in ONNX's own layout and with one way to write each."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

Array = NDArray[Any]

_NUMPY: dict[int, np.dtype[Any]] = {
    onnx.TensorProto.FLOAT: np.dtype("<f4"),
    onnx.TensorProto.DOUBLE: np.dtype("<f8"),
    onnx.TensorProto.INT64: np.dtype("<i8"),
}
_PROTO = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE, "int64": onnx.TensorProto.INT64}


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
    """Name and values of a TensorProto that holds its values as raw data.

    Raises:
        TensorFormatError: if the bytes are no TensorProto, the dtype is another one, values are stored in any other
            way, or their number contradicts the dims.
    """
    proto = onnx.TensorProto()
    try:
        proto.ParseFromString(raw)
    except Exception as e:  # protobuf's DecodeError has another home in every implementation
        raise TensorFormatError(f"not a TensorProto: {e}") from e
    if proto.data_type not in _NUMPY:
        raise TensorFormatError(f"data_type is {proto.data_type}; goldens hold float32 (1), int64 (7) and float64 (11)")
    if proto.data_location != onnx.TensorProto.DEFAULT or proto.external_data or proto.HasField("segment"):
        raise TensorFormatError("values lie outside the file; goldens hold them as raw_data")
    if (
        proto.float_data
        or proto.double_data
        or proto.int64_data
        or proto.int32_data
        or proto.uint64_data
        or proto.string_data
    ):
        raise TensorFormatError("values are stored as a typed list; goldens hold them as raw_data")
    dtype = _NUMPY[proto.data_type]
    count = 1
    for dim in proto.dims:
        if dim < 0:
            raise TensorFormatError(f"dims are {list(proto.dims)}; a dim is at least 0")
        count *= dim
    if len(proto.raw_data) != count * dtype.itemsize:
        raise TensorFormatError(
            f"dims {list(proto.dims)} need {count * dtype.itemsize} bytes of raw_data, found {len(proto.raw_data)}"
        )
    return proto.name, np.frombuffer(proto.raw_data, dtype=dtype).reshape(tuple(proto.dims))
