"""`twinrank replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinrank.bridge._errors import UserError

if TYPE_CHECKING:
    from twinrank.bridge._replay import Replayed

_EQUAL, _DIFFERS, _UNKNOWN = 0, 1, 2


@click.command(
    epilog="""\b
Examples:
  twinrank replay my_model                 (my_model/model.onnx, my_model/test_data_set_0/input_0.pb, output_0.pb ...)
  twinrank replay models/*

\b
Exit status:
  0  every data set gives equal bits in Python and Java, and what is stored with it
  1  bits differ, one side alone refuses, or the outputs are not the stored ones
  2  nothing differs, but something could not be compared"""
)
@click.argument("models", metavar="MODEL_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds an answer.")
def replay(models: tuple[Path, ...], timeout: float) -> None:
    """Replay ONNX test folders through ONNX Runtime in Python and in Java, and compare the bits.

    A MODEL_DIR holds model.onnx and test_data_set_0, test_data_set_1, ..., as ONNX's backend tests do. Stored outputs
    are compared within ONNX's own tolerances (rtol 1e-3, atol 1e-7).
    """
    from twinrank.bridge import _replay
    from twinrank.bridge._java import JavaMissingError, find_jar, find_java
    from twinrank.bridge._scorer import RouteFailedError
    from twinrank.bridge.routes.probe import Pipe

    for model in models:
        if not (model / "model.onnx").is_file() or not _replay.data_sets(model):
            raise UserError(
                "no_test_folder",
                f"{model} holds no model.onnx with test_data_set_0 beside it",
                "name folders laid out as ONNX's backend tests are",
            )
    try:
        pipe = Pipe(find_java().run_jar(find_jar("probe")))
    except JavaMissingError as error:
        raise UserError("java_missing", *str(error).split(": ", 1)) from error
    replayed: list[Replayed] = []
    try:
        with _replay.PlainJava(pipe, timeout) as java:
            for model in models:
                for found in _replay.replay(model, java):
                    click.echo(_line(found))
                    replayed.append(found)
    except RouteFailedError as error:
        click.echo(f"{error}\n{error.evidence}".rstrip(), err=True)
        raise SystemExit(_UNKNOWN) from error
    raise SystemExit(_status(replayed))


def _line(found: Replayed) -> str:
    stored = {True: "as stored", False: "NOT as stored", None: "nothing stored to compare"}[found.expected]
    detail = f": {found.detail}" if found.detail else ""
    return f"{found.outcome:14} {stored:26} {found.model.name}/{found.data_set}{detail}"


def _status(replayed: list[Replayed]) -> int:
    if any(found.outcome in ("differs", "java_refuses", "python_refuses") for found in replayed):
        return _DIFFERS
    if any(found.expected is False for found in replayed):
        return _DIFFERS
    return _EQUAL if all(found.outcome == "equal" for found in replayed) else _UNKNOWN
