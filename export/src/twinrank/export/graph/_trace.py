"""The back half: a torch module traced to ONNX with a dynamic candidate axis. The only place that calls torch.onnx."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import torch
from numpy.typing import NDArray

from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._frames import their_frame
from twinrank.export.graph._tables import Tables
from twinrank.training.transforms import EncodedSpec

OPSET = 20
# A size that is no dimension of a usual model and no special case (0 and 1 are baked in) of the tracer.
TRACED_CANDIDATES = 7

Tensors = Mapping[str, NDArray[np.generic]]


class _Positional(torch.nn.Module):
    """The module behind positional arguments and a tuple: what the tracer can name."""

    def __init__(self, module: torch.nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.module = module
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.module(**dict(zip(self._inputs, tensors, strict=True)))
        return tuple(found[name] for name in self._outputs)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread and without gradients: its sums then do not depend on the machine's load or cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def run_module(module: torch.nn.Module, encoded: Tensors, outputs: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """The module's outputs for encoded tensors, by name and in the order of ``outputs``, each float32 [n].

    Raises:
        ExportError: ``outputs_differ_from_heads``.
    """
    found = module(**{name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in encoded.items()})
    if not isinstance(found, dict) or list(found) != list(outputs):
        given = list(found) if isinstance(found, dict) else type(found).__name__
        raise ExportError(
            "outputs_differ_from_heads",
            f"the module returns {given}, the run's heads and score are {list(outputs)}",
            "Return a dict in the order of the heads, the score last",
        )
    for name, values in found.items():
        if values.dtype != torch.float32 or values.ndim != 1:
            raise ExportError(
                "outputs_differ_from_heads",
                f"output {name!r} is {values.dtype} {list(values.shape)}",
                "Return float32 of shape [n], one value a candidate",
            )
    return {name: values.numpy() for name, values in found.items()}


def trace(
    module: torch.nn.Module,
    specs: Sequence[EncodedSpec],
    example: Tensors,
    outputs: Sequence[str],
    tables: Tables | None = None,
) -> onnx.ModelProto:
    """The module as ONNX: ``encoded.<name>`` in the order of the tensors, to ``output.<name>`` in that of the outputs.

    The tracer names values after operators (``add``, ``cat``) without looking at what inputs and outputs are called;
    none of its names holds a dot.

    Args:
        module: in eval mode.
        specs: the encoded tensors, in the order of the inputs.
        example: a real slate of ``TRACED_CANDIDATES`` candidates, encoded.
        outputs: the heads, the score last.
        tables: keeps large weights outside; None puts them into the graph, which protobuf limits to 2 GiB.

    Raises:
        ExportError: ``shape_baked_in`` if the tracer fixed the candidate axis.
    """
    names = [spec.name for spec in specs]
    axis = torch.export.Dim("n", min=2)
    shapes = tuple({0: axis} if spec.placement == "candidate" else None for spec in specs)
    arguments = tuple(torch.from_numpy(np.ascontiguousarray(example[name])) for name in names)
    wrapped = _Positional(module, names, outputs).eval()
    try:
        with _quiet(), one_thread():
            program = torch.onnx.export(
                wrapped,
                arguments,
                dynamo=True,
                dynamic_shapes=(shapes,),
                input_names=[f"encoded.{name}" for name in names],
                output_names=[f"output.{name}" for name in outputs],
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as e:
        cause = _last_cause(e)
        if "data-dependent" in cause:
            finding = Finding(
                "data_dependent",
                _place(e),
                f"the module takes another path for other values, and only one can be traced: {cause}",
                "Replace `if tensor:`, item() and the like by torch.where or a mask",
            )
            raise ExportError.of((finding,)) from e
        raise ExportError(
            "shape_baked_in",
            f"the module cannot be traced with a free number of candidates: {cause}",
            "Keep sizes symbolic: x.shape[0] and not len(x), no int(), item() or Python branch on n",
        ) from e
    if program is None:
        raise ExportError("shape_baked_in", "the tracer returned no program", "Report it with the module")
    if tables is not None:
        _keep_outside(program.model, tables)
    model = program.model_proto
    for value, spec in zip(model.graph.input, specs, strict=True):
        leading = value.type.tensor_type.shape.dim[0]
        if (spec.placement == "candidate") != leading.HasField("dim_param"):
            raise ExportError(
                "shape_baked_in",
                f"input {value.name!r} was traced with a leading axis of {leading.dim_param or leading.dim_value!r}",
                "Keep sizes symbolic: x.shape[0] and not len(x), no int(), item() or Python branch on n",
            )
    return model


def _keep_outside(model: onnx_ir.Model, tables: Tables) -> None:
    """Replaces large weights by stubs before the program becomes a protobuf; until then it refers to the module's."""
    for name, value in model.graph.initializers.items():
        held = value.const_value
        if held is not None and tables.takes(held.dtype.numpy(), held.nbytes):
            value.const_value = onnx_ir.serde.deserialize_tensor(tables.keep(name, held.numpy()))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing printed, warned or logged: the exporter tells its progress, and of a failure its whole graph."""
    before = logging.root.manager.disable
    # Its loggers have handlers and levels of their own, and there are dozens.
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _place(error: BaseException) -> str:
    """The line of the model's own code that an error comes from, as file:line; empty if there is none."""
    frame = their_frame(error)
    return f"{Path(frame.filename).name}:{frame.lineno}, in {frame.name}" if frame is not None else ""


def _last_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
