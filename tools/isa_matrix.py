"""`make isa-matrix`: bundles on processors that qemu-user emulates, beside this machine's own.

For each processor: does Python's reader run there, which host class does it have, which bits differ from this machine's
and in which operators (that is `twinrank certify`), and does Java on the same processor give the bits that Python gives
there. Prints one table; everything else is in the report folder.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from twinrank.bridge import RouteFailedError, RouteOptions, RouteScores, routes
from twinrank.bridge._cases import collect
from twinrank.bridge._values import measure
from twinrank.export.bundle import host_class

ROOT = Path(__file__).resolve().parents[1]
TWINRANK = Path(sys.executable).with_name("twinrank")
TINY = ROOT / "tests" / "contract" / "vectors" / "bundles" / "tiny" / "1"
DEMO = ROOT / "build" / "models" / "ml100k" / "1"
EMULATOR = "qemu-x86_64"
SECONDS = 900

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
log = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Processor:
    """A processor as qemu names it, with what its interpreter needs to start there."""

    name: str
    has: str
    environ: Mapping[str, str]

    def python(self) -> str:
        """Return the command of this interpreter on it."""
        variables = [f"{name}={value}" for name, value in self.environ.items()]
        prefix = ["env", *variables] if variables else []
        return " ".join([*prefix, EMULATOR, "-cpu", self.name, sys.executable])


PROCESSORS = {
    processor.name: processor
    for processor in (
        Processor("Haswell", "AVX2, FMA", {}),
        Processor("SandyBridge", "AVX", {}),
        # OpenBLAS takes this model for one with AVX, and numpy's import would end with an illegal instruction.
        Processor("Nehalem", "SSE4.2", {"OPENBLAS_CORETYPE": "Nehalem"}),
    )
}


def main() -> int:
    """Run the matrix; 0 if every processor was compared and Java equals Python on it, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", nargs="*", type=Path, help="bundles; default: tiny, a transformer, the demo's")
    parser.add_argument("--cpu", action="append", choices=PROCESSORS, help="this processor only; repeatable")
    parser.add_argument("--no-java", action="store_true", help="leave Java out: emulated, it takes minutes a bundle")
    parser.add_argument("--report", type=Path, default=ROOT / "build" / "isa-matrix")
    given = parser.parse_args()
    if shutil.which(EMULATOR) is None:
        sys.stderr.write(f"missing: {EMULATOR} (install the package qemu-user)\n")
        return 2
    bundles = given.bundles or default_bundles(given.report)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("processor", "class", "bundle", "verdict", "rows", "diff rows", "max ULP", "changed operators"):
        table.add_column(name, justify="right" if name in ("rows", "diff rows", "max ULP") else "left")
    for name in ("Python", "Java = Python there", "Java"):
        table.add_column(name, justify="right")
    table.add_row("this machine", host_class()[:8], *[""] * 9)
    good = True
    for name in given.cpu or PROCESSORS:
        good = rows_of(PROCESSORS[name], bundles, given.report, table, java=not given.no_java) and good
    console.print(table)
    return 0 if good else 1


def default_bundles(folder: Path) -> list[Path]:
    """Return the contract's tiny bundle, a transformer that is exported where it is missing, and the demo's if made."""
    models = folder / "models"
    if not (models / "encoder" / "1").exists():
        sys.path.insert(0, str(ROOT / "tests" / "export"))
        from twinrank.export.graph import export_source, source_of_module

        shop = ROOT / "tests" / "export" / "architectures"
        source = source_of_module(
            "architectures.encoder:make", shop / "schema.yaml", shop / "requests.jsonl", max_candidates=120
        )
        export_source(source, models)
    return [TINY, models / "encoder" / "1", *([DEMO] if DEMO.exists() else [])]


