"""The command ``twinrank attest``."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from twinrank.export.bundle import attest_bundle, host_class, largest_differences, open_bundle
from twinrank.export.cli._keys import key_options, read_key

__all__ = ["attest"]


@click.command(
    epilog="""\b
Examples:
  twinrank attest models/ml100k/1
  twinrank attest models/ml100k/1 --private-key key.pem

Exit codes: 0 attested, 1 refused (this host's class is the bundle's own, its goldens are outside the
tolerance, or the key cannot sign), 2 wrong usage."""
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@key_options(required=False)
def attest(bundle: Path, private_key: Path | None, password_file: Path | None) -> None:
    """Attest what BUNDLE's goldens give on this host class, beside the bundle.

    Its kernels compute other bits than the host that exported, within the tolerance that the export measured. With
    the attestation, readers on this host class prove every golden to the bit again, and serve as verified-bits.
    """
    if private_key is None and password_file is not None:
        raise click.UsageError("--password-file is of use with --private-key only.")
    pem, password = (None, None) if private_key is None else read_key(private_key, password_file)
    written = attest_bundle(bundle, private_key=pem, password=password)
    # What was written must do what it is for.
    opened = open_bundle(bundle)
    manifest = opened.manifest
    table = Table(show_header=False, title=f"{opened.name} {opened.digest}", title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("exported on", f"{manifest.host_class[:16]}…")
    table.add_row("attested on", f"{host_class()[:16]}…")
    scored = sum(golden.expected.n > 0 for golden in opened.goldens)
    rows = sum(max(golden.expected.n, 0) for golden in opened.goldens)
    table.add_row("goldens", f"{scored} with {rows} candidates")
    for name, gap in largest_differences(opened).items():
        table.add_row(f"head {name}", f"at most {gap:.2g} from the exported, allowed {manifest.tolerances[name].a:.2g}")
    table.add_row("signed", "no" if pem is None else written.with_suffix(".sig").name)
    table.add_row("here now", f"{opened.verification}, {'attested' if opened.attested else 'not attested'}")
    console = Console(highlight=False)
    console.print(table)
    console.print(str(written), soft_wrap=True)
