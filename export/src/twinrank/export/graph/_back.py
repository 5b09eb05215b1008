"""The back half of an export: what it is made from, as a graph and as the reference that the graph must meet."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from twinrank.export.bundle import FloatArray, ReferenceSource
from twinrank.export.graph._errors import Finding
from twinrank.export.graph._frames import theirs
from twinrank.export.graph._prepared import exportable, training_parts
from twinrank.export.graph._tables import Tables
from twinrank.export.graph._trace import one_thread, run_module, trace
from twinrank.training.transforms import EncodedSpec

Tensors = Mapping[str, NDArray[np.generic]]
Part = tuple[str, bytes | memoryview]
FloatName = Literal["float32", "float64"]


# Where a module keeps what named_parameters, named_buffers and named_modules list already.
_REGISTERED = frozenset(["_parameters", "_buffers", "_modules"])


class Back(Protocol):
    """Encoded tensors to heads and score, from a torch module, an ONNX file or a model of trees."""

    @property
    def kind(self) -> ReferenceSource:
        """What the graph is compared with."""

    def dtype_of(self, output: str) -> FloatName:
        """Of an output."""

    @property
    def exact(self) -> frozenset[str]:
        """The outputs that must equal the reference in every bit."""

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know, a line each."""

    def findings(self) -> list[Finding]:
        """What speaks against it before it is a graph."""

    def graph(
        self, specs: Sequence[EncodedSpec], example: Tensors, outputs: Sequence[str], tables: Tables | None
    ) -> onnx.ModelProto:
        """The half graph, its inputs in the order of ``specs``, its outputs in the given order.

        Args:
            specs: the encoded tensors, in the order of the inputs.
            example: a real slate, encoded.
            outputs: the heads, the score last.
            tables: keeps large weights outside.
        """

    def run(
        self, encoded: Tensors, outputs: Sequence[str], found: Mapping[str, FloatArray] | None = None
    ) -> dict[str, FloatArray]:
        """The reference: outputs for encoded tensors, each [n].

        Args:
            encoded: by name.
            outputs: the heads, the score last.
            found: what the graph gave for them; trees over a network's outputs are asked about these.
        """

    def parts(self) -> Iterator[Part]:
        """Everything that decides the bytes of a bundle, by name."""


class TorchBack:
    """A torch module in eval mode: `forward(**encoded)` returns float32 [n] by head, the score last.

    Args:
        module: not to be changed while it is exported.
        code: packages whose classes need not be named one by one, because the export's own digest covers them.
        notes: see `Back`.
        files: more that decides what the module computes, by name.
        ranges: the ids that it is given, for the message if one is beyond an embedding.
    """

    kind: Literal["torch"] = "torch"
    exact: frozenset[str] = frozenset()

    def __init__(
        self,
        module: torch.nn.Module,
        code: Sequence[str] = (),
        notes: Sequence[str] = (),
        files: Sequence[Part] = (),
        ranges: str = "",
    ) -> None:
        self._ranges = ranges
        self.module = module
        self._files = tuple(files)
        self.notes = tuple(notes)
        self._code = tuple(code)

    def with_module(self, module: torch.nn.Module) -> TorchBack:
        """The same with another module."""
        return TorchBack(module, self._code, self.notes, self._files, self._ranges)

    def findings(self) -> list[Finding]:
        """``training_mode``."""
        return training_parts(self.module)

    def graph(
        self, specs: Sequence[EncodedSpec], example: Tensors, outputs: Sequence[str], tables: Tables | None
    ) -> onnx.ModelProto:
        """The traced module."""
        with exportable(self.module):
            return trace(self.module, specs, example, outputs, tables)

    def dtype_of(self, output: str) -> FloatName:
        """Float32."""
        del output
        return "float32"

    def run(
        self, encoded: Tensors, outputs: Sequence[str], found: Mapping[str, FloatArray] | None = None
    ) -> dict[str, FloatArray]:
        """The module's outputs, computed by one thread and without gradients.

        Raises:
            ExportError: ``module_failed`` for an error of the module's code, ``outputs_differ_from_heads``.
        """
        del found
        with one_thread(), theirs("calling forward()", self._ranges):
            return dict(run_module(self.module, encoded, outputs))

    def parts(self) -> Iterator[Part]:
        """Settings, weights and buffers, and the source text of every class that neither torch nor twinrank has."""
        # Arguments that are no weights (a score's weights, say) show in no other part.
        settings = [(name, type(part).__qualname__, repr(_plain(part))) for name, part in self.module.named_modules()]
        yield "module", json.dumps(settings).encode()
        tensors = dict(self.module.state_dict())
        # Buffers that are not persistent are in no state_dict, and in the graph all the same.
        tensors.update((name, value) for name, value in self.module.named_buffers() if name not in tensors)
        for name, part in self.module.named_modules():
            tensors.update(_loose(f"{name}.", vars(part)))
        for name, tensor in sorted(tensors.items()):
            # A view: a table may be half of this machine's memory.
            content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            yield f"weight {name} {tensor.dtype} {list(tensor.shape)}", content
        known = ("torch.", *self._code)
        foreign = {type(part) for part in self.module.modules() if not type(part).__module__.startswith(known)}
        for kind in sorted(foreign, key=lambda found: (found.__module__, found.__qualname__)):
            yield f"class {kind.__qualname__}", _text_of(kind)
        yield from self._files


def _loose(where: str, value: object) -> Iterator[tuple[str, torch.Tensor]]:
    """Tensors and arrays that a module holds as plain attributes or in containers: constants of its graph, too."""
    if isinstance(value, torch.Tensor):
        yield f"{where} (attribute)", value
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        yield f"{where} (array)", torch.from_numpy(np.ascontiguousarray(value))
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key not in _REGISTERED:
                yield from _loose(f"{where}{key}.", entry)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _loose(f"{where}{index}.", entry)


def _text_of(kind: type) -> bytes:
    """The source text of a class, or the byte code of its functions where there is no text."""
    try:
        return inspect.getsource(kind).encode()
    except (OSError, TypeError):
        codes = [
            getattr(member, "__code__", None) for _, member in sorted(vars(kind).items(), key=lambda item: item[0])
        ]
        return b"".join(code.co_code + repr(code.co_names).encode() for code in codes if code is not None)


def _plain(part: torch.nn.Module) -> list[tuple[str, object]]:
    """A module's own settings: numbers, words and containers of such."""
    return sorted((key, value) for key, value in vars(part).items() if _is_plain(value))


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(_is_plain(item) for pair in value.items() for item in pair)
    return value is None or isinstance(value, bool | int | float | str)
