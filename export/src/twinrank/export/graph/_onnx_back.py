"""An existing ONNX file as a source: its inputs met by name, its opset raised, its numbers the reference."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.inliner import inline_local_functions

from twinrank.export.bundle import FloatArray, SessionSettings, session_options
from twinrank.export.graph._back import FloatName, Part
from twinrank.export.graph._compose import SCORE, all_nodes, rename
from twinrank.export.graph._errors import ExportError, Finding
from twinrank.export.graph._tables import Tables
from twinrank.training.transforms import EncodedSpec

Tensors = Mapping[str, NDArray[np.generic]]

_OPSETS = (20, 23)
_IR = 10
_PREFIX = "file/"
_NUMBERS = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
# What holds every value of the encoded type: ids are rows of tables, and float32 is exact in float64.
_WIDER = {("int64", TensorProto.INT32): np.int32, ("float32", TensorProto.DOUBLE): np.float64}


class OnnxBack:
    """An ONNX file whose inputs are encoded tensors; candidates along the leading axis.

    A file that knows one batch axis only, and has its context inputs along it too, gets them repeated for every
    candidate inside the graph.

    Args:
        path: the file; its external data, if any, lie in its folder.
        specs: the encoded tensors that there are.
        heads: names for its outputs in order, the score last; needed unless it has one output, or they are so named.

    Raises:
        ExportError: ``graph_refused`` if it cannot be read, ``external_data_refused``, ``input_unknown``,
            ``shape_baked_in``, ``outputs_differ_from_heads``.
    """

    kind: Literal["onnx"] = "onnx"
    exact: frozenset[str] = frozenset()

    def __init__(self, path: Path, specs: Sequence[EncodedSpec], heads: Sequence[str] | None = None) -> None:
        self._model = _read(path)
        self._bytes = self._model.SerializeToString(deterministic=True)
        self._specs = tuple(specs)
        self._notes: list[str] = []
        constants = {tensor.name for tensor in self._model.graph.initializer}
        self._inputs = [value for value in self._model.graph.input if value.name not in constants]
        self._used = _match(self._inputs, self._specs)
        self._flat = self._is_flat()
        if self._flat:
            named = ", ".join(spec.name for spec in self._used if spec.placement == "context")
            self._notes.append(f"every input has a batch axis: {named} repeated for every candidate inside the graph")
        unused = [spec.name for spec in specs if spec not in self._used]
        if unused:
            self._notes.append(f"the file does not read {', '.join(unused)}")
        self.outputs = _outputs_of(self._model, heads)
        self._session: ort.InferenceSession | None = None

    @property
    def notes(self) -> Sequence[str]:
        """What was matched otherwise than one to one."""
        return tuple(self._notes)

    def findings(self) -> list[Finding]:
        """Nothing: the composed graph tells."""
        return []

    def graph(
        self, specs: Sequence[EncodedSpec], example: Tensors, outputs: Sequence[str], tables: Tables | None
    ) -> onnx.ModelProto:
        """The file's graph between the encoded names and the outputs, at an opset that a bundle may have."""
        del example
        model = _prefixed(_raised(_plain(self._model)))
        nodes: list[onnx.NodeProto] = []
        constants = {
            "adapter/one": np.array([1], np.int64),
            "adapter/flat": np.array([-1], np.int64),
            "adapter/zero": np.array([0], np.int64),
        }
        candidate = next(spec.name for spec in specs if spec.placement == "candidate")
        nodes.append(helper.make_node("Shape", [candidate], ["adapter/n"], start=0, end=1))
        by_name = {value.name: value for value in self._inputs}
        for spec in self._used:
            nodes += self._adapter(spec, by_name[spec.name], constants)
        nodes += model.graph.node
        for value, name in zip(self._model.graph.output, outputs, strict=True):
            nodes.append(helper.make_node("Reshape", [_PREFIX + value.name, "adapter/flat"], [name]))
        graph = helper.make_graph(
            nodes,
            "file",
            [
                helper.make_tensor_value_info(
                    spec.name, _NUMBERS[spec.dtype], ["n" if spec.placement == "candidate" else 1, *spec.shape[1:]]
                )
                for spec in specs
            ],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in outputs],
            [*(numpy_helper.from_array(value, name) for name, value in constants.items())],
        )
        for tensor in model.graph.initializer:
            if tables is not None and tensor.data_type != TensorProto.STRING:
                values = numpy_helper.to_array(tensor)
                if tables.takes(values.dtype, values.nbytes):
                    graph.initializer.append(tables.keep(tensor.name, values))
                    continue
            graph.initializer.append(tensor)
        graph.sparse_initializer.extend(model.graph.sparse_initializer)
        made = helper.make_model(graph, ir_version=_IR, producer_name="twinrank")
        del made.opset_import[:]
        # An inlined function leaves its domain behind.
        used = {"" if node.domain == "ai.onnx" else node.domain for node in all_nodes(model.graph)} | {""}
        made.opset_import.extend(entry for entry in model.opset_import if entry.domain in used)
        return made

    def dtype_of(self, output: str) -> FloatName:
        """Float32."""
        del output
        return "float32"

    def run(
        self, encoded: Tensors, outputs: Sequence[str], found: Mapping[str, FloatArray] | None = None
    ) -> dict[str, FloatArray]:
        """What ONNX Runtime gives for the file as it is, by one thread."""
        del found
        n = next(len(encoded[spec.name]) for spec in self._specs if spec.placement == "candidate")
        feeds = {}
        types = {value.name: value.type.tensor_type for value in self._inputs}
        for spec in self._used:
            array = encoded[spec.name]
            if self._flat and spec.placement == "context":
                array = np.repeat(array, n, axis=0)
            kind = types[spec.name]
            if len(kind.shape.dim) == array.ndim + 1:
                array = array[..., None]
            feeds[spec.name] = array.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type), copy=False)
        if self._session is None:
            options = session_options(SessionSettings())
            self._session = ort.InferenceSession(self._bytes, options, providers=["CPUExecutionProvider"])
        try:
            given = self._session.run([value.name for value in self._model.graph.output], feeds)
        except Exception as e:  # the runtime raises many types, none of them documented
            raise ExportError(
                "shape_baked_in",
                f"the file itself fails for {n} candidates: {e}",
                "Convert it with a free batch axis; all its inputs along it, or context inputs of one row",
            ) from e
        for name, values in zip(outputs, given, strict=True):
            if values.size != n:
                raise ExportError(
                    "outputs_differ_from_heads",
                    f"output {name!r} is {list(values.shape)} for {n} candidates",
                    "Give one value a candidate: [n] or [n, 1]",
                )
        return {name: values.reshape(-1) for name, values in zip(outputs, given, strict=True)}

    def parts(self) -> Iterator[Part]:
        """The file with its external data, and how its outputs are named."""
        yield "file", self._bytes
        yield "outputs", json.dumps(list(self.outputs)).encode()

    def _is_flat(self) -> bool:
        """Whether context inputs lie along the candidates' axis."""
        axes = {value.name: value.type.tensor_type.shape.dim[0] for value in self._inputs}
        candidates = {axes[spec.name].dim_param for spec in self._used if spec.placement == "candidate"}
        contexts = [axes[spec.name] for spec in self._used if spec.placement == "context"]
        return any(not dim.HasField("dim_value") and dim.dim_param in {*candidates, ""} for dim in contexts)

    def _adapter(
        self, spec: EncodedSpec, value: onnx.ValueInfoProto, constants: dict[str, NDArray[np.int64]]
    ) -> Iterator[onnx.NodeProto]:
        """From an encoded tensor to what the file reads."""
        source, target = spec.name, _PREFIX + spec.name
        kind = value.type.tensor_type
        step = f"adapter/{spec.name}"
        if self._flat and spec.placement == "context":
            shape = f"{step}/shape"
            ones = f"{step}/ones"
            constants[ones] = np.ones(len(spec.shape) - 1, np.int64)
            yield helper.make_node("Concat", ["adapter/n", ones], [shape], axis=0)
            yield helper.make_node("Expand", [source, shape], [f"{step}/repeated"])
            source = f"{step}/repeated"
        if len(kind.shape.dim) == len(spec.shape) + 1:
            axis = f"{step}/axis"
            constants[axis] = np.array([len(spec.shape)], np.int64)
            yield helper.make_node("Unsqueeze", [source, axis], [f"{step}/column"])
            source = f"{step}/column"
        if kind.elem_type != _NUMBERS[spec.dtype]:
            yield helper.make_node("Cast", [source], [target], to=kind.elem_type)
        else:
            yield helper.make_node("Identity", [source], [target])


