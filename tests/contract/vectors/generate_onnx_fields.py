"""Makes onnx-fields.json, what onnx.proto says of every message of a model, from the onnx package's descriptors.

Both readers walk model.onnx by this table. `--check` compares the file and the copies that the readers ship.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.descriptor import Descriptor, FieldDescriptor

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
COPIES = (
    HERE / "onnx-fields.json",
    ROOT / "export/src/twinrank/export/bundle/_data/onnx-fields.json",
    ROOT / "java-serving/core/src/main/resources/dev/twinrank/core/internal/proto/onnx-fields.json",
)
# onnx.proto says of each since when; IR 11 brought multi-device execution. Nothing else came after IR 10.
LATER = {("ModelProto", "configuration"), ("NodeProto", "device_configurations")}
KINDS = {
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_ENUM: "enum",
}
ABOUT = (
    "Every message that a ModelProto of IR version 10 can reach, by onnx.proto's name; its fields by number. kind is "
    "a scalar's protobuf type or the name of a message; repeated fields may occur any number of times, others once; "
    "of the fields that share a oneof at most one occurs; most is an enum's largest number, the smallest is 0."
)


def name_of(message: Descriptor) -> str:
    return str(message.full_name).removeprefix("onnx.")


def field_of(field: FieldDescriptor) -> dict[str, Any]:
    described: dict[str, Any] = {"name": field.name}
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        described["kind"] = name_of(field.message_type)
    else:
        described["kind"] = KINDS[field.type]
    if field.type == FieldDescriptor.TYPE_ENUM:
        numbers = sorted(value.number for value in field.enum_type.values)
        if numbers != list(range(len(numbers))):
            raise ValueError(f"the numbers of {field.full_name} have gaps: {numbers}")
        described["most"] = numbers[-1]
    if field.is_repeated:
        described["repeated"] = True
    if field.containing_oneof is not None:
        described["oneof"] = field.containing_oneof.name
    return described


def table() -> dict[str, Any]:
    """The document."""
    messages: dict[str, dict[str, Any]] = {}
    waiting = [onnx.ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if name_of(message) in messages:
            continue
        fields = [field for field in message.fields if (name_of(message), field.name) not in LATER]
        messages[name_of(message)] = {
            str(field.number): field_of(field) for field in sorted(fields, key=lambda f: f.number)
        }
        waiting.extend(field.message_type for field in fields if field.message_type is not None)
    return {"about": ABOUT, "messages": dict(sorted(messages.items()))}


def text_of(document: dict[str, Any]) -> str:
    """JSON with one field a line."""
    blocks = []
    for name, fields in document["messages"].items():
        lines = ",\n".join(f'      "{number}": {json.dumps(field)}' for number, field in fields.items())
        blocks.append(f'    "{name}": {{\n{lines}\n    }}')
    return f'{{\n  "about": {json.dumps(document["about"])},\n  "messages": {{\n' + ",\n".join(blocks) + "\n  }\n}\n"


def main() -> int:
    """Writes the file and its copies, or with ``--check`` says which differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    text = text_of(table())
    if json.loads(text) != table():
        raise ValueError("the text is not the table")
    stale = 0
    for path in COPIES:
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.relative_to(ROOT)} differs from its generator: run {Path(__file__).name}", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
