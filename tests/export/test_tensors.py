"""Golden tensors: written in one way, read only as written."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from twinrank.export.bundle import TensorFormatError, tensor_from_bytes, tensor_to_bytes


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(0,), (1, 3), (2, 0, 4), (2, 3, 4)])
def test_tensors_come_back_and_onnx_reads_them(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)
    raw = tensor_to_bytes(array, "context.i64")
    name, values = tensor_from_bytes(raw)
    assert (name, values.dtype, values.shape) == ("context.i64", array.dtype, array.shape)
    assert values.tobytes() == array.tobytes()
    other = numpy_helper.to_array(onnx.load_tensor_from_string(raw))
    assert other.tobytes() == array.tobytes()
    assert tensor_to_bytes(array, "context.i64") == raw


def test_bits_of_nan_and_zeros_survive() -> None:
    array = np.array([0x7F800001, 0x80000000, 0xFFC12345], np.uint32).view(np.float32)
    assert tensor_from_bytes(tensor_to_bytes(array, "x"))[1].tobytes() == array.tobytes()


def test_views_are_written_as_their_values() -> None:
    array = np.arange(12, dtype=np.int64).reshape(3, 4).T
    assert (tensor_from_bytes(tensor_to_bytes(array, "x"))[1] == array).all()


def test_other_dtypes_are_not_written() -> None:
    with pytest.raises(TypeError, match="int32"):
        tensor_to_bytes(np.zeros(1, np.int32), "x")


@pytest.mark.parametrize(
    ("proto", "why"),
    [
        (TensorProto(data_type=TensorProto.INT32, dims=[1], raw_data=bytes(4)), "data_type is 6"),
        (TensorProto(data_type=TensorProto.FLOAT, dims=[1], float_data=[1.0]), "field 4"),
        (TensorProto(data_type=TensorProto.FLOAT, dims=[2], raw_data=bytes(4)), "need 8 bytes"),
        (TensorProto(data_type=TensorProto.FLOAT, dims=[-1], raw_data=b""), "negative or too large"),
        (TensorProto(data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL), "field 14"),
        (TensorProto(data_type=TensorProto.FLOAT, dims=[2**62, 4], raw_data=b""), "too large"),
    ],
)
def test_tensors_stored_otherwise_are_refused(proto: TensorProto, why: str) -> None:
    with pytest.raises(TensorFormatError, match=why):
        tensor_from_bytes(proto.SerializeToString())


def test_garbage_is_refused() -> None:
    with pytest.raises(TensorFormatError, match="not a TensorProto"):
        tensor_from_bytes(b"\xff\xff\xff\xff garbage")


def test_dims_may_be_packed_and_twice_is_once_too_often() -> None:
    raw = tensor_to_bytes(np.arange(6, dtype=np.float32).reshape(2, 3), "x")
    assert raw.startswith(b"\x08\x02\x08\x03\x10\x01")
    packed = b"\x0a\x02\x02\x03" + raw[4:]
    assert tensor_from_bytes(packed)[1].tolist() == [[0, 1, 2], [3, 4, 5]]
    for again in (b"\x10\x01", b"\x42\x01x", b"\x4a\x00", b"\x62\x00\x62\x00"):
        with pytest.raises(TensorFormatError, match="twice"):
            tensor_from_bytes(raw + again)
