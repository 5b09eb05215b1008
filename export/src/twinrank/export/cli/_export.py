"""The command ``twinrank export``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from twinrank.export.bundle import Bundle, BundleError, open_bundle
from twinrank.export.cli._quantise import quantisation_rows, quantise_option
from twinrank.training.schema import ScoringError, candidate_rows

if TYPE_CHECKING:
    from twinrank.export.graph import ExportError, ExportSource, TreeLibrary

__all__ = ["export"]

_TIMED = (1, 20, 200)
_REPEATS = 21
_TREES: tuple[TreeLibrary, ...] = ("lightgbm", "xgboost", "catboost")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Refusal(click.ClickException):
    """An export that was refused: the findings are shown above, and this is the last line.

    Attributes:
        code: the first finding's name, which the line begins with.
    """

    def __init__(self, error: ExportError) -> None:
        self.code = error.reason
        many = len(error.findings)
        names = ", ".join(dict.fromkeys(finding.name for finding in error.findings))
        super().__init__(f"nothing was written; {f'{many} findings' if many > 1 else 'one finding'} above: {names}")


@click.command(
    epilog="""\b
Examples:
  twinrank export build/runs/ml100k --models build/models
  twinrank export --module shop.model:make --schema schema.yaml --requests sample.jsonl --models build/models
  twinrank export --onnx ranker.onnx --schema schema.yaml --requests sample.jsonl --models build/models \\
      --heads clicked,score --allow few_requests="a demo"
  twinrank export --lightgbm model.txt --models build/models
  twinrank export --onnx ranker.onnx --lightgbm over.txt --schema schema.yaml --requests sample.jsonl \\
      --models build/models

