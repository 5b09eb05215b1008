"""The command ``twinrank export``."""

import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from twinrank.export.bundle import Bundle, BundleError, open_bundle
from twinrank.export.cli._quantise import quantisation_rows, quantise_option

__all__ = ["export"]


@click.command()
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
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
def export(run: Path, models: Path, version: int | None, least_rows: int | None) -> None:
    """Export the trained RUN as a bundle, and prove it before it is there.

    The graph is compared with the torch module, every candidate is scored in slates of many sizes and must keep its
    bits, and the bundle must open as verified-bits. If the newest version already has this content, it is kept.
    """
    # torch takes seconds to import; nothing else of this command needs it.
    from twinrank.export.graph import ExportError, export_source, quantise_tables, source_of_run
    from twinrank.training.run import RunError, load_run

    console = Console(highlight=False)
    started = time.perf_counter()
    try:
        with console.status("") as status:

            def tell(step: str) -> None:
                console.print(f"[dim]{time.perf_counter() - started:6.1f} s[/dim]  {step}")
                status.update(step)

            tell("loading the run")
            source = source_of_run(load_run(run))
            if least_rows is not None:
                tell("quantising tables, and comparing with the float32 ones")
                source = quantise_tables(source, least_rows)
            path = export_source(source, models, version=version, progress=tell)
            opening = time.perf_counter()
            bundle = open_bundle(path)
            opened = time.perf_counter() - opening
    except (BundleError, ExportError, FileExistsError, RunError) as e:
        raise click.ClickException(str(e)) from e
    console.print(_summary(bundle, opened))
    console.print(f"{bundle.path} is {bundle.verification}, exported in {time.perf_counter() - started:.1f} s")


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
    for name, seen in manifest.tolerances.items():
        rows = evidence["reference"]["rows"]
        table.add_row(
            f"torch, {name}", f"at most {seen.max_abs:.2g} apart, {seen.max_ulp} ULP, in {rows} rows; a = {seen.a:.2g}"
        )
    invariance = evidence["invariance"]
    sizes = ", ".join(str(size) for size in invariance["sizes"])
    table.add_row("batch invariance", f"0 of {invariance['compared']} values differ, at n = {sizes}")
    table.add_row("goldens", f"{manifest.goldens}, {manifest.data_sets} of them scored")
    for label, text in quantisation_rows(manifest.document["provenance"]):
        table.add_row(label, text)
    table.add_row("open and verify", f"{opened:.2f} s")
    return table
