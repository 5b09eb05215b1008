"""What a collector of traces is sent: a span a request, where its client and its answer say that it is."""

import gzip
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from operated import BUNDLE, operated

from twinrank.export.bundle import read_manifest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
GOLDEN = (BUNDLE / "goldens" / "requests.jsonl").read_bytes().splitlines()[0]


class Collector(ThreadingHTTPServer):
    """Keeps what its OTLP/HTTP receiver is sent: `(resource attributes, span)` each."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.paths: set[str] = set()
        self.received: list[tuple[dict[str, str], Span]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.paths.add(self.path)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {each.key: each.value.string_value for each in resource.resource.attributes}
            spans = [span for scope in resource.scope_spans for span in scope.spans]
            self.server.received += [(told, span) for span in spans]
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what fails is asserted."""


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


def rank(url: str, body: bytes, **headers: str) -> tuple[int, list[str]]:
    """Return the status of an answer, and the fields of its `traceparent`."""
    request = urllib.request.Request(f"{url}/v1/models/tiny:rank", body, {"content-type": "application/json"})  # noqa: S310
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        answer = urllib.request.urlopen(request, timeout=30)  # noqa: S310  loopback
    except urllib.error.HTTPError as refused:
        answer = refused
    with answer:
        answer.read()
        return int(answer.status), answer.headers["traceparent"].split("-")


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[Collector, dict[str, list[str]]]]:
    """What a collector has when the server has ended, and the `traceparent` of each answer by the request's id."""
    asked = {
        "recorded": (GOLDEN, f"00-{TRACE}-{PARENT}-01", 200),
        "refused": (b"{", f"00-{TRACE}-{PARENT[::-1]}-01", 400),
        "unrecorded": (GOLDEN, f"00-{TRACE[::-1]}-{PARENT}-00", 200),
        "rootless": (GOLDEN, "", 200),
    }
    answered = {}
    with collecting() as collector:
        with operated("--otlp-endpoint", collector.endpoint) as service:
            for name, (body, parent, expected) in asked.items():
                headers = {"x_request_id": name} | ({"traceparent": parent} if parent else {})
                status, answered[name] = rank(service.url, body, **headers)
                assert status == expected, name
            assert service.stop() in (0, 143)  # which sends what waits
        yield collector, answered


def of(collector: Collector, name: str) -> Span:
    found = [span for _, span in collector.received if attributes(span).get("recsys.request.id") == name]
    assert len(found) == 1, name
    return found[0]


def test_the_span_has_the_clients_parent_and_the_answers_id(told: tuple[Collector, dict[str, list[str]]]) -> None:
    collector, answered = told
    assert collector.paths == {"/v1/traces"}
    for name, parent in (("recorded", PARENT), ("refused", PARENT[::-1])):
        span = of(collector, name)
        assert span.trace_id.hex() == TRACE
        assert span.parent_span_id.hex() == parent
        assert answered[name] == ["00", TRACE, span.span_id.hex(), "01"]
        assert span.span_id.hex() != parent
        assert span.kind == Span.SPAN_KIND_SERVER


def test_what_was_asked_and_answered_is_said(told: tuple[Collector, dict[str, list[str]]]) -> None:
    collector, _ = told
    scored, refused = of(collector, "recorded"), of(collector, "refused")
    digest = "sha256:" + (BUNDLE / "manifest.sha256").read_text(encoding="ascii").strip()
    assert attributes(scored) == {
        "recsys.request.id": "recorded",
        "recsys.protocol": "rank",
        "recsys.model": read_manifest(BUNDLE).name,
        "recsys.model.version": 1,
        "recsys.bundle": digest,
        "recsys.candidates": 1,
        "recsys.outcome": "ok",
    }
    # The client's fault is no error of the server's span.
    assert attributes(refused)["recsys.outcome"] == "invalid_json"
    assert {span.status.code for span in (scored, refused)} == {Status.STATUS_CODE_UNSET}
    assert {resource["service.name"] for resource, _ in collector.received} == {"twinrank-server"}


def test_the_stages_are_its_children_and_lie_within(told: tuple[Collector, dict[str, list[str]]]) -> None:
    collector, _ = told
    scored = of(collector, "recorded")
    children = [span for _, span in collector.received if span.parent_span_id == scored.span_id]
    assert {child.name for child in children} >= {"queue", "score", "pack", "run", "order", "write"}
    assert len({child.name for child in children}) == len(children)
    for child in children:
        assert child.trace_id == scored.trace_id
        assert scored.start_time_unix_nano <= child.start_time_unix_nano <= child.end_time_unix_nano
        assert child.end_time_unix_nano <= scored.end_time_unix_nano, child.name
    assert len({span.span_id for _, span in collector.received}) == len(collector.received)


def test_what_nobody_records_is_not_sent(told: tuple[Collector, dict[str, list[str]]]) -> None:
    collector, answered = told
    assert {span.trace_id.hex() for _, span in collector.received} == {TRACE}
    assert answered["unrecorded"][1] == TRACE[::-1]
    assert {answered[name][3] for name in ("unrecorded", "rootless")} == {"00"}


@pytest.mark.ci
def test_a_collector_that_is_away_disturbs_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/traces"
        with operated("--otlp-endpoint", endpoint, "--otlp-sample", "1") as service:
            for _ in range(20):
                status, answered = rank(service.url, GOLDEN)
                assert (status, answered[3]) == (200, "01")
            assert service.stop() in (0, 143)
