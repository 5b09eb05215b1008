"""The reader of protobuf's wire format takes what onnx writes and refuses what parsers merge, skip or cut."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor

from twinrank.export.bundle._wire import Message, WireError, onnx_messages, read_message

TINY = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles" / "tiny" / "1"


def filled(message: Any, depth: int = 0) -> Any:
    """The message with a value in every field that the table knows; of a oneof the first one."""
    kind = message.DESCRIPTOR.full_name.removeprefix("onnx.")
    used: set[str] = set()
    for number, known in onnx_messages()[kind].items():
        described = message.DESCRIPTOR.fields_by_number[number]
        assert (described.name, described.is_repeated) == (known.name, known.repeated)
        if known.oneof in used:
            continue
        used |= {known.oneof} - {""}
        if described.type == FieldDescriptor.TYPE_MESSAGE:
            if depth < 5:
                inner = getattr(message, known.name)
                for _ in range(1 + known.repeated):
                    filled(inner.add() if known.repeated else inner, depth + 1)
                if not known.repeated:
                    inner.SetInParent()
            continue
        value: Any = {"string": "ä", "bytes": b"\xff", "float": -1.5, "double": 1e300}.get(known.kind, 1)
        if known.kind in ("int32", "int64"):
            value = -1
        if known.repeated:
            getattr(message, known.name).extend([value, value])
        else:
            setattr(message, known.name, value)
    return message


def compare(read: Message, parsed: Any) -> int:
    """Checks a message against protobuf's own parser; returns how many fields were compared."""
    compared = 0
    assert set(read.values) == {described.name for described, _ in parsed.ListFields()}
    for described, value in parsed.ListFields():
        found = read.all(described.name)
        values = list(value) if described.is_repeated else [value]
        compared += 1
        if described.type == FieldDescriptor.TYPE_MESSAGE:
            assert len(found) == len(values)
            compared += sum(compare(inner, other) for inner, other in zip(found, values, strict=True))
        elif described.type == FieldDescriptor.TYPE_STRING:
            assert found == values
        elif described.is_repeated and described.type != FieldDescriptor.TYPE_BYTES:
            assert any(found)
        elif described.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64):
            assert found == values
    return compared


def test_every_field_of_every_message_is_read_as_protobuf_reads_it() -> None:
    raw = filled(onnx.ModelProto()).SerializeToString()
    assert compare(read_message("ModelProto", raw), onnx.ModelProto.FromString(raw)) > 5_000


def test_a_real_model_is_read_as_protobuf_reads_it() -> None:
    raw = (TINY / "model.onnx").read_bytes()
    assert compare(read_message("ModelProto", raw), onnx.ModelProto.FromString(raw)) > 500


def test_the_table_has_what_a_model_can_hold() -> None:
    listed = json.loads((TINY.parents[2] / "onnx-fields.json").read_bytes())["messages"]
    assert {name: sorted(map(int, fields)) for name, fields in listed.items()} == {
        name: sorted(fields) for name, fields in onnx_messages().items()
    }
    # By hand, from onnx.proto of IR version 10.
    assert sorted(onnx_messages()["NodeProto"]) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert sorted(onnx_messages()["ModelProto"]) == [1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25]
    assert sum(bool(field.oneof) for field in onnx_messages()["TypeProto"].values()) == 6


def test_bytes_are_not_copied() -> None:
    raw = onnx.TensorProto(raw_data=b"weights", name="w").SerializeToString()
    ((first, last),) = read_message("TensorProto", raw).all("raw_data")
    assert raw[first:last] == b"weights"


# The same cases as Java's MessageTest.
REFUSED = {
    "a singular number twice": ("ModelProto", "080a080a", "ir_version twice"),
    "a singular message twice": ("ModelProto", "3a003a00", "graph twice"),
    "configuration, which came with IR version 11": ("ModelProto", "d20100", "field 26"),
    "a number as bytes": ("ModelProto", "0a00", "wire type 2"),
    "a tag that is longer than it needs to be": ("ModelProto", "88000a", "longer"),
    "so is a number": ("ModelProto", "088a00", "longer"),
    "a number of eleven bytes": ("ModelProto", "08ffffffffffffffffffff01", "longer"),
    "a number of 65 bits": ("ModelProto", "08ffffffffffffffffff02", "more than 64"),
    "field 0": ("ModelProto", "00", "tag 0"),
    "a group": ("ModelProto", "0b", "tag 11"),
    "a field number beyond 29 bits": ("ModelProto", "808080808001", "tag"),
    "no UTF-8": ("ModelProto", "1201ff", "not UTF-8"),
    "a surrogate in UTF-8": ("ModelProto", "1203eda080", "not UTF-8"),
    "corrupt, two levels down": ("ModelProto", "4203080aff", "OperatorSetIdProto has domain with wire type 0"),
    "corrupt metadata": ("ModelProto", "72030a0561", "only 1 are left"),
    "corrupt within a local function": ("ModelProto", "ca01020801", "FunctionProto has name with wire type 0"),
    "no such data location": ("TensorProto", "7005", "largest number is 1"),
    "cut to 32 bits it is EXTERNAL": ("TensorProto", "70818080808001", "in data_location, which holds 32 bits"),
    "a data type that parsers would cut": ("TensorProto", "108180808010", "32 bits"),
    "no whole number of floats": ("TensorProto", "2203000080", "no whole number"),
    "half a packed number": ("TensorProto", "3a0180", "packed numbers"),
    "half a number": ("TensorProto", "0880", "ends within a number of dims"),
    "half a float": ("TensorProto", "25000080", "ends within a number of float_data"),
    "half a singular float": ("AttributeProto", "15000080", "ends within f"),
    "cut off": ("TensorProto", "22ff", "no number"),
    "both a tensor and a sequence": ("TypeProto", "0a002200", "value twice"),
    "two tensors": ("TypeProto", "0a000a00", "value twice"),
    "both a size and a name": ("TensorShapeProto.Dimension", "080112016e", "value twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_parsers_would_merge_skip_or_cut_is_refused(case: str) -> None:
    kind, text, why = REFUSED[case]
    with pytest.raises(WireError, match=why):
        read_message(kind, bytes.fromhex(text))


@pytest.mark.parametrize(("levels", "accepted"), [(31, True), (32, False)])
def test_messages_nest_only_so_deep(levels: int, accepted: bool) -> None:
    kind = onnx.TypeProto()
    inner = kind
    for _ in range(levels):
        inner = inner.sequence_type.elem_type
    inner.SetInParent()
    raw = kind.SerializeToString()
    if accepted:
        read_message("TypeProto", raw)
    else:
        with pytest.raises(WireError, match="deeper than 64"):
            read_message("TypeProto", raw)


def test_long_lists_of_numbers_cost_no_step_each() -> None:
    tensor = onnx.TensorProto(dims=range(-100, 200_000), int64_data=range(200_000), double_data=[0.5] * 200_000)
    raw = tensor.SerializeToString()
    read = read_message("TensorProto", raw)
    assert [len(read.all(name)) for name in ("dims", "int64_data", "double_data")] == [1, 1, 1]
    damaged = raw[: len(raw) // 8] + b"\xff" * 12 + raw[len(raw) // 8 :]
    with pytest.raises(WireError):
        read_message("TensorProto", damaged)
