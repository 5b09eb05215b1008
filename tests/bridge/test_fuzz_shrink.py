"""The shrinker on planted differences: the exact minimum is known, because the predicate is."""

import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

from twinrank.bridge import RouteFailedError
from twinrank.bridge.fuzz import fuzz_cases, shrink
from twinrank.bridge.fuzz._tree import parse
from twinrank.training.schema import Feature, ListSpec, Schema, ScoringError, read_request


class Asked:
    """A batch predicate that counts."""

    def __init__(self, differs: Callable[[bytes], bool]) -> None:
        self.one = differs
        self.requests = self.calls = self.largest = 0

    def __call__(self, raws: Sequence[bytes]) -> list[bool]:
        self.calls += 1
        self.requests += len(raws)
        self.largest = max(self.largest, len(raws))
        return [self.one(raw) for raw in raws]


def read(raw: bytes) -> dict[str, Any] | None:
    """What a lenient reader makes of a request; None where its shape is not that of one."""
    try:
        document = json.loads(raw)
    except ValueError:
        return None
    shaped = isinstance(document, dict) and isinstance(document.get("context"), dict)
    slate = document.get("candidates") if shaped else None
    return document if isinstance(slate, list) and all(isinstance(one, dict) for one in slate) else None


def sharp_s(raw: bytes) -> bool:
    document = read(raw)
    lists = [candidate.get("tags") for candidate in document["candidates"]] if document is not None else []
    return any(isinstance(tag, str) and "ß" in tag for tags in lists if isinstance(tags, list) for tag in tags[3:])


def columnar(raw: bytes) -> bool:
    return isinstance(json.loads(raw)["candidates"], dict)


def slate(n: int, at: int) -> bytes:
    tags = ["x", "yy", "z", "w", "q", "k"]
    sharp = [*tags[:4], "aßc", "k"]
    candidates = [{"id": str(i), "tags": sharp if i == at else tags, "price": i / 7} for i in range(n)]
    return json.dumps({"context": {"a": 1, "b": [1, 2, 3]}, "candidates": candidates, "k": 3}).encode()


MINIMUM = '{"context":{},"candidates":[{"tags":[0,0,0,"ß"]}]}'.encode()


def test_the_exact_minimum_of_a_planted_difference_is_found() -> None:
    raw = slate(5, 3)
    asked = Asked(sharp_s)
    found = shrink(raw, asked)
    assert (found.raw, found.complete, found.before) == (MINIMUM, True, len(raw))
    assert found.tried == asked.requests
    assert asked.largest > 4


def test_columns_are_shortened_together() -> None:
    schema = Schema((Feature("a", "candidate", "int64"), *(Feature(name, "candidate", "string") for name in "bc")))

    def differs(raw: bytes) -> bool:
        try:
            request = read_request(raw, schema, max_candidates=99)
        except ScoringError:
            return False
        return columnar(raw) and any("ß" in (text or "") for text in request.values("b"))

    columns = {"a": [*range(20)], "b": ["x"] * 13 + ["aß"] + ["y"] * 6, "c": ["z"] * 20}
    raw = json.dumps({"context": {}, "candidates": columns, "k": 4}).encode()
    found = shrink(raw, Asked(differs), schema)
    assert found.complete
    assert json.loads(found.raw) == {"context": {}, "candidates": {"a": [0], "b": ["ß"], "c": [""]}}


def test_a_group_in_columns_is_shortened_together() -> None:
    pair = (Feature(name, "candidate", "int64", ListSpec(9, "first"), group="pair") for name in "gh")
    schema = Schema(tuple(pair))

    def differs(raw: bytes) -> bool:
        try:
            request = read_request(raw, schema, max_candidates=9)
        except ScoringError:
            return False
        return columnar(raw) and any(7 in (each or ()) for each in request.values("h"))

    columns = {"g": [[1], [2, 3, 4]], "h": [[5], [6, 7, 8]]}
    found = shrink(json.dumps({"context": {}, "candidates": columns}).encode(), Asked(differs), schema)
    assert json.loads(found.raw) == {"context": {}, "candidates": {"g": [[0]], "h": [[7]]}}


def test_a_slate_of_ten_thousand_takes_a_bounded_number_of_questions() -> None:
    asked = Asked(sharp_s)
    found = shrink(slate(10_000, 7_123), asked, seconds=60.0)
    assert (found.raw, found.complete) == (MINIMUM, True)
    assert asked.requests < 400
    assert asked.calls < 150


def test_two_candidates_that_are_needed_together_stay() -> None:
    def two(raw: bytes) -> bool:
        document = read(raw)
        return sharp_s(raw) and document is not None and any(one.get("id") == "17" for one in document["candidates"])

    found = shrink(slate(1_000, 900), Asked(two), seconds=60.0)
    assert found.raw == '{"context":{},"candidates":[{"id":"17"},{"tags":[0,0,0,"ß"]}]}'.encode()


def test_white_space_stays_only_where_it_matters() -> None:
    raw = b'{ "context" : {"a": 1}, "candidates" : [ {"a": 1} , {"a":\t13 } ] }'
    found = shrink(raw, Asked(lambda raw: b"\t" in raw and read(raw) is not None))
    assert found.raw in (
        b'{"context":{},"candidates":\t[]}',
        b'{"context":{},"candidates":[\t]}',
        b'{"context":{},"candidates":[{"":\t0}]}',
    )


