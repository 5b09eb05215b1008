"""Isolated environments with another release of ONNX Runtime: made once, whole or not at all, and used again.

An environment is a venv beside others in one folder. It is built under a temporary name and gets its own name when it
is complete, with a note that holds the digest of everything installed; one that is not as its note says is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinrank.bridge._errors import UserError

__all__ = ["OLDEST", "Environment", "default_folder", "make_environment"]

OLDEST = (1, 19)
"""The oldest release whose wheels allow the numpy that the base install needs: 1.18.1 asks for numpy below 2."""

_FORMAT = 1
_NOTE = "twinrank-environment.json"
_LOCK = ".twinrank-lock"
_PARTIAL = ".partial-"
_INSTALL_SECONDS = 900
_START_SECONDS = 120
_ABANDONED_SECONDS = 3600
_RUNTIME = "onnxruntime"
_RELEASE = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}")
_VERSIONS = re.compile(r"\(from versions: ([^)]*)\)")
_MOST_LISTED = 6
_LAST_LINES = 4


@dataclass(frozen=True)
class Environment:
    """An environment that is complete.

    Attributes:
        release: the release of ONNX Runtime in it.
        folder: where it is.
        packages: every installed distribution and its version, the runtime's too.
        digest: SHA-256 over every installed file's path and SHA-256, 64 hex digits.
        reused: whether it was there already.
    """

    release: str
    folder: Path
    packages: Mapping[str, str]
    digest: str
    reused: bool

    @property
    def python(self) -> tuple[str, ...]:
        """The command of its interpreter, as `RouteOptions.python` takes it."""
        return (str(_python(self.folder)),)


def default_folder() -> Path:
    """Return where environments are kept unless somebody says otherwise: twinrank/environments in the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "twinrank" / "environments"


def make_environment(
    release: str, folder: Path | None = None, *, tell: Callable[[str], None] = lambda _line: None
) -> Environment:
    """Return an environment with exactly this release, installing it from the user's own index where it is missing.

    Beside the runtime it holds what the base install needs, in the versions that this process has, so that the
    runtime is the only difference. Several processes may ask at once.

    Args:
        release: a release of ONNX Runtime, X.Y.Z.
        folder: where environments are kept; `default_folder` if None.
        tell: hears one line before each slow step.

    Raises:
        UserError: `bad_release`, `release_too_old`, `release_not_found`, `index_unreachable`, `no_installer`,
            `install_failed`. Nothing is left of an environment that could not be completed.
    """
    _check(release)
    folder = default_folder() if folder is None else folder
    pins = _pins(release)
    final = folder / f"{_RUNTIME}-{release}-{_key(pins)}"
    found = _whole(final, release)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    if final.exists():
        tell(f"{final} is not as it was installed: making it anew")
    with _partial(folder) as partial:
        tell(f"installing {_RUNTIME} {release} into {final}")
        _install(partial, release, pins)
        note = _describe(partial, release)
        (partial / _NOTE).write_text(json.dumps(note, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        _take_place(partial, final, release)
    made = _whole(final, release)
    if made is None:
        raise UserError("install_failed", f"{final} changed while it was made", "run the command again")
    return Environment(made.release, made.folder, made.packages, made.digest, reused=False)


def _check(release: str) -> None:
    if not _RELEASE.fullmatch(release):
        raise UserError("bad_release", f"{release!r} is no release of {_RUNTIME}", "give it in full: X.Y.Z")
    if tuple(map(int, release.split(".")))[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UserError(
            "release_too_old",
            f"{_RUNTIME} {release} does not run beside the numpy that this release of twinrank needs",
            f"choose {oldest}.0 or newer",
        )


def _pins(release: str) -> dict[str, str]:
    """The base install's direct requirements in this process's versions, but for the runtime."""
    names = []
    for requirement in importlib.metadata.requires("twinrank") or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is not None and "extra ==" not in requirement:
            names.append(name[0].lower())
    pins = {name: importlib.metadata.version(name) for name in names if name != _RUNTIME}
    return {**pins, _RUNTIME: release}


def _key(pins: Mapping[str, str]) -> str:
    said = json.dumps([sys.version, sysconfig.get_platform(), getattr(sys, "_base_executable", sys.executable), pins])
    return f"{sys.implementation.cache_tag}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _site_packages(folder: Path) -> Path:
    scheme = "nt" if os.name == "nt" else "posix_prefix"
    return Path(sysconfig.get_path("purelib", scheme, {"base": str(folder), "platbase": str(folder)}))


# ---- complete ones


def _whole(folder: Path, release: str) -> Environment | None:
    """The environment in a folder; None if there is none, or one byte of it is not as it was installed."""
    try:
        note = json.loads((folder / _NOTE).read_bytes())
    except (OSError, ValueError):
        return None
    if not os.access(_python(folder), os.X_OK) or note != _describe(folder, release):
        return None
    return Environment(release, folder, note["packages"], note["sha256"], reused=True)


def _describe(folder: Path, release: str) -> dict[str, Any]:
    """What is installed, for the note: distributions, and a digest over every file but compiled ones."""
    root = _site_packages(folder)
    found = importlib.metadata.distributions(path=[str(root)])
    packages = {each.metadata["Name"].lower(): each.version for each in found}
    digest = hashlib.sha256()
    files = 0
    for path in sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        with path.open("rb") as file:
            digest.update(
                f"{path.relative_to(root).as_posix()}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
            )
        files += 1
    return {
        "environment": _FORMAT,
        "runtime": release,
        "python": platform.python_version(),
        "packages": dict(sorted(packages.items())),
        "files": files,
        "sha256": digest.hexdigest(),
    }


# ---- making one


@contextlib.contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """A folder under a temporary name, locked while we live, and removed unless it was given another name."""
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder))
    try:
        with (partial / _LOCK).open("wb") as file:
            _locked(file.fileno())
            yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left half-made: the lock of a process ends with it."""
    for partial in folder.glob(f"{_PARTIAL}*"):
        try:
            with (partial / _LOCK).open("rb+") as file:
                abandoned = _locked(file.fileno())
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                abandoned = time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS
        except OSError:
            continue
        if abandoned:
            shutil.rmtree(partial, ignore_errors=True)


def _locked(descriptor: int) -> bool:
    """Whether the lock was free, and is ours now. Without POSIX locks nothing is ever taken for abandoned."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_place(partial: Path, final: Path, release: str) -> None:
    """Give a complete environment its name; another process's complete one stays."""
    for _ in range(3):
        try:
            partial.rename(final)
        except OSError:
            if _whole(final, release) is not None:
                return
            # Something broken is in the way: it leaves under a temporary name, so that it is never seen half-removed.
            aside = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=final.parent))
            with contextlib.suppress(OSError):
                final.rename(aside / "broken")
            shutil.rmtree(aside, ignore_errors=True)
        else:
            return
    raise UserError("install_failed", f"{final} is in the way and cannot be moved", "remove it")


