"""Writing: completely or not at all, the same bytes every time, and large weights beside the graph."""

import dataclasses
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from twinrank.export.bundle import (
    BundleError,
    Draft,
    Evidence,
    Expectation,
    Golden,
    Head,
    Runner,
    SessionSettings,
    Tolerance,
    bundle_files,
    host_class,
    open_bundle,
    order_of,
    runtime_release,
    versions_of,
    write_bundle,
)
from twinrank.training.schema import Packing, Schema, pack, read_request

SCHEMA = Schema.from_json(
    {
        "features": [
            {
                "name": "row",
                "placement": "candidate",
                "dtype": "int64",
                "missing": {"policy": "error"},
                "invalid": {"policy": "error"},
            }
        ]
    }
)
REQUEST = b'{"context":{},"candidates":[{"row":3},{"row":0},{"row":3}]}'


def draft(rows: int = 8, request: bytes = REQUEST) -> Draft:
    """A model whose score is a table's row sum; the table is as large as asked for."""
    table = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4) % 13
    constants = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array(0, np.int64), "zero")]
    constants.append(numpy_helper.from_array(np.ones((4, 1), np.float32), "ones"))
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "last"))
    nodes = [
        helper.make_node("Gather", ["candidate.i64", "zero"], ["row"], axis=1),
        helper.make_node("Gather", ["table", "row"], ["values"]),
        helper.make_node("MatMul", ["values", "ones"], ["sums"]),
        helper.make_node("Squeeze", ["sums", "last"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "t",
        [helper.make_tensor_value_info("candidate.i64", TensorProto.INT64, ["n", 1])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    checked = read_request(request, SCHEMA, max_candidates=10)
    blocks = pack(checked, Packing.of(SCHEMA))
    outputs = tuple(Runner(model.SerializeToString(), SessionSettings()).run(blocks))
    order, dropped = order_of(outputs[-1])
    ranking = (tuple(order.tolist()), tuple(dropped.tolist()))
    expected = Expectation(checked.n, None, tuple(blocks.values()), outputs, *ranking)
    return Draft(
        name="table",
        schema=SCHEMA,
        heads=(),
        score=Head("score", "score", "float32"),
        model=model,
        goldens=(Golden(request, expected),),
        evidence=Evidence(host_class(), 3, {"score": Tolerance(1e-6, 0.0, 0)}, (1, 3), 6),
        provenance={},
        max_candidates=10,
        release=runtime_release(),
    )


@pytest.fixture
def files() -> dict[str, bytes]:
    return bundle_files(draft())


def test_a_bundle_is_written_and_opens(files: dict[str, bytes], tmp_path: Path) -> None:
    path = write_bundle(tmp_path, "table", 3, files, verify=open_bundle)
    assert path == tmp_path / "table" / "3"
    # Rows 3 and 0 of the table are 12 + 0 + 1 + 2 and 0 + 1 + 2 + 3.
    assert open_bundle(path).score(REQUEST).score.tolist() == [15.0, 6.0, 15.0]
    assert sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()) == sorted(files)
    assert path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in (tmp_path / "table").iterdir()] == ["3"]


def test_the_same_draft_gives_the_same_bytes(files: dict[str, bytes]) -> None:
    assert bundle_files(draft()) == files


def test_an_existing_version_is_never_touched(files: dict[str, bytes], tmp_path: Path) -> None:
    path = write_bundle(tmp_path, "table", 1, files)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(FileExistsError, match="choose another version"):
        write_bundle(tmp_path, "table", 1, {**files, "model.onnx": b""})
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


def test_a_version_written_by_somebody_else_meanwhile_stays(files: dict[str, bytes], tmp_path: Path) -> None:
    def rival(_: Path) -> None:
        (tmp_path / "table" / "1").mkdir()
        (tmp_path / "table" / "1" / "theirs").write_bytes(b"")

    with pytest.raises(FileExistsError, match="meanwhile"):
        write_bundle(tmp_path, "table", 1, files, verify=rival)
    assert [p.name for p in (tmp_path / "table").rglob("*")] == ["1", "theirs"]


def test_what_does_not_verify_leaves_nothing(files: dict[str, bytes], tmp_path: Path) -> None:
    broken = {**files, "model.onnx": files["model.onnx"][:-1]}
    with pytest.raises(BundleError) as caught:
        write_bundle(tmp_path, "table", 1, broken, verify=open_bundle)
    assert caught.value.code == "size_mismatch"
    assert list((tmp_path / "table").iterdir()) == []


@pytest.mark.parametrize("version", [0, -1])
def test_versions_are_positive(files: dict[str, bytes], tmp_path: Path, version: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        write_bundle(tmp_path, "table", version, files)


def test_versions_are_listed_as_numbers(tmp_path: Path) -> None:
    assert versions_of(tmp_path / "absent") == []
    for name in ("2", "10", "1", "01", ".tmp-3-x", "latest"):
        (tmp_path / name).mkdir()
    assert versions_of(tmp_path) == [1, 2, 10]


@pytest.fixture
def killed(files: dict[str, bytes], tmp_path: Path) -> Path:
    """The folder of a model whose writer was killed when every file was written and nothing was renamed."""
    for name, content in files.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_bytes(content)
    code = (
        "import os, signal, pathlib, twinrank.export.bundle as b;"
        f"root = pathlib.Path({str(tmp_path / 'files')!r});"
        "files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob('*') if p.is_file()};"
        f"b.write_bundle(pathlib.Path({str(tmp_path / 'models')!r}), 'table', 1, files,"
        " verify=lambda path: os.kill(os.getpid(), signal.SIGKILL))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    return tmp_path / "models" / "table"


def test_a_killed_writer_leaves_no_version_and_the_next_one_sweeps(files: dict[str, bytes], killed: Path) -> None:
    (left,) = killed.iterdir()
    assert left.name.startswith(".tmp-")
    assert versions_of(killed) == []
    write_bundle(killed.parent, "table", 1, files, verify=open_bundle)
    assert [entry.name for entry in killed.iterdir()] == ["1"]


def test_a_writer_that_still_runs_is_not_swept(files: dict[str, bytes], killed: Path) -> None:
    (left,) = killed.iterdir()
    lock = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_bundle(killed.parent, "table", 1, files)
        assert sorted(entry.name for entry in killed.iterdir()) == sorted([left.name, "1"])
    finally:
        os.close(lock)


def test_large_weights_lie_page_aligned_beside_the_graph_and_score_the_same(tmp_path: Path) -> None:
    rows = 17 * 2**20 // 16
    big = draft(rows)
    files = bundle_files(big)
    assert len(files["model.onnx"]) < 10_000
    model = onnx.load_model_from_string(files["model.onnx"])
    outside = {t.name: {e.key: e.value for e in t.external_data} for t in model.graph.initializer if t.external_data}
    assert list(outside) == ["table"]
    assert outside["table"]["location"] == "model.onnx.data"
    assert int(outside["table"]["offset"]) % 4096 == 0
    assert int(outside["table"]["length"]) == rows * 16
    path = write_bundle(tmp_path, "table", 1, files, verify=open_bundle)
    bundle = open_bundle(path)
    assert bundle.verification == "verified-bits"
    assert bundle.score(REQUEST).score.tolist() == [15.0, 6.0, 15.0]


def test_a_request_with_a_line_feed_cannot_be_a_golden() -> None:
    with pytest.raises(ValueError, match="line feed"):
        bundle_files(draft(request=REQUEST.replace(b",", b",\n", 1)))


def test_a_draft_that_readers_would_refuse_is_refused_at_once() -> None:
    with pytest.raises(BundleError) as caught:
        bundle_files(dataclasses.replace(draft(), name="no/name"))
    assert caught.value.code == "manifest_invalid"
