"""The command ``twinrank sign``."""

from pathlib import Path

import click
from rich.console import Console

from twinrank.export.bundle import read_manifest, sign_bundle
from twinrank.export.cli._keys import key_options, read_key

__all__ = ["sign"]


@click.command(
    epilog="""\b
Examples:
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem && chmod 600 key.pem
  openssl pkey -in key.pem -pubout -out key.pub.pem
  twinrank sign build/models/ml100k/1 --private-key key.pem
  twinrank verify build/models/ml100k/1 --public-key key.pub.pem

Exit codes: 0 signed, 1 the bundle or the key is refused, 2 wrong usage."""
)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, file_okay=False))
@key_options(required=True)
def sign(bundle: Path, private_key: Path, password_file: Path | None) -> None:
    """Sign BUNDLE: write its model.sig, complete or not at all.

    Every file is digested first, and a bundle that is not what its manifest says is not signed. An earlier signature
    is replaced. The signature is an OpenSSF Model Signing one, made offline; its tools verify it too.
    """
    pem, password = read_key(private_key, password_file)
    written = sign_bundle(bundle, pem, password)
    manifest = read_manifest(bundle)
    console = Console(highlight=False)
    console.print(
        f"{manifest.name} {manifest.digest}\nsigned: {len(manifest.files) + 2} files in {written}", soft_wrap=True
    )
