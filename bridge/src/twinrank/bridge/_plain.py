"""Any ONNX file in this process's ONNX Runtime, with intermediate values as further outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twinrank.export.bundle import SessionSettings, session_options

Array = npt.NDArray[Any]


class PlainModelError(Exception):
    """A graph that the runtime refuses to open, or to run on the given inputs; the message is the runtime's."""


@dataclass(frozen=True)
class Value:
    """An input or output of an opened graph.

    Attributes:
        name: its name.
        type: ONNX Runtime's word for its type, for example `tensor(float)` or `seq(tensor(int64))`.
        shape: its axes; None where one varies.
    """

    name: str
    type: str
    shape: tuple[int | None, ...]


class PlainModel:
    """An ONNX file that need not be a bundle's, opened under given session options. Thread-safe.

    Attributes:
        inputs: the graph's inputs in order.
        outputs: the graph's outputs in order, then the taps.
    """

    def __init__(
        self, model: Path, settings: SessionSettings, taps: Sequence[str] = (), *, beside: Path | None = None
    ) -> None:
        """Open a file.

        Args:
            model: the file.
            settings: the session options.
            taps: names of values to return beside the graph's outputs; what is an output already stays one.
            beside: the folder of external data; None: the file's own.

        Raises:
            OSError: if the file cannot be read.
            PlainModelError: if the runtime refuses it.
        """
        import onnxruntime

        raw = model.read_bytes()
        options = session_options(settings)
        folder = str((beside or model.parent).resolve())
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        try:
            self._session = onnxruntime.InferenceSession(tapped(raw, taps), options, ["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises many types, none of them documented
            raise PlainModelError(_first_line(error)) from error
        self.inputs = tuple(_value(found) for found in self._session.get_inputs())
        self.outputs = tuple(_value(found) for found in self._session.get_outputs())

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Any]:
        """Return every output and tap by name: an array, or what the runtime makes of sequences, maps and optionals.

        Raises:
            PlainModelError: if the runtime fails.
        """
        names = [value.name for value in self.outputs]
        try:
            values = self._session.run(names, dict(inputs))
        except Exception as error:  # the runtime raises many types, none of them documented
            raise PlainModelError(_first_line(error)) from error
        # A scalar may come as a number of numpy, which is no array.
        return {
            name: np.asarray(value) if isinstance(value, np.generic) else value
            for name, value in zip(names, values, strict=True)
        }


def tapped(model: bytes, taps: Sequence[str]) -> bytes:
    """Return a model with further outputs.

    Messages that are concatenated are merged, so a second ModelProto that holds nothing but the names is appended,
    and not one byte of the model changes.

    Raises:
        PlainModelError: if the bytes are no ONNX model.
    """
    if not taps:
        return model
    import onnx

    try:
        there = {value.name for value in onnx.ModelProto.FromString(model).graph.output}
    except Exception as error:  # protobuf's own, of a package without types
        raise PlainModelError(f"is no ONNX model: {error}") from error
    more = onnx.ModelProto()
    more.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(taps) if name not in there)
    return model + bytes(more.SerializeToString(deterministic=True))


def _value(found: Any) -> Value:
    return Value(found.name, found.type, tuple(axis if isinstance(axis, int) else None for axis in found.shape))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
