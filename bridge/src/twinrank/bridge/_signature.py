"""What a person asks of a bundle's signature on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from twinrank.bridge._errors import UserError
from twinrank.export.bundle import SignatureMode, SignaturePolicy

_Command = TypeVar("_Command", bound=Callable[..., Any])


def signature_options(command: _Command) -> _Command:
    """Add the options `--public-key` and `--signature`."""
    command = click.option(
        "--signature",
        type=click.Choice(["warn", "require"]),
        help="With keys: refuse a bundle whose signature does not verify, or only tell.  [default: require]",
    )(command)
    return click.option(
        "--public-key",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        multiple=True,
        help="Check the bundle's signature against this key (PEM); repeatable, one that verifies is enough.",
    )(command)


def signature_policy(public_keys: tuple[Path, ...], mode: SignatureMode | None) -> SignaturePolicy:
    """Return the policy of the two options.

    Raises:
        UserError: if a mode is given without a key, or a key is none.
    """
    if mode is not None and not public_keys:
        raise UserError("key_missing", f"--signature {mode} was given without a key", "give --public-key FILE")
    try:
        return SignaturePolicy.of_files(mode, public_keys)
    except ValueError as error:
        raise UserError("key_invalid", str(error), "give the signer's public key") from error
