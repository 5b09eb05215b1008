"""The report folder: every file of it is there whole or not at all."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from twinrank.bridge import _words as words
from twinrank.bridge._junit import to_junit
from twinrank.bridge._report import to_json
from twinrank.bridge._verify import ParityRun

__all__ = ["write"]


def write(run: ParityRun, folder: Path) -> tuple[Path, ...]:
    """Write report.json, junit.xml, report.html and what differences need, and return the three paths.

    Further files are `difference-<route>.json`, the request that shows a route's difference (the smallest one that was
    found, else the first), and what a finding brings. They are written first, because the others name them; those of
    an earlier run that no longer hold are removed last.

    Raises:
        OSError: if the folder or a file cannot be written; files that were not replaced keep their old content.
    """
    from twinrank.bridge._html import render

    folder.mkdir(parents=True, exist_ok=True)
    further = further_files(run)
    main = {
        "report.json": (json.dumps(to_json(run), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        "junit.xml": to_junit(run),
        "report.html": render(run).encode(),
    }
    for name, data in (further | main).items():
        _replace(folder / name, data)
    for old in folder.glob("difference-*.json"):
        if old.name not in further:
            old.unlink()
    return tuple(folder / name for name in main)


def further_files(run: ParityRun) -> dict[str, bytes]:
    """Return the files beside the three, by name.

    Raises:
        ValueError: if a finding names a file outside the report folder.
    """
    files: dict[str, bytes] = {}
    for tally in run.routes:
        request = words.difference_request(tally)
        if request is not None:
            files[words.difference_file(tally.route)] = request
        if tally.finding is not None:
            files |= tally.finding.files or {}
    for name in files:
        if Path(name).name != name or name in {"", ".", "..", "report.json", "report.html", "junit.xml"}:
            raise ValueError(f"a finding names the file {name!r}: only plain names of its own are written")
    return files


def _replace(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        unfinished = Path(file.name)
        try:
            file.write(data)
            file.flush()
            unfinished.chmod(0o644)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink()
            raise
