"""Exports the small run in forked children, kills them with SIGKILL, and prints what was left, one JSON object a line.

    python kill_export.py MODELS SEED

One process imports torch once; its children begin where an export begins, and grandchildren where the writing begins.
After each round the run is exported again without a kill: that is the next run, which has to clean up.
"""

import dataclasses
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from small_run import SmallRanker, small_run

from twinrank.export.bundle import BundleError, open_bundle, versions_of
from twinrank.export.graph import _tables, export_run

NAME = "small"
ANYWHERE = 6
ROUNDS = 1
WRITES = 44


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path."""
    return {entry.relative_to(folder).as_posix(): entry.read_bytes() for entry in folder.rglob("*") if entry.is_file()}


def export(models: Path, told: Callable[[str], None], *, outside: bool = False, name: str = NAME) -> None:
    """What a child does; never returns."""
    try:
        if outside:
            # The weights take the way that large ones take: through a temporary file beside the versions.
            _tables.OUTSIDE_FROM = 256
        export_run(dataclasses.replace(small_run(), provenance={"variant": name}), models, progress=told)
        os._exit(0)
    except BaseException as e:
        os.write(2, f"{type(e).__name__}: {e}\n".encode())
        os._exit(3)


def finish(models: Path, *, outside: bool = False) -> list[float]:
    """Lets an export live; the seconds from its start to each of its steps, and to its end."""
    out, told = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if not child:
        export(models, lambda _: os.write(told, b".") and None, outside=outside)
    os.close(told)
    found = []
    while os.read(out, 1):
        found.append(time.monotonic() - start)
    os.close(out)
    status = os.waitpid(child, 0)[1]
    if status:
        raise RuntimeError(f"an export that nobody killed ended with {status}")
    return [*found, time.monotonic() - start]


def kill_after(child: int, delay: float) -> bool:
    """Whether the child was still alive after ``delay`` seconds, when it was killed."""
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def killed_anywhere(models: Path, delay: float, *, outside: bool, name: str = NAME) -> bool:
    """Kills an export ``delay`` seconds after its start."""
    child = os.fork()
    if not child:
        export(models, lambda _: None, outside=outside, name=name)
    return kill_after(child, delay)


def kill_while_writing(models: Path, delays: list[float], last: int, look: Callable[[bool], None]) -> None:
    """Kills an export that comes to its last step once for each delay; ``look`` is called after each kill.

    The process that came there forks, and waits for its children before it ends itself: only writing is repeated.
    """
    middle = os.fork()
    if middle:
        status = os.waitpid(middle, 0)[1]
        if status:
            raise RuntimeError(f"the export that was to be killed ended with {status}")
        return
    seen = 0

    def told(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen < last:
            return
        for delay in delays:
            child = os.fork()
            if not child:
                return
            look(kill_after(child, delay))
        os._exit(0)

    export(models, told)


def failed(models: Path, prepare: Callable[[], object], module: Callable[..., torch.nn.Module]) -> str:
    """The type and text of the error with which an export in a prepared child ends; empty if it does not fail."""
    out, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            prepare()
            export_run(small_run(module), models)
        except BaseException as e:
            os.write(told, f"{type(e).__name__}: {e}".encode()[:1000])
        finally:
            os._exit(0)
    os.close(told)
    os.waitpid(child, 0)
    message = os.read(out, 1000).decode()
    os.close(out)
    return message


class Speechless(SmallRanker):
    """A module that returns a head less than the run declares."""

    def forward(self, **encoded: torch.Tensor) -> dict[str, torch.Tensor]:
        found = super().forward(**encoded)
        return {"watched": found["watched"], "score": found["score"]}


def full_disk() -> None:
    """No file grows beyond 8 KiB; the graph has more."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))


def full_disk_for_weights() -> None:
    """As above, met where large weights are laid aside."""
    _tables.OUTSIDE_FROM = 256
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


def nobody() -> None:
    """A user who may not write here."""
    if os.geteuid() == 0:
        os.seteuid(65534)


def failures(models: Path) -> None:
    """Exports that cannot succeed, and what each leaves."""
    unwritable = models / "unwritable"
    unwritable.mkdir(mode=0o555)
    file = models / "file"
    file.write_bytes(b"")
    cases: list[tuple[str, Path, Callable[[], object], Callable[..., torch.nn.Module]]] = [
        ("full disk", models / "full", full_disk, SmallRanker),
        ("full disk for weights", models / "full-weights", full_disk_for_weights, SmallRanker),
        ("unwritable", unwritable, nobody, SmallRanker),
        ("no folder", file / "models", lambda: None, SmallRanker),
        ("invalid module", models / "invalid", lambda: None, Speechless),
    ]
    for what, folder, prepare, module in cases:
        message = failed(folder, prepare, module)
        left = sorted(e.relative_to(folder).as_posix() for e in folder.rglob("*") if not e.is_dir() or e.name != NAME)
        print(json.dumps({"what": what, "error": message, "left": left}), flush=True)


def accepted(models: Path) -> tuple[list[int], list[str]]:
    """The versions that a reader takes, and why it does not take the others."""
    good, bad = [], []
    for version in versions_of(models / NAME):
        try:
            open_bundle(models / NAME / str(version))
            good.append(version)
        except BundleError as e:
            bad.append(str(e))
    return good, bad


def say(what: str, models: Path, reference: dict[str, bytes] | None, **more: object) -> None:
    """Prints what lies in the model's folder, and whether each version is the reference, where that is to be."""
    folder = models / NAME
    good, bad = accepted(models)
    same = reference is None or all(contents(folder / str(version)) == reference for version in good)
    left = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    print(json.dumps({"what": what, "left": left, "good": good, "bad": bad, "same": same, **more}), flush=True)


def set_aside(models: Path) -> None:
    """Makes room for the next export where the last one was complete before it was killed."""
    if (models / NAME / "1").exists():
        (models / NAME / "1").rename(models / str(time.monotonic_ns()))


def main(models: Path, seed: int) -> None:
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        # Nothing of torch or ONNX Runtime runs in a thread here, so the children start whole.
        warnings.simplefilter("ignore", DeprecationWarning)
        export_run(small_run(), models / "warm")  # imports here what torch imports late, for all children
        steps = finish(models / "reference")
        reference = contents(models / "reference" / NAME / "1")
        writing, whole, last = steps[-1] - steps[-2], steps[-1], len(steps) - 1
        source = random.Random(seed)
        for number in range(ANYWHERE):
            outside = number % 2 == 1
            folder = models / f"anywhere-{outside}"
            killed = killed_anywhere(folder, source.uniform(0, whole), outside=outside)
            say("anywhere", folder, None if outside else reference, killed=killed)
            set_aside(folder)
        for outside in (False, True):
            finish(models / f"anywhere-{outside}", outside=outside)
            say("next run", models / f"anywhere-{outside}", None if outside else reference)
        for number in range(ROUNDS):
            folder = models / f"writing-{number}"

            def look(killed: bool, folder: Path = folder) -> None:
                say("writing", folder, reference, killed=killed)
                set_aside(folder)

            kill_while_writing(folder, [source.uniform(0, 1.2 * writing) for _ in range(WRITES)], last, look)
            finish(folder)
            say("next run", folder, reference)
        folder = models / "reference"
        say("before another run", folder, reference)
        while not list((folder / NAME).glob(".tmp-*")):
            killed_anywhere(folder, source.uniform(steps[-2], whole), outside=True, name="another")
            shutil.rmtree(folder / NAME / "2", ignore_errors=True)
        finish(folder)
        say("the same run again", folder, reference)
        failures(models)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
