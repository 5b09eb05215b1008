"""User errors of the command line: one readable line with a code and a remedy, never a traceback.

Every command says it the same way, on stderr: ``error [code] what was given, and where``, then lines that begin with
two spaces: the problems, or ``to do:`` and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import click

_MOST = 20


class UserError(Exception):
    """Something that the person at the keyboard can change.

    Attributes:
        code: a stable word.
        problem: what was given and where.
        remedy: what to do.
        exit_code: 1 for bad data, 2 for usage and for what could not be told.
    """

    def __init__(self, code: str, problem: str, remedy: str, *, exit_code: int = 2) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.code = code
        self.problem = problem
        self.remedy = remedy
        self.exit_code = exit_code


def explain(error: BaseException) -> tuple[list[str], int] | None:
    """Return lines and exit code for an error that a person can act on; None for a fault of ours.

    The rooms below raise their own exceptions for what a person can change, and a fault of ours shows as a built-in
    one. They are told apart by where the class is defined: this module must not load a room, and torch with it, to
    print its errors.
    """
    if isinstance(error, UserError):
        return [f"error [{error.code}] {error.problem}", f"  to do: {error.remedy}"], error.exit_code
    if isinstance(error, OSError) and error.strerror:
        # A full disk, a file without permission: the machine's state, whose traceback helps nobody.
        place = f"{error.filename}: " if error.filename is not None else ""
        return [f"error [file_system] {place}{error.strerror}"], 2
    if isinstance(error, FileExistsError):
        # Without the system's words it is ours: a version, or a report, that is never written over.
        return _told("file_exists", str(error)), 1
    if not type(error).__module__.startswith("twinrank."):
        return None
    code = getattr(error, "code", None) or _snake(type(error).__name__)
    problems = getattr(error, "problems", ())
    if problems:
        return [f"error [{code}] {len(problems)} problem{'s' if len(problems) > 1 else ''}", *_listed(problems)], 1
    facts = ((name, getattr(error, name, None)) for name in ("feature", "candidate"))
    where = ", ".join(f"{name} {value!r}" for name, value in facts if value is not None)
    message = getattr(error, "message", None) or str(error)
    return _told(code, f"{message}{f' ({where})' if where else ''}"), 1


def explain_usage(error: click.ClickException) -> tuple[list[str], int]:
    """Return lines and exit code for what click refuses, in the same style."""
    code = getattr(error, "code", None)
    if code is not None:
        # It says by itself what its cause, whose findings the command has shown, would only repeat.
        return _told(code, error.format_message()), error.exit_code
    if error.__cause__ is not None:
        told = explain(error.__cause__)
        if told is not None:
            return told
    lines = _told("usage" if isinstance(error, click.UsageError) else "refused", error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        lines += [f"  {line}" for line in error.ctx.get_usage().splitlines()]
        lines.append(f"  to do: {error.ctx.command_path} --help")
    return lines, error.exit_code


def _told(code: str, message: str) -> list[str]:
    first, *rest = message.splitlines() or [""]
    return [f"error [{code}] {first}", *(f"  {line}" for line in rest)]


def _listed(problems: Sequence[Any]) -> Iterator[str]:
    for problem in problems[:_MOST]:
        if not hasattr(problem, "path"):
            yield f"  {problem}"
            continue
        yield f"  {getattr(problem, 'code', '')}  {problem.path}: {problem.detail}".rstrip()
    if len(problems) > _MOST:
        yield f"  and {len(problems) - _MOST:,} more"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
