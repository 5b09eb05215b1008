"""The command ``twinrank diff``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from twinrank.export.bundle import BundleError, Require, diff_bundles

__all__ = ["diff"]


@click.command(
    epilog="""\b
Examples:
  twinrank diff build/models/ml100k/1 build/models/ml100k/2
  twinrank diff build/models/ml100k/1 build/models/ml100k/2 --json | jq .compatible

Exit codes: 0 the two have the same content, 1 they differ,
2 could not tell (one of them is damaged), or wrong usage."""
)
@click.argument("left", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("right", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--require",
    type=click.Choice(["bits", "reference"]),
    default="bits",
    show_default=True,
    help="What both must reach on this host before their scores are compared.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document (export/README.md) instead of a page.")
def diff(left: Path, right: Path, require: Require, as_json: bool) -> None:
    """Show what changed from bundle LEFT to bundle RIGHT.

    Features, vocabularies, weights, heads, evidence and metrics are compared, and the goldens of each are scored by
    both: how far do scores move, and do the rankings stay? Says too whether RIGHT may take LEFT's place in a service.
    """
    from twinrank.export.cli._diff_page import show

    try:
        document = diff_bundles(left, right, require=require)
    except BundleError as e:
        click.echo(f"error [{e.code}] could not tell: one of the two is damaged", err=True)
        for problem in e.problems:
            click.echo(f"  {problem}", err=True)
        click.echo("  to do: twinrank inspect shows each", err=True)
        raise SystemExit(2) from e
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        show(document)
    raise SystemExit(0 if document["same"] else 1)