def rows_of(processor: Processor, bundles: Sequence[Path], folder: Path, table: Table, *, java: bool) -> bool:
    """Add a processor's rows to the table; return whether nothing on it failed."""
    report = folder / processor.name
    log.print(f"{processor.name}: Python, whole bundles and node by node")
    command = [str(TWINRANK), "certify", *map(str, bundles), "--python", processor.python()]
    command += ["--require", "reference", "--timeout", "300", "--report", str(report)]
    (report / "certificate.json").unlink(missing_ok=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    report.mkdir(parents=True, exist_ok=True)
    (report / "certificate.txt").write_text(done.stdout, encoding="utf-8")
    try:
        target = json.loads((report / "certificate.json").read_bytes())["targets"][0]
    except OSError:
        console.print(done.stdout)
        return False
    good = True
    for bundle, told in zip(bundles, target["bundles"], strict=True):
        if java:
            log.print(f"{processor.name}: Java and Python on the goldens of {told['name']}/{told['version']}")
        equal, seconds = compare_java(processor, bundle) if java else ("-", 0.0)
        good = good and told["state"] in ("equal", "within") and equal in ("-", "0 bits differ")
        table.add_row(
            f"{processor.name} ({processor.has})",
            ((told["sides"]["target"] or {}).get("host_class") or "-")[:8],
            f"{told['name']}/{told['version']}",
            told["state"] if told["detail"] is None else f"{told['state']}: {told['detail']}",
            f"{told['outputs'][-1]['rows']:,}" if told["outputs"] else "0",
            f"{max((head['differing_rows'] for head in told['outputs']), default=0):,}",
            f"{max((head['max_ulp'] for head in told['outputs']), default=0):,}",
            changed(target["operators"], f"{told['name']}/{told['version']}"),
            f"{told['seconds']:.0f} s",
            equal,
            f"{seconds:.0f} s" if java else "-",
        )
    return good


def changed(operators: Sequence[Mapping[str, Any]], label: str) -> str:
    """Return the operators that compute other bits in a bundle."""
    names = [each["operator"].removeprefix("com.microsoft.") for each in operators if label in each["bundles"]]
    return ", ".join(names) or "none"


def compare_java(processor: Processor, bundle: Path) -> tuple[str, float]:
    """Score the goldens in Java and in Python, both on the processor; return what differs, and Java's seconds."""
    options = RouteOptions(
        require="reference", python=tuple(processor.python().split()), load_timeout=SECONDS, score_timeout=SECONDS
    )
    cases = collect(bundle, run=None, requests=None, most=None)
    try:
        with routes.route("python").open(bundle, options) as python:
            expected = [python.score(case.raw) for case in cases]
        began = time.monotonic()
        with emulated_java(processor), routes.route("probe").open(bundle, options) as java:
            actual = [java.score(case.raw) for case in cases]
        seconds = time.monotonic() - began
    except RouteFailedError as error:
        return f"{error.reason}: {error.detail}", 0.0
    return differing(expected, actual), seconds


def differing(expected: Sequence[Any], actual: Sequence[Any]) -> str:
    """Return how many bits of all outputs differ, or that something was decided otherwise."""
    bits = 0
    for left, right in zip(expected, actual, strict=True):
        if not (isinstance(left, RouteScores) and isinstance(right, RouteScores)):
            if left != right:
                return "decided otherwise"
            continue
        if (left.n, left.order, left.dropped) != (right.n, right.order, right.dropped):
            return "ranked otherwise"
        bits += sum(int(measure(left.outputs[name], right.outputs[name]).bits.sum()) for name in left.outputs)
    return f"{bits:,} bits differ"


@contextmanager
def emulated_java(processor: Processor) -> Iterator[None]:
    """Let `java` be this machine's, emulated on the processor, while the block runs."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java") if home is None else str(Path(home) / "bin" / "java")
    real = os.path.realpath(found or "java")
    with tempfile.TemporaryDirectory(prefix="twinrank-java-") as folder:
        launcher = Path(folder) / "bin" / "java"
        launcher.parent.mkdir()
        # The quick compiler alone: the other one would be emulated while it optimises what runs for seconds.
        flags = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
        launcher.write_text(
            f'#!/bin/sh\nexec {EMULATOR} -cpu {processor.name} "{real}" {flags} "$@"\n', encoding="utf-8"
        )
        launcher.chmod(0o755)
        os.environ["JAVA_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("JAVA_HOME")
            if home is not None:
                os.environ["JAVA_HOME"] = home


if __name__ == "__main__":
    sys.exit(main())
