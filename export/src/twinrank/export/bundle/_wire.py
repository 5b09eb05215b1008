"""The protobuf wire format and the messages of onnx.proto, read by this library's own code and without a copy.

Format: https://protobuf.dev/programming-guides/encoding. Parsers merge what occurs twice and skip what they do not
know, each in its own way; here both are refused, as are groups, numbers that are longer than they need to be, strings
that are not UTF-8 and what leaves its message.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, NoReturn

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}
_MAX_MESSAGES = 64
# One varint of at most 64 bits that is as short as can be; a run of them is checked by one match, not in a Python loop.
_ONE_VARINT = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,8}[\x01-\x7f]|[\x80-\xff]{9}\x01)"
_VARINTS = re.compile(_ONE_VARINT + rb"*+", re.DOTALL)
_VARINT = re.compile(_ONE_VARINT, re.DOTALL)

Span = tuple[int, int]
"""Where a value begins and ends in the bytes that were read."""


class WireError(ValueError):
    """The bytes are not the message that they should be."""


@dataclass(frozen=True, slots=True)
class Field:
    """What onnx.proto says of one field.

    Attributes:
        name: its name.
        kind: a scalar type of protobuf, or the name of a message.
        wire: the wire type of one value.
        repeated: whether it may occur more than once.
        packable: whether several values may stand in one block of bytes.
        oneof: the name of the oneof that it belongs to, or "".
        bits: of a singular integer, its width.
        most: of an enum, its largest number, else -1.
        run: of a repeated number, the pattern of one or more values with their tags.
    """

    name: str
    kind: str
    wire: int
    repeated: bool
    packable: bool
    oneof: str
    bits: int
    most: int
    run: re.Pattern[bytes] | None


Table = dict[str, dict[int, Field]]
_WIRES = {
    "int64": VARINT,
    "int32": VARINT,
    "uint64": VARINT,
    "enum": VARINT,
    "float": FIXED32,
    "double": FIXED64,
    "string": BYTES,
    "bytes": BYTES,
}


@dataclass(slots=True)
class Message:
    """One message, read to its last byte.

    Attributes:
        kind: its name in onnx.proto.
        values: by field name: integers, texts, messages, or the span of bytes and of floating-point numbers. Of a
            repeated number only, run by run, whether there are any: the walk never needs the values.
    """

    kind: str
    values: dict[str, list[Any]] = field(default_factory=dict)

    def one(self, name: str, default: Any) -> Any:
        """The value of a singular field, or ``default`` where it is absent."""
        found = self.values.get(name)
        return found[0] if found else default

    def all(self, name: str) -> list[Any]:
        """The values of a repeated field."""
        return self.values.get(name, [])


@cache
def onnx_messages() -> Table:
    """The contract's table of messages (vectors/onnx-fields.json), by name and field number."""
    raw = json.loads(resources.files("twinrank.export.bundle").joinpath("_data/onnx-fields.json").read_bytes())
    return {
        message: {int(number): _field(int(number), entry) for number, entry in fields.items()}
        for message, fields in raw["messages"].items()
    }


def _field(number: int, entry: dict[str, Any]) -> Field:
    kind, repeated = entry["kind"], entry.get("repeated", False)
    wire = _WIRES.get(kind, BYTES)
    packable = repeated and wire != BYTES
    run = None
    if packable:
        tag = re.escape(_varint_bytes(number << 3 | wire))
        one = _ONE_VARINT if wire == VARINT else rb"[\x00-\xff]{%d}" % _WIDTHS[wire]
        run = re.compile(rb"(?:" + tag + one + rb")++", re.DOTALL)
    bits = 32 if kind in ("int32", "enum") else 64
    return Field(
        entry["name"], kind, wire, repeated, packable, entry.get("oneof", ""), bits, entry.get("most", -1), run
    )


