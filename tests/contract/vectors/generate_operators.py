"""Makes operators.json, the operators that a bundle's graph may hold, and the copy that the Python reader ships.

Run it from anywhere; ``--check`` compares instead of writing. The names below are the decision; since-versions come
from onnx's own schema registry, so that a mistyped name fails here.
"""

import argparse
import json
import sys
from pathlib import Path

import onnx.defs

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parents[2] / "export/src/twinrank/export/bundle/_data/operators.json"

IR_VERSIONS = [10]
OPSETS = {"": (20, 23), "ai.onnx.ml": (4, 5)}

# Pure functions of their inputs whose work is bounded by the shapes. Left out on purpose: everything random; Loop, Scan
# and the sequence family (unbounded work, 147 times slower pooling); DynamicQuantizeLinear (a candidate's score would
# depend on its neighbours); everything on strings (they stay outside the graph); operators of training, images and
# signals.
OPERATORS = {
    "": """
        Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization
        BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Compress Concat
        Constant ConstantOfShape Conv Cos Cosh CumSum DequantizeLinear Div Einsum Elu Equal Erf Exp Expand
        EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool
        Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Hardmax Identity If
        InstanceNormalization IsInf IsNaN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
        LpNormalization MatMul MatMulInteger Max MaxPool Mean Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu
        Pad Pow QLinearMatMul QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2
        ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu
        Reshape ReverseSequence RotaryEmbedding Round ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign
        Sin Sinh Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile
        TopK Transpose Trilu Unsqueeze Where Xor
    """,
    "ai.onnx.ml": "LabelEncoder TreeEnsemble TreeEnsembleRegressor",
}


def operator(domain: str, name: str) -> dict[str, object]:
    """One entry: the operator, the opsets under which it is allowed, and the since-versions these stand for."""
    first, last = OPSETS[domain]
    schemas = {}
    for opset in range(first, last + 1):
        if onnx.defs.has(name, opset, domain):
            schema = onnx.defs.get_schema(name, opset, domain)
            if not schema.deprecated:
                schemas[opset] = schema.since_version
    if not schemas:
        raise SystemExit(f"{domain or 'ai.onnx'} has no operator {name!r} under opsets {first} to {last}")
    return {
        "domain": domain,
        "name": name,
        "since": sorted(set(schemas.values())),
        "opsets": [min(schemas), max(schemas)],
    }


def text() -> str:
    """The file's text, one operator a line."""
    head = {
        "about": "What model.onnx may hold. A model's IR version and the version of every domain it imports are in "
        "ir_versions and opsets (inclusive ranges); a node is allowed when its (domain, name) is listed and "
        "the imported version of its domain lies in the entry's opsets (inclusive). since is for reading: the "
        "schema versions those opsets stand for. Domain '' is ONNX's own, and 'ai.onnx' is not an alias of it "
        "here. There is no entry of com.microsoft.",
        "ir_versions": IR_VERSIONS,
        "opsets": {domain: list(bounds) for domain, bounds in OPSETS.items()},
    }
    lines = [
        json.dumps(operator(domain, name)) for domain, names in OPERATORS.items() for name in sorted(names.split())
    ]
    return json.dumps(head, indent=2)[:-2] + ',\n  "operators": [\n    ' + ",\n    ".join(lines) + "\n  ]\n}\n"


def main() -> int:
    """Writes both files, or with ``--check`` says which differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    stale = 0
    for path in (HERE / "operators.json", SHIPPED):
        if check:
            if path.read_text(encoding="utf-8") != text():
                print(
                    f"{path.name} in {path.parent} differs from its generator: run generate_operators.py",
                    file=sys.stderr,
                )
                stale = 1
        else:
            path.write_text(text(), encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
