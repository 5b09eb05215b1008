"""JSON texts of the kinds that a conformance suite has, as bodies: legal, illegal, and hostile."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

RANK = "/v1/models/tiny:rank"

# RFC 8259: each must be read as JSON, whatever the request's shape is then found to be.
LEGAL = [
    b"[]", b"{}", b"null", b"true", b"false", b'""', b"0", b"-0", b"-1", b"1e1", b"1E+2", b"1.5e-3", b"123.456e78",
    b" [1 , 2\t,\r\n3 ] ", b'{"a":{"b":[{}]}}', b'"\\u0000\\"\\\\\\/\\b\\f\\n\\r\\t"', b'"\\ud83d\\ude00"',
    b'"\\ud800"', '"\u20ac\U0001f600\u2028\x7f"'.encode(), b"[" * 64 + b"]" * 64, b"[-1e-400]", b"[1e400]",
    b"[" + b"9" * 1000 + b"]", b'{"":0}', b'["\xef\xbf\xbf"]',
]  # fmt: skip

# Each departs from RFC 8259, or from what the contract adds to it.
ILLEGAL = [
    b"", b" ", b"{", b"}", b"[", b"]", b"[1", b"[1,", b"[,1]", b"[1,,2]", b"[1 2]", b"[1]]", b"[1]x", b'{"a"}',
    b'{"a":}',
    b'{"a":1,}', b'{"a" 1}', b"{a:1}", b"{'a':1}", b'{"a":1 "b":2}', b'{"a":1,"a":1}', b"{1:1}", b'{"a":1}}', b"[1,]",
    b"nul", b"True", b"NaN", b"[NaN]", b"[Infinity]", b"[-Infinity]", b"undefined", b"01", b"-", b"+1", b"-01", b"1.",
    b".5", b"-.5", b"1e", b"1e+", b"0x10", b"1_000", b"1.2.3", b"--1", b'"', b'"a', b'"\t"', b'"\n"', b'"\x00"',
    b'"\\x"', b'"\\u12"', b'"\\u12G4"', b'"\\a"', b"'a'", b'"\xff"', b'"\xc0\xaf"', b'"\xe0\x80\x80"',
    b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"', b'"\xe2\x82"', b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00", b"{\x00", b"[1]\x00", b"\x0b[]", b"\xc2\xa0[]", b"// c\n[]", b"/**/[]", b"[1] #", b"{}{}",
    b"[" * 65 + b"]" * 65, b"[" * 100_000, b'{"a":' * 100_000, b"[" + b"9" * 1001 + b"]",
]  # fmt: skip


@pytest.fixture(scope="module")
def connection(server: str) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection(urlsplit(server).netloc, timeout=60)) as opened:
        yield opened


def ask(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, str]:
    connection.request("POST", RANK, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read()).get("code", "")


@pytest.mark.parametrize("body", LEGAL, ids=lambda body: repr(body[:24]))
def test_what_is_json_is_not_called_anything_else(connection: http.client.HTTPConnection, body: bytes) -> None:
    assert ask(connection, body) == (400, "invalid_request")


def test_what_is_no_json_is_refused_as_that(connection: http.client.HTTPConnection) -> None:
    answers = {body[:40]: ask(connection, body) for body in ILLEGAL}
    assert answers == dict.fromkeys((body[:40] for body in ILLEGAL), (400, "invalid_json"))


def test_every_cut_of_a_request_is_refused_and_none_is_a_fault(connection: http.client.HTTPConnection) -> None:
    whole = (
        b'{"context": {"user": "ann", "when": 1700000000000, "budget": 40.0}, '
        b'"candidates": [{"item": "t\xc3\xa9", "stock": 3, "quality": 0.5, "margin": 1.25}]}'
    )
    assert ask(connection, whole)[0] == 200
    for length in range(len(whole)):
        assert ask(connection, whole[:length]) == (400, "invalid_json"), whole[:length]
