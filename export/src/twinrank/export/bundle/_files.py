"""Small files that may come from anywhere, read without surprises, and files that appear whole or not at all."""

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path

_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_TEMPORARY = ".tmp-file-"


_SHOWN = 400


class UnreadableError(ValueError):
    """What lies at a path is no regular file, or longer than it may be."""


def read_bounded(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, without following a link.

    Raises:
        UnreadableError: if it is longer than ``limit`` bytes, or is no regular file.
        OSError: if it cannot be opened.
    """
    with os.fdopen(os.open(path, _OPEN), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableError("is no regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise UnreadableError(f"has more than {limit} bytes")
    return content


def short(text: object) -> str:
    """A message of at most about 400 characters: what it quotes may be as long as a hostile file."""
    shown = str(text)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def write_atomically(path: Path, content: bytes, *, scratch: Path) -> None:
    """Writes or replaces a file: complete and on the disk, or not at all.

    Temporary files that killed writers left in ``scratch`` are removed.

    Args:
        path: where it goes; its folder exists.
        content: the bytes.
        scratch: a folder on the same file system for the unfinished file. A bundle's own would not do: a reader that
            opens it meanwhile would find a file that the manifest does not list.

    Raises:
        OSError: if the file system refuses.
    """
    _sweep(scratch)
    while not _written(path, content, scratch):
        pass  # swept by another writer between its making and its lock
    for folder in {path.parent, scratch}:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _written(path: Path, content: bytes, scratch: Path) -> bool:
    # The lock tells an unfinished file from one that a killed writer left, and dies with the process.
    with tempfile.NamedTemporaryFile(dir=scratch, prefix=_TEMPORARY, delete=False) as file:
        temporary = Path(file.name)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not temporary.exists():
                return False
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            os.rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return True


def _sweep(folder: Path) -> None:
    for left in folder.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError), open(left, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
