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
AT_EVENTS = 30
AT_TIMES = 14
# What Python's auditing tells of a process that writes a bundle, each before it happens.
EVENTS = {"open", "os.chmod", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir", "fcntl.flock"}


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


def on_event(act: Callable[[int, str], None]) -> None:
    """Calls ``act`` with 1, 2, … and its name before each thing that this process does to files from now on."""
    seen = 0

    def hook(event: str, _: object) -> None:
        nonlocal seen
        if event in EVENTS:
            seen += 1
            act(seen, event)

    sys.addaudithook(hook)


def die_at(number: int) -> None:
    """This process kills itself before it does its ``number``-th thing to files."""
    on_event(lambda seen, _: os.kill(os.getpid(), signal.SIGKILL) if seen == number else None)


def die_before_renaming() -> None:
    """This process kills itself when all is written and nothing has its name yet."""
    on_event(lambda _, event: os.kill(os.getpid(), signal.SIGKILL) if event == "os.rename" else None)


def killed_at_step(models: Path, step: int, *, outside: bool) -> bool:
    """Kills an export when it tells its ``step``-th step, counted from 0: in one place, however fast the machine is."""
    out, told = os.pipe()
    child = os.fork()
    if not child:
        export(models, lambda _: os.write(told, b".") and None, outside=outside)
    os.close(told)
    for _ in range(step + 1):
        os.read(out, 1)
    killed = kill_after(child, 0)
    os.close(out)
    return killed


def at_last_step(models: Path, last: int, act: Callable[[], None], *, outside: bool = False, name: str = NAME) -> None:
    """Exports in a child that calls ``act`` once it comes to its last step, the writing, and goes on from there."""
    middle = os.fork()
    if not middle:
        seen = 0

        def told(_: str) -> None:
            nonlocal seen
            seen += 1
            if seen == last:
                act()

        export(models, told, outside=outside, name=name)
    os.waitpid(middle, 0)


def events_of_writing(models: Path, last: int) -> int:
    """How many things an export does to files from its last step on."""
    out, told = os.pipe()
    at_last_step(models, last, lambda: on_event(lambda *_: os.write(told, b".") and None))
    os.close(told)
    count = 0
    while found := os.read(out, 4096):
        count += len(found)
    os.close(out)
    return count


def kill_while_writing(models: Path, kills: list[int | float], last: int, look: Callable[[bool], None]) -> None:
    """Kills an export that comes to its last step once for each of ``kills``; ``look`` is called after each.

    An int kills before that event, a float after that many seconds. The process that came there forks, and waits for
    its children before it ends itself: only writing is repeated.
    """

    def fork_and_kill() -> None:
        for kill in kills:
            child = os.fork()
            if not child:
                if isinstance(kill, int):
                    die_at(kill)
                return
            if isinstance(kill, int):
                look(os.WIFSIGNALED(os.waitpid(child, 0)[1]))
            else:
                look(kill_after(child, kill))
        os._exit(0)

    at_last_step(models, last, fork_and_kill)


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
        writing, last = steps[-1] - steps[-2], len(steps) - 1
        source = random.Random(seed)
        for number in range(ANYWHERE):
            outside = number % 2 == 1
            folder = models / f"anywhere-{outside}"
            # The first of each kind before anything is written, the others wherever.
            step = 0 if number < 2 else source.randrange(1, last)
            killed = killed_at_step(folder, step, outside=outside)
            say("anywhere", folder, None if outside else reference, killed=killed)
            set_aside(folder)
        for outside in (False, True):
            finish(models / f"anywhere-{outside}", outside=outside)
            say("next run", models / f"anywhere-{outside}", None if outside else reference)
        folder = models / "writing"
        events = events_of_writing(models / "counted", last)
        kills: list[int | float] = [source.randint(1, events) for _ in range(AT_EVENTS)]
        kills += [source.uniform(0, 1.2 * writing) for _ in range(AT_TIMES)]

        def look(killed: bool) -> None:
            say("writing", folder, reference, killed=killed)
            set_aside(folder)

        kill_while_writing(folder, kills, last, look)
        finish(folder)
        say("next run", folder, reference)
        folder = models / "reference"
        say("before another run", folder, reference)
        at_last_step(folder, last, die_before_renaming, outside=True, name="another")
        if not list((folder / NAME).glob(".tmp-*")):
            raise RuntimeError("an export that was killed in the middle of its writing left nothing to clean up")
        finish(folder)
        say("the same run again", folder, reference)
        failures(models)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
