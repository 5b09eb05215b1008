"""The checker behind the manifest: every field's type and bound, all problems at once, each with its JSON pointer."""

import math
import re
from collections.abc import Callable, Mapping

from twinrank.export.bundle._json import Json

Report = Callable[[str, str], None]
Check = Callable[[Json, str, Report], None]


def _show(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def integer(low: int, high: int) -> Check:
    """An integer literal in [low, high]."""

    def check(value: Json, at: str, report: Report) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            report(at, f"is {_show(value)}; expected an integer")
        elif not low <= value <= high:
            report(at, f"is {_show(value)}; expected an integer from {low} to {high}")

    return check


def number(low: float) -> Check:
    """A number of at least ``low`` whose nearest float64 is finite."""

    def check(value: Json, at: str, report: Report) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            report(at, f"is {_show(value)}; expected a number")
            return
        try:
            nearest = float(value)
        except OverflowError:
            nearest = math.inf
        if not low <= nearest < math.inf:
            report(at, f"is {_show(value)}; expected a number of at least {low} that float64 holds")

    return check


def boolean(value: Json, at: str, report: Report) -> None:
    """A truth value, spelled true or false."""
    if not isinstance(value, bool):
        report(at, f"is {_show(value)}; expected true or false")


def one_of(*allowed: str) -> Check:
    """One of some strings."""

    def check(value: Json, at: str, report: Report) -> None:
        if not isinstance(value, str) or value not in allowed:
            report(at, f"is {_show(value)}; expected one of {', '.join(allowed)}")

    return check


def text(pattern: str) -> Check:
    """A string that matches ``pattern`` from end to end."""
    compiled = re.compile(pattern)

    def check(value: Json, at: str, report: Report) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            report(at, f"is {_show(value)}; expected a string that matches {pattern}")

    return check


def array(element: Check, low: int, high: int) -> Check:
    """An array of ``low`` to ``high`` elements."""

    def check(value: Json, at: str, report: Report) -> None:
        if not isinstance(value, list):
            report(at, f"is {_show(value)}; expected an array")
            return
        if not low <= len(value) <= high:
            report(at, f"has {len(value)} elements; expected {low} to {high}")
        for index, item in enumerate(value):
            element(item, f"{at}/{index}", report)

    return check


def anything(value: Json, at: str, report: Report) -> None:
    """Any JSON value."""


def free_object(value: Json, at: str, report: Report) -> None:
    """An object of any content."""
    if not isinstance(value, dict):
        report(at, f"is {_show(value)}; expected an object")


def closed(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object of exactly these fields, and any whose names begin with ``x-``."""
    known = {**required, **(optional or {})}

    def check(value: Json, at: str, report: Report) -> None:
        if not isinstance(value, dict):
            report(at, f"is {_show(value)}; expected an object")
            return
        for name in required:
            if name not in value:
                report(f"{at}/{name}", "is absent; it is required")
        for name, item in value.items():
            if name in known:
                known[name](item, f"{at}/{pointer_part(name)}", report)
            elif not name.startswith("x-"):
                report(
                    f"{at}/{pointer_part(name)}",
                    f"is unknown; known here: {', '.join(sorted(known))} and names that begin with x-",
                )

    return check


def mapping(key: str, value_check: Check, low: int, *, extensible: bool) -> Check:
    """An object of at least ``low`` entries whose names match ``key`` or, if extensible, begin with ``x-``."""
    compiled = re.compile(key)

    def check(value: Json, at: str, report: Report) -> None:
        if not isinstance(value, dict):
            report(at, f"is {_show(value)}; expected an object")
            return
        names = [name for name in value if not (extensible and name.startswith("x-"))]
        if len(names) < low:
            report(at, f"has {len(names)} entries; expected at least {low}")
        for name in names:
            if not compiled.fullmatch(name):
                report(f"{at}/{pointer_part(name)}", f"names must match {key}")
            else:
                value_check(value[name], f"{at}/{pointer_part(name)}", report)

    return check


def pointer_part(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def without_extensions(value: Json) -> Json:
    """``value`` without the members whose names begin with ``x-``, at every level."""
    if isinstance(value, dict):
        return {name: without_extensions(item) for name, item in value.items() if not name.startswith("x-")}
    if isinstance(value, list):
        return [without_extensions(item) for item in value]
    return value
