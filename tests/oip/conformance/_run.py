"""Runs checks against a server, and tells what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from conformance._model import BrokenError, Check, NotHereError, Target

State = Literal["kept", "broken", "not here"]


@dataclass(frozen=True)
class Result:
    """What came of one check."""

    check: Check
    state: State
    said: str = ""


def checks(target: Target) -> list[Check]:
    """Return the checks of the protocols that the target has."""
    found: list[Check] = []
    if target.http:
        from conformance import _http

        found += _http.CHECKS
    if target.grpc:
        from conformance import _grpc

        found += _grpc.CHECKS
    return found


def run(target: Target) -> list[Result]:
    """Run every check; one that fails in a way that nobody foresaw counts as broken."""
    try:
        return [one(target, check) for check in checks(target)]
    finally:
        target.close()


def one(target: Target, check: Check) -> Result:
    """Run one check."""
    try:
        check.run(target)
    except NotHereError as error:
        return Result(check, "not here", str(error))
    except BrokenError as error:
        return Result(check, "broken", str(error))
    except Exception as error:  # a server may break in any way, and the suite goes on
        return Result(check, "broken", f"{type(error).__name__}: {error}")
    return Result(check, "kept")


def table(results: Sequence[Result]) -> str:
    """Return the results for a person: what is broken first, and the sums."""
    order = {"broken": 0, "not here": 1, "kept": 2}
    mark = {"broken": "BROKEN  ", "not here": "not here", "kept": "kept    "}
    lines = []
    for each in sorted(results, key=lambda each: order[each.state]):
        lines.append(f"{mark[each.state]}  {each.check.level:9}  {each.check.name:58}  {each.check.clause}")
        if each.said:
            lines.append(f"            {each.said}")
    for level in ("must", "should", "extension"):
        of = [each for each in results if each.check.level == level]
        kept = sum(each.state == "kept" for each in of)
        broken = sum(each.state == "broken" for each in of)
        lines.append(f"{level:9}  {kept} kept, {broken} broken, {len(of) - kept - broken} not here")
    return "\n".join(lines)


def failed(results: Sequence[Result]) -> bool:
    """Return whether the server is not conforming: a `must`, or an extension that it claims, is broken."""
    return any(each.state == "broken" and each.check.level != "should" for each in results)
