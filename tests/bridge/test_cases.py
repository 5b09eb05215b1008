"""Where requests come from: a file that was damaged on its way is refused with its line, whatever the damage."""

import json
import os
from pathlib import Path

import pytest

from twinrank.bridge._cases import Case, collect, listed
from twinrank.bridge._chunks import MAX_BYTES, MAX_CANDIDATES, MAX_REQUESTS, chunks
from twinrank.bridge._errors import UserError


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b'{"a": 1}\n{"b": [1, 2', "requests_truncated", 2),
        (b'{"a": 1}\n{"b": "x', "requests_truncated", 2),
        (b"{}\n\n{}\n", "requests_blank_line", 2),
        (b"{}\n \t\r\n{}\n", "requests_blank_line", 2),
        (b"{}\n{}\n{\x00}\n", "requests_nul", 3),
        ("{}\n".encode("utf-16-le"), "requests_nul", 1),
        (b"\xef\xbb\xbf{}\n", "requests_bom", 1),
    ],
)
def test_damage_is_named_with_its_line(data: bytes, code: str, line: int, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        collect(tiny, requests=path)
    assert caught.value.code == code
    assert f"{path}:{line}:" in caught.value.problem
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_what_is_no_file_is_named(tiny: Path, tmp_path: Path) -> None:
    for path, told in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        with pytest.raises(UserError, match=told) as caught:
            collect(tiny, requests=path)
        assert caught.value.code == "requests_unreadable"
    (tmp_path / "empty").touch()
    with pytest.raises(UserError) as caught:
        collect(tiny, requests=tmp_path / "empty")
    assert caught.value.code == "requests_empty"


def test_a_whole_last_line_needs_no_line_feed_and_requests_may_be_wrong(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b'no JSON\n{"a": \r\n{"b": 1}')
    read = [case for case in collect(tiny, requests=path) if case.source == "file"]
    assert read == [Case("file", 1, b"no JSON"), Case("file", 2, b'{"a": \r'), Case("file", 3, b'{"b": 1}')]


def test_requests_are_spread_evenly_and_read_again_each_time(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"".join(b'{"line": %d}\n' % line for line in range(1, 11)))
    requests = collect(tiny, requests=path, most=4)
    assert requests.by_source == {"golden": 25, "file": 4}
    for _ in range(2):
        lines = [case.line for case in requests if case.source == "file"]
        assert lines == [1, 3, 6, 8], "0·10/4, 1·10/4, 2·10/4, 3·10/4, from 1"
    assert collect(tiny, requests=path, most=0).count == 25


def test_chunks_keep_the_order_and_every_bound() -> None:
    def request(candidates: int, size: int = 0) -> bytes:
        return json.dumps({"candidates": [{}] * candidates, "pad": "x" * size}).encode()

    raws = [request(1)] * 600 + [request(10_000)] + [request(1)] + [request(0, MAX_BYTES)] + [request(100)] * 100
    cases = [Case("file", line, raw) for line, raw in enumerate(raws, start=1)]
    made = list(chunks(cases))
    assert [case for chunk in made for case in chunk] == cases
    for chunk in made:
        assert len(chunk) <= MAX_REQUESTS
        if len(chunk) > 1:
            assert sum(len(case.raw) for case in chunk) <= MAX_BYTES
            assert sum(case.raw.count(b"{") for case in chunk) <= MAX_CANDIDATES
    assert (cases[600],) in made, "a slate of 10,000 is a chunk of its own"


def test_requests_are_read_when_they_are_needed() -> None:
    read = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal read
        while True:
            read += 1
            yield Case("fuzz", read, b"{}")

    first = next(chunks(endless()))
    assert len(first) == MAX_REQUESTS
    assert read <= MAX_REQUESTS + 1


def test_listed_requests_keep_their_sources() -> None:
    assert listed([Case("a", 1, b""), Case("b", 1, b""), Case("a", 2, b"")]).by_source == {"a": 2, "b": 1}


def test_a_pipe_is_refused_because_it_could_be_read_once_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="no regular file"):
        collect(tmp_path, requests=tmp_path / "pipe")
