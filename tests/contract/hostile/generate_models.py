"""Makes models/: the tiny bundle's model, spoiled in one way each, for cases.json; --check compares (see README.md)."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnx
from _proto_models import raw_models
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
BASE = "../vectors/bundles/tiny/1"
DATA = "model.onnx.data"
# The one table of the tiny bundle that every golden reads: the rows of its users.
USERS = np.array([8, 0, 9, 10, 11], "<f4").tobytes()


def good_model() -> onnx.ModelProto:
    """The tiny bundle's model."""
    return onnx.load_model_from_string((HERE / BASE / "model.onnx").read_bytes())


def skeleton(*nodes: onnx.NodeProto, initializers: list[onnx.TensorProto] | None = None) -> onnx.ModelProto:
    """A model with tiny's interface and these nodes: enough for whatever happens before a session exists."""
    model = good_model()
    del model.graph.node[:]
    del model.graph.initializer[:]
    # The declared outputs are made of nothing but the score's input, so that the model would even run.
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(initializers or [])
    zero = numpy_helper.from_array(np.array(0, np.int64), "zero")
    model.graph.initializer.append(zero)
    for value in model.graph.output:
        if value.name.startswith("unseen."):
            model.graph.node.extend(no_counts(value))
            continue
        model.graph.node.append(helper.make_node("Gather", ["candidate.f32", "zero"], [f"{value.name}.raw"], axis=1))
        to = value.type.tensor_type.elem_type
        model.graph.node.append(helper.make_node("Cast", [f"{value.name}.raw"], [value.name], to=to))
    return model


def no_counts(value: onnx.ValueInfoProto) -> list[onnx.NodeProto]:
    """Nodes that make zeros of the shape of one of the outputs ``unseen.*``."""
    placement = value.name.removeprefix("unseen.")
    some = helper.make_node("Constant", [], [f"{value.name}.columns"])
    count = value.type.tensor_type.shape.dim[1].dim_value
    some.attribute.append(helper.make_attribute("value_ints", [0] * count))
    raw = helper.make_node("Gather", [f"{placement}.i64", some.output[0]], [f"{value.name}.raw"], axis=1)
    return [some, raw, helper.make_node("Sub", [raw.output[0], raw.output[0]], [value.name])]


