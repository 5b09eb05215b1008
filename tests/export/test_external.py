"""Large weights: beside the graph, page-aligned, never in a protobuf, the same bytes however they were given."""

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from table_bundle import LIMIT, REQUEST, SCORES, draft, table

from twinrank.export.bundle import (
    BundleError,
    Content,
    StreamedFile,
    bundle_files,
    dump_document,
    open_bundle,
    versions_of,
    write_bundle,
)

ROWS = LIMIT + 1


@pytest.fixture(scope="module")
def large() -> dict[str, Content]:
    return bundle_files(draft(ROWS, outside=True))


def outside_of(model: Content) -> dict[str, dict[str, str]]:
    """What a graph says of the initialisers that it keeps outside."""
    return {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor in onnx.ModelProto.FromString(model).graph.initializer
        if tensor.external_data
    }


def content(file: StreamedFile) -> bytes:
    return b"".join(file.chunks())


def test_a_table_lies_beside_the_graph_scores_the_same_and_opens(large: dict[str, Content], tmp_path: Path) -> None:
    assert len(large["model.onnx"]) < 10_000
    assert outside_of(large["model.onnx"]) == {
        "table": {"location": "model.onnx.data", "offset": "0", "length": str(ROWS * 16)}
    }
    path = write_bundle(tmp_path, "table", 1, large, verify=open_bundle)
    assert (path / "model.onnx.data").read_bytes() == table(ROWS).tobytes()
    bundle = open_bundle(path)
    assert (bundle.verification, bundle.installation) == ("verified-bits", "digested")
    assert bundle.score(REQUEST).score.tolist() == SCORES


@pytest.mark.parametrize("rows", [8, LIMIT - 64, ROWS])
def test_the_same_values_give_the_same_bytes_inside_and_outside_the_graph(rows: int) -> None:
    inside, outside = bundle_files(draft(rows)), bundle_files(draft(rows, outside=True))
    assert inside == outside
    assert ("model.onnx.data" in inside) == (rows == ROWS)


def test_every_large_initialiser_begins_at_a_page_and_the_gaps_are_zero() -> None:
    made = draft(ROWS, outside=True)
    # 64 KiB exactly are large, one value less is not; 100,000 bytes end within a page.
    odd = np.arange(25_000, dtype=np.float32)
    least = np.arange(16_384, dtype=np.float32)
    small = np.arange(16_383, dtype=np.float32)
    for name, values in (("odd", odd), ("least", least), ("small", small)):
        made.model.graph.initializer.insert(0, numpy_helper.from_array(values, name))
    files = bundle_files(made)
    data = files["model.onnx.data"]
    assert isinstance(data, StreamedFile)
    # least ends at a page, odd 2,400 bytes before one.
    offsets = {name: int(entry["offset"]) for name, entry in outside_of(files["model.onnx"]).items()}
    assert offsets == {"least": 0, "odd": 65_536, "table": 167_936}
    raw = content(data)
    assert raw == least.tobytes() + odd.tobytes() + bytes(2_400) + table(ROWS).tobytes()
    assert (data.size, data.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())


def test_chunks_are_views_of_the_table_and_at_most_one_mebibyte() -> None:
    values = table(ROWS)
    chunks = list(StreamedFile.of([b"abc", values]).chunks())
    assert [len(chunk) for chunk in chunks] == [3, *[2**20] * 16, 16]
    values[0, 0] = 99.0
    assert np.frombuffer(chunks[1], np.float32)[0] == 99.0


def test_a_table_that_changes_while_it_is_written_makes_no_bundle(tmp_path: Path) -> None:
    made = draft(ROWS, outside=True)
    files = bundle_files(made)
    made.weights["table"][-1, -1] += 1
    with pytest.raises(ValueError, match=r"model\.onnx\.data changed while it was written"):
        write_bundle(tmp_path, "table", 1, files)
    assert list((tmp_path / "table").iterdir()) == []