def _install(folder: Path, release: str, pins: Mapping[str, str]) -> None:
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(folder)
    python = _python(folder)
    wanted = [f"{name}=={version}" for name, version in pins.items()]
    done = _run([*_installer(python), *wanted], _INSTALL_SECONDS)
    if done.returncode != 0:
        raise _install_error(release, done.stdout)
    done = _run([str(python), "-I", "-c", f"import {_RUNTIME} as r; print(r.__version__)"], _START_SECONDS)
    if done.returncode != 0 or done.stdout.split()[-1:] != [release]:
        last = _last(done.stdout)
        raise UserError(
            "install_failed",
            f"{_RUNTIME} {release} was installed and does not run here: {last}",
            "choose another release",
        )


def _installer(python: Path) -> list[str]:
    """Return pip where this process has it, because it knows the user's index, else uv; no source is ever built."""
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--retries", "1"]
        return [*command, "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"]
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise UserError("no_installer", "this Python has neither pip nor uv", "python -m ensurepip")
    return [uv, "pip", "install", "--quiet", "--python", str(python), "--only-binary", ":all:"]


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, and take it down with us whatever happens."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(  # noqa: S603  pip or uv of this environment, or the interpreter that we made
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise UserError(
                "install_failed", f"no end after {seconds:g} s: {' '.join(command)}", "look after the package index"
            ) from None
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def _install_error(release: str, output: str) -> UserError:
    wanted = f"{_RUNTIME}=={release}"
    versions = _VERSIONS.search(output)
    told = [] if versions is None else [each.strip() for each in versions[1].split(",") if each.strip() != "none"]
    if (versions is not None and wanted in output and told) or f"no version of {wanted}" in output:
        known = [each for each in told if _RELEASE.fullmatch(each)][-_MOST_LISTED:]
        listed = f"; the newest there are {', '.join(known)}" if known else ""
        return UserError(
            "release_not_found",
            f"the package index has no {_RUNTIME} {release} for Python {platform.python_version()} here{listed}",
            "choose a release that exists",
        )
    if (versions is not None and not told) or re.search(
        r"connection|resolve|network|dns|timed out|unreachable", output, re.IGNORECASE
    ):
        return UserError(
            "index_unreachable",
            f"the package index gave nothing for {wanted}: {_last(output)}",
            "check the network, and PIP_INDEX_URL or pip.conf; an environment that is complete needs neither",
        )
    return UserError(
        "install_failed", f"{wanted} could not be installed: {_last(output)}", "act on the installer's words"
    )


def _last(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return " | ".join((errors or lines)[-_LAST_LINES:])
