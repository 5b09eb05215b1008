"""`twinrank activate`."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from twinrank.bridge._errors import UserError
from twinrank.bridge._text import printable

_POINTER = "active"
_PAUSE_SECONDS = 0.2
_ASK_SECONDS = 5.0
_MOST_BYTES = 16 << 20


@click.command(
    epilog="""\b
Examples:
  twinrank activate build/models ml100k 2
  twinrank activate build/models ml100k 2 --wait http://127.0.0.1:8081

A running server that watches MODELS loads the version, proves it, and serves it then; one that starts serves it from
the beginning. A server that cannot use it keeps what it has."""
)
@click.argument("models", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("name")
@click.argument("version", type=click.IntRange(1, 999_999_999_999_999_999))
@click.option("--wait", metavar="URL", help="Wait until the server there serves it; the admin listener says why not.")
@click.option("--timeout", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds for --wait.")
def activate(models: Path, name: str, version: int, wait: str | None, timeout: float) -> None:
    """Name the VERSION of the model NAME that servers of MODELS serve, in MODELS/NAME/active.

    The bundle's files are digested first; its goldens are replayed by each server, on its own host.
    """
    from twinrank.export.bundle import describe_bundle
    from twinrank.export.bundle._files import write_atomically

    if wait is not None and (urlsplit(wait).scheme not in ("http", "https") or not urlsplit(wait).hostname):
        raise click.BadParameter(f"{wait} is no http or https URL", param_hint="--wait")
    bundle = models / name / str(version)
    if not bundle.is_dir() or bundle.parent.parent.resolve() != models.resolve():
        there = sorted(int(each.name) for each in (models / name).glob("[1-9]*") if each.name.isdecimal())
        listed = ", ".join(map(str, there)) or "none"
        raise UserError("file_missing", f"there is no {bundle}", f"give a version that is there: {listed}", exit_code=1)
    facts: dict[str, Any] = describe_bundle(bundle)
    if not facts["ok"]:
        what = "; ".join(printable(f"{each['code']}: {each['path']}") for each in facts["problems"][:3])
        remedy = f"twinrank inspect {bundle} says more; nothing was changed"
        raise UserError("bundle_unusable", f"{bundle}: {what}", remedy, exit_code=1)
    digest = _digest(bundle)
    pointer = models / name / _POINTER
    before = _before(pointer)
    write_atomically(pointer, f"{version}\n".encode(), scratch=pointer.parent)
    click.echo(printable(f"{pointer} names version {version} ({digest}); before: {before}"))
    if wait is not None:
        took = _wait(wait.rstrip("/"), name, version, digest, timeout)
        click.echo(printable(f"{wait} serves {name}/{version} after {took:.1f} s"))


def _digest(bundle: Path) -> str:
    return "sha256:" + (bundle / "manifest.sha256").read_text("ascii").strip()


def _before(pointer: Path) -> str:
    try:
        with pointer.open("rb") as file:
            return file.read(64).decode("ascii", "backslashreplace").strip() or "an empty file"
    except FileNotFoundError:
        return "no pointer"


def _wait(url: str, name: str, version: int, digest: str, timeout: float) -> float:
    """Return after how many seconds the server serves it.

    Raises:
        UserError: if it does not in time; with the server's own reason where the admin listener was asked.
    """
    began = time.monotonic()
    seen, told = "nothing was heard of it", ""
    while True:
        for path in ("/admin/models", "/v1/models"):
            try:
                found = _ask(url + path)
            except (OSError, ValueError, http.client.HTTPException) as error:
                seen = f"{url}{path} does not answer: {error}"
                continue
            served, seen = _served(found, name, version, digest)
            if served:
                return time.monotonic() - began
            break
        if time.monotonic() - began >= timeout:
            remedy = "read the server's log; the pointer stays, and the server goes on trying"
            raise UserError("not_served", f"{name}/{version} is not served after {timeout:g} s: {seen}", remedy)
        if seen != told:
            click.echo(printable(f"not yet: {seen}; asking again for {timeout:g} s in all"), err=True)
            told = seen
        time.sleep(_PAUSE_SECONDS)


def _ask(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=_ASK_SECONDS) as answer:  # noqa: S310  http or https was asked for
            return json.loads(answer.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        raise OSError(f"status {error.code}") from error


def _served(found: Any, name: str, version: int, digest: str) -> tuple[bool, str]:
    """Whether a server's list of models has the version active, and if not, what it has."""
    models = found.get("models") if isinstance(found, dict) else None
    for model in models if isinstance(models, list) else []:
        if not isinstance(model, dict) or model.get("name") != name:
            continue
        active = [each for each in model.get("versions", [model]) if each.get("state", "active") == "active"]
        if any(each.get("version") == version and each.get("bundle") == digest for each in active):
            return True, ""
        what = ", ".join(f"{each.get('version')} {each.get('bundle')}" for each in active) or "no version"
        failure = model.get("last_failure") or {}
        told = f"; {failure.get('code')}: {failure.get('detail')}" if failure else ""
        return False, f"it serves {what}{told}"
    return False, f"it serves no model {name!r}"