def external(
    location: str, keys: dict[str, str] | None = None, name: str = "outside", count: int = 2
) -> onnx.TensorProto:
    """A float32 initialiser that says its values are elsewhere."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[count], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **(keys or {"offset": "0", "length": "8"})}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def keep_users_outside(model: onnx.ModelProto, keys: dict[str, str]) -> None:
    """Leaves the users' table to the data file."""
    for tensor in model.graph.initializer:
        if tensor.raw_data == USERS:
            tensor.CopyFrom(external(DATA, keys, tensor.name, len(USERS) // 4))


def nested(depth: int, op: str) -> onnx.NodeProto:
    """If in If in If …, ``depth`` levels of subgraphs, the innermost holding one node ``op``."""
    inner = helper.make_node(op, ["zero"], ["deep"])
    for level in range(depth):
        # Every level has names of its own: the runtime refuses outputs of subgraphs that hide outer ones.
        deep, shallow = inner.output[0], f"shallow{level}"
        deeper = helper.make_graph([inner], f"level{level}", [], [scalar(deep)])
        flat = helper.make_graph(
            [helper.make_node("Identity", ["zero"], [shallow])], f"flat{level}", [], [scalar(shallow)]
        )
        inner = helper.make_node("If", ["yes"], [f"deep{level}"], then_branch=deeper, else_branch=flat)
    return inner


def scalar(name: str) -> onnx.ValueInfoProto:
    """An int64 without dimensions."""
    return helper.make_tensor_value_info(name, TensorProto.INT64, [])


def models() -> dict[str, onnx.ModelProto]:
    """The spoiled models by file name."""
    made: dict[str, onnx.ModelProto] = {}

    made["ir-14"] = skeleton()
    made["ir-14"].ir_version = 14
    made["opset-28"] = skeleton()
    made["opset-28"].opset_import[0].version = 28
    made["custom-domain"] = skeleton(helper.make_node("Steal", ["candidate.f32"], ["s"], domain="com.example"))
    made["custom-domain"].opset_import.add(domain="com.example", version=1)
    made["contrib-operator"] = skeleton(helper.make_node("Gelu", ["candidate.f32"], ["s"], domain="com.microsoft"))
    made["contrib-operator"].opset_import.add(domain="com.microsoft", version=1)
    made["domain-alias"] = skeleton()
    made["domain-alias"].opset_import[0].domain = "ai.onnx"
    made["unlisted-operator"] = skeleton(helper.make_node("RandomNormal", [], ["s"], shape=[1]))
    made["operator-of-later-opset"] = skeleton(
        helper.make_node("Attention", ["candidate.f32", "candidate.f32", "candidate.f32"], ["s"])
    )
    made["operator-not-imported"] = skeleton(helper.make_node("Gelu", ["candidate.f32"], ["s"]))
    del made["operator-not-imported"].opset_import[:]
    made["operator-not-imported"].opset_import.add(domain="ai.onnx.ml", version=4)

    body = [helper.make_node("Identity", ["a"], ["b"])]
    function = helper.make_function("local", "F", ["a"], ["b"], body, [helper.make_opsetid("", 20)])
    made["local-function"] = skeleton()
    made["local-function"].functions.append(function)
    made["training-graph"] = skeleton()
    made["training-graph"].training_info.add().algorithm.name = "steps"

    yes = numpy_helper.from_array(np.array(True), "yes")
    made["forbidden-in-subgraph"] = skeleton(nested(2, "Loop"), initializers=[yes])
    made["nested-9"] = skeleton(nested(9, "Identity"), initializers=[yes])
    made["nested-8"] = good_model()
    made["nested-8"].graph.node.append(nested(8, "Identity"))
    made["nested-8"].graph.initializer.extend([yes, numpy_helper.from_array(np.array(0, np.int64), "zero")])

    made["domain-without-nodes"] = skeleton()
    made["domain-without-nodes"].opset_import.add(domain="com.example", version=1)
    made["domain-twice"] = skeleton()
    made["domain-twice"].opset_import.add().CopyFrom(made["domain-twice"].opset_import[0])
    made["overload"] = skeleton(helper.make_node("Identity", ["zero"], ["s"], overload="other"))
    made["overload-empty"] = good_model()
    made["overload-empty"].graph.node[0].overload = ""
    made["dimension-unnamed"] = good_model()
    for value in (*made["dimension-unnamed"].graph.input, *made["dimension-unnamed"].graph.output):
        for dim in value.type.tensor_type.shape.dim:
            dim.ClearField("dim_param")

    made["external-weights"] = good_model()
    keep_users_outside(made["external-weights"], {"offset": "0", "length": str(len(USERS))})
    made["external-leading-zeros"] = good_model()
    keep_users_outside(made["external-leading-zeros"], {"offset": "000", "length": f"{len(USERS):018}"})
    made["external-offset-absent"] = good_model()
    keep_users_outside(made["external-offset-absent"], {"length": str(len(USERS))})
    made["external-elsewhere"] = skeleton(initializers=[external("weights.bin")])
    made["external-parent"] = skeleton(initializers=[external("../model.onnx.data")])
    made["external-absolute"] = skeleton(initializers=[external("/etc/hostname")])
    made["external-data"] = skeleton(initializers=[external(DATA)])
    made["external-beyond"] = skeleton(initializers=[external(DATA, {"offset": "8", "length": "8"})])
    made["external-unknown-key"] = skeleton(initializers=[external(DATA, {"length": "8", "checksum": "0"})])
    for name, keys in {
        "hexadecimal": {"length": "0x8"},
        "signed": {"length": "+8"},
        "negative": {"offset": "-8"},
        "space": {"length": " 8"},
        "empty": {"length": ""},
        "19-digits": {"length": "0000000000000000008"},
        "other-digits": {"length": "\u0668"},
        "without-location": {"location": ""},
    }.items():
        made[f"external-{name}"] = skeleton(initializers=[external(DATA, keys)])
    del made["external-without-location"].graph.initializer[0].external_data[0]
    made["external-key-twice"] = skeleton(initializers=[external(DATA)])
    made["external-key-twice"].graph.initializer[0].external_data.add(key="length", value="8")
    made["external-location-default"] = skeleton(initializers=[external("weights.bin")])
    made["external-location-default"].graph.initializer[0].data_location = TensorProto.DEFAULT
    made["external-in-subgraph"] = skeleton(nested(1, "Identity"), initializers=[yes])
    made["external-in-subgraph"].graph.node[0].attribute[0].g.initializer.append(external(DATA))
    attribute = helper.make_node("Constant", [], ["s"])
    attribute.attribute.add(name="value", type=onnx.AttributeProto.TENSOR, t=external(DATA))
    made["external-attribute"] = skeleton(attribute)

    made["sparse-initializer"] = skeleton()
    sparse = made["sparse-initializer"].graph.sparse_initializer.add()
    sparse.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "sparse"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.zeros(1, np.int64), "sparse_indices"))
    sparse.dims.append(3)

    made["input-dtype"] = skeleton()
    made["input-dtype"].graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    made["input-renamed"] = skeleton()
    made["input-renamed"].graph.input[0].name = "context.ids"
    made["fixed-candidates"] = skeleton()
    for value in made["fixed-candidates"].graph.input:
        dim = value.type.tensor_type.shape.dim[0]
        if dim.HasField("dim_param"):
            dim.dim_value = 7
    made["output-missing"] = skeleton()
    del made["output-missing"].graph.output[-1]
    made["outputs-swapped"] = skeleton()
    first, second = (made["outputs-swapped"].graph.output[i].name for i in (0, 1))
    made["outputs-swapped"].graph.output[0].name = second
    made["outputs-swapped"].graph.output[1].name = first

    made["unrunnable"] = skeleton(helper.make_node("Add", ["candidate.i64", "candidate.f32"], ["s"]))
    made["other-weight"] = good_model()
    for tensor in made["other-weight"].graph.initializer:
        if tensor.raw_data == USERS:
            tensor.raw_data = bytes([USERS[0] ^ 1]) + USERS[1:]
    made["other-model"] = skeleton()

    made["unseen-absent"] = skeleton()
    del made["unseen-absent"].graph.output[-2:]
    made["unseen-swapped"] = skeleton()
    made["unseen-swapped"].graph.output.append(made["unseen-swapped"].graph.output.pop(-2))
    made["unseen-first"] = skeleton()
    made["unseen-first"].graph.output.insert(0, made["unseen-first"].graph.output.pop())
    made["unseen-of-int32"] = skeleton()
    made["unseen-of-int32"].graph.output[-1].type.tensor_type.elem_type = TensorProto.INT32
    made["unseen-never-counted"] = good_model()
    counted = made["unseen-never-counted"].graph
    unseen = [value for value in counted.output if value.name.startswith("unseen.")]
    for node in [node for node in counted.node if node.output[0] in {value.name for value in unseen}]:
        counted.node.remove(node)
    for value in unseen:
        counted.node.extend(no_counts(value))
    return made


def main() -> int:
    """Writes the models, or with ``--check`` says which differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    made = {f"models/{name}.onnx": model.SerializeToString(deterministic=True) for name, model in models().items()}
    made |= {f"models/{name}.onnx": content for name, content in raw_models(skeleton, good_model).items()}
    present = {f"models/{path.name}" for path in (HERE / "models").glob("*.onnx")}
    stale = 0
    for path in sorted(present | made.keys()):
        if check:
            if path not in made or path not in present or (HERE / path).read_bytes() != made[path]:
                print(f"{path} differs from its generator: run generate_models.py", file=sys.stderr)
                stale = 1
        elif path in made:
            (HERE / path).parent.mkdir(exist_ok=True)
            (HERE / path).write_bytes(made[path])
        else:
            (HERE / path).unlink()
    cases = json.loads((HERE / "cases.json").read_bytes())["cases"]
    used = {
        op["from"] for case in cases for op in case["ops"] if op["op"] == "copy" and op["from"].startswith("models/")
    }
    if used != made.keys():
        print(f"models and cases.json disagree about {sorted(used ^ made.keys())}", file=sys.stderr)
        stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
