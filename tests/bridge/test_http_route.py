"""The http route against a small service that is written here: what Java's answers mean must not depend on Java."""

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from twinrank.bridge import RouteError, RouteFailedError, RouteOptions, RouteScores
from twinrank.bridge.routes import route
from twinrank.bridge.routes.http import read_json
from twinrank.export.bundle import read_manifest

Reply = Callable[[bytes], tuple[int, bytes]]


class Service:
    """Answers `/v1/models/tiny` from the manifest, and every rank with `reply`."""

    def __init__(self, bundle: Path) -> None:
        manifest = read_manifest(bundle)
        self.detail: dict[str, Any] = {
            "name": manifest.name,
            "version": 1,
            "bundle": manifest.digest,
            "verification": "verified-bits",
            "goldens": 1,
            "host_class": manifest.host_class,
            "runtime": "onnxruntime 1.29.0",
            "heads": [{"name": head.name, "dtype": head.dtype} for head in manifest.heads],
            "score": {"dtype": manifest.score.dtype},
        }
        self.reply: Reply = lambda _: (500, b"")
        self.bodies: list[tuple[str, str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(200, json.dumps(outer.detail).encode())

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                outer.bodies.append((self.path, self.headers["Content-Type"], raw))
                self.answer(*outer.reply(raw))

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # a client that stopped waiting
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def service(tiny: Path) -> Iterator[Service]:
    running = Service(tiny)
    yield running
    running.close()


def ask(service: Service, tiny: Path, raw: bytes = b"{}", timeout: float = 10.0) -> RouteScores | RouteError:
    with route("http").open(tiny, RouteOptions(against=service.url, score_timeout=timeout)) as scorer:
        return scorer.score(raw)


def ranking(*entries: str, n: int, dropped: str = "") -> bytes:
    return f'{{"candidates": {n}, "ranking": [{", ".join(entries)}], "dropped": [{dropped}]}}'.encode()


HEADS = '"heads": {{"watched": {0}, "risky": 0.5, "margin": 0.1}}'


def entry(index: int, score: str, watched: str = "1.0") -> str:
    return f'{{"index": {index}, "score": {score}, {HEADS.format(watched)}}}'


def test_facts_come_from_the_service(service: Service, tiny: Path) -> None:
    with route("http").open(tiny, RouteOptions(against=service.url + "/")) as scorer:
        facts = scorer.facts()
        assert scorer.pack(b"{}") is None
    assert facts.host_class == read_manifest(tiny).host_class
    assert facts.bundle == read_manifest(tiny).digest
    assert facts.runtime == "onnxruntime 1.29.0"
    assert facts.details["address"] == service.url


def test_the_raw_bytes_are_posted_as_they_are(service: Service, tiny: Path) -> None:
    service.reply = lambda _: (200, ranking(n=0))
    raw = b' {"context" : {}} \xff\x00'
    ask(service, tiny, raw)
    assert service.bodies == [("/v1/models/tiny:rank", "application/json", raw)]


def test_a_ranking_is_mapped_back_to_candidates(service: Service, tiny: Path) -> None:
    service.reply = lambda _: (200, ranking(entry(2, "0.5", "7.0"), entry(0, "0.25", "-0"), n=4, dropped=DROPPED))
    scores = ask(service, tiny)
    assert isinstance(scores, RouteScores)
    assert (scores.n, scores.order, scores.dropped) == (4, (2, 0), (3,))
    # k cut candidate 1 away: the service does not tell its values, so it is not compared.
    assert scores.known.tolist() == [True, False, True, True]
    assert list(scores.outputs) == ["watched", "risky", "margin", "score"]
    assert scores.outputs["score"][[0, 2]].tolist() == [0.25, 0.5]
    assert np.isnan(scores.outputs["score"][3])
    assert np.isnan(scores.outputs["watched"][3])
    assert scores.outputs["watched"][2] == 7.0
    assert np.signbit(scores.outputs["watched"][0]), "-0 is a float's negative zero, not an integer"


DROPPED = '{"index": 3, "reason": "nan_score", ' + HEADS.format('"NaN"') + "}"


def test_infinities_are_words(service: Service, tiny: Path) -> None:
    service.reply = lambda _: (200, ranking(entry(0, '"Infinity"'), entry(1, '"-Infinity"'), n=2))
    scores = ask(service, tiny)
    assert isinstance(scores, RouteScores)
    assert scores.outputs["score"].tolist() == [np.inf, -np.inf]


def test_a_number_that_is_no_float32_is_kept_as_it_came(service: Service, tiny: Path) -> None:
    # risky and watched are float32 in tiny; 0.1 is not the widening of any float32, 0.5 is.
    service.reply = lambda _: (200, ranking(entry(0, "0.5", "0.1"), n=1))
    scores = ask(service, tiny)
    assert isinstance(scores, RouteScores)
    assert scores.outputs["watched"].dtype == np.float64
    assert scores.outputs["risky"].dtype == np.dtype(
        next(h.dtype for h in read_manifest(tiny).heads if h.name == "risky")
    )


def test_a_refusal_keeps_code_feature_and_candidate(service: Service, tiny: Path) -> None:
    service.reply = lambda _: (400, b'{"code": "wrong_type", "feature": "age", "candidate": 3, "status": 400}')
    assert ask(service, tiny) == RouteError("wrong_type", "age", 3)
    service.reply = lambda _: (400, b'{"code": "invalid_json", "status": 400}')
    assert ask(service, tiny) == RouteError("invalid_json")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, b'{"code": "not_ready", "detail": "draining"}', "503 not_ready: draining"),
        (500, b"<html>", "no JSON"),
        (200, b"[]", "answered 200"),
        (200, b'{"candidates": 1, "ranking": []}', "no ranking"),
        (200, ranking(entry(0, "1"), entry(0, "1"), n=2), "listed twice"),
        (200, ranking(entry(5, "1"), n=2), "out of range"),
        (200, ranking(entry(0, "true"), n=1), "no number"),
        (200, ranking(entry(0, '"nan"'), n=1), "no ranking"),
    ],
)
def test_answers_outside_the_contract_are_named(
    service: Service, tiny: Path, status: int, body: bytes, told: str
) -> None:
    service.reply = lambda _: (status, body)
    with pytest.raises(RouteFailedError, match=told) as caught:
        ask(service, tiny)
    assert caught.value.reason == "protocol"


