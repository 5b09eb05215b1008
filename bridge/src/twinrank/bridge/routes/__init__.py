"""The routes: one module is one route, found by its file name (with - for _) and declared in it as `ROUTE`."""

from __future__ import annotations

import importlib
import pkgutil

from twinrank.bridge._scorer import Route

__all__ = ["BASELINE", "names", "route"]

BASELINE = "ort"
"""Whose bits the others must equal: the Python reader over the same runtime release as Java."""


def names() -> tuple[str, ...]:
    """Return every route's name, the baseline first, then by alphabet, without importing any of them."""
    found = {
        module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
    }
    return (BASELINE, *sorted(found - {BASELINE}))


def route(name: str) -> Route:
    """Import one route's module and return what it declares.

    Raises:
        KeyError: if there is no such route; the argument lists the ones that exist.
    """
    if name not in names():
        raise KeyError(f"no route {name!r}; there are {', '.join(names())}")
    declared = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").ROUTE
    if not isinstance(declared, Route) or declared.name != name:
        raise TypeError(f"{__name__}.{name}.ROUTE must be a Route named {name!r}, but it is {declared!r}")
    return declared
