"""Private keys on the command line: read from files, opened with passwords that nothing prints or stores."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from twinrank.export.bundle import SigningKeyError, load_private_key

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def key_options(*, required: bool) -> Callable[[_Command], _Command]:
    """The options ``--private-key`` and ``--password-file``."""

    def add(command: _Command) -> _Command:
        command = click.option(
            "--password-file",
            type=_FILE,
            help="Holds the key's password; without it, an encrypted key's password is asked for.",
        )(command)
        return click.option(
            "--private-key",
            type=_FILE,
            required=required,
            help="The key to sign with: PEM, an EC key on P-256, P-384 or P-521.",
        )(command)

    return add


def read_key(private_key: Path, password_file: Path | None) -> tuple[bytes, bytes | None]:
    """The key's PEM text and its password, asked for where the key is encrypted and no file gives it.

    Warns on stderr of files that others may read.

    Raises:
        SigningKeyError: if the key cannot sign, or nobody is there to type its password.
    """
    pem, password, exposed = private_key.read_bytes(), None, [private_key]
    if password_file is not None:
        password = password_file.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
        exposed.append(password_file)
    try:
        load_private_key(pem, password)
    except SigningKeyError as e:
        if e.code != "key_encrypted":
            raise SigningKeyError(e.code, f"{private_key}: {e.message}") from e
        password = _ask(private_key, e)
    # Only now: of a file that holds no secret, this would hide what is wrong with it.
    for path in exposed:
        _warn_if_exposed(path)
    return pem, password


def _warn_if_exposed(path: Path) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        click.echo(f"warning: others may use {path} (mode {mode:o}); do: chmod 600 {path}", err=True)


def has_terminal() -> bool:
    """Whether somebody may be there to type."""
    return sys.stdin.isatty()


def _ask(private_key: Path, error: SigningKeyError) -> bytes:
    if not has_terminal():
        raise SigningKeyError(
            error.code, f"{private_key} is encrypted, and no terminal is there to ask; give --password-file"
        ) from error
    answer: str = click.prompt(f"Password of {private_key}", hide_input=True, err=True)
    return answer.encode("utf-8")
