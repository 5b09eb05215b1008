"""Room 4: every way to get a bundle's scores, and the word "equal" between them.

Here is what a route is made of; `twinrank.bridge.routes` lists the routes, `twinrank.bridge.cli` is the command line.
Importing this package loads neither numpy nor torch, no JVM and no plotting library: every pytest run of an
environment that has it does so, because the pytest plugin is found by its entry point.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinrank.bridge._api import verify
    from twinrank.bridge._scorer import (
        Facts,
        Route,
        RouteError,
        RouteFailedError,
        RouteOptions,
        RouteScores,
        Scored,
        Scorer,
        ScorerBase,
    )

__all__ = [
    "Facts",
    "Route",
    "RouteError",
    "RouteFailedError",
    "RouteOptions",
    "RouteScores",
    "Scored",
    "Scorer",
    "ScorerBase",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load what a route is made of when somebody asks for it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("twinrank.bridge._api" if name == "verify" else "twinrank.bridge._scorer"), name)
