"""External weights: large initialisers in one page-aligned file, so that a reader can map it instead of copying it."""

import onnx

from twinrank.export.bundle._manifest import MODEL_DATA

EXTERNAL_ABOVE = 16 * 2**20
_PAGE = 4096
# Smaller ones gain nothing from a page of their own.
_LARGE = 64 * 2**10


def external_weights(model: onnx.ModelProto) -> tuple[bytes, bytes | None]:
    """The model's bytes and those of model.onnx.data; None while all initialisers together stay within 16 MiB.

    Each initialiser of at least 64 KiB starts at a multiple of 4,096 bytes. The same model gives the same bytes.
    """
    if sum(len(tensor.raw_data) for tensor in model.graph.initializer) <= EXTERNAL_ABOVE:
        return model.SerializeToString(deterministic=True), None
    slim = onnx.ModelProto()
    slim.CopyFrom(model)
    data = bytearray()
    for tensor in slim.graph.initializer:
        if len(tensor.raw_data) < _LARGE:
            continue
        data.extend(bytes(-len(data) % _PAGE))
        entries = (("location", MODEL_DATA), ("offset", str(len(data))), ("length", str(len(tensor.raw_data))))
        data.extend(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in entries:
            tensor.external_data.add(key=key, value=value)
    return slim.SerializeToString(deterministic=True), bytes(data)
