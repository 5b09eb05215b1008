"""What depends on weights alone: computed once, at export, by the runtime that would compute it at every load."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import onnx
from onnx import numpy_helper

from twinrank.export.bundle import Runner, SessionSettings, is_stub
from twinrank.export.graph._compose import reads
from twinrank.export.graph.rewrites._rewrite import Applied, Editor
from twinrank.export.graph.rewrites._view import View, attribute

# A constant may grow by this much: an Expand or a Range is cheaper than the file that would hold what it gives.
_GROWTH = 4096
# Elements; two equal axes or scalars may stay two.
_WORTH_SHARING = 64
# A shape of its own stays symbolic for the shape inference; a quantised table stays small.
_LEFT = frozenset(["Constant", "ConstantOfShape", "DequantizeLinear", "Identity", "Range"])


class FoldConstants:
    """Evaluates nodes whose inputs are all constants; bit for bit what they give in the graph.

    The values come from ONNX Runtime under the bundle's own session options. Equal initialisers become one.
    """

    name = "fold_constants"
    exact = True

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        """Edits the graph in place; see `Rewrite` for what it promises."""
        return [*self._evaluate(model, view), *self._unite(model)]

    def _evaluate(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        known: set[str] = set()
        chosen = []
        for node in view.nodes:
            inputs = [name for name in node.input if name]
            fixed = all(name in known or view.constant(name) is not None for name in inputs)
            captures = reads(node) != set(inputs)
            if inputs and fixed and not captures and node.op_type not in _LEFT and not view.outputs & set(node.output):
                chosen.append(node)
                known.update(name for name in node.output if name)
        if not chosen:
            return []
        values = _values(model, chosen, view)
        done = []
        for node in chosen:
            results = [values[name] for name in node.output if name]
            given = sum(_size(values, view, name) for name in node.input if name)
            if sum(value.nbytes for value in results) > given + _GROWTH:
                continue
            shapes = ", ".join(str(list(value.shape)) for value in results)
            done.append(Applied(self.name, node.name, f"{node.op_type} of constants is a constant of shape {shapes}"))
            for name, value in zip((name for name in node.output if name), results, strict=True):
                model.graph.initializer.append(numpy_helper.from_array(value, name))
            gone = next(i for i, other in enumerate(model.graph.node) if other.output == node.output)
            del model.graph.node[gone]
        return done

    def _unite(self, model: onnx.ModelProto) -> list[Applied]:
        first: dict[tuple[int, tuple[int, ...], str], str] = {}
        renamed: dict[str, str] = {}
        for tensor in model.graph.initializer:
            if is_stub(tensor) or math.prod(tensor.dims) < _WORTH_SHARING:
                continue
            content = numpy_helper.to_array(tensor).tobytes()
            key = (tensor.data_type, tuple(tensor.dims), hashlib.sha256(content).hexdigest())
            kept = first.setdefault(key, tensor.name)
            if kept != tensor.name:
                renamed[tensor.name] = kept
        captured = {name for node in model.graph.node for name in reads(node) - set(node.input)}
        done = {}
        for node in model.graph.node:
            for position, name in enumerate(node.input):
                if name in renamed and name not in captured:
                    node.input[position] = renamed[name]
                    done[name] = Applied(self.name, node.name, f"reads {renamed[name]}, which equals {name}")
        return list(done.values())


class FoldBatchNorm:
    """Multiplies a batch normalisation with fixed statistics into the linear layer before it.

    Exact in real numbers, with other roundings: scale s = gamma / sqrt(variance + epsilon) goes into the weights'
    columns, and the shift beta - mean * s into the bias (Ioffe and Szegedy, "Batch normalization", ICML 2015, section
    3.1).
    """

    name = "fold_batch_norm"
    exact = False

    def apply(self, model: onnx.ModelProto, view: View) -> list[Applied]:
        """Edits the graph in place; see `Rewrite` for what it promises."""
        done = []
        edit = Editor(model)
        for node in view.nodes:
            folded = self._folded(node, view, edit)
            if folded is not None:
                edit.replace(node, [folded])
                done.append(Applied(self.name, node.name, "batch normalisation in the weights of the layer before it"))
        return done

    def _folded(self, node: onnx.NodeProto, view: View, edit: Editor) -> onnx.NodeProto | None:
        if node.op_type != "BatchNormalization" or attribute(node, "training_mode", 0):
            return None
        layer = view.producer(node.input[0])
        if layer is None or layer.op_type != "Gemm" or len(view.consumers(node.input[0])) != 1:
            return None
        if node.input[0] in view.outputs or attribute(layer, "transA", 0) or attribute(layer, "beta", 1.0) != 1.0:
            return None
        weight = view.weight(layer.input[1])
        has_bias = len(layer.input) > 2 and layer.input[2]
        bias = view.constant(layer.input[2]) if has_bias else np.zeros(1, np.float32)
        statistics = [view.constant(name) for name in node.input[1:5]]
        if weight is None or bias is None or any(value is None for value in statistics):
            return None
        kind = weight.dtype
        gamma, beta, mean, variance = (value.astype(np.float64) for value in statistics if value is not None)
        scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        if (bias.ndim > 1 and bias.shape[0] != 1) or not np.isfinite(scale).all():
            return None
        columns = attribute(layer, "alpha", 1.0) * (weight.T if attribute(layer, "transB", 0) else weight)
        moved = (bias.astype(np.float64) - mean) * scale + beta
        inputs = [
            layer.input[0],
            edit.constant(columns.astype(np.float64) * scale, kind),
            edit.constant(moved.reshape(-1), kind),
        ]
        return edit.node("Gemm", inputs, node.output[0])


def _values(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], view: View
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """What ONNX Runtime computes for nodes of constants, each exactly as the whole graph would."""
    graph = onnx.GraphProto(name="constants")
    wanted = [name for node in nodes for name in node.output if name]
    needed = {name for node in nodes for name in node.input} - set(wanted)
    found = {name: view.constant(name) for name in sorted(needed) if name}
    arrays = {name: value for name, value in found.items() if value is not None}
    # As initialisers: the runtime then folds them as it would fold them in the whole graph, with the same kernels.
    for name, value in arrays.items():
        graph.initializer.append(numpy_helper.from_array(value, name))
    graph.node.extend(nodes)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    made = onnx.ModelProto(ir_version=model.ir_version, graph=graph)
    made.opset_import.extend(model.opset_import)
    runner = Runner(made.SerializeToString(deterministic=True), SessionSettings())
    return dict(zip(runner.outputs, runner.run({}), strict=True)) | arrays


def _size(values: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]], view: View, name: str) -> int:
    value = values.get(name)
    if value is not None:
        return value.nbytes
    constant = view.constant(name)
    return 0 if constant is None else math.prod(constant.shape) * constant.itemsize