def test_weights_that_do_not_fit_the_graph_are_refused() -> None:
    made = draft(8, outside=True)
    for weights, said in (
        ({}, "exactly these"),
        ({**made.weights, "other": table(8)}, "exactly these"),
        ({"table": table(9)}, r"float32 \[8, 4\], its values are float32 \[9, 4\]"),
        ({"table": table(8).astype(np.float64)}, "float64"),
        ({"table": np.asfortranarray(np.tile(table(8), (LIMIT // 4, 1)))}, "declares"),
    ):
        with pytest.raises(ValueError, match=said):
            bundle_files(dataclasses.replace(made, weights=weights))


def test_a_table_that_does_not_lie_row_by_row_is_refused() -> None:
    made = draft(ROWS, outside=True)
    with pytest.raises(ValueError, match="as it lies in memory"):
        bundle_files(dataclasses.replace(made, weights={"table": np.asfortranarray(table(ROWS))}))


def resealed(files: dict[str, Content]) -> dict[str, Content]:
    """The files under a manifest that states them as they are: only what they say of each other can be wrong."""
    manifest = files["manifest.json"]
    assert isinstance(manifest, bytes)
    document = json.loads(manifest)
    for path in document["files"]:
        held = files[path]
        raw = held if isinstance(held, bytes) else content(held)
        document["files"][path] = {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}
    manifest = dump_document(document)
    digest = (hashlib.sha256(manifest).hexdigest() + "\n").encode()
    return {**files, "manifest.json": manifest, "manifest.sha256": digest}


def refusal(tmp_path: Path, files: dict[str, Content]) -> str:
    with pytest.raises(BundleError) as caught:
        write_bundle(tmp_path, "table", 1, files, verify=open_bundle)
    return caught.value.code


def test_a_reader_refuses_data_that_are_not_the_digested_ones(large: dict[str, Content], tmp_path: Path) -> None:
    raw = table(ROWS).tobytes()
    # The last byte is far from what the golden reads.
    flipped = raw[:-1] + bytes([raw[-1] ^ 1])
    assert refusal(tmp_path, {**large, "model.onnx.data": flipped}) == "digest_mismatch"
    assert refusal(tmp_path, {**large, "model.onnx.data": raw[:-16]}) == "size_mismatch"
    assert refusal(tmp_path, {**large, "model.onnx.data": raw + bytes(16)}) == "size_mismatch"


@pytest.mark.parametrize(
    ("key", "by", "code"),
    [
        ("offset", 16, "graph_invalid"),  # ends 16 bytes after the file
        ("length", 16, "graph_invalid"),
        ("length", -16, "session_failed"),  # a row less than the shape says
    ],
)
def test_a_reader_refuses_a_place_that_does_not_hold_the_table(
    large: dict[str, Content], tmp_path: Path, key: str, by: int, code: str
) -> None:
    moved = onnx.ModelProto.FromString(large["model.onnx"])
    (entry,) = (entry for entry in moved.graph.initializer[0].external_data if entry.key == key)
    entry.value = str(int(entry.value) + by)
    assert refusal(tmp_path, resealed({**large, "model.onnx": moved.SerializeToString()})) == code


def test_a_table_that_begins_elsewhere_gives_other_scores_and_is_refused(
    large: dict[str, Content], tmp_path: Path
) -> None:
    moved = onnx.ModelProto.FromString(large["model.onnx"])
    moved.graph.initializer[0].external_data[1].value = "16"
    longer = table(ROWS).tobytes() + bytes(16)
    files = resealed({**large, "model.onnx": moved.SerializeToString(), "model.onnx.data": longer})
    assert refusal(tmp_path, files) == "golden_mismatch"


def test_a_writer_killed_in_the_middle_of_the_table_leaves_no_version(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from table_bundle import draft\n"
        "from twinrank.export.bundle import StreamedFile, bundle_files, write_bundle\n"
        "class Deadly(StreamedFile):\n"
        "    def chunks(self):\n"
        "        for number, chunk in enumerate(StreamedFile.chunks(self)):\n"
        "            if number == 5:\n"
        "                os.kill(os.getpid(), signal.SIGKILL)\n"
        "            yield chunk\n"
        f"files = bundle_files(draft({ROWS}, outside=True))\n"
        "data = files['model.onnx.data']\n"
        "files['model.onnx.data'] = Deadly(data.size, data.sha256, data._pieces)\n"
        f"write_bundle(pathlib.Path({str(tmp_path)!r}), 'table', 1, files)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "table").iterdir()
    assert left.name.startswith(".tmp-1-")
    assert os.stat(left / "model.onnx.data").st_size <= 5 * 2**20
    assert versions_of(tmp_path / "table") == []
    write_bundle(tmp_path, "table", 1, bundle_files(draft()), verify=open_bundle)
    assert [entry.name for entry in (tmp_path / "table").iterdir()] == ["1"]
