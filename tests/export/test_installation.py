"""The record of a verified installation: what it spares, and everything that makes it worthless."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from table_bundle import LIMIT, REQUEST, SCORES, draft

from twinrank.export.bundle import (
    Bundle,
    BundleError,
    _installation,
    bundle_files,
    host_class,
    open_bundle,
    write_bundle,
)
from twinrank.export.bundle._installation import Installation
from twinrank.export.bundle._layout import FileFacts

ROWS = LIMIT + 1
DATA = "model.onnx.data"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("models"), "table", 1, bundle_files(draft(ROWS, outside=True)))


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    """A copy that changed long ago, as far as the record's writer can tell."""
    return shutil.copytree(original, tmp_path / "table" / "1")


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    # Files of a test are always fresh; the two seconds have a test of their own.
    monkeypatch.setattr(_installation, "_SETTLED_NS", 0)


def record_of(bundle: Path) -> Path:
    return bundle.parent / "1.verified.json"


def trusting(bundle: Path) -> Bundle:
    return open_bundle(bundle, installation="trust_record")


def forge(path: Path, **changes: Any) -> None:
    """A record that says what is true of the data file now, but for the changes."""
    facts = FileFacts.of(os.stat(path / DATA))
    digest = "sha256:" + (path / "manifest.sha256").read_text().strip()
    document = {"format": 1, "bundle": digest, "host_class": host_class(), "runtime": "1.29.0"}
    document |= {"files": {DATA: facts.to_json()}} | changes
    record_of(path).write_text(json.dumps(document))


def damage(bundle: Path) -> None:
    """Changes the last byte in place: same size, same inode, far from what the golden reads."""
    with open(bundle / DATA, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))


def test_the_first_opening_digests_and_records_and_the_second_trusts(bundle: Path) -> None:
    assert trusting(bundle).installation == "digested"
    facts = os.stat(bundle / DATA)
    assert json.loads(record_of(bundle).read_bytes()) == {
        "format": 1,
        "bundle": "sha256:" + (bundle / "manifest.sha256").read_text().strip(),
        "host_class": host_class(),
        "runtime": "1.29.0",
        "files": {
            DATA: {
                "device": facts.st_dev,
                "inode": facts.st_ino,
                "size": facts.st_size,
                "mtime_ns": facts.st_mtime_ns,
                "ctime_ns": facts.st_ctime_ns,
            }
        },
    }
    assert record_of(bundle).stat().st_mode & 0o777 == 0o644
    again = trusting(bundle)
    assert (again.installation, again.verification) == ("recorded", "verified-bits")
    assert again.score(REQUEST).score.tolist() == SCORES
    assert sorted(entry.name for entry in bundle.parent.iterdir()) == ["1", "1.verified.json"]


def test_a_trusted_file_is_not_read_again(bundle: Path) -> None:
    # Only a digest could tell: the record is forged for data that were damaged before.
    damage(bundle)
    forge(bundle)
    assert trusting(bundle).installation == "recorded"
    with pytest.raises(BundleError) as caught:
        open_bundle(bundle)
    assert caught.value.code == "digest_mismatch"