def test_a_service_that_hangs_is_named(service: Service, tiny: Path) -> None:
    def slow(_: bytes) -> tuple[int, bytes]:
        time.sleep(1.0)
        return 200, ranking(n=0)

    service.reply = slow
    with pytest.raises(RouteFailedError, match="longer than") as caught:
        ask(service, tiny, timeout=0.2)
    assert caught.value.reason == "hung"


def test_a_service_that_is_not_there_is_named(tiny: Path) -> None:
    with pytest.raises(RouteFailedError, match=r"127\.0\.0\.1:9") as caught:
        route("http").open(tiny, RouteOptions(against="http://127.0.0.1:9"))
    assert caught.value.reason == "unavailable"


def test_a_service_that_describes_itself_otherwise_is_named(service: Service, tiny: Path) -> None:
    del service.detail["heads"]
    with pytest.raises(RouteFailedError, match="does not describe its model"):
        route("http").open(tiny, RouteOptions(against=service.url))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"-0", -0.0),
        (b"-0.0", -0.0),
        (b"-0e0", -0.0),
        (b"5e-324", 5e-324),
        (b"2.2250738585072011e-308", float.fromhex("0x0.fffffffffffffp-1022")),
        (b"9007199254740993.0", 9007199254740992.0),
        (b"0.1", 0.1),
        (b"1.7976931348623157e308", float.fromhex("0x1.fffffffffffffp+1023")),
        # Halfway between two doubles, and just above it: the one goes to the even one, the other up.
        (b"1.00000000000000011102230246251565404236316680908203125", 1.0),
        (b"1.00000000000000011102230246251565404236316680908203126", 1.0000000000000002),
    ],
)
def test_numbers_are_read_to_the_bit(text: bytes, value: float) -> None:
    for document in (text, b"[" + text + b"]", b'{"x": ' + text + b"}"):
        found = read_json(document)
        found = found[0] if isinstance(found, list) else found["x"] if isinstance(found, dict) else found
        assert np.float64(found).tobytes() == np.float64(value).tobytes()


