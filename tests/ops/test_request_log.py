"""The request log holds what it takes to score again elsewhere: Python does, and every bit is the server's."""

import base64
import json
import re
import resource
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from operated import BUNDLE, absent, operated

from twinrank.bridge.routes._oip import Encoded, encode
from twinrank.export.bundle import Bundle, open_bundle

MEMBERS = {
    *("time", "request_id", "trace_id", "protocol", "model", "version", "bundle", "outcome", "nanos"),
    *("request", "outputs", "order"),
}
SMALL_BYTES = 64 << 10
UNTIL_FULL = 200


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(BUNDLE, require="reference")


def post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return a body that was answered with 200; anything else is raised."""
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:  # noqa: S310
        return bytes(answer.read())


def rank(url: str, body: bytes, request_id: str) -> bytes:
    headers = {"content-type": "application/json", "x-request-id": request_id}
    return post(f"{url}/v1/models/tiny:rank", body, headers)


def accepted() -> list[bytes]:
    """Return the goldens that are answered with scores."""
    goldens = BUNDLE / "goldens"
    lines = (goldens / "requests.jsonl").read_bytes().splitlines()
    told = (goldens / "rankings.jsonl").read_bytes().splitlines()
    return [line for line, answer in zip(lines, told, strict=True) if "error" not in json.loads(answer)]


def columns(line: bytes) -> bytes:
    """Return a request whose candidates are columns; what a candidate has not is null."""
    request = json.loads(line)
    rows = request["candidates"]
    names = {name: None for row in rows for name in row}
    request["candidates"] = {name: [row.get(name) for row in rows] for name in names}
    return json.dumps(request, ensure_ascii=False).encode()


def tensors(encoded: Encoded) -> tuple[bytes, int]:
    """Return a request of the Open Inference Protocol with binary tensors, and the length of its JSON."""
    inputs, binary = [], b""
    for each in encoded.inputs:
        if each.datatype == "BYTES":
            texts = [text if isinstance(text, bytes) else str(text).encode() for text in each.values.ravel()]
            data = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
        else:
            data = each.values.tobytes()
        described = {"name": each.name, "shape": list(each.values.shape), "datatype": each.datatype}
        inputs.append({**described, "parameters": {"binary_data_size": len(data)}})
        binary += data
    head = json.dumps({"parameters": dict(encoded.parameters), "inputs": inputs}).encode()
    return head + binary, len(head)


def read(folder: Path) -> list[bytes]:
    """Return the lines of a log; one that is not whole is a failure."""
    lines: list[bytes] = []
    for file in sorted(folder.glob("requests-*.jsonl")):
        text = file.read_bytes()
        assert text == b"" or text.endswith(b"\n"), f"{file.name} ends with half a line"
        lines += text.splitlines()
    for line in lines:
        assert json.loads(line).keys() == MEMBERS
    return lines


def raw_request(line: bytes) -> bytes:
    """Return the member `request` as it was written: a parser might change what it prints again."""
    text = line.decode()
    begin = text.index('"request":') + len('"request":')  # in a string its quotes would be escaped
    while text[begin] == " ":  # the decoder begins at a value
        begin += 1
    _, end = json.JSONDecoder().raw_decode(text, begin)
    return text[begin:end].encode()


def differences(line: bytes, bundle: Bundle) -> list[str]:
    """Score a line's request again, and return the outputs whose bits, or the order, are not the line's."""
    told = json.loads(line)
    assert told["bundle"] == bundle.digest
    scores = bundle.score(raw_request(line))
    outputs: dict[str, np.ndarray[Any, Any]] = {**scores.heads, "score": scores.score}
    assert told["outputs"].keys() == outputs.keys()
    found = []
    for name, values in outputs.items():
        kept = told["outputs"][name]
        if kept["dtype"] != values.dtype.name or base64.b64decode(kept["bits"]) != values.tobytes():
            found.append(name)
    return found + ["order"] * (told["order"] != [int(index) for index in scores.order])


def test_python_scores_the_log_again_to_the_bit(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    asked: set[str] = set()
    with operated("--request-log", folder, "--request-log-sample", "1") as service:
        for place, line in enumerate(accepted()):
            rows, spread = line, b"\n" + line.replace(b"{", b"{\r\n ", 1) + b"\n"
            for form, body in (("rows", rows), ("spread", spread), ("columns", columns(line))):
                if form == "columns" and not json.loads(line)["candidates"]:
                    continue
                rank(service.url, body, f"{form} {place}".replace(" ", "-"))
                asked.add(f"{form}-{place}")
            encoded = encode(line, bundle.manifest.schema, bundle.manifest.max_candidates)
            if isinstance(encoded, Encoded):
                body, head = tensors(encoded)
                headers = {"inference-header-content-length": str(head), "content-type": "application/octet-stream"}
                url = f"{service.url}/v2/models/tiny/infer"
                post(url, body, {**headers, "x-request-id": f"tensors-{place}"})
                asked.add(f"tensors-{place}")
        assert service.stop() in (0, 143)
    lines = read(folder)
    assert {name.partition("-")[0] for name in asked} == {"rows", "spread", "columns", "tensors"}
    assert sorted(json.loads(line)["request_id"] for line in lines) == sorted(asked)
    assert {json.loads(line)["outcome"] for line in lines} == {"ok"}
    wrong = {json.loads(line)["request_id"]: found for line in lines if (found := differences(line, bundle))}
    assert wrong == {}
    # What compares must be able to see one bit, in each output, and another order.
    longest = max(lines, key=len)
    told = json.loads(longest)
    for name, kept in told["outputs"].items():
        flipped = bytearray(base64.b64decode(kept["bits"]))
        flipped[0] ^= 1
        other = longest.replace(kept["bits"].encode(), base64.b64encode(flipped), 1)
        assert name in differences(other, bundle)
    swapped = json.dumps({**told, "order": told["order"][::-1]}, ensure_ascii=False).encode()
    assert differences(swapped, bundle) == ["order"]


def counters(url: str) -> tuple[int, int]:
    """Return how many samples were written and how many dropped."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310  loopback
        text = answer.read().decode()
    found = []
    for name in ("written", "dropped"):
        value = re.search(rf"^rec_request_log_{name}_total(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        assert value is not None, name
        found.append(int(float(value[1])))
    return found[0], found[1]


def fill(folder: Path, *, limit: int | None) -> tuple[int, int, list[bytes]]:
    """Ask more than can be written; every request must be answered. Return the counts, and the lines."""
    body = max(accepted(), key=len)
    with operated("--request-log", folder, "--request-log-sample", "1") as service:
        if limit is not None:
            # Past it a write fails with EFBIG: the JVM ignores the signal. What the server unpacks is there already.
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        expected = rank(service.url, body, "first")
        for place in range(1, UNTIL_FULL):
            assert rank(service.url, body, f"request-{place}") == expected
        written, dropped = counters(service.url)
        while written + dropped < UNTIL_FULL:  # the writer is another thread; the test's time limit ends this
            written, dropped = counters(service.url)
        assert service.stop() in (0, 143)
    assert written + dropped == UNTIL_FULL
    return written, dropped, read(folder)


def test_a_file_that_may_not_grow_costs_samples_and_no_request(bundle: Bundle, tmp_path: Path) -> None:
    written, dropped, lines = fill(tmp_path / "log", limit=SMALL_BYTES)
    assert written > 0
    assert dropped > 0
    assert len(lines) == written
    assert [found for line in lines if (found := differences(line, bundle))] == []


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 64 KiB."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        absent(f"a small file system cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, capture_output=True)


@pytest.mark.ci
def test_a_full_disk_costs_samples_and_no_request(bundle: Bundle, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        written, dropped, lines = fill(disk, limit=None)
    assert written > 0
    assert dropped > 0
    assert len(lines) == written
    assert [found for line in lines if (found := differences(line, bundle))] == []
