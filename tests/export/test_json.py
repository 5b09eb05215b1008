"""The JSON of a bundle's own files is strict, bounded, and compared with types."""

import pytest

from twinrank.export.bundle import dump_document
from twinrank.export.bundle._json import JsonError, dump_line, equal_json, parse_json


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{}{}",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'{"x":[{"b":1,"b":2}]}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"[1,]",
        b"{'a':1}",
        b"// x\n1",
        b'"\t"',
        b"01",
        b"+1",
        b".5",
        b"1.",
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b"[" * 33 + b"]" * 33,
        b"1" * 1001,
        b"[0." + b"1" * 1000 + b"]",
        b'"unterminated [[[[',
        b'"unterminated \\',
        # Looked at once from every quote, these 2 MB would take hours.
        b'"' + b'\\"' * 1_000_000,
    ],
)
def test_what_is_no_json_of_the_contract_is_refused(raw: bytes) -> None:
    with pytest.raises(JsonError):
        parse_json(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b" \t\r\n1 ", 1),
        (b"[" * 32 + b"]" * 32, None),
        (b'"' + b"[" * 99 + b'\\"{"', "[" * 99 + '"{'),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"-0", 0),
        (b"1" * 1000, int("1" * 1000)),
        (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
    ],
)
def test_what_is_json_is_read(raw: bytes, value: object) -> None:
    read = parse_json(raw)
    assert value is None or read == value


def test_values_are_equal_with_their_types() -> None:
    assert equal_json({"a": [1, "x", None, True]}, {"a": [1, "x", None, True]})
    for other in (1.0, True, "1", None, [1]):
        assert not equal_json(1, other)
    assert not equal_json([1, 2], [1])
    assert not equal_json({"a": 1}, {"b": 1})


def test_documents_are_written_in_one_way() -> None:
    assert dump_document({"b": 1, "a": "é"}) == b'{\n  "a": "\xc3\xa9",\n  "b": 1\n}\n'
    assert dump_line({"b": 1, "a": [1.5]}) == b'{"b": 1, "a": [1.5]}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_document({"a": float("nan")})
