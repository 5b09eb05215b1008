"""Phases 1 to 3 of reading: what lies in the directory, and that it is what the manifest lists, to the byte."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from twinrank.export.bundle._json import Json
from twinrank.export.bundle._manifest import (
    MANIFEST,
    MANIFEST_DIGEST,
    MAX_MANIFEST_BYTES,
    MODEL,
    MODEL_DATA,
    RANKINGS,
    REQUESTS,
    UNLISTED,
    FileEntry,
    Manifest,
    golden_paths,
    parse_manifest,
)
from twinrank.export.bundle._problems import Findings

_CHUNK = 2**20
OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Tree:
    """The relative paths that a bundle's directory holds, with ``/``."""

    files: frozenset[str]
    folders: frozenset[str]


def scan(root: Path) -> Tree:
    """The tree below ``root``, without following anything.

    Raises:
        BundleError: ``file_missing``, ``link_refused``, ``not_a_regular_file``.
    """
    found = Findings()
    files: set[str] = set()
    folders: set[str] = set()
    try:
        kind = os.stat(root).st_mode
    except (OSError, ValueError) as e:  # ValueError: a NUL in the path
        found.add("file_missing", ".", f"{root} cannot be found ({e}); a bundle is <models>/<name>/<version>")
        found.stop(e)
        raise
    if not stat.S_ISDIR(kind):
        found.add("not_a_regular_file", ".", f"{root} is no directory; a bundle is <models>/<name>/<version>")
        found.stop()
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(root / prefix) as entries:
                listed = [(prefix + entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
        except OSError as e:
            found.add("file_missing", prefix or ".", f"cannot be read: {e.strerror}; check who may read it")
            continue
        for path, facts in listed:
            if stat.S_ISLNK(facts.st_mode):
                found.add("link_refused", path, "is a symbolic link; copy the file itself into the bundle")
            elif stat.S_ISDIR(facts.st_mode):
                folders.add(path)
                waiting.append(f"{path}/")
                if path in (MANIFEST, MANIFEST_DIGEST):
                    found.add("not_a_regular_file", path, "is a directory")
            elif not stat.S_ISREG(facts.st_mode):
                found.add("not_a_regular_file", path, "is neither a file nor a directory")
            elif facts.st_nlink > 1:
                found.add("link_refused", path, f"has {facts.st_nlink} hard links; copy the file instead")
            else:
                files.add(path)
    seen = files | folders | {problem.path for problem in found}
    for path in (MANIFEST, MANIFEST_DIGEST):
        if path not in seen:
            versions = sorted((folder for folder in folders if folder.isdecimal()), key=int)
            hint = f"; did you mean {root / versions[-1]}?" if versions else ""
            found.add("file_missing", path, f"does not exist; this is no complete bundle{hint}")
    found.stop()
    return Tree(frozenset(files), frozenset(folders))


def read_listed_manifest(root: Path, tree: Tree) -> Manifest:
    """The checked manifest, its file list compared with the tree.

    Raises:
        BundleError: the codes of the manifest phase.
    """
    found = Findings()
    try:
        # One byte more than allowed is enough to know that there is too much.
        raw, digest = _read(root / MANIFEST, MAX_MANIFEST_BYTES + 1), _read(root / MANIFEST_DIGEST, 1024)
    except OSError as e:
        found.add("file_missing", MANIFEST, f"or {MANIFEST_DIGEST} cannot be opened: {e.strerror}")
        found.stop(e)
        raise
    manifest = parse_manifest(raw, digest)
    required = [MODEL, REQUESTS, RANKINGS]
    if manifest.data_sets * (len(manifest.packing.blocks) + len(manifest.outputs)) <= len(manifest.files):
        required += golden_paths(manifest.data_sets, len(manifest.packing.blocks), len(manifest.outputs))
    else:
        found.add(
            "file_missing", "goldens", f"{MANIFEST} lists fewer files than its {manifest.data_sets} data sets have"
        )
    for path in required:
        if path not in manifest.files:
            found.add("file_missing", path, f"{MANIFEST} does not list it; every bundle has it")
    folders = {path[:at] for path in manifest.files for at, letter in enumerate(path) if letter == "/"}
    for path in sorted(manifest.files):
        if path in tree.folders:
            found.add("not_a_regular_file", path, "is a directory")
        elif path not in tree.files:
            found.add("file_missing", path, f"{MANIFEST} lists it; fetch the bundle again")
    for path in sorted(tree.files - set(manifest.files) - UNLISTED):
        found.add("file_unexpected", path, f"{MANIFEST} does not list it; remove it, or export again")
    for path in sorted(tree.folders - folders - set(manifest.files)):
        found.add("file_unexpected", path, "is a directory that holds no listed file; remove it")
    found.stop()
    return manifest


def read_manifest(path: Path | str) -> Manifest:
    """The checked manifest of the bundle at ``path``: the phases layout and manifest, without reading any other file.

    Raises:
        BundleError: the codes of these two phases.
    """
    root = Path(path)
    return read_listed_manifest(root, scan(root))


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What stat says of a file, as far as it changes when the file does."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @staticmethod
    def of(facts: os.stat_result) -> FileFacts:
        """The facts in a stat result."""
        return FileFacts(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

    def to_json(self) -> dict[str, Json]:
        """By name, as the record of a verified installation states them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Watched:
    """A file that is left to the runtime: its path, what stat said of the descriptor, and whether it was digested."""

    path: Path
    facts: FileFacts
    digested: bool

    def changed(self) -> bool:
        """Whether the path now leads to other facts: device, inode, size, times."""
        try:
            return FileFacts.of(os.stat(self.path, follow_symlinks=False)) != self.facts
        except OSError:
            return True


def read_files(
    root: Path, files: Mapping[str, FileEntry], trusts: Callable[[FileFacts], bool] | None = None
) -> tuple[dict[str, bytes], Watched | None]:
    """The bytes of the model and the goldens; other listed files are digested only, the external weights watched too.

    Digesting reads through one buffer of 1 MiB, so what is only digested stays out of this process's memory.

    Args:
        root: the bundle's directory.
        files: what the manifest lists.
        trusts: asked of external weights of the listed size, which are not read where it says yes.

    Raises:
        BundleError: ``size_mismatch``, ``digest_mismatch``; ``file_missing`` if a file vanished meanwhile.
    """
    found = Findings()
    contents: dict[str, bytes] = {}
    watched: Watched | None = None
    for path, entry in sorted(files.items()):
        keep = path == MODEL or path.startswith("goldens/")
        try:
            descriptor = os.open(root / path, OPEN)
        except OSError as e:
            found.add("file_missing", path, f"cannot be opened: {e.strerror}")
            continue
        try:
            facts = os.fstat(descriptor)
            if facts.st_size != entry.size:
                found.add(
                    "size_mismatch",
                    path,
                    f"has {facts.st_size} bytes, {MANIFEST} says {entry.size}; fetch the bundle again",
                )
                continue
            if path == MODEL_DATA:
                seen = FileFacts.of(facts)
                watched = Watched(root / path, seen, digested=not (trusts is not None and trusts(seen)))
                if not watched.digested:
                    continue
            content, digest = _digest(descriptor, entry.size, keep)
        finally:
            os.close(descriptor)
        if digest != entry.sha256:
            found.add(
                "digest_mismatch", path, f"has SHA-256 {digest}, {MANIFEST} says {entry.sha256}; fetch the bundle again"
            )
        elif keep:
            contents[path] = content
    found.stop()
    return contents, watched


def _digest(descriptor: int, size: int, keep: bool) -> tuple[bytes, str]:
    digest = hashlib.sha256()
    chunks = []
    left = size + 1  # a file that grew meanwhile must not pass as its own beginning
    while left and (chunk := os.read(descriptor, min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)
        if keep:
            chunks.append(chunk)
    return b"".join(chunks), digest.hexdigest()


def _read(path: Path, limit: int) -> bytes:
    descriptor = os.open(path, OPEN)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)