def _read(path: Path) -> onnx.ModelProto:
    """The model with its external data, which must lie in its own folder.

    Raises:
        ExportError: ``graph_refused``, ``external_data_refused``.
    """
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (OSError, ValueError, RuntimeError) as e:
        raise ExportError("graph_refused", f"{path.name} cannot be read: {e}", "Give an ONNX file") from e
    except Exception as e:  # protobuf's own error class depends on its implementation
        raise ExportError("graph_refused", f"{path.name} is no ONNX file: {e}", "Give an ONNX file") from e
    folder = path.resolve().parent
    for tensor in _tensors(model.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = folder / location
        inside = location and not Path(location).is_absolute() and file.resolve().is_relative_to(folder)
        if not inside or file.is_symlink() or not file.is_file():
            raise ExportError(
                "external_data_refused",
                f"{path.name}: {tensor.name} lies in {location!r}, which is no regular file of its folder",
                "Put the model and its data into one folder, without links",
            )
    try:
        onnx.load_external_data_for_model(model, str(folder))
    except Exception as e:  # checks of the library's own, of many types
        raise ExportError("external_data_refused", f"{path.name}: {e}", "Convert it again") from e
    return model


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for entry in node.attribute:
            if entry.HasField("t"):
                yield entry.t
            yield from entry.tensors
            for inner in ([entry.g] if entry.HasField("g") else []) + list(entry.graphs):
                yield from _tensors(inner)


def _match(inputs: Sequence[onnx.ValueInfoProto], specs: Sequence[EncodedSpec]) -> list[EncodedSpec]:
    """The encoded tensors that the file reads, in the schema's order.

    Raises:
        ExportError: ``input_unknown`` or ``shape_baked_in``, all of them listed.
    """
    known = {spec.name: spec for spec in specs}
    found: list[Finding] = []
    for value in inputs:
        spec = known.get(value.name)
        if spec is None:
            near = difflib.get_close_matches(value.name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            found.append(
                Finding(
                    "input_unknown",
                    f"input {value.name!r}",
                    f"no transform of the schema makes it{hint}",
                    f"Name transforms as the file's inputs; there are {', '.join(known)}",
                )
            )
            continue
        found += _mismatch(value, spec)
    used = {value.name for value in inputs}
    if not any(spec.placement == "candidate" and spec.name in used for spec in specs):
        found.append(Finding("input_unknown", "", "the file reads nothing of the candidates", "Name its inputs so"))
    if found:
        raise ExportError.of(found)
    return [spec for spec in specs if spec.name in used]


def _mismatch(value: onnx.ValueInfoProto, spec: EncodedSpec) -> Iterator[Finding]:
    kind = value.type.tensor_type
    where = f"input {value.name!r}"
    if kind.elem_type != _NUMBERS[spec.dtype] and (spec.dtype, kind.elem_type) not in _WIDER:
        given = TensorProto.DataType.Name(kind.elem_type).lower()
        yield Finding("input_unknown", where, f"is {given}, its transform gives {spec.dtype}", "Use another transform")
    dims = list(kind.shape.dim)
    fixed = [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]
    rest = list(spec.shape[1:])
    if len(dims) not in (1 + len(rest), 2 + len(rest)):
        detail = f"has {len(dims)} axes, its transform gives {list(spec.shape)}"
        yield Finding("input_unknown", where, detail, "Convert it with those axes")
        return
    if fixed[0] is not None and (spec.placement == "candidate" or fixed[0] != 1):
        detail = f"has a leading axis of {fixed[0]}"
        yield Finding("shape_baked_in", where, detail, "Convert it with a free batch axis")
    # A column is a scalar with an axis of one behind it.
    for axis, (given, size) in enumerate(zip(fixed[1:], [*rest, 1], strict=False), start=1):
        if given is not None and given != size:
            detail = f"has {given} along axis {axis}, its transform gives {size}"
            yield Finding("input_unknown", where, detail, "Give the transform that length")


def _outputs_of(model: onnx.ModelProto, heads: Sequence[str] | None) -> tuple[str, ...]:
    given = [value.name for value in model.graph.output]
    names = tuple(heads) if heads else ((SCORE,) if len(given) == 1 else tuple(given))
    if len(names) != len(given) or names[-1] != SCORE or len(set(names)) < len(names):
        raise ExportError(
            "outputs_differ_from_heads",
            f"the file's outputs are {', '.join(given)}, and "
            + (f"--heads names {', '.join(heads)}" if heads else "no --heads was given"),
            f"The file has 1 output: --heads {SCORE}, or leave --heads out"
            if len(given) == 1
            else "Name all of them in order, the score last: --heads clicked,liked,score",
        )
    for value, name in zip(model.graph.output, names, strict=True):
        kind = value.type.tensor_type
        if kind.elem_type != TensorProto.FLOAT:
            shown = TensorProto.DataType.Name(kind.elem_type).lower()
            raise ExportError(
                "outputs_differ_from_heads", f"output {name!r} is {shown}", "Give float32, one value a candidate"
            )
    return names


def _plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without local functions, and without dropouts, which do nothing outside training."""
    plain = inline_local_functions(model) if model.functions else model
    made = onnx.ModelProto()
    made.CopyFrom(plain)
    constants = {tensor.name: tensor for tensor in made.graph.initializer}
    values = [value for value in made.graph.input if value.name not in constants]
    del made.graph.input[:]
    made.graph.input.extend(values)
    # Before that, every initialiser had to be an input too, and the converter insists.
    made.ir_version = max(made.ir_version, 4)
    for node in made.graph.node:
        if node.op_type == "Dropout" and node.domain in ("", "ai.onnx") and _is_off(node, constants):
            source, output = node.input[0], node.output[0]
            node.CopyFrom(helper.make_node("Identity", [source], [output], name=node.name))
    return made


def _prefixed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with other names for its values, so that none is an encoded tensor's or the adapter's.

    onnx's own add_prefix forgets what a branch captures from the graph around it.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    tensors = [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer), *graph.input]
    names = {tensor.name: _PREFIX + tensor.name for tensor in tensors}
    names |= {name: _PREFIX + name for node in graph.node for name in node.output if name}
    for tensor in (*tensors, *graph.output):
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.node:
        rename(node, names)
    return made


def _is_off(node: onnx.NodeProto, constants: Mapping[str, TensorProto]) -> bool:
    if any(node.output[1:]):
        return False
    if len(node.input) < 3 or not node.input[2]:
        return True
    training = constants.get(node.input[2])
    return training is not None and not numpy_helper.to_array(training).any()


def _raised(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model at an opset of 20 to 23."""
    for entry in model.opset_import:
        if entry.domain == "ai.onnx":
            entry.domain = ""
    version = next((entry.version for entry in model.opset_import if not entry.domain), 0)
    low, high = _OPSETS
    if low <= version <= high:
        return model
    target = low if version < low else high
    try:
        return onnx.version_converter.convert_version(model, target)
    except Exception as e:  # the converter's errors are RuntimeErrors of C++, and others
        raise ExportError(
            "graph_refused",
            f"the file has opset {version}, and onnx cannot convert it to {target}: {e}",
            f"Convert the model again with an opset of {low} to {high}",
        ) from e