def test_a_trusted_file_is_not_even_read_once(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    read = os.read

    def counting(descriptor: int, size: int) -> bytes:
        chunk = read(descriptor, size)
        if os.fstat(descriptor).st_ino == os.stat(bundle / DATA).st_ino:
            seen.append(len(chunk))
        return chunk

    monkeypatch.setattr(os, "read", counting)
    trusting(bundle)
    assert sum(seen) == ROWS * 16
    seen.clear()
    trusting(bundle)
    assert seen == []


def test_always_neither_writes_nor_reads_a_record(bundle: Path) -> None:
    assert open_bundle(bundle).installation == "digested"
    assert not record_of(bundle).exists()
    damage(bundle)
    forge(bundle)
    before = record_of(bundle).read_bytes()
    with pytest.raises(BundleError):
        open_bundle(bundle)
    assert record_of(bundle).read_bytes() == before


def touch(bundle: Path) -> None:
    os.utime(bundle / DATA)


def backdate(bundle: Path) -> None:
    """The times that people see are as before; ctime cannot be set."""
    facts = os.stat(bundle / DATA)
    damage(bundle)
    os.utime(bundle / DATA, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replace(bundle: Path) -> None:
    """Another file of the same size and mtime under the same name."""
    facts = os.stat(bundle / DATA)
    shutil.copy(bundle / DATA, bundle.parent / "other")
    with open(bundle.parent / "other", "r+b") as file:
        file.write(b"\1")
    os.utime(bundle.parent / "other", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    os.replace(bundle.parent / "other", bundle / DATA)


@pytest.mark.parametrize("change", [damage, backdate, replace])
def test_changed_data_are_digested_again_and_refused(bundle: Path, change: Callable[[Path], None]) -> None:
    trusting(bundle)
    before = record_of(bundle).read_bytes()
    time.sleep(0.02)  # two ticks of the clock that ctime is read from
    change(bundle)
    with pytest.raises(BundleError) as caught:
        trusting(bundle)
    assert caught.value.code == "digest_mismatch"
    assert record_of(bundle).read_bytes() == before


def test_touched_data_are_digested_again_and_recorded_anew(bundle: Path) -> None:
    trusting(bundle)
    before = record_of(bundle).read_bytes()
    time.sleep(0.02)
    touch(bundle)
    assert trusting(bundle).installation == "digested"
    assert record_of(bundle).read_bytes() != before
    assert trusting(bundle).installation == "recorded"


def test_data_of_another_size_are_refused_whatever_the_record_says(bundle: Path) -> None:
    with open(bundle / DATA, "ab") as file:
        file.write(bytes(16))
    forge(bundle)
    with pytest.raises(BundleError) as caught:
        trusting(bundle)
    assert caught.value.code == "size_mismatch"


@pytest.mark.parametrize(
    "changes",
    [
        {"bundle": "sha256:" + "0" * 64},
        {"host_class": "0" * 64},
        {"runtime": "1.28.0"},
        {"format": 2},
        {"format": True},
        {"format": 1.0},
        {"files": {}},
        {"comment": "unknown"},
    ],
)
def test_a_record_of_anything_else_is_worth_nothing(bundle: Path, changes: dict[str, Any]) -> None:
    damage(bundle)
    forge(bundle, **changes)
    with pytest.raises(BundleError) as caught:
        trusting(bundle)
    assert caught.value.code == "digest_mismatch"


@pytest.mark.parametrize("fact", ["device", "inode", "size", "mtime_ns", "ctime_ns"])
def test_every_fact_counts(bundle: Path, fact: str) -> None:
    facts = FileFacts.of(os.stat(bundle / DATA)).to_json()
    forge(bundle, files={DATA: facts | {fact: facts[fact] + 1}})
    assert trusting(bundle).installation == "digested"
    forge(bundle, files={DATA: {key: value for key, value in facts.items() if key != fact}})
    assert trusting(bundle).installation == "digested"
    assert trusting(bundle).installation == "recorded"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"format":1,"format":1}', b"[" * 100_000, b" " * 100_000]
)
def test_a_damaged_record_is_replaced(bundle: Path, raw: bytes) -> None:
    record_of(bundle).write_bytes(raw)
    assert trusting(bundle).installation == "digested"
    assert trusting(bundle).installation == "recorded"


def test_a_record_that_is_a_link_or_no_file_is_not_read(bundle: Path, tmp_path: Path) -> None:
    trusting(bundle)
    record_of(bundle).rename(tmp_path / "elsewhere.json")
    record_of(bundle).symlink_to(tmp_path / "elsewhere.json")
    before = (tmp_path / "elsewhere.json").read_bytes()
    assert trusting(bundle).installation == "digested"
    assert not record_of(bundle).is_symlink()
    assert (tmp_path / "elsewhere.json").read_bytes() == before
    record_of(bundle).unlink()
    os.mkfifo(record_of(bundle))
    assert trusting(bundle).installation == "digested"
    record_of(bundle).unlink()
    record_of(bundle).mkdir()
    assert trusting(bundle).installation == "digested"
    assert record_of(bundle).is_dir()
    assert sorted(entry.name for entry in bundle.parent.iterdir()) == ["1", "1.verified.json"]


def test_a_folder_that_cannot_be_written_is_no_error(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Root may write everywhere, so the refusal is played.
    monkeypatch.setattr(_installation.tempfile, "mkstemp", refused)
    assert trusting(bundle).installation == "digested"
    assert not record_of(bundle).exists()


def test_a_bundle_that_does_not_prove_itself_is_not_recorded(bundle: Path) -> None:
    damage(bundle)
    with pytest.raises(BundleError):
        trusting(bundle)
    assert not record_of(bundle).exists()


def test_a_file_that_changed_just_now_is_not_recorded(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_installation, "_SETTLED_NS", 2 * 10**9)
    assert trusting(bundle).installation == "digested"
    assert not record_of(bundle).exists()
    facts = FileFacts.of(os.stat(bundle / DATA))
    for age, written in ((-1, False), (1_999_999_999, False), (2_000_000_000, True)):
        monkeypatch.setattr(time, "time_ns", lambda age=age: facts.ctime_ns + age)
        Installation(bundle, "sha256:" + "0" * 64, host_class(), "1.29.0").write(facts)
        assert record_of(bundle).exists() == written


def test_a_relative_path_finds_the_same_record(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusting(bundle)
    monkeypatch.chdir(bundle)
    assert open_bundle(".", installation="trust_record").installation == "recorded"
    monkeypatch.chdir(bundle.parent)
    assert open_bundle("1/", installation="trust_record").installation == "recorded"


def test_a_link_to_the_bundle_leads_to_its_record(bundle: Path, tmp_path: Path) -> None:
    trusting(bundle)
    (tmp_path / "current").symlink_to(bundle)
    assert trusting(tmp_path / "current").installation == "recorded"
    assert not (tmp_path / "current.verified.json").exists()


def test_a_bundle_without_external_data_needs_no_record(tmp_path: Path) -> None:
    path = write_bundle(tmp_path, "table", 1, bundle_files(draft()))
    assert trusting(path).installation == "no external data"
    assert not record_of(path).exists()


def test_records_that_killed_readers_left_half_written_are_swept(bundle: Path) -> None:
    (bundle.parent / ".tmp-record-abc").write_bytes(b"{")
    write_bundle(bundle.parent.parent, "table", 2, bundle_files(draft()))
    assert sorted(entry.name for entry in bundle.parent.iterdir()) == ["1", "2"]