def test_random_doubles_survive_being_written_and_read() -> None:
    values = np.random.default_rng(6).integers(0, 2**64, 20_000, np.uint64).view(np.float64)
    values = values[np.isfinite(values)]
    read = np.array(read_json(json.dumps(values.tolist()).encode()), np.float64)
    assert read.tobytes() == values.tobytes()


def test_a_number_that_overflows_is_no_infinity() -> None:
    with pytest.raises(ValueError, match="infinity"):
        read_json(b"[1e400]")


def test_a_batch_is_answered_in_its_order_over_several_connections(service: Service, tiny: Path) -> None:
    def reply(raw: bytes) -> tuple[int, bytes]:
        place = json.loads(raw)["place"]
        time.sleep(0.02 * (place % 2))  # every second one is slower, so the answers overtake each other
        return 200, ranking(entry(0, f"{place}.5"), n=1)

    service.reply = reply
    with route("http").open(tiny, RouteOptions(against=service.url)) as scorer:
        answers = scorer.score_batch([b'{"place": %d}' % place for place in range(9)])
    assert [float(each.answer.outputs["score"][0]) for each in answers] == [place + 0.5 for place in range(9)]  # type: ignore[union-attr]


def test_a_failure_in_a_batch_leaves_nothing_for_the_next(service: Service, tiny: Path) -> None:
    service.reply = lambda raw: (200, ranking(n=0)) if raw == b"{}" else (503, b'{"code": "not_ready"}')
    with route("http").open(tiny, RouteOptions(against=service.url)) as scorer:
        with pytest.raises(RouteFailedError, match="not_ready"):
            scorer.score_batch([b"{}", b"x", b"{}"])
        assert [each.answer.n for each in scorer.score_batch([b"{}"] * 4)] == [0] * 4  # type: ignore[union-attr]


def test_host_and_port_are_an_address(service: Service, tiny: Path) -> None:
    with route("http").open(tiny, RouteOptions(against=service.url.removeprefix("http://"))) as scorer:
        assert scorer.facts().details["address"] == service.url


def test_no_two_threads_share_connections(service: Service, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A pool closes an idle connection that has something to read; another thread may just have asked over it.
    threads: dict[int, set[int]] = {}
    request = httpx.Client.stream

    def seen(self: httpx.Client, *given: Any, **named: Any) -> contextlib.AbstractContextManager[httpx.Response]:
        threads.setdefault(id(self), set()).add(threading.get_ident())
        return request(self, *given, **named)

    monkeypatch.setattr(httpx.Client, "stream", seen)
    service.reply = lambda _: (200, ranking(entry(0, "0.5"), n=1))
    with route("http").open(tiny, RouteOptions(against=service.url)) as scorer:
        scorer.score(b"{}")
        scorer.score_batch([b"{}"] * 8)
    assert sorted(map(len, threads.values())) == [1, 1, 1]
    assert len(set.union(*threads.values())) == 3


def test_an_answer_that_drips_is_hung_and_one_too_large_is_a_breach(
    service: Service, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.reply = lambda _: (200, b" " * 100_000)
    with route("http").open(tiny, RouteOptions(against=service.url)) as scorer:
        with monkeypatch.context() as patched:
            patched.setattr("twinrank.bridge.routes.http._MAX_ANSWER", 99_999)
            with pytest.raises(RouteFailedError, match="more than 99,999 bytes"):
                scorer.score(b"{}")
        clock = itertools.count(0, 1_000)
        monkeypatch.setattr("twinrank.bridge.routes.http.time.monotonic", lambda: next(clock))
        with pytest.raises(RouteFailedError, match="took longer") as caught:
            scorer.score(b"{}")
        assert caught.value.reason == "hung"
