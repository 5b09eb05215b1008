"""Other Python interpreters that run our reader as a testee: how to start one, and with which sources."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path

import twinrank
from twinrank.bridge._errors import UserError

TESTEE = ("-m", "twinrank.bridge.testee", "--any-release")
"""What follows the interpreter. A reader on another release would refuse the bundle; here its bits are asked for."""


class Sources:
    """Our packages, and nothing that is installed beside them, as another interpreter's PYTHONPATH.

    An installed twinrank shares its folder with this environment's ONNX Runtime, which must not follow it over. So the
    path leads to a temporary folder of links to our own packages. Close it once the interpreter has gone.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="twinrank-sources-")
        roots = []
        for number, package in enumerate(twinrank.__path__):
            root = Path(self._folder.name) / str(number)
            root.mkdir()
            (root / "twinrank").symlink_to(Path(package).resolve(), target_is_directory=True)
            roots.append(str(root))
        self._roots = roots

    def environ(self, *, alone: bool = False) -> dict[str, str]:
        """Return this process's environment with our sources ahead of what PYTHONPATH names already, or `alone`."""
        before = [] if alone else os.environ.get("PYTHONPATH", "").split(os.pathsep)
        path = os.pathsep.join([*self._roots, *(entry for entry in before if entry)])
        # A package of our name in the working directory must not be taken for ours.
        return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}

    def close(self) -> None:
        """Remove the folder of links."""
        self._folder.cleanup()


def split_command(text: str) -> tuple[str, ...]:
    """Return the words of a command as a shell would split them; nothing else of a shell's work is done.

    Raises:
        UserError: if a quotation does not end, or there is no word.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UserError("bad_command", f"--python {text!r}: {error}", "quote it as for a shell") from error
    if not words:
        raise UserError("bad_command", "--python is empty", "name an interpreter: --python /path/venv/bin/python")
    return words
