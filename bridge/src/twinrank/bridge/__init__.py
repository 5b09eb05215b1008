"""Room 4: every way to get a bundle's scores, and the word "equal" between them.

Here is what a route is made of; `twinrank.bridge.routes` lists the routes, `twinrank.bridge.cli` is the command line.
Importing this package loads neither torch nor a JVM nor a plotting library.
"""

from twinrank.bridge._scorer import (
    Facts,
    Route,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scorer,
)

__all__ = ["Facts", "Route", "RouteError", "RouteFailedError", "RouteOptions", "RouteScores", "Scorer"]
