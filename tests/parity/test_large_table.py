"""A table that lies beside the graph: Java maps the same file, scores the same bits, and trusts the same record."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from twinrank.bridge._java import find_jar, find_java
from twinrank.bridge._process import Child
from twinrank.export.bundle import open_bundle
from twinrank.export.graph import export_source, quantise_tables, source_of_run

BENCH = Path(__file__).resolve().parents[2] / "export" / "bench"
sys.path.insert(0, str(BENCH))

from large import large_run  # noqa: E402 - lies in the bench's folder

pytestmark = pytest.mark.parity
# Both are above the 16 MiB from which weights lie beside the graph.
ROWS = {"float32": 150_000, "int8": 600_000}
SETTLED = 2.1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Exports the run with tables of a kind, once."""

    @cache
    def make(kind: str) -> Path:
        source = source_of_run(large_run(ROWS[kind]))
        if kind == "int8":
            source = quantise_tables(source)
        path = export_source(source, tmp_path_factory.mktemp("models"))
        assert (path / "model.onnx.data").stat().st_size > 16 * 2**20
        return path

    return make


@contextmanager
def told(models: Path, port_file: Path) -> Iterator[dict[str, Any]]:
    """What a server that trusts records says of its model."""
    options = ["--models", str(models), "--port", "0", "--port-file", str(port_file), "--installation", "trust_record"]
    child = Child(find_java().run_jar(find_jar("server"), *options))
    try:
        assert child.await_file(port_file, 120), child.exit_text()
        port = int(port_file.read_text("ascii"))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client.get("/v1/models/large").json()
    finally:
        child.close()


@pytest.mark.parametrize("kind", list(ROWS))
def test_java_scores_the_same_bits_from_the_same_file(
    kind: str, made: Callable[[str], Path], verify: Callable[..., Any]
) -> None:
    done = verify(made(kind), "--route", "probe")
    assert done.code == 0, done.out + done.err
    side = done.route("probe")
    assert side["status"] == "equal"
    assert {head["differing_bits"] for head in side["heads"]} == {0}
    assert min(head["rows"] for head in side["heads"]) > 300
    assert side["facts"]["verification"] == "verified-bits"


def test_python_and_java_trust_each_other_s_records(made: Callable[[str], Path], tmp_path: Path) -> None:
    bundle = made("float32")
    record = bundle.parent / "1.verified.json"
    time.sleep(max(0.0, (bundle / "model.onnx.data").stat().st_ctime + SETTLED - time.time()))
    assert open_bundle(bundle, installation="trust_record").installation == "digested"
    written = json.loads(record.read_bytes())
    with told(bundle.parent.parent, tmp_path / "first") as model:
        assert (model["installation"], model["verification"]) == ("recorded", "verified-bits")
    record.write_bytes(b"{}")
    with told(bundle.parent.parent, tmp_path / "second") as model:
        assert model["installation"] == "digested"
    assert json.loads(record.read_bytes()) == written
    assert open_bundle(bundle, installation="trust_record").installation == "recorded"
