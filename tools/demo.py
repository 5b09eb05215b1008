"""`make demo`: data, training, export, a running Java service, one real user's ranking, and the proof over every route.

Everything goes to build/; what is done is reused, so a second run takes seconds. Processes that it starts end with it,
on Ctrl-C too.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinrank.bridge import RouteFailedError
from twinrank.bridge.routes.http import serving
from twinrank.export.bundle import versions_of
from twinrank.training.data import PACKAGED_SETS, DataError, obtain

ROOT = Path(__file__).resolve().parents[1]
TWINRANK = Path(sys.executable).with_name("twinrank")
STEPS = 6
TOP = 10
LEAST_SLATE = 500
LEAST_WATCHED = 10
LEAST_HISTORY = 10

console = Console(highlight=False)


class StepFailedError(Exception):
    """A step ended otherwise than it should; the message says how, and the step's own output says why."""


class Clock:
    """Numbers the steps and says how long each and all took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._step = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print the step's head before, and its seconds after."""
        self._step += 1
        began = time.monotonic()
        console.print(f"\n[bold]{self._step}/{STEPS}  {title}[/bold]")
        yield
        console.print(f"[dim]     {time.monotonic() - began:.1f} s, {self.total():.1f} s in all[/dim]")

    def total(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began


def run(*arguments: object, allowed: Sequence[int] = (0,)) -> int:
    """Run one `twinrank` command with its output shown as it comes, and return its exit code."""
    command = [str(TWINRANK), *(str(argument) for argument in arguments)]
    console.print(f"[dim]     $ twinrank {' '.join(command[1:])}[/dim]", soft_wrap=True)
    with subprocess.Popen(command, cwd=ROOT) as child:
        try:
            code = child.wait()
        except BaseException:
            # Ctrl-C reached the child too; a signal to this process alone did not. Nothing is left behind either way.
            child.terminate()
            child.wait()
            raise
    if code not in allowed:
        raise StepFailedError(f"`twinrank {arguments[0]}` ended with {code}")
    return code


@dataclass(frozen=True)
class Example:
    """One real request of the test period: its bytes, the parsed form, and what its user watched afterwards."""

    line: int
    raw: bytes
    parsed: dict[str, Any]
    watched_after: frozenset[str]


def pick(run_dir: Path) -> Example:
    """Return the first sample request that shows something: some history, the whole catalogue, much watched later.

    The films of the history leave the slate: nobody wants to be recommended what they have just seen.
    """
    requests = (run_dir / "requests.jsonl").read_bytes().split(b"\n")[:-1]
    watched = (run_dir / "watched_after.jsonl").read_text(encoding="utf-8").splitlines()
    for line, (raw, after) in enumerate(zip(requests, watched, strict=True), start=1):
        parsed = json.loads(raw)
        seen = set(parsed["context"].get("history_item") or ())
        unseen = [candidate for candidate in parsed["candidates"] if candidate["item_id"] not in seen]
        later = frozenset(json.loads(after)) & {candidate["item_id"] for candidate in unseen}
        if len(unseen) >= LEAST_SLATE and len(later) >= LEAST_WATCHED and len(seen) >= LEAST_HISTORY:
            asked = {"context": parsed["context"], "candidates": unseen, "k": TOP}
            return Example(line, json.dumps(asked).encode(), asked, later)
    raise StepFailedError(
        f"{run_dir / 'requests.jsonl'} holds no request with {LEAST_HISTORY} films of history, {LEAST_SLATE} unseen "
        f"candidates and {LEAST_WATCHED} of them watched afterwards"
    )


def show(example: Example, answer: dict[str, Any], titles: dict[str, str]) -> None:
    """Print who asks, the first ranks with their scores, and how often the user really watched them."""
    context = example.parsed["context"]
    about = ", ".join(
        f"{name} {context[name]}" for name in ("user_id", "age", "gender", "occupation") if name in context
    )
    history = [titles.get(item, item) for item in context.get("history_item") or ()]
    console.print(f"     {about}; {len(history)} films of history, the last ones:", soft_wrap=True)
    console.print(f"     [dim]{'; '.join(reversed(history[-4:]))}[/dim]", soft_wrap=True)
    ids = [candidate["item_id"] for candidate in example.parsed["candidates"]]
    ranking = answer["ranking"]
    heads = list(ranking[0]["heads"])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("#", justify="right", style="dim")
    table.add_column("film", max_width=40, overflow="ellipsis", no_wrap=True)
    for name in ("score", *heads):
        table.add_column(name, justify="right")
    table.add_column("watched afterwards")
    for place, entry in enumerate(ranking[:TOP], start=1):
        item = ids[entry["index"]]
        values = (entry["score"], *(entry["heads"][name] for name in heads))
        mark = Text("✓ yes", style="green") if item in example.watched_after else Text("-", style="dim")
        table.add_row(str(place), titles.get(item, item), *(f"{value:.4f}" for value in values), mark)
    console.print(table)
    hits = sum(ids[entry["index"]] in example.watched_after for entry in ranking[:TOP])
    chance = TOP * len(example.watched_after) / len(ids)
    console.print(
        f"     [bold]{hits} of the first {TOP}[/bold] of {len(ids)} films were watched afterwards; "
        f"a random order would give {chance:.1f}.",
        soft_wrap=True,
    )
    console.print(f"     answered by {answer['model']}/{answer['version']}, {answer['verification']}", style="dim")


def show_means(run_dir: Path) -> None:
    """Print how good the rankings are on average, because one user is one user."""
    test = json.loads((run_dir / "metrics.json").read_text(encoding="utf-8"))["test"]
    means = ", ".join(f"{name} {values['ndcg@10']:.3f}" for name, values in test.items())
    requests = next(iter(test.values()))["requests"]
    console.print(f"     one user is one user; mean NDCG@10 over all {requests} test requests: {means}", soft_wrap=True)


def ask(url: str, model: str, raw: bytes) -> dict[str, Any]:
    """Post one raw request to the service."""
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{url}/v1/models/{model}:rank", content=raw, headers=headers, timeout=60.0, trust_env=False)
    if answer.status_code != httpx.codes.OK:
        raise StepFailedError(f"the service answered {answer.status_code}: {answer.text[:300]}")
    told: dict[str, Any] = answer.json()
    return told


def exported(run_dir: Path, models: Path, model: str, memory: Path) -> Path:
    """Export the run, unless this very run was exported by this very code: tracing takes most of an export's time."""
    digest = hashlib.sha256((run_dir / "run.json").read_bytes())
    for source in sorted((ROOT / "export" / "src").rglob("*.py")):
        digest.update(source.read_bytes())
    inputs = digest.hexdigest()
    known = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
    versions = versions_of(models / model)
    if versions and known == {"inputs": inputs, "bundle": bundle_digest(models / model / str(versions[-1]))}:
        bundle = models / model / str(versions[-1])
        console.print(f"     {bundle}: already exported from this run, reused", soft_wrap=True)
        return bundle
    run("export", run_dir, "--models", models)
    bundle = models / model / str(versions_of(models / model)[-1])
    memory.write_text(json.dumps({"inputs": inputs, "bundle": bundle_digest(bundle)}) + "\n", encoding="utf-8")
    return bundle


def bundle_digest(bundle: Path) -> str:
    """Return what the bundle's manifest.sha256 says."""
    return (bundle / "manifest.sha256").read_text(encoding="ascii").strip()


def demo(config: Path, build: Path) -> int:
    """Run all steps; return the exit code of `verify`."""
    clock = Clock()
    name = config.stem
    run_dir, models, report = build / "runs" / name, build / "models", build / "report"
    with clock.step("data: what the ranker learns from"):
        cache = Path(os.environ.get("TWINRANK_CACHE") or ROOT / ".cache" / "twinrank")
        folder = obtain(PACKAGED_SETS[name], cache, say=lambda line: console.print(f"     {line}", soft_wrap=True))
        console.print(f"     {PACKAGED_SETS[name].name} is verified by digest in {folder}", soft_wrap=True)
    with clock.step("train: a ranker with two heads, in torch"):
        run("train", config, "--out", run_dir)
    with clock.step("export: an ONNX bundle that carries its own proof"):
        model = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))["name"]
        bundle = exported(run_dir, models, model, build / "demo.json")
    with ExitStack() as stack:
        with clock.step("serve: the Java service loads the bundle and replays its goldens"):
            url = stack.enter_context(serving(models))
            console.print(f"     ready at {url}")
        with clock.step("rank: one real user of the test period, asked over HTTP"):
            example = pick(run_dir)
            console.print(f"     request {example.line} of {run_dir / 'requests.jsonl'}", style="dim", soft_wrap=True)
            titles = json.loads((run_dir / "items.json").read_text(encoding="utf-8"))
            show(example, ask(url, model, example.raw), titles)
            show_means(run_dir)
        with clock.step("verify: the same bits over every ONNX Runtime route, and torch within its tolerance"):
            code = run("verify", bundle, "--run", run_dir, "--against", url, "--report", report, allowed=(0, 1, 2))
    console.print(f"\nreport   {report / 'report.html'}", soft_wrap=True)
    console.print(f"bundle   {bundle}", soft_wrap=True)
    console.print(f"again    twinrank serve {models}", soft_wrap=True)
    console.print(f"total    {clock.total():.1f} s")
    return code


def main() -> int:
    """Parse the command line and run the demo; errors are one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("training/configs/ml100k.yaml"))
    parser.add_argument("--build", type=Path, default=Path("build"))
    given = parser.parse_args()
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite end is the same end as Ctrl-C
    try:
        return demo(given.config, given.build)
    except (StepFailedError, RouteFailedError, DataError, httpx.HTTPError) as error:
        console.print(f"demo stopped: {error}", style="bold red", soft_wrap=True, markup=False)
        if isinstance(error, RouteFailedError) and error.evidence:
            console.print(error.evidence, style="dim", soft_wrap=True, markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("\ndemo stopped; what is done is kept for the next run", style="yellow")
        return 130


if __name__ == "__main__":
    sys.exit(main())
