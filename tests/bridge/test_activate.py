"""`twinrank activate`: a pointer is written whole, for a bundle that is sound, and a server is waited for."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from twinrank.bridge.cli import main

TINY = Path(__file__).resolve().parents[1] / "contract" / "vectors" / "bundles" / "tiny" / "1"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for version in (1, 2):
        shutil.copytree(TINY, tmp_path / "models" / "tiny" / str(version))
    return tmp_path / "models"


def activate(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["activate", *map(str, arguments)], prog_name="twinrank")


def test_the_pointer_is_one_line_and_nothing_else_stays(models: Path) -> None:
    result = activate(models, "tiny", 2)
    assert result.exit_code == 0, result.output
    assert "names version 2 (sha256:" in result.output
    assert "before: no pointer" in result.output
    pointer = models / "tiny" / "active"
    first = pointer.stat().st_ino
    assert pointer.read_bytes() == b"2\n"
    assert "before: 2" in activate(models, "tiny", 2).output
    assert pointer.stat().st_ino != first  # written anew: whoever watches takes it for a new wish
    assert sorted(each.name for each in pointer.parent.iterdir()) == ["1", "2", "active"]


@pytest.mark.parametrize("name", ["tiny", "other", "..", "tiny/../tiny"])
def test_what_is_not_there_is_no_pointer(models: Path, name: str) -> None:
    result = activate(models, name, 3)
    assert result.exit_code == 1
    assert "error [file_missing]" in result.stderr
    assert not (models / "tiny" / "active").exists()


def test_a_path_is_no_name(models: Path) -> None:
    assert "error [file_missing]" in activate(models / "tiny", "../tiny/..", "1").stderr


def test_a_damaged_bundle_is_no_pointer(models: Path) -> None:
    assert activate(models, "tiny", 1).exit_code == 0
    graph = models / "tiny" / "2" / "model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    result = activate(models, "tiny", 2)
    assert result.exit_code == 1
    assert "error [bundle_unusable]" in result.stderr
    assert "digest_mismatch: model.onnx" in result.stderr
    assert (models / "tiny" / "active").read_bytes() == b"1\n"


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    """A server that gives the documents one after the other, and the last of them for ever."""
    documents: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(documents[0]).encode()
            if len(documents) > 1:
                del documents[0]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", documents
        http.shutdown()
        thread.join()


def listed(version: int, digest: str, **further: Any) -> dict[str, Any]:
    entry = {"version": version, "state": "active", "bundle": digest}
    return {"models": [{"name": "tiny", "versions": [entry], **further}]}


def test_waiting_ends_when_the_server_serves_that_bundle(models: Path, server: tuple[str, list[Any]]) -> None:
    url, documents = server
    digest = "sha256:" + (TINY / "manifest.sha256").read_text().strip()
    documents += [listed(1, digest), listed(2, "sha256:of another"), listed(2, digest)]
    result = activate(models, "tiny", 2, "--wait", url)
    assert result.exit_code == 0, result.output
    assert f"{url} serves tiny/2 after " in result.output
    assert len(documents) == 1


def test_the_servers_own_reason_is_told(models: Path, server: tuple[str, list[Any]]) -> None:
    url, documents = server
    documents.append(listed(1, "sha256:x", last_failure={"code": "golden_mismatch", "detail": "row 3\x1b[2J"}))
    result = activate(models, "tiny", 2, "--wait", url, "--timeout", 0)
    assert result.exit_code == 2
    assert "it serves 1 sha256:x; golden_mismatch: row 3" in result.stderr
    assert "\x1b" not in result.stderr


def test_waiting_for_what_is_no_url_is_a_usage_error(models: Path) -> None:
    assert activate(models, "tiny", 2, "--wait", "127.0.0.1:8081").exit_code == 2
    assert not (models / "tiny" / "active").exists()
