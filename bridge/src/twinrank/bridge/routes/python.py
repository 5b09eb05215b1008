"""Another Python with an ONNX Runtime of its own: another release, another environment, an emulated processor.

The interpreter that `--python` names runs this checkout's reader as a testee of the probe protocol. Its environment
needs the base install's libraries; our sources reach it by PYTHONPATH.
"""

from __future__ import annotations

from pathlib import Path

from twinrank.bridge._peers import TESTEE, Sources
from twinrank.bridge._scorer import Route, RouteFailedError, RouteOptions, Scorer
from twinrank.bridge.routes.probe import open_command

__all__ = ["ROUTE"]

_NAME = "python"


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    if options.python is None:
        raise RouteFailedError(_NAME, "unavailable", "which Python? pass --python COMMAND")
    sources = Sources()
    command = [*options.python, *TESTEE]
    return open_command(command, bundle, options, route=_NAME, environ=sources.environ(), after=sources.close)


def _lacks(bundle: Path, options: RouteOptions) -> str | None:
    del bundle
    return None if options.python is not None else "needs --python COMMAND"


ROUTE = Route(
    name=_NAME,
    summary="another Python with its own ONNX Runtime, whatever its release",
    level="bits",
    open=_open,
    lacks=_lacks,
)
