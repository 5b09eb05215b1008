"""The host class: a digest of what this machine's kernels compute."""

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources

from twinrank.export.bundle._bits import FloatArray, canonical_bits
from twinrank.export.bundle._manifest import SessionSettings
from twinrank.export.bundle._session import Runner
from twinrank.export.bundle._tensors import tensor_from_bytes


def outputs_digest(outputs: Iterable[tuple[str, FloatArray]]) -> str:
    """SHA-256 in hex over named outputs: for each its name, a zero byte and its canonical little-endian bits."""
    digest = hashlib.sha256()
    for name, values in outputs:
        bits = canonical_bits(values)
        digest.update(name.encode("utf-8") + b"\0")
        digest.update(bits.astype(bits.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


@cache
def host_class() -> str:
    """This machine's host class under this process's ONNX Runtime, 64 hex digits. Runs once a process, about 20 ms."""
    data = resources.files("twinrank.export.bundle").joinpath("_data")
    name, values = tensor_from_bytes(data.joinpath("canary_input_0.pb").read_bytes())
    runner = Runner(data.joinpath("canary.onnx").read_bytes(), SessionSettings())
    return outputs_digest(zip(runner.outputs, runner.run({name: values}), strict=True))
