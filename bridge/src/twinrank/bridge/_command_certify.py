"""`twinrank certify`."""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from twinrank.bridge._cases import Case, collect
from twinrank.bridge._certificate import bundle_table, notes, operator_table, to_json, verdict_line
from twinrank.bridge._certify import Certificate, Target, certify
from twinrank.bridge._console import console
from twinrank.bridge._environments import default_folder, make_environment
from twinrank.bridge._errors import UserError
from twinrank.bridge._peers import split_command
from twinrank.bridge._scorer import Level
from twinrank.bridge._text import printable

_MANIFEST = "manifest.json"
_FILE = "certificate.json"


@click.command(
    name="certify",
    epilog="""\b
Examples:
  twinrank certify build/models --onnxruntime 1.30.0
  twinrank certify build/models/ml100k/1 --onnxruntime 1.23.2 --onnxruntime 1.30.0 --fuzz 2000
  twinrank certify build/models --python 'qemu-x86_64 -cpu Haswell /usr/bin/python3'

Exit codes: 0 every bundle is equal (with --require reference: or within its tolerance),
1 one differs or is refused, 2 could not tell.""",
)
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--onnxruntime",
    "releases",
    multiple=True,
    metavar="X.Y.Z",
    help="Certify for this release, in an isolated environment that is made once; repeatable.",
)
@click.option(
    "--python",
    "commands",
    multiple=True,
    metavar="COMMAND",
    help="Certify for this interpreter and its own ONNX Runtime, or for the processor that it emulates; repeatable.",
)
@click.option(
    "--requests",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Raw requests, one a line, beside each bundle's goldens.",
)
@click.option("--max-requests", type=click.IntRange(min=0), help="At most this many of them, spread evenly.")
@click.option("--fuzz", type=click.IntRange(min=0), default=0, show_default=True, help="Generated requests a bundle.")
@click.option("--seed", type=int, default=0, show_default=True, help="What the generated requests are made from.")
@click.option(
    "--require",
    type=click.Choice(["bits", "reference"]),
    default="bits",
    show_default=True,
    help="What is good enough: equal bits, or differences within each bundle's own tolerance.",
)
@click.option("--nodes/--no-nodes", default=True, show_default=True, help="Say what changed by operator, node by node.")
@click.option(
    "--envs",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where environments are kept.  [default: twinrank/environments in the user's cache]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=120.0,
    show_default=True,
    help="Seconds until one answer counts as hung; a start may take three times as long.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/certificate"),
    show_default=True,
    help="Where certificate.json goes.",
)
def command(
    bundles: tuple[Path, ...],
    releases: tuple[str, ...],
    commands: tuple[str, ...],
    requests: Path | None,
    max_requests: int | None,
    fuzz: int,
    seed: int,
    require: Level,
    nodes: bool,
    envs: Path | None,
    timeout: float,
    report: Path,
) -> None:
    """Certify BUNDLES for another release of ONNX Runtime, or another processor, before anybody serves with it.

    BUNDLES are bundles, or folders of models: then every version of every model. Each is scored under the release that
    it names and on the target. Then every node of its graph runs alone on both, on the same bits, so that what changed
    is told by operator.
    """
    found = list(_bundles(bundles))
    out, err = console(), Console(stderr=True, highlight=False)

    def tell(line: str) -> None:
        err.print(Text(printable(f"  {line}")), soft_wrap=True)

    # Without this, SIGTERM would end Python at once and leave what it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    targets = [*(_environment(release, envs, tell) for release in releases)]
    targets += [Target(" ".join(words := split_command(text)), words) for text in commands]
    if not targets:
        raise UserError("nothing_to_certify_for", "neither --onnxruntime nor --python", "name a release: X.Y.Z")

    def cases(bundle: Path) -> Sequence[Case]:
        return list(_cases(bundle, requests, max_requests, fuzz, seed))

    certificates = []
    for target in targets:
        certificate = certify(
            found,
            target,
            cases,
            require=require,
            nodes=nodes,
            load_timeout=3 * timeout,
            score_timeout=timeout,
            tell=tell,
        )
        certificates.append(certificate)
        _print(certificate, out)
    told = to_json(certificates)
    path = _write(report, told)
    out.print(Text(f"  {printable(str(path))}"), soft_wrap=True)
    raise SystemExit(int(told["exit_code"]))


def _environment(release: str, folder: Path | None, tell: Callable[[str], None]) -> Target:
    environment = make_environment(release, folder or default_folder(), tell=tell)
    return Target(f"onnxruntime {release}", environment.python, environment)


def _print(certificate: Certificate, out: Console) -> None:
    out.print(bundle_table(certificate, out.width))
    operators = operator_table(certificate, out.width)
    if operators is not None:
        out.print(operators)
    for line in notes(certificate):
        out.print(line, soft_wrap=True)
    out.print(verdict_line(certificate), soft_wrap=True)


def _bundles(given: Sequence[Path]) -> Iterator[Path]:
    """Each bundle once: those given, and every version of every model below folders that are none.

    Raises:
        UserError: if a folder holds no bundle.
    """
    seen = set()
    for path in given:
        if (path / _MANIFEST).is_file():
            below = [path]
        else:
            below = [manifest.parent for depth in ("*", "*/*") for manifest in path.glob(f"{depth}/{_MANIFEST}")]
            below = sorted((each for each in below if not each.name.startswith(".")), key=_place)
        if not below:
            raise UserError(
                "no_bundles", f"{path} holds no bundle", "give bundles, or the folder of all models: <name>/<version>"
            )
        for bundle in below:
            if (resolved := bundle.resolve()) not in seen:
                seen.add(resolved)
                yield bundle


def _place(bundle: Path) -> tuple[str, int, str]:
    """Versions in the order of their numbers, not of their texts."""
    return str(bundle.parent), int(bundle.name) if bundle.name.isdecimal() else 0, bundle.name


def _cases(bundle: Path, requests: Path | None, most: int | None, fuzz: int, seed: int) -> Iterator[Case]:
    yield from collect(bundle, run=None, requests=requests, most=most)
    if fuzz:
        from twinrank.bridge.fuzz import bundle_cases

        yield from bundle_cases(bundle, fuzz, seed)


def _write(folder: Path, told: object) -> Path:
    """Write certificate.json, whole or not at all, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=f".{_FILE}.", delete=False) as file:
        unfinished = Path(file.name)
        try:
            file.write(text.encode())
            file.flush()
            unfinished.chmod(0o644)
            unfinished.replace(folder / _FILE)
        except BaseException:
            unfinished.unlink()
            raise
    return folder / _FILE