Exit codes: 0 the bundle is there and proved, 1 it was refused and nothing was written, 2 wrong usage."""
)
@click.argument("run", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--module", "factory", metavar="PKG.MOD:FACTORY", help="Export the torch module that a factory returns.")
@click.option("--onnx", "file", type=_FILE, help="Export an ONNX file.")
@click.option("--lightgbm", type=_FILE, help="Export a model of LightGBM: what save_model writes.")
@click.option("--xgboost", type=_FILE, help="Export a model of XGBoost: .json or .ubj.")
@click.option("--catboost", type=_FILE, help="Export a model of CatBoost: .json, with the .cbm beside it.")
@click.option("--schema", type=_FILE, help="Features and transforms, YAML; not needed with a model of trees.")
@click.option("--requests", type=_FILE, help="Sample requests, one JSON object a line; of trees only with --schema.")
@click.option("--heads", help="Names of the outputs in order, as in clicked,liked,score; where they have none.")
@click.option("--score", help="Of a model of trees with several raw scores, the one that orders the slate.")
@click.option("--link", is_flag=True, help="Make the predictions of a model of trees heads too, probabilities say.")
@click.option("--name", help="The model's name; by default the factory's module or the file's name.")
@click.option("--max-candidates", type=click.IntRange(1, 1_000_000), help="The largest slate; by default 1000.")
@click.option("--allow", multiple=True, metavar="NAME=REASON", help="Let a finding pass; the bundle says so and why.")
@click.option(
    "--models",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder of all models; the bundle becomes MODELS/<name>/<version>.",
)
@click.option(
    "--version", type=click.IntRange(min=1), help="A version that does not exist yet; without it, the next one."
)
@quantise_option
def export(run: Path | None, models: Path, version: int | None, least_rows: int | None, **given: Any) -> None:
    """Export a model as a bundle, and prove it before it is there.

    The model is a trained RUN, any torch module, an ONNX file, or a model of trees. The graph is compared with it,
    every candidate is scored in slates of many sizes and must keep its bits, and the bundle must open as verified-bits.
    What speaks against it is listed, all at once, and nothing is written. If the newest version has this content
    already, it stays.
    """
    _check_usage(run, given)
    # Half a minute on a machine that is busy, where silence would look like a hang.
    click.echo("   0.0 s  loading libraries")
    # torch takes seconds to import; nothing else of this command needs it.
    from twinrank.export.graph import ExportError, export_source, quantise_tables
    from twinrank.training.run import RunError

    console = Console(highlight=False)
    started = time.perf_counter()
    try:
        with console.status("") as status:

            def tell(step: str) -> None:
                console.print(f"[dim]{time.perf_counter() - started:6.1f} s[/dim]  {escape(step)}")
                status.update(escape(step))

            source = _source(run, given, tell)
            if least_rows is not None:
                tell("quantising tables, and comparing with the float32 ones")
                source = quantise_tables(source, least_rows)
            path = export_source(source, models, version=version, progress=tell)
            opening = time.perf_counter()
            bundle = open_bundle(path)
            opened = time.perf_counter() - opening
    except ExportError as e:
        Console(stderr=True, highlight=False).print(_refusal(e))
        raise _Refusal(e) from e
    except (BundleError, FileExistsError, RunError) as e:
        raise click.ClickException(str(e)) from e
    console.print(_summary(bundle, opened))
    console.print(_latency(bundle))
    console.print(f"{bundle.path} is {bundle.verification}, exported in {time.perf_counter() - started:.1f} s")


def _check_usage(run: Path | None, given: dict[str, Any]) -> None:
    """One source, or a network and trees, with what belongs to it.

    Raises:
        click.UsageError: if it is not so.
    """
    networks = {"RUN": run, "--module": given["factory"], "--onnx": given["file"]}
    trees = {f"--{library}": given[library] for library in _TREES}
    network, tree = ([name for name, value in named.items() if value is not None] for named in (networks, trees))
    if len(network) > 1 or len(tree) > 1 or not (network or tree):
        chosen = f"{' and '.join((*network, *tree))} are given" if network or tree else "nothing is given"
        raise click.UsageError(
            f"Give one of {', '.join((*networks, *list(trees)[:-1]))} and {list(trees)[-1]}, or a network and trees; "
            f"{chosen}."
        )
    if given["link"] and network:
        raise click.UsageError("--link is for a model of trees alone.")
    if given["score"] is not None and not tree:
        raise click.UsageError(f"--score is for models of trees; {network[0]} names its score by --heads.")
    keys = ("schema", "requests", "heads", "name", "max_candidates")
    own = {key: f"--{key.replace('_', '-')}" for key in keys}
    if run is not None:
        wrong = [option for key, option in own.items() if given[key] is not None]
        if wrong:
            raise click.UsageError(f"A run has its own {' and '.join(wrong)}; leave that out.")
    elif network:
        absent = [own[key] for key in ("schema", "requests") if given[key] is None]
        if absent:
            raise click.UsageError(f"{network[0]} needs {' and '.join(absent)}.")


def _source(run: Path | None, given: dict[str, Any], tell: Callable[[str], None]) -> ExportSource:
    from twinrank.export.graph import read_allowances, source_of_stack, source_of_trees

    allow = read_allowances(given["allow"])
    library = next((each for each in _TREES if given[each] is not None), None)
    if library is None:
        return _network(run, given, allow, tell)
    if run is not None or given["factory"] is not None or given["file"] is not None:
        network = _network(run, given, allow, tell)
        tell(f"reading {given[library].name}")
        return source_of_stack(network, library, given[library], score=given["score"])
    tell(f"reading {given[library].name}")
    return source_of_trees(
        library,
        given[library],
        given["schema"],
        given["requests"],
        score=given["score"],
        link=given["link"],
        **_options(given, allow),
    )


def _network(
    run: Path | None, given: dict[str, Any], allow: Mapping[str, str], tell: Callable[[str], None]
) -> ExportSource:
    """The source that is no model file of trees: a run, a module or an ONNX file."""
    from twinrank.export.graph import source_of_module, source_of_onnx, source_of_run, source_of_trees_run
    from twinrank.training.run import load_run, load_trees_run, run_kind

    if run is not None:
        tell("loading the run")
        if run_kind(run) == "trees":
            return source_of_trees_run(load_trees_run(run), allow)
        return source_of_run(load_run(run), allow)
    options = _options(given, allow)
    if given["factory"] is not None:
        tell(f"making the module by {given['factory']}")
        return source_of_module(given["factory"], given["schema"], given["requests"], **options)
    tell(f"reading {given['file'].name}")
    return source_of_onnx(given["file"], given["schema"], given["requests"], **options)


def _options(given: dict[str, Any], allow: Mapping[str, str]) -> dict[str, Any]:
    from twinrank.export.graph import MAX_CANDIDATES

    return {
        "name": given["name"],
        "max_candidates": given["max_candidates"] or MAX_CANDIDATES,
        "heads": [head.strip() for head in given["heads"].split(",")] if given["heads"] is not None else None,
        "allow": allow,
    }


def _refusal(error: ExportError) -> Table:
    """Everything that speaks against the export, a row each."""
    from twinrank.export.graph import ALLOWABLE

    table = Table(title="This cannot become a bundle", title_justify="left", show_lines=True)
    for column in ("finding", "where", "what", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in error.findings:
        allow = f'\nOr, if it is meant: --allow {finding.name}="why"' if finding.name in ALLOWABLE else ""
        table.add_row(finding.name, escape(finding.node), escape(finding.detail), escape(finding.remedy + allow))
    return table


def _summary(bundle: Bundle, opened: float) -> Table:
    """What a person wants to know of a fresh bundle, as a table.

    Args:
        bundle: the bundle.
        opened: seconds that opening took, all checks and goldens included.
    """
    manifest = bundle.manifest
    evidence = manifest.document["evidence"]
    table = Table(show_header=False, title=f"{bundle.name} {bundle.version}", title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    size = sum(entry.size for entry in manifest.files.values())
    table.add_row("digest", bundle.digest)
    table.add_row("size", f"{size / 1e6:.2f} MB in {len(manifest.files) + 2} files")
    table.add_row("host class", manifest.host_class)
    reference = evidence["reference"]
    for head in manifest.outputs:
        seen = manifest.tolerances[head.name]
        table.add_row(
            f"{reference['source']}, {head.name}",
            f"at most {seen.max_abs:.2g} apart, {seen.max_ulp} ULP, in {reference['rows']} rows; a = {seen.a:.2g}",
        )
    invariance = evidence["invariance"]
    sizes = ", ".join(str(size) for size in invariance["sizes"])
    table.add_row(
        "batch invariance",
        f"{invariance['differing_values']} of {invariance['compared']} values differ, at n = {sizes}",
    )
    for entry in manifest.allowed:
        table.add_row("allowed", escape(f"{entry.finding}: {entry.detail} -- {entry.reason}"))
    table.add_row("goldens", f"{manifest.goldens}, {manifest.data_sets} of them scored")
    for label, text in quantisation_rows(manifest.document["provenance"]):
        table.add_row(label, text)
    table.add_row("open and verify", f"{opened:.2f} s")
    return table


def _latency(bundle: Bundle) -> str:
    """The median time of a request from JSON to ranking, in this process; it is printed and stored nowhere.

    What is timed are the candidates of the goldens, which the bundle has just scored: of the sample requests some may
    have been left out. The bundle is proved and written, so no failure in here is one of the export.
    """
    scored = [json.loads(golden.request) for golden in bundle.goldens if golden.expected.n > 0]
    candidates = [candidate for request in scored for candidate in candidate_rows(request["candidates"])]
    told = []
    try:
        for n in _TIMED:
            if n > bundle.manifest.max_candidates:
                continue
            slate = {"context": scored[0]["context"], "candidates": [candidates[i % len(candidates)] for i in range(n)]}
            raw = json.dumps(slate).encode()
            taken = []
            for _ in range(_REPEATS):
                begin = time.perf_counter()
                bundle.score(raw)
                taken.append(time.perf_counter() - begin)
            told.append(f"{sorted(taken)[_REPEATS // 2] * 1e3:.2f} ms at n = {n}")
    except ScoringError as e:
        told.append(f"not measured further: {e.code}")
    return f"scoring in Python, median of {_REPEATS}: {', '.join(told)}"
