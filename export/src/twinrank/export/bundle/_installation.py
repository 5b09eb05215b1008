"""The record of a verified installation: a reader's note to itself that it digested the external weights (section 15).

The record lies beside the bundle, and saves reading a large file again at every start. It is trusted only while every
fact in it still holds; whatever is wrong with it means that the file is digested. Whoever may write the record may
write the bundle too, so it proves nothing to anybody else: that is what signatures are for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Literal

from twinrank.export.bundle._json import Json, JsonError, dump_document, equal_json, parse_json
from twinrank.export.bundle._layout import OPEN, FileFacts
from twinrank.export.bundle._manifest import MODEL_DATA

InstallationPolicy = Literal["always", "trust_record"]
"""Whether every file is digested at every opening, or a record spares the external weights."""

InstallationState = Literal["digested", "recorded", "no external data"]
"""How the external weights were proved: read and digested, taken from the record, or there are none."""

RECORD_TEMPORARY = ".tmp-record-"
_FORMAT = 1
_MAX_BYTES = 64 * 2**10
# A file can change twice within one tick of its file system's clock, and stat would not tell. The coarsest clock in
# use (FAT's) ticks every two seconds.
_SETTLED_NS = 2 * 10**9


class Installation:
    """The record of one bundle on this machine, for the policy ``trust_record``.

    Args:
        root: the bundle's directory; a link to it is followed, a version is the name of the directory itself.
        bundle: the bundle's digest, ``sha256:<hex>``.
        host_class: this machine's.
        release: of this process's runtime.
    """

    def __init__(self, root: Path, bundle: str, host_class: str, release: str) -> None:
        place = root.resolve()
        self.path = place.with_name(f"{place.name}.verified.json")
        self._stated = {"format": _FORMAT, "bundle": bundle, "host_class": host_class, "runtime": release}
        self._now = time.time_ns()

    def describes(self, facts: FileFacts) -> bool:
        """Whether the record says all of this, and nothing else: any doubt is a no."""
        try:
            with os.fdopen(os.open(self.path, OPEN), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return False
                raw = file.read(_MAX_BYTES + 1)
            return len(raw) <= _MAX_BYTES and equal_json(parse_json(raw), self._document(facts))
        except (OSError, JsonError):
            return False

    def write(self, facts: FileFacts) -> None:
        """Replaces the record, atomically; a folder that cannot be written is no error, the next opening digests again.

        Nothing is written for a file that changed less than two seconds before this object was made, or later than
        now: a second change might not have shown.
        """
        if self._now - max(facts.mtime_ns, facts.ctime_ns) < _SETTLED_NS:
            return
        # Not synced: a record that a crash damages costs one digest.
        with contextlib.suppress(OSError):
            descriptor, name = tempfile.mkstemp(prefix=RECORD_TEMPORARY, dir=self.path.parent)
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    file.write(dump_document(self._document(facts)))
                    os.fchmod(descriptor, 0o644)
                    file.flush()
                    temporary.replace(self.path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _document(self, facts: FileFacts) -> dict[str, Json]:
        return {**self._stated, "files": {MODEL_DATA: facts.to_json()}}
