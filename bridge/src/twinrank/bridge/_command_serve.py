"""`twinrank serve`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from twinrank.bridge._errors import UserError
from twinrank.bridge._java import JavaMissingError, find_jar, find_java
from twinrank.bridge._signature import signature_options, signature_policy
from twinrank.export.bundle import SignatureMode

_MANIFEST = "manifest.json"


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  twinrank serve build/models
  twinrank serve build/models --port 0 --port-file build/port
  twinrank serve build/models --public-key signer.pub.pem
  twinrank serve build/models --max-body 33554432     (further options go to the server)

This process becomes the Java server: signals reach it, and its exit status is the command's.""",
)
@click.argument("models", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1, or TWINRANK_HOST]")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes a free one.  [default: 8080, or TWINRANK_PORT]")
@click.option("--port-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the port there once ready.")
@click.option("--require", type=click.Choice(["bits", "reference"]), default="bits", show_default=True)
@signature_options
@click.option(
    "--installation",
    type=click.Choice(["always", "trust_record"]),
    default="always",
    show_default=True,
    help="Digest external weights at every start, or not while the record of an earlier start beside them holds.",
)
@click.argument("further", nargs=-1, type=click.UNPROCESSED)
def serve(
    models: Path,
    host: str | None,
    port: int | None,
    port_file: Path | None,
    require: str,
    public_key: tuple[Path, ...],
    signature: SignatureMode | None,
    installation: str,
    further: tuple[str, ...],
) -> None:
    """Serve the newest version of every model under MODELS/<name>/<version> over HTTP, with the Java server."""
    _check_folder(models)
    policy = signature_policy(public_key, signature)  # says what is wrong with a key before a JVM starts
    try:
        java, jar = find_java(), find_jar("server")
    except JavaMissingError as error:
        raise UserError("java_missing", *str(error).split(": ", 1)) from error
    options = ["--models", str(models), "--require", require]
    # What is not said here is left to the server, which asks the environment and then has defaults.
    options += ["--host", host] if host is not None else []
    options += ["--port", str(port)] if port is not None else []
    options += ["--port-file", str(port_file)] if port_file is not None else []
    options += [word for path in public_key for word in ("--public-key", str(path))]
    options += ["--signature", str(policy.mode), "--installation", installation]
    command = java.run_jar(jar, *options, *further)
    os.execv(command[0], command)  # noqa: S606  no shell: the server takes this process's place, and its signals


def _check_folder(models: Path) -> None:
    """Say at once that a model's folder or a bundle was given: the server would look for models among its files."""
    given = Path(os.path.abspath(models))
    if (given / _MANIFEST).is_file():
        what, right = "a bundle", given.parent.parent
    elif any((version / _MANIFEST).is_file() for version in given.iterdir() if version.name.isdecimal()):
        what, right = "the folder of one model", given.parent
    else:
        return
    raise UserError("no_models_folder", f"{models} is {what}", f"give the folder of all models: twinrank serve {right}")
