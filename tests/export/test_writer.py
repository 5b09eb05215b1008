"""Writing: completely or not at all, and the same bytes every time."""

import dataclasses
import fcntl
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from table_bundle import REQUEST, SCORES, draft

from twinrank.export.bundle import BundleError, Content, bundle_files, open_bundle, versions_of, write_bundle


@pytest.fixture
def files() -> dict[str, Content]:
    return bundle_files(draft())


def test_a_bundle_is_written_and_opens(files: dict[str, Content], tmp_path: Path) -> None:
    path = write_bundle(tmp_path, "table", 3, files, verify=open_bundle)
    assert path == tmp_path / "table" / "3"
    assert open_bundle(path).score(REQUEST).score.tolist() == SCORES
    assert sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()) == sorted(files)
    assert path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in (tmp_path / "table").iterdir()] == ["3"]


def test_the_same_draft_gives_the_same_bytes(files: dict[str, Content]) -> None:
    assert bundle_files(draft()) == files


def test_an_existing_version_is_never_touched(files: dict[str, Content], tmp_path: Path) -> None:
    path = write_bundle(tmp_path, "table", 1, files)
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(FileExistsError, match="choose another version"):
        write_bundle(tmp_path, "table", 1, {**files, "model.onnx": b""})
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


def test_a_version_written_by_somebody_else_meanwhile_stays(files: dict[str, Content], tmp_path: Path) -> None:
    def rival(_: Path) -> None:
        (tmp_path / "table" / "1").mkdir()
        (tmp_path / "table" / "1" / "theirs").write_bytes(b"")

    with pytest.raises(FileExistsError, match="meanwhile"):
        write_bundle(tmp_path, "table", 1, files, verify=rival)
    assert [p.name for p in (tmp_path / "table").rglob("*")] == ["1", "theirs"]


_FULL = """
import pathlib, resource, signal, sys
sys.path.insert(0, sys.argv[1])
from table_bundle import draft
from twinrank.export.bundle import bundle_files, write_bundle
files = bundle_files(draft())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
write_bundle(pathlib.Path(sys.argv[2]), "table", 1, files)
"""


def test_a_file_that_finds_no_room_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _FULL, str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    # The kernel's words for a file beyond the limit; a full disk takes the same way out.
    assert re.search(rf"\[Errno 27\] File too large: '{tmp_path}/table/\.tmp-1-[^/]+/.+'$", done.stderr.strip()), (
        done.stderr
    )
    assert list((tmp_path / "table").iterdir()) == []


def test_what_does_not_verify_leaves_nothing(files: dict[str, Content], tmp_path: Path) -> None:
    broken = {**files, "model.onnx": files["model.onnx"][:-1]}
    with pytest.raises(BundleError) as caught:
        write_bundle(tmp_path, "table", 1, broken, verify=open_bundle)
    assert caught.value.code == "size_mismatch"
    assert list((tmp_path / "table").iterdir()) == []


@pytest.mark.parametrize("version", [0, -1])
def test_versions_are_positive(files: dict[str, Content], tmp_path: Path, version: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        write_bundle(tmp_path, "table", version, files)


def test_versions_are_listed_as_numbers(tmp_path: Path) -> None:
    assert versions_of(tmp_path / "absent") == []
    for name in ("2", "10", "1", "01", ".tmp-3-x", "latest"):
        (tmp_path / name).mkdir()
    assert versions_of(tmp_path) == [1, 2, 10]


@pytest.fixture
def killed(files: dict[str, Content], tmp_path: Path) -> Path:
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


def test_a_killed_writer_leaves_no_version_and_the_next_one_sweeps(files: dict[str, Content], killed: Path) -> None:
    (left,) = killed.iterdir()
    assert left.name.startswith(".tmp-")
    assert versions_of(killed) == []
    write_bundle(killed.parent, "table", 1, files, verify=open_bundle)
    assert [entry.name for entry in killed.iterdir()] == ["1"]


def test_a_writer_that_still_runs_is_not_swept(files: dict[str, Content], killed: Path) -> None:
    (left,) = killed.iterdir()
    lock = os.open(left, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_bundle(killed.parent, "table", 1, files)
        assert sorted(entry.name for entry in killed.iterdir()) == sorted([left.name, "1"])
    finally:
        os.close(lock)


def test_a_request_with_a_line_feed_cannot_be_a_golden() -> None:
    with pytest.raises(ValueError, match="line feed"):
        bundle_files(draft(request=REQUEST.replace(b",", b",\n", 1)))


def test_a_draft_that_readers_would_refuse_is_refused_at_once() -> None:
    with pytest.raises(BundleError) as caught:
        bundle_files(dataclasses.replace(draft(), name="no/name"))
    assert caught.value.code == "manifest_invalid"
