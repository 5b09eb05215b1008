"""score_batch as the contract's section 12 says it; expected bytes are laid out by hand."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twinrank.bridge import RouteError, RouteFailedError, RouteOptions, RouteScores, _batch, _frames, _onnx_values
from twinrank.bridge._onnx_values import Raw
from twinrank.bridge._scorer import packed_digest
from twinrank.bridge._testee import FrameScorer
from twinrank.export.bundle import SessionSettings

OUTPUTS = {"click": np.dtype("<f4"), "score": np.dtype("<f8")}
HEADER: dict[str, Any] = {
    "n": [2, -1, 0, 1],
    "ranked": [1, 0, 0, 0],
    "dropped": [1, 0, 0, 1],
    "errors": [{"request": 1, "code": "wrong_type", "feature": "age", "candidate": 7}],
}
BODY = (
    struct.pack("<3f", 1, 2, 3)
    + struct.pack("<3d", 4, 5, 6)
    + struct.pack("<i", 1)
    + struct.pack("<2i", 0, 0)
    + struct.pack("<4Q", 11, 0, 2**64 - 1, 13)
)


def test_an_answer_is_cut_into_its_requests() -> None:
    first, refused, empty, last = _batch.read(HEADER, BODY, 4, OUTPUTS)
    assert isinstance(first.answer, RouteScores)
    assert {name: values.tolist() for name, values in first.answer.outputs.items()} == {
        "click": [1, 2],
        "score": [4, 5],
    }
    assert (first.answer.n, first.answer.order, first.answer.dropped, first.packed) == (2, (1,), (0,), 11)
    assert refused.answer == RouteError("wrong_type", "age", 7)
    assert refused.packed is None
    assert isinstance(empty.answer, RouteScores)
    assert (empty.answer.n, empty.packed) == (0, 2**64 - 1)
    assert isinstance(last.answer, RouteScores)
    assert (last.answer.outputs["score"].tolist(), last.answer.dropped, last.packed) == ([6], (0,), 13)


def test_no_requests_have_no_answers() -> None:
    assert _batch.read({"n": [], "ranked": [], "dropped": [], "errors": []}, b"", 0, OUTPUTS) == []


@pytest.mark.parametrize(
    "change",
    [
        {"n": [2, -1, 0]},
        {"n": [2, -2, 0, 1]},
        {"n": [2, -1, 0, 1.0]},
        {"n": [2, -1, 0, True]},
        {"n": [3, -1, 0, 1]},
        {"n": [2, 0, 0, 1]},
        {"ranked": [2, 0, 0, 0]},
        {"ranked": [1, 1, 0, 0]},
        {"dropped": None},
        {"errors": []},
        {"errors": [{"request": 0, "code": "wrong_type"}]},
        {"errors": [{"request": 1}]},
        {"errors": [{"request": True, "code": "wrong_type"}]},
        {"errors": [{"request": 1.0, "code": "wrong_type"}]},
        {"errors": [{"request": 1, "code": "wrong_type", "candidate": "7"}]},
    ],
)
def test_a_header_that_contradicts_itself_or_the_body_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|needs|more ranked"):
        _batch.read(HEADER | change, BODY, 4, OUTPUTS)


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"\0", b""])
def test_a_body_of_another_length_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="the body has"):
        _batch.read(HEADER, body, 4, OUTPUTS)


@pytest.mark.parametrize("index", [-1, 2])
def test_an_index_that_is_no_candidate_is_refused(index: int) -> None:
    body = BODY[:36] + struct.pack("<i", index) + BODY[40:]
    with pytest.raises(ValueError, match="ranked candidate"):
        _batch.read(HEADER, body, 4, OUTPUTS)


def test_requests_are_cut_where_a_frame_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frames, "LIMIT", 20)
    raws = [b"123456", b"123456", b"1", b"x" * 30, b"", b""]
    assert [list(part) for part in _batch.parts(raws)] == [raws[:2], raws[2:3], raws[3:4], raws[4:]]
    assert list(_batch.parts([])) == []
    assert _batch.body([b"ab", b""]) == b"\x02\0\0\0ab\0\0\0\0"


class _Reader:
    """A transport whose testee scores every request as its length, and whose answers hold few requests."""

    def __init__(self, most: int, **hello: Any) -> None:
        self.most = most
        self.hello = hello
        self.asked: list[int] = []

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes]:
        del timeout
        header, body = _frames.decode(frame)
        match header["op"]:
            case "hello":
                return {"ok": True, "protocol": 1, **self.hello}, b""
            case "load":
                return {"ok": True, "heads": [], "score": {"dtype": "float32"}}, b""
            case "score_batch":
                return self.batch(body)
            case "score":
                return {"ok": True, "n": 1, "order": [0], "dropped": []}, struct.pack("<f", len(body))
            case "pack":
                return {"ok": True, "n": 1, "inputs": [{"name": "x", "dtype": "int64", "shape": [1]}]}, bytes(8)
        return {"ok": False, "family": "graph", "code": "graph_refused", "message": "no such tap"}, b""

    def batch(self, body: bytes) -> tuple[dict[str, Any], bytes]:
        lengths = []
        while body:
            (length,) = struct.unpack_from("<I", body)
            lengths.append(length)
            body = body[4 + length :]
        self.asked.append(len(lengths))
        if len(lengths) > self.most:
            return {"ok": False, "family": "protocol", "code": "response_too_large", "message": "too much"}, b""
        count = len(lengths)
        header = {"ok": True, "n": [1] * count, "ranked": [1] * count, "dropped": [0] * count, "errors": []}
        return header, struct.pack(f"<{count}f", *lengths) + bytes(4 * count) + bytes(8 * count)

    def close(self) -> None:
        pass


def _scorer(reader: _Reader) -> FrameScorer:
    return FrameScorer("fake", reader, Path("bundle"), RouteOptions())


def _lengths(scorer: FrameScorer, raws: Sequence[bytes]) -> list[float]:
    answers = [scored.answer for scored in scorer.score_batch(raws)]
    return [float(answer.outputs["score"][0]) for answer in answers if isinstance(answer, RouteScores)]


def test_answers_too_large_for_a_frame_are_asked_for_in_halves() -> None:
    reader = _Reader(2, ops=["score_batch"])
    assert _lengths(_scorer(reader), [b"x" * index for index in range(7)]) == [0, 1, 2, 3, 4, 5, 6]
    assert reader.asked == [7, 3, 1, 2, 4, 2, 2]


def test_one_request_whose_answer_fits_no_frame_is_a_failure() -> None:
    with pytest.raises(RouteFailedError, match="response_too_large"):
        _scorer(_Reader(0, ops=["score_batch"])).score_batch([b"x"])


def test_a_testee_without_batches_is_asked_one_by_one() -> None:
    reader = _Reader(9)
    scorer = _scorer(reader)
    assert _lengths(scorer, [b"", b"ab"]) == [0, 2]
    assert scorer.score_batch([b""])[0].packed == packed_digest({"x": np.zeros(1, np.int64)})
    assert reader.asked == []
    assert scorer.run_graph(Path("m.onnx"), SessionSettings(), (), {}) is None


def test_a_graph_that_is_refused_leaves_the_scorer_usable() -> None:
    scorer = _scorer(_Reader(9, ops=["score_batch", "open_onnx"]))
    with pytest.raises(RouteFailedError, match="no such tap") as refused:
        scorer.run_graph(Path("m.onnx"), SessionSettings(), ("tap",), {})
    assert refused.value.reason == "refused"
    assert _lengths(scorer, [b"abc"]) == [3]


def test_values_travel_as_the_contract_lays_them_out() -> None:
    values = {
        "x": np.array([[1.5]], np.float16),
        "s": np.array(["é", ""], dtype=object),
        "b": Raw("bfloat16", (1,), np.frombuffer(b"\x80\x3f", np.uint8)),
    }
    described, body = _onnx_values.encode(values)
    assert body == b"\x00\x3e" + b"\x02\0\0\0\xc3\xa9" + b"\0\0\0\0" + b"\x80\x3f"
    assert [(each["name"], each["dtype"], each["shape"]) for each in described] == [
        ("x", "float16", [1, 1]),
        ("s", "string", [2]),
        ("b", "bfloat16", [1]),
    ]
    outputs = [{"kind": "tensor", **each} for each in described]
    read = _onnx_values.decode(outputs, body)
    assert read["x"].tobytes() == values["x"].tobytes()
    assert read["s"].tolist() == ["é", ""]
    assert (read["b"].dtype, read["b"].data.tobytes()) == ("bfloat16", b"\x80\x3f")
    tensor = {"kind": "tensor", "dtype": "int8", "shape": [1]}
    nested = [
        {"name": "q", "kind": "sequence", "values": [tensor, tensor]},
        {"name": "o", "kind": "optional", "values": []},
        {"name": "m", "kind": "map", "keys": tensor, "values": tensor},
    ]
    read = _onnx_values.decode(nested, b"\1\2\3\4")
    assert [each.tolist() for each in read["q"]] == [[1], [2]]
    assert read["o"] is None
    assert read["m"] == {3: 4}
    for wrong in (body[:-1], body + b"\0"):
        with pytest.raises(ValueError, match=r"ends inside|follow"):
            _onnx_values.decode(outputs, wrong)
