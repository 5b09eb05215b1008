"""Makes canary.onnx and input_0.pb, the probe of what a machine's kernels compute, and digest.json, a vector.

The graph holds one node of every kernel family whose bits are known to move between instruction sets or runtime
releases, at odd sizes so that vector bodies and scalar tails both run. Every node depends on the one input, so nothing
can be folded away at load. There are no expected outputs: what a machine answers *is* its host class. The numbers come
from splitmix64 in exact float32 steps, so the same files are made everywhere. ``--check`` compares instead of writing.
"""

import argparse
import hashlib
import json
import struct
import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[3] / "export/src/twinrank/export/bundle/_data"
LENGTH = 2999


def uniform(count: int, seed: int, scale: float = 1.0) -> NDArray[np.float32]:
    """float32 values in [-scale, scale), shape [count]: 20 bits of splitmix64 each, so every value is exact."""
    with np.errstate(over="ignore"):
        z = (np.arange(count, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(44)).astype(np.float64) / 2.0**19 - 1.0).astype(np.float32) * np.float32(scale)


class Canary:
    """Collects nodes, constants and outputs of the graph; each operand is a slice of the input ``x``."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self._seed = 100

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name: str, *shape: int, scale: float = 0.5) -> str:
        self._seed += 1
        return self.constant(name, uniform(int(np.prod(shape)), self._seed, scale).reshape(shape))

    def node(self, op: str, inputs: list[str], name: str, domain: str = "", **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def operand(self, name: str, start: int, *shape: int) -> str:
        """A runtime tensor: ``shape`` values of x from ``start`` on."""
        stop = start + int(np.prod(shape))
        if stop > LENGTH:
            raise SystemExit(f"{name} needs x[{start}:{stop}], x has {LENGTH} values")
        bounds = [
            self.constant(f"{name}.{end}", np.array([at], np.int64)) for end, at in (("start", start), ("stop", stop))
        ]
        flat = self.node("Slice", ["x", *bounds], f"{name}.flat")
        return self.node("Reshape", [flat, self.constant(f"{name}.shape", np.array(shape, np.int64))], name)

    def output(self, name: str, dtype: int = TensorProto.FLOAT, shape: list[int] | None = None) -> None:
        self.outputs.append(helper.make_tensor_value_info(name, dtype, shape))


def products(c: Canary) -> None:
    """Matrix products: constant (prepacked) and runtime weights, one row, one column, odd inner axes, batches."""
    for rows, inner, columns in ((1, 37, 29), (7, 67, 33), (33, 19, 1), (5, 131, 17), (64, 16, 16)):
        tag = f"{rows}x{inner}x{columns}"
        left = c.operand(f"left.{tag}", 3, rows, inner)
        c.output(c.node("MatMul", [left, c.weight(f"w.{tag}", inner, columns)], f"matmul.constant.{tag}"))
    gemm = [c.operand("gemm.in", 11, 5, 43), c.weight("gemm.w", 31, 43), c.weight("gemm.b", 31)]
    c.output(c.node("Gemm", gemm, "gemm.bias", transB=1))
    for rows, inner, columns in ((1, 37, 29), (7, 37, 13), (3, 41, 1)):
        tag = f"{rows}x{inner}x{columns}"
        operands = [c.operand(f"runtime.a.{tag}", 5, rows, inner), c.operand(f"runtime.b.{tag}", 401, inner, columns)]
        c.output(c.node("MatMul", operands, f"matmul.runtime.{tag}"))
    keys = c.node("Transpose", [c.operand("scores.k", 601, 11, 23)], "scores.kt", perm=[1, 0])
    c.output(c.node("MatMul", [c.operand("scores.q", 77, 9, 23), keys], "matmul.transposed"))
    for rows, columns in ((1, 23), (5, 7)):
        operands = [c.operand(f"batch.a.{rows}", 13, 3, rows, 19), c.operand(f"batch.b.{rows}", 1000, 3, 19, columns)]
        c.output(c.node("MatMul", operands, f"matmul.batched.{rows}"))
    wide = c.node("Cast", [c.operand("double.in", 17, 5, 19)], "double.cast", to=TensorProto.DOUBLE)
    weights = c.constant("double.w", uniform(19 * 7, 900, 0.5).reshape(19, 7).astype(np.float64) / 3.0)
    c.output(c.node("MatMul", [wide, weights], "matmul.double"), TensorProto.DOUBLE)


def reductions(c: Canary) -> None:
    """Normalisations and sums, over the last axis, a middle axis and everything."""
    c.output(c.node("Softmax", [c.operand("softmax.in", 31, 7, 37)], "softmax", axis=-1))
    c.output(c.node("LogSoftmax", [c.operand("logsoftmax.in", 33, 3, 41)], "logsoftmax", axis=-1))
    norm = [c.operand("layernorm.in", 41, 5, 43), c.weight("layernorm.w", 43), c.weight("layernorm.b", 43)]
    c.output(c.node("LayerNormalization", norm, "layernorm", axis=-1, epsilon=1e-5))
    for op in ("ReduceSum", "ReduceMean", "ReduceL2"):
        for tag, shape, axes in (
            ("last", (7, 61), [1]),
            ("middle", (3, 17, 19), [1]),
            ("first", (53, 5), [0]),
            ("all", (997,), [0]),
        ):
            operands = [
                c.operand(f"{op}.{tag}.in", 53, *shape),
                c.constant(f"{op}.{tag}.axes", np.array(axes, np.int64)),
            ]
            c.output(c.node(op, operands, f"{op}.{tag}", keepdims=0))
    wide = c.node("Cast", [c.operand("double.sum.in", 59, 7, 61)], "double.sum.cast", to=TensorProto.DOUBLE)
    c.output(
        c.node(
            "ReduceSum", [wide, c.constant("double.sum.axes", np.array([1], np.int64))], "ReduceSum.double", keepdims=0
        ),
        TensorProto.DOUBLE,
    )


def functions(c: Canary) -> None:
    """Elementwise functions on 261 values: full vectors and a tail of five."""
    signed = c.operand("signed", 201, 261)
    steep = c.node("Mul", [signed, c.constant("steep.by", np.array(7.25, np.float32))], "steep")
    positive = c.node("Abs", [c.operand("positive.in", 503, 261)], "positive")
    for op in (
        "Sigmoid",
        "Tanh",
        "Exp",
        "Erf",
        "Gelu",
        "Softplus",
        "Sin",
        "Cos",
        "Elu",
        "Selu",
        "Mish",
        "HardSwish",
        "Softsign",
        "Atan",
    ):
        c.output(c.node(op, [steep], f"{op}"))
    c.output(c.node("Gelu", [steep], "Gelu.tanh", approximate="tanh"))
    for op in ("Log", "Sqrt", "Reciprocal"):
        c.output(c.node(op, [positive], f"{op}"))
    c.output(c.node("Pow", [positive, c.constant("pow.by", np.array(2.5, np.float32))], "Pow"))
    c.output(c.node("Div", [signed, positive], "Div"))
    wide = c.node("Cast", [positive], "double.positive", to=TensorProto.DOUBLE)
    for op in ("Exp", "Log", "Tanh", "Sqrt"):
        c.output(c.node(op, [wide], f"{op}.double"), TensorProto.DOUBLE)
    tiny = c.operand("denormal", LENGTH - 37, 37)
    c.output(c.node("Mul", [tiny, c.constant("denormal.by", np.array(0.75, np.float32))], "denormal.mul"))
    c.output(c.node("Add", [tiny, tiny], "denormal.add"))
    c.output(c.node("Tanh", [tiny], "denormal.tanh"))


def networks(c: Canary) -> None:
    """Recurrent cells, convolutions and trees."""
    sequence, batch, inputs, hidden = 5, 3, 7, 9
    for op, gates in (("GRU", 3), ("LSTM", 4), ("RNN", 1)):
        operands = [
            c.operand(f"{op}.in", 71, sequence, batch, inputs),
            c.weight(f"{op}.w", 1, gates * hidden, inputs),
            c.weight(f"{op}.r", 1, gates * hidden, hidden),
            c.weight(f"{op}.b", 1, 2 * gates * hidden),
        ]
        c.output(c.node(op, operands, f"{op}", hidden_size=hidden))
    image = [c.operand("conv.in", 91, 2, 3, 9, 11), c.weight("conv.w", 5, 3, 3, 3), c.weight("conv.b", 5)]
    c.output(c.node("Conv", image, "conv.image", kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    wave = [c.operand("conv1.in", 95, 3, 6, 29), c.weight("conv1.w", 7, 6, 3)]
    c.output(c.node("Conv", wave, "conv.sequence", kernel_shape=[3]))
    trees, features = 67, 5
    rules = uniform(trees * 3, 77, 1.5)
    leaves = uniform(trees * 4, 78, 0.3)
    choice = (np.abs(uniform(trees * 3, 79)) * features).astype(np.int64) % features
    ids, nodes, modes, thresholds, which, yes, no = [], [], [], [], [], [], []
    target_tree, target_node, target_weight = [], [], []
    for tree in range(trees):
        for node in range(7):  # a full tree of depth 2: nodes 0..2 branch, 3..6 are leaves
            branch = node < 3
            ids.append(tree)
            nodes.append(node)
            modes.append("BRANCH_LEQ" if branch else "LEAF")
            thresholds.append(float(rules[tree * 3 + node]) if branch else 0.0)
            which.append(int(choice[tree * 3 + node]) if branch else 0)
            yes.append(2 * node + 1 if branch else 0)
            no.append(2 * node + 2 if branch else 0)
            if not branch:
                target_tree.append(tree)
                target_node.append(node)
                target_weight.append(float(leaves[tree * 4 + node - 3]))
    for rows in (1, 83):
        c.output(
            c.node(
                "TreeEnsembleRegressor",
                [c.operand(f"trees.in.{rows}", 121, rows, features)],
                f"trees.{rows}",
                domain="ai.onnx.ml",
                n_targets=1,
                aggregate_function="SUM",
                nodes_treeids=ids,
                nodes_nodeids=nodes,
                nodes_featureids=which,
                nodes_modes=modes,
                nodes_values=thresholds,
                nodes_truenodeids=yes,
                nodes_falsenodeids=no,
                target_treeids=target_tree,
                target_nodeids=target_node,
                target_ids=[0] * len(target_tree),
                target_weights=target_weight,
            ),
            shape=[rows, 1],
        )


def model() -> onnx.ModelProto:
    """The canary graph: input x float32 [LENGTH], one output per probe."""
    c = Canary()
    for part in (products, reductions, functions, networks):
        part(c)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [LENGTH])
    graph = helper.make_graph(c.nodes, "canary", [x], c.outputs, c.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="twinrank")
    inferred = {value.name: value for value in onnx.shape_inference.infer_shapes(made, strict_mode=True).graph.output}
    for value in made.graph.output:
        value.CopyFrom(inferred[value.name])
    return made


def inputs() -> NDArray[np.float32]:
    """x: values in [-2, 2), the last 37 of them denormal or signed zeros."""
    x = uniform(LENGTH, 1, 2.0)
    x[-37:] = np.ldexp(uniform(37, 2, 1.0), -127).astype(np.float32)
    x[-1] = np.float32(-0.0)
    x[-2] = np.ldexp(np.float32(1.0), -149)
    return x


def digest_vector() -> dict[str, object]:
    """Hand-made outputs and the digest of section 9 over them, written with hashlib and struct alone."""
    outputs = [
        (
            "first",
            "float32",
            ["3f800000", "80000000", "ffc00001", "7f800001"],
            ["3f800000", "80000000", "7fc00000", "7fc00000"],
        ),
        ("zwölf", "float64", ["3ff0000000000000", "fff8000000000123"], ["3ff0000000000000", "7ff8000000000000"]),
        ("empty", "float32", [], []),
    ]
    digest = hashlib.sha256()
    for name, dtype, _, canonical in outputs:
        digest.update(name.encode() + b"\0")
        for value in canonical:
            digest.update(struct.pack("<I" if dtype == "float32" else "<Q", int(value, 16)))
    return {
        "about": "Outputs in graph order as IEEE bits, and the digest over them: NaNs become the quiet NaN first.",
        "outputs": [{"name": name, "dtype": dtype, "bits": given} for name, dtype, given, _ in outputs],
        "digest": digest.hexdigest(),
    }


def main() -> int:
    """Writes the files, or with ``--check`` says which differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    made = model()
    onnx.checker.check_model(made, full_check=True)
    graph = made.SerializeToString(deterministic=True)
    tensor = numpy_helper.from_array(inputs(), "x").SerializeToString(deterministic=True)
    vector = (json.dumps(digest_vector(), indent=2, ensure_ascii=False) + "\n").encode()
    files = {
        HERE / "canary.onnx": graph,
        HERE / "input_0.pb": tensor,
        HERE / "digest.json": vector,
        SHIPPED / "canary.onnx": graph,
        SHIPPED / "canary_input_0.pb": tensor,
    }
    stale = 0
    for path, content in files.items():
        if not check:
            path.write_bytes(content)
        elif path.read_bytes() != content:
            print(f"{path.name} in {path.parent} differs from its generator: run generate_canary.py", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
