"""Models that protobuf's library would merge, skip or cut in silence: made of bytes, because it cannot write them."""

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

Skeleton = Callable[..., onnx.ModelProto]


def varint(value: int) -> bytes:
    """An unsigned number."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    """A field of wire type 0."""
    return varint(field << 3) + varint(value % 2**64)


def block(field: int, content: bytes) -> bytes:
    """A field of wire type 2."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def raw_models(skeleton: Skeleton, good_model: Callable[[], onnx.ModelProto]) -> dict[str, bytes]:
    """The spoiled models by file name. Numbers of fields are onnx.proto's."""

    def of_graph(graph: bytes, head: bytes = b"") -> bytes:
        model = onnx.ModelProto()
        model.CopyFrom(skeleton())
        if head:
            model.ClearField("ir_version")
        model.ClearField("graph")
        return head + model.SerializeToString(deterministic=True) + block(7, graph)

    def with_graph(*extra: bytes) -> bytes:
        return of_graph(skeleton().graph.SerializeToString(deterministic=True) + b"".join(extra))

    def with_input(change: Callable[[bytes], bytes]) -> bytes:
        """The last input with another field for its type, made of the type's bytes."""
        graph = onnx.GraphProto()
        graph.CopyFrom(skeleton().graph)
        last = graph.input.pop()
        changed = block(1, last.name.encode()) + change(last.type.SerializeToString())
        return of_graph(graph.SerializeToString(deterministic=True) + block(11, changed))

    def with_first_dim(dim: bytes) -> bytes:
        """The last input with another first dimension."""

        def change(kind: bytes) -> bytes:
            tensor = onnx.TypeProto.FromString(kind).tensor_type
            rest = b"".join(block(1, each.SerializeToString()) for each in tensor.shape.dim[1:])
            return block(2, block(1, number(1, tensor.elem_type) + block(2, block(1, dim) + rest)))

        return with_input(change)

    node = helper.make_node("Identity", ["zero"], ["s"], name="extra").SerializeToString(deterministic=True)
    steal = helper.make_node("Steal", ["zero"], ["s"], name="extra").SerializeToString(deterministic=True)
    tensor = helper.make_tensor("ones", TensorProto.FLOAT, [1], b"\0\0\x80?", raw=True).SerializeToString()
    outside = number(1, 2) + number(2, TensorProto.FLOAT) + block(8, b"outside")
    entry = block(13, block(1, b"location") + block(2, b"/etc/hostname"))
    float_type = block(1, number(1, TensorProto.FLOAT))
    deep = float_type
    for _ in range(40):
        deep = block(4, block(1, deep))
    axis = block(1, b"axis") + number(3, 0) + number(20, 2)

    notes = good_model()
    notes.doc_string = notes.graph.doc_string = "notes"
    notes.producer_name, notes.domain, notes.model_version = "somebody", "here", 7
    for holder in (notes, notes.graph, notes.graph.node[0], notes.graph.initializer[0], notes.graph.input[0]):
        holder.metadata_props.add(key="made by", value="hand")
    notes.graph.value_info.add(name=notes.graph.node[0].output[0]).doc_string = "between"
    annotation = notes.graph.quantization_annotation.add(tensor_name=notes.graph.initializer[0].name)
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=notes.graph.initializer[0].name)

    return {
        "proto-notes": notes.SerializeToString(deterministic=True),
        "proto-later-field-model": with_graph() + block(26, b""),
        "proto-later-field-node": with_graph(block(1, node + block(10, b""))),
        "proto-unknown-field-graph": with_graph(number(99, 1)),
        "proto-unknown-field-type": with_input(lambda kind: block(2, kind + number(50, 1))),
        "proto-wrong-wire": with_graph(number(10, 1)),
        "proto-group": with_graph(block(1, node + b"\x33\x34")),
        "proto-cut-metadata": with_graph() + block(14, b"\x0a\x05key"),
        "proto-cut-value-info": with_graph(block(13, block(1, b"x") + block(2, b"\x0a\x09"))),
        "proto-cut-annotation": with_graph(block(14, b"\x0a\x7f")),
        "proto-cut-function": with_graph() + block(25, block(7, b"\x0a\x7f")),
        "proto-long-number": of_graph(skeleton().graph.SerializeToString(deterministic=True), b"\x08\x8a\x00"),
        "proto-name-not-utf8": with_graph(block(1, node.replace(b"extra", b"extr\xff"))),
        "proto-doc-not-utf8": with_graph() + block(6, b"\xc3\x28"),
        "proto-op-type-twice": with_graph(block(1, steal + block(4, b"Identity"))),
        "proto-type-twice": with_input(lambda kind: block(2, kind) + block(2, kind)),
        "proto-tensor-type-twice": with_input(lambda kind: block(2, kind + kind)),
        "proto-type-oneof": with_graph(block(13, block(1, b"x") + block(2, float_type + block(4, block(1, b""))))),
        "proto-dim-oneof": with_first_dim(number(1, 7) + block(2, b"n")),
        "proto-dim-negative": with_first_dim(number(1, -1)),
        "proto-location-cut": with_graph(block(5, outside + number(14, 2**32 + 1))),
        "proto-int32-unsigned": with_graph(block(5, number(1, 1) + number(2, 2**32 - 1) + block(8, b"ones"))),
        "proto-location-unknown": with_graph(block(5, tensor + number(14, 2))),
        "proto-attribute-type-unknown": with_graph(block(1, node + block(5, axis[:-1] + b"\x63"))),
        "proto-values-twice": with_graph(block(5, tensor + block(4, b"\0\0\0@"))),
        "proto-values-in-and-outside": with_graph(block(5, tensor + entry + number(14, 1))),
        "proto-half-number": with_graph(block(5, outside + block(4, b"\0\0\0@\0"))),
        "proto-segment": with_graph(block(5, tensor + block(3, number(1, 0) + number(2, 1)))),
        "proto-deep-type": with_graph(block(13, block(1, b"x") + block(2, deep))),
        "attribute-twice": with_graph(block(1, node + block(5, axis) + block(5, axis))),
        "initializer-twice": with_graph(block(5, tensor), block(5, tensor)),
        "tensor-made-twice": with_graph(block(1, node), block(1, node)),
        "tensor-made-twice-and-forbidden": with_graph(block(1, steal), block(1, steal)),
        "forbidden-before-invalid": with_graph(
            *(block(1, steal.replace(b"\x01s", b"\x01" + bytes([ord("A") + i]))) for i in range(30)),
            block(1, node + block(5, axis) + block(5, axis)),
        ),
    }
