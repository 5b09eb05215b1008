"""External weights: large initialisers in one page-aligned file, so that a reader can map it instead of copying it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from twinrank.export.bundle._manifest import MODEL_DATA

EXTERNAL_ABOVE = 16 * 2**20
PAGE = 4096
"""Large initialisers begin at multiples of it."""
# Smaller ones gain nothing from a page of their own.
_LARGE = 64 * 2**10
_CHUNK = 2**20

Weights = Mapping[str, NDArray[Any]]
"""Initialisers that are not in the protobuf: name to values."""


@dataclass(frozen=True, slots=True)
class StreamedFile:
    """The content of a file that is too large to be one bytes object: it is given in chunks, as often as asked.

    Two are equal when their bytes are. The arrays behind it are referred to, not copied, and must not change; whoever
    writes the chunks can tell by the digest.

    Attributes:
        size: in bytes.
        sha256: over all of it, lower-case hex.
    """

    size: int
    sha256: str
    _pieces: tuple[memoryview, ...] = field(compare=False, repr=False)

    @staticmethod
    def of(pieces: Iterable[bytes | NDArray[Any]]) -> StreamedFile:
        """The content that the pieces give one after another; reads each of them once, for the digest.

        Args:
            pieces: bytes, or C-contiguous arrays, which are taken in this machine's (little-endian) byte order.
        """
        views = tuple(_bytes_of(piece) for piece in pieces)
        digest = hashlib.sha256()
        for view in views:
            digest.update(view)
        return StreamedFile(sum(view.nbytes for view in views), digest.hexdigest(), views)

    def chunks(self) -> Iterator[memoryview]:
        """The bytes in order, at most 1 MiB at a time, without a copy."""
        for view in self._pieces:
            for start in range(0, view.nbytes, _CHUNK):
                yield view[start : start + _CHUNK]


Content = bytes | StreamedFile
"""What one file of a bundle holds."""


def content_facts(content: Content) -> tuple[str, int]:
    """SHA-256 in lower-case hex, and the size in bytes."""
    if isinstance(content, StreamedFile):
        return content.sha256, content.size
    return hashlib.sha256(content).hexdigest(), len(content)


def weight_stub(name: str, values: NDArray[Any], offset: int = 0) -> onnx.TensorProto:
    """An initialiser whose values are kept elsewhere: external data at ``offset`` of model.onnx.data.

    ``external_weights`` decides the offset anew; until then it says where the file that an export measures with has
    the values.
    """
    stub = onnx.TensorProto(name=name, dims=values.shape, data_type=helper.np_dtype_to_tensor_dtype(values.dtype))
    _refer(stub, offset, values.nbytes)
    return stub


def is_stub(tensor: onnx.TensorProto) -> bool:
    """Whether an initialiser's values are not in the protobuf."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def external_weights(model: onnx.ModelProto, weights: Weights) -> tuple[bytes, StreamedFile | None]:
    """The model's bytes and model.onnx.data; None while all initialisers together stay within 16 MiB.

    Each initialiser of at least 64 KiB then starts at a multiple of 4,096 bytes, in the order of the graph. Which of
    them came outside the protobuf does not show: the same values give the same bytes.

    Args:
        model: the graph; an initialiser with external data is a stub for what ``weights`` holds under its name.
        weights: the values of exactly the stubs.

    Raises:
        ValueError: if a stub has no values, values have no stub, or the two differ in shape or type; if the graph
            without them is 2 GiB or more.
    """
    _check(model, weights)
    slim = onnx.ModelProto()
    slim.CopyFrom(model)
    sizes = [weights[t.name].nbytes if is_stub(t) else len(t.raw_data) for t in slim.graph.initializer]
    if sum(sizes) <= EXTERNAL_ABOVE:
        for tensor in slim.graph.initializer:
            if is_stub(tensor):
                tensor.ClearField("data_location")
                del tensor.external_data[:]
                tensor.raw_data = weights[tensor.name].tobytes()
        return _serialised(slim), None
    pieces: list[bytes | NDArray[Any]] = []
    offset = 0
    for tensor, size in zip(slim.graph.initializer, sizes, strict=True):
        if size < _LARGE and not is_stub(tensor):
            continue
        gap = -offset % PAGE
        pieces += [bytes(gap), weights[tensor.name] if is_stub(tensor) else tensor.raw_data]
        offset += gap
        tensor.ClearField("raw_data")
        _refer(tensor, offset, size)
        offset += size
    return _serialised(slim), StreamedFile.of(pieces)


def _check(model: onnx.ModelProto, weights: Weights) -> None:
    stubs = {tensor.name: tensor for tensor in model.graph.initializer if is_stub(tensor)}
    if set(stubs) != set(weights):
        raise ValueError(
            f"values are given for {sorted(weights)}, the graph keeps those of {sorted(stubs)} outside; "
            "give exactly these"
        )
    for name, stub in stubs.items():
        given = weights[name]
        expected = helper.tensor_dtype_to_np_dtype(stub.data_type)
        if given.dtype != expected or given.shape != tuple(stub.dims):
            raise ValueError(
                f"initialiser {name!r} is {expected} {list(stub.dims)}, its values are {given.dtype} "
                f"{list(given.shape)}; give the values that the graph declares"
            )


def _refer(tensor: onnx.TensorProto, offset: int, length: int) -> None:
    del tensor.external_data[:]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", MODEL_DATA), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)


def _serialised(model: onnx.ModelProto) -> bytes:
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except Exception as e:  # protobuf's EncodeError has another home in every implementation
        raise ValueError(
            f"the graph without its external weights is {model.ByteSize()} bytes, protobuf allows 2 GiB - 1; "
            "hash large vocabularies into buckets instead"
        ) from e


def _bytes_of(piece: bytes | NDArray[Any]) -> memoryview:
    if isinstance(piece, bytes):
        return memoryview(piece)
    if not piece.flags.c_contiguous or piece.dtype.newbyteorder("=") != piece.dtype or sys.byteorder != "little":
        raise ValueError(f"an array of {piece.dtype} with strides {piece.strides} is not stored as it lies in memory")
    return piece.reshape(-1).view(np.uint8).data.toreadonly()
