"""The command ``twinrank inspect``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from twinrank.export.bundle import Require, SignaturePolicy, describe_bundle

__all__ = ["inspect"]


@click.command(
    epilog="""\b
Examples:
  twinrank inspect build/models/ml100k/1
  twinrank inspect build/models/ml100k/1 --verify
  twinrank inspect build/models/ml100k/1 --public-key key.pub.pem
  twinrank inspect build/models/ml100k/1 --json | jq .heads

Exit codes: 0 the bundle is good as far as was looked, 1 it is not, 2 wrong usage."""
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--public-key",
    "keys",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="Check the signature with this PEM key; several allow rotation.",
)
@click.option("--verify", is_flag=True, help="Open the bundle too and replay its goldens, as serving it does.")
@click.option(
    "--require",
    type=click.Choice(["bits", "reference"]),
    default="bits",
    show_default=True,
    help="With --verify: what the goldens must reach on this host.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document (export/README.md) instead of a page.")
def inspect(bundle: Path, keys: tuple[Path, ...], verify: bool, require: Require, as_json: bool) -> None:
    """Show what BUNDLE is: schema, transforms, heads, evidence, graph, data, signature, origin.

    Every file is digested and the graph is walked, but the model is not run unless --verify asks for it. Of a bundle
    that is damaged, what still can be read is shown, and what is wrong.
    """
    try:
        policy = SignaturePolicy.of_files("require" if keys else "none", keys)
    except ValueError as e:
        raise click.BadParameter(str(e), param_hint="--public-key") from e
    document = describe_bundle(bundle, signature=policy, verify=verify, require=require)
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        from twinrank.export.cli._inspect_page import show

        show(document)
    raise SystemExit(0 if document["ok"] else 1)