def _varint_bytes(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """An unsigned integer of at most 64 bits and where the next byte is.

    Raises:
        WireError: if it does not end before ``end``, is longer than it needs to be, or has more than 64 bits.
    """
    if at < end and (first := data[at]) < 0x80:
        return first, at + 1
    found = _VARINT.match(data, at, end)
    if found is None:
        raise WireError(
            f"has no number at byte {at}: it is cut off, longer than it needs to be, or of more than 64 bits"
        )
    value = 0
    for shift, byte in enumerate(found.group()):
        value |= (byte & 0x7F) << 7 * shift
    return value, found.end()


def read_tag(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """A field's number, its wire type and where its value begins.

    Raises:
        WireError: if there is no tag that a message may have.
    """
    tag, at = read_varint(data, at, end)
    number, wire = tag >> 3, tag & 7
    if not 0 < number < 2**29 or wire not in (VARINT, FIXED64, BYTES, FIXED32):
        raise WireError(f"has the tag {tag}, which no such message has")
    return number, wire, at


def read_span(data: bytes, at: int, end: int, number: int) -> Span:
    """Begin and end of a length-delimited value.

    Raises:
        WireError: if its length leaves the message.
    """
    length, at = read_varint(data, at, end)
    if length > end - at:
        raise WireError(f"has {length} bytes in field {number}, but only {end - at} are left")
    return at, at + length


def check_varints(data: bytes, start: int, end: int) -> None:
    """Checks that packed integers lie there and nothing else.

    Raises:
        WireError: if something else does.
    """
    found = _VARINTS.match(data, start, end)
    if found is None or found.end() != end:
        raise WireError(f"has packed numbers that are none from byte {start if found is None else found.end()}")


def read_text(data: bytes, span: Span, number: int) -> str:
    """A string.

    Raises:
        WireError: if it is not UTF-8.
    """
    try:
        return data[span[0] : span[1]].decode("utf-8")
    except UnicodeDecodeError as e:
        raise WireError(f"has a string in field {number} that is not UTF-8: {e.reason}") from e


def read_message(kind: str, data: bytes) -> Message:
    """The message, with every message inside it.

    Args:
        kind: a message of the table.
        data: its bytes; bytes and numbers stay there, the result holds their spans.

    Raises:
        WireError: if the bytes are not one such message under the rules of this module.
    """
    return _Reader(data, onnx_messages()).message(kind, 0, len(data), 1)


class _Reader:
    def __init__(self, data: bytes, table: Table) -> None:
        self._data = data
        self._table = table

    def message(self, kind: str, at: int, end: int, depth: int) -> Message:
        if depth > _MAX_MESSAGES:
            raise WireError(f"nests messages deeper than {_MAX_MESSAGES}")
        try:
            return self._fields(kind, at, end, depth)
        except WireError as e:
            raise WireError(f"{kind} {e}") from e

    def _fields(self, kind: str, at: int, end: int, depth: int) -> Message:
        data, fields, message = self._data, self._table[kind], Message(kind)
        values, oneofs = message.values, set[str]()
        found: Any
        while at < end:
            start = at
            number, wire, at = read_tag(data, at, end)
            known = fields.get(number)
            if known is None:
                raise WireError(f"has field {number}, which it does not know")
            if not known.repeated:
                if known.name in values or known.oneof in oneofs:
                    raise WireError(f"has {known.oneof or known.name} twice; parsers would merge or choose")
                if known.oneof:
                    oneofs.add(known.oneof)
            if known.packable:
                found, at = self._numbers(known, number, wire, start, at, end)
            elif wire != known.wire:
                _wrong_wire(known, wire)
            elif wire == BYTES:
                span = read_span(data, at, end, number)
                at = span[1]
                if known.kind == "string":
                    found = read_text(data, span, number)
                else:
                    found = span if known.kind == "bytes" else self.message(known.kind, *span, depth + 1)
            elif wire == VARINT:
                value, at = read_varint(data, at, end)
                found = _integer(known, value)
            else:
                found = (at, at + _WIDTHS[wire])
                at += _WIDTHS[wire]
                if at > end:
                    raise WireError(f"ends within {known.name}")
            values.setdefault(known.name, []).append(found)
        return message

    def _numbers(self, known: Field, number: int, wire: int, start: int, at: int, end: int) -> tuple[bool, int]:
        """Whether numbers of a repeated field follow, packed or one by one, and where they end."""
        data = self._data
        if wire == known.wire and known.run is not None:
            run = known.run.match(data, start, end)
            if run is None:
                raise WireError(f"ends within a number of {known.name}, or holds one of more than 64 bits")
            return True, run.end()
        if wire != BYTES:
            _wrong_wire(known, wire)
        first, last = read_span(data, at, end, number)
        if known.wire == VARINT:
            check_varints(data, first, last)
        elif (last - first) % _WIDTHS[known.wire]:
            raise WireError(f"has {last - first} bytes of packed {known.name}, which is no whole number of values")
        return last > first, last


def _integer(known: Field, value: int) -> int:
    signed = value - 2**64 if value >= 2**63 else value
    if known.bits == 32 and not -(2**31) <= signed < 2**31:
        raise WireError(f"has {signed} in {known.name}, which holds 32 bits; parsers would cut it")
    if known.most >= 0 and not 0 <= signed <= known.most:
        raise WireError(f"has {signed} in {known.name}; its largest number is {known.most}")
    return signed


def _wrong_wire(known: Field, wire: int) -> NoReturn:
    raise WireError(f"has {known.name} with wire type {wire}; {known.wire} is right")