def test_what_is_no_json_shrinks_by_its_bytes() -> None:
    raw = b'{"context":{"a":"\xffabc"},"candidates":[{"a":1},{"b":[1,2,3]}]}x'
    found = shrink(raw, Asked(lambda raw: b"\xff" in raw and raw.endswith(b"x")))
    assert (found.raw, found.complete) == (b"\xffx", True)


def test_a_difference_that_comes_and_goes_ends_and_is_not_called_complete() -> None:
    turn = count()
    found = shrink(slate(50, 30), Asked(lambda raw: sharp_s(raw) and next(turn) % 3 != 1))
    assert sharp_s(found.raw)
    assert len(found.raw) < 200


def test_a_difference_that_is_gone_at_the_end_is_not_called_complete() -> None:
    asked = Asked(lambda raw: sharp_s(raw) and asked.calls < 40)
    found = shrink(slate(5, 3), asked)
    assert sharp_s(found.raw)
    assert not found.complete


def test_a_difference_that_does_not_show_again_leaves_the_request_as_it_is() -> None:
    raw = slate(3, 1)
    found = shrink(raw, Asked(lambda _: False))
    assert (found.raw, found.tried, found.complete) == (raw, 1, False)


def test_a_route_that_fails_ends_the_search_with_the_best_so_far() -> None:
    turn = count()

    def dying(raw: bytes) -> bool:
        if next(turn) > 30:
            raise RouteFailedError("probe", "crashed", "exit code 134")
        return sharp_s(raw)

    raw = slate(100, 30)
    found = shrink(raw, Asked(dying))
    assert not found.complete
    assert sharp_s(found.raw)
    assert len(found.raw) < len(raw) / 10


def test_time_ends_the_search_when_everything_is_needed() -> None:
    raw = slate(2_000, 3)
    found = shrink(raw, Asked(lambda given: given == raw), seconds=0.5)
    assert (found.raw, found.complete) == (raw, False)


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 5000, b'{"a":1', b"\xef\xbb\xbf{}", b"[1]", b'"x"', b"7"])
def test_any_bytes_can_be_shrunk(raw: bytes) -> None:
    assert shrink(raw, Asked(lambda _: True)).raw == b""


def test_a_tree_loses_no_byte() -> None:
    cases = fuzz_cases(Schema((Feature("a", "candidate", "string"),)), 5, 4000, 3)
    broken = (
        b"[1,",
        b"[1,]",
        b"[,1]",
        b'{"a":1:2}',
        b"{}{}",
        b'{"a" 1}',
        b"]",
        b",",
        b'{"a":"b',
        b'"\\',
        b' { "a" : [ ] } ',
    )
    for raw in (*broken, *(case.raw for case in cases)):
        tree = parse(raw, space=True)
        assert tree is None or bytes(tree) == raw


def test_a_text_that_is_not_quite_json_shrinks_by_its_structure() -> None:
    raw = b'{"context":{"a":{"b":[1,2,{"c":"x\\u000\\udd44y"}]}},"candidates":[{"d":1},{"e":[2]}]} trailing'
    found = shrink(
        raw,
        Asked(lambda raw: b"\\u000\\udd44" in raw and raw.startswith(b"{") and raw.count(b"{") == raw.count(b"}") > 0),
    )
    assert (found.raw, found.complete) == (b"{\\u000\\udd44}", True)


def test_hypothesis_takes_out_together_what_no_pass_can_take_out_alone() -> None:
    def aligned(raw: bytes) -> bool:
        context = (read(raw) or {"context": {}})["context"]
        one, other = context.get("a"), context.get("b")
        lists = isinstance(one, list) and isinstance(other, list)
        return lists and len(one) == len(other) and "ß" in one

    raw = json.dumps({"context": {"a": ["x", "y", "ß", "z"], "b": [7, 8, 9, 10], "c": 1}, "candidates": []}).encode()
    found = shrink(raw, Asked(aligned))
    assert (found.raw, found.complete) == ('{"context":{"a":["ß"],"b":[0]},"candidates":[]}'.encode(), True)


def test_a_group_of_the_schema_is_shortened_together() -> None:
    members = ("a", "b", "c")
    schema = Schema(
        (
            *(Feature(name, "context", "string", ListSpec(50, "last"), group="g") for name in members),
            Feature("d", "candidate", "bool"),
        )
    )

    def differs(raw: bytes) -> bool:
        try:
            request = read_request(raw, schema, max_candidates=5)
        except ScoringError:
            return False
        [values] = request.values("b")
        return isinstance(values, tuple) and "ß" in values

    raw = json.dumps(
        {"context": {name: [name] * 30 + ["ß"] * 3 for name in members}, "candidates": [{"d": False}] * 3}
    ).encode()
    asked = Asked(differs)
    found = shrink(raw, asked, schema)
    assert found.raw == '{"context":{"a":[""],"b":["ß"],"c":[""]},"candidates":[]}'.encode()
    assert found.complete
    assert asked.requests < 1000
