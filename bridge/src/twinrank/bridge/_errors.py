"""User errors of the command line: one readable line with a code and a remedy, never a traceback."""

from __future__ import annotations

import re


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
    if not type(error).__module__.startswith("twinrank."):
        return None
    code = getattr(error, "code", None) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
    problems = getattr(error, "problems", ())
    if problems:
        told = (f"  {getattr(problem, 'code', '')}  {problem.path}: {problem.detail}".rstrip() for problem in problems)
        return [f"error [{code}] {len(problems)} problem{'s' if len(problems) > 1 else ''}", *told], 1
    facts = ((name, getattr(error, name, None)) for name in ("feature", "candidate"))
    where = ", ".join(f"{name} {value!r}" for name, value in facts if value is not None)
    message = getattr(error, "message", None) or str(error)
    return [f"error [{code}] {message}{f' ({where})' if where else ''}"], 1
