"""Exports of modules with a large table: the table stays outside every protobuf, and the bundle is as any other."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

BENCH = Path(__file__).resolve().parents[2] / "export" / "bench"
sys.path.insert(0, str(BENCH))

from large import LargeRanker, large_requests, large_run  # noqa: E402 - lies in the bench's folder

from twinrank.export.bundle import (  # noqa: E402
    Content,
    StreamedFile,
    is_stub,
    open_bundle,
    versions_of,
    weight_stub,
    write_bundle,
)
from twinrank.export.graph import (  # noqa: E402
    ExportError,
    build_files,
    build_graph,
    export_run,
    first_variant_node,
    module_outputs,
    source_of_run,
)
from twinrank.export.graph._tables import OUTSIDE_FROM, Tables  # noqa: E402
from twinrank.training.schema import pack, read_request  # noqa: E402

# 19.2 MB: just above the 16 MiB from which weights lie beside the graph.
ROWS = 150_000


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_run(large_run(ROWS), tmp_path_factory.mktemp("models"))


def silent(_: str) -> None:
    pass


def files_of(rows: int, scratch: Path) -> dict[str, Content]:
    return build_files(source_of_run(large_run(rows)), digest="0" * 64, progress=silent, scratch=scratch)


def test_the_table_lies_beside_the_graph_byte_for_byte(exported: Path) -> None:
    module = large_run(ROWS).module
    assert isinstance(module, LargeRanker)
    table = module.items.weight.detach().numpy()
    model = onnx.load(exported / "model.onnx", load_external_data=False)
    places = {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor in model.graph.initializer
        if tensor.external_data
    }
    (item,) = (place for name, place in places.items() if "items" in name)
    raw = (exported / "model.onnx.data").read_bytes()
    offset, length = int(item["offset"]), int(item["length"])
    assert offset % 4096 == 0
    assert raw[offset : offset + length] == table.tobytes()
    assert (exported / "model.onnx").stat().st_size < 100_000
    assert sorted(entry.name for entry in exported.parent.iterdir()) == ["1"]


def test_it_serves_what_the_module_computes(exported: Path) -> None:
    run = large_run(ROWS)
    bundle = open_bundle(exported)
    assert (bundle.verification, bundle.installation) == ("verified-bits", "digested")
    a = bundle.manifest.tolerances["score"].a
    for raw in large_requests(3, 50):
        blocks = pack(read_request(raw, run.schema, max_candidates=1000), run.front.packing)
        expected = module_outputs(run.module, run.front, blocks, ("watched", "liked", "score"))["score"]
        assert np.abs(bundle.score(raw).score - expected).max() <= a


def test_the_same_run_gives_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    again = files_of(ROWS, tmp_path / "scratch")
    data = again["model.onnx.data"]
    assert isinstance(data, StreamedFile)
    assert again["model.onnx"] == (exported / "model.onnx").read_bytes()
    assert b"".join(data.chunks()) == (exported / "model.onnx.data").read_bytes()
    # What exceeds the table: the user table, 1,000 rows of 32, and the gaps before pages.
    assert 0 <= data.size - ROWS * 128 - 1000 * 128 < 2 * 4096
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_outside_on_the_way_does_not_show_in_the_bundle(tmp_path: Path) -> None:
    # 2.56 MB: outside while it is traced, inside when it is written.
    run = large_run(20_000)
    source = source_of_run(run)
    slate = pack(read_request(run.requests[0], run.schema, max_candidates=1000), run.front.packing)
    with Tables(tmp_path / "scratch") as tables:
        outside = build_graph(source, slate, tables)
        assert [tensor.name for tensor in outside.graph.initializer if is_stub(tensor)] == list(
            tables.weights_of(outside)
        )
        assert len(outside.SerializeToString()) < OUTSIDE_FROM
        (weights,) = tables.weights_of(outside).values()
        assert np.shares_memory(weights, run.module.items.weight.detach().numpy())
        assert tables.folder is not None
        assert (tables.folder / "model.onnx.data").stat().st_size == 20_000 * 32 * 4
        assert first_variant_node(outside, slate, slate, 0, 0, tables.folder) is None
    assert not (tmp_path / "scratch").exists()
    inside = build_graph(source, slate)
    files = files_of(20_000, tmp_path / "model")
    assert "model.onnx.data" not in files
    written = onnx.ModelProto.FromString(files["model.onnx"])
    assert not any(is_stub(tensor) for tensor in (*written.graph.initializer, *inside.graph.initializer))
    (stored,) = (tensor.raw_data for tensor in written.graph.initializer if "items" in tensor.name)
    assert stored == run.module.items.weight.detach().numpy().tobytes()


def test_nothing_is_made_on_disk_without_a_large_weight(tmp_path: Path) -> None:
    with Tables(tmp_path / "scratch") as tables:
        assert tables.folder is None
        assert not tables.takes(np.dtype(np.float32), OUTSIDE_FROM - 4)
        assert tables.takes(np.dtype(np.float32), OUTSIDE_FROM)
    assert list(tmp_path.iterdir()) == []


def test_tables_are_found_by_their_place_whatever_they_are_called() -> None:
    first, second = np.arange(3, dtype=np.float32), np.arange(5, dtype=np.int64)
    third = np.ones(2, np.int8)
    with Tables() as tables:
        stubs = [tables.keep("a", first), tables.keep("b", second), tables.keep("c", third)]
        stubs[0].name, stubs[1].name = "other", "a"
        model = onnx.ModelProto(graph=onnx.GraphProto(initializer=stubs))
        found = tables.weights_of(model)
        assert found["other"] is first
        assert found["a"] is second
        assert found["c"] is third
        assert tables.folder is not None
        raw = (tables.folder / "model.onnx.data").read_bytes()
        assert raw == first.tobytes() + bytes(4096 - 12) + second.tobytes() + bytes(4096 - 40) + third.tobytes()
        assert stubs[1] == weight_stub("a", second, 4096)


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    class Listwise(LargeRanker):
        def forward(self, user: torch.Tensor, item: torch.Tensor, price: torch.Tensor) -> dict[str, torch.Tensor]:
            found = super().forward(user, item, price)
            return {**found, "score": torch.softmax(found["score"], 0)}

    torch.manual_seed(7)
    run = dataclasses.replace(large_run(ROWS), module=Listwise(ROWS, 1000).eval())
    with pytest.raises(ExportError) as caught:
        export_run(run, tmp_path)
    assert caught.value.reason == "batch_variant"
    assert [entry.name for entry in tmp_path.rglob("*")] == []


def test_a_killed_export_leaves_a_folder_that_the_next_writer_sweeps(tmp_path: Path, exported: Path) -> None:
    code = (
        "import os, pathlib, signal, numpy as np\n"
        "from twinrank.export.graph._tables import Tables\n"
        f"with Tables(pathlib.Path({str(tmp_path / 'large')!r})) as tables:\n"
        "    tables.keep('a', np.zeros(2**20, np.float32))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = (tmp_path / "large").iterdir()
    assert left.name.startswith(".tmp-weights-")
    assert os.stat(left / "model.onnx.data").st_size == 2**22
    assert versions_of(tmp_path / "large") == []
    content = {file.relative_to(exported).as_posix(): file.read_bytes() for file in exported.rglob("*.*")}
    write_bundle(tmp_path, "large", 1, content)
    assert [entry.name for entry in (tmp_path / "large").iterdir()] == ["1"]
