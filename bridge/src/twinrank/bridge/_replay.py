"""Replays folders of ONNX's backend tests through ONNX Runtime in Python and in Java, and compares their bits."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

import numpy as np

from twinrank.bridge import _frames, _onnx_values
from twinrank.bridge._onnx_values import Raw
from twinrank.bridge._scorer import RouteFailedError
from twinrank.bridge._testee import Transport
from twinrank.export.bundle import SessionSettings, session_options

__all__ = ["Outcome", "PlainJava", "Replayed", "data_sets", "difference", "replay", "summary"]

Outcome = Literal[
    "equal", "differs", "both_refuse", "java_refuses", "python_refuses", "not_in_java", "not_in_python", "in_neither"
]
"""`not_in_…`: the runtime's binding to that language cannot carry a type, and the other side ran; `in_neither`: neither
binding can. `both_refuse`: the runtime itself refuses, on both sides."""

_RTOL, _ATOL = 1e-3, 1e-7
"""ONNX's own tolerances for its expected outputs."""


class _RefusedError(Exception):
    """A side gave no outputs; `binding` says that a type was the reason."""

    def __init__(self, detail: str, *, binding: bool = False) -> None:
        super().__init__(detail)
        self.binding = binding


@dataclass(frozen=True)
class Replayed:
    """What came of one data set.

    Attributes:
        model: the model's folder.
        data_set: name of the data set's folder within.
        outcome: how the two sides compare.
        detail: what differs, or why a side gave nothing; empty where they are equal.
        expected: whether Python's outputs are the stored ones within ONNX's tolerances (or, where Python gave none,
            Java's); None where neither gave any or none are stored.
    """

    model: Path
    data_set: str
    outcome: Outcome
    detail: str
    expected: bool | None


class PlainJava:
    """Graphs in a testee that needs no bundle. Not thread-safe; close it by leaving its `with` block.

    Args:
        transport: leads to the testee; closed with this.
        seconds: until an answer counts as missing.
    """

    def __init__(self, transport: Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds

    def open(self, model: Path) -> None:
        """Open a model under the contract's session settings.

        Raises:
            RouteFailedError: if the testee crashes or hangs.
        """
        self._ask({"op": "open_onnx", "model": str(model.resolve()), "session": SessionSettings().to_json()})

    def replay(self, data_set: Path) -> dict[str, Any]:
        """Run the model on a data set that the testee reads itself."""
        header, body = self._ask({"op": "replay", "data_set": str(data_set.resolve())})
        return _onnx_values.decode(header.get("outputs"), body)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the testee."""
        self._transport.close()

    def _ask(self, header: Mapping[str, Any]) -> tuple[dict[str, Any], bytes | memoryview]:
        answer, body = self._transport.exchange(_frames.encode(header), self._seconds)
        if answer.get("ok") is True:
            return answer, body
        if answer.get("family") != "graph":
            told = f"{header['op']}: {answer.get('code')}: {answer.get('message')}"
            raise RouteFailedError("probe", "protocol", told)
        raise _RefusedError(
            f"{answer.get('code')}: {answer.get('message')}", binding=answer.get("code") == "unsupported_type"
        )


def data_sets(model: Path) -> list[Path]:
    """Return a model folder's data sets by number; what has none comes behind those as short as its name."""
    return sorted(model.glob("test_data_set_*"), key=lambda path: (len(path.name), path.name))


def replay(model: Path, java: PlainJava) -> list[Replayed]:
    """Replay every data set of a folder that holds `model.onnx` and `test_data_set_*`.

    Raises:
        RouteFailedError: if the testee crashes or hangs.
    """
    python = _python(model / "model.onnx")
    opened: _RefusedError | None = None
    try:
        java.open(model / "model.onnx")
    except _RefusedError as error:
        opened = error
    return [_compared(model, folder, python, opened or java) for folder in data_sets(model)]


def _compared(model: Path, folder: Path, python: Any, java: PlainJava | _RefusedError) -> Replayed:
    ours = _outputs(lambda: _run_python(python, folder))
    theirs = java if isinstance(java, _RefusedError) else _outputs(lambda: java.replay(folder))
    outcome, detail = _judge(ours, theirs)
    shown = theirs if isinstance(ours, _RefusedError) else ours
    try:
        expected = None if isinstance(shown, _RefusedError) else _as_stored(python, folder, shown)
    except _RefusedError as error:
        expected, detail = False, "; ".join(filter(None, (detail, _line(error))))
    return Replayed(model, folder.name, outcome, detail, expected)


def _outputs(call: Any) -> dict[str, Any] | _RefusedError:
    try:
        return dict(call())
    except _RefusedError as error:
        return error


def _judge(ours: dict[str, Any] | _RefusedError, theirs: dict[str, Any] | _RefusedError) -> tuple[Outcome, str]:
    if isinstance(ours, _RefusedError):
        if isinstance(theirs, _RefusedError):
            return ("in_neither" if ours.binding and theirs.binding else "both_refuse"), _line(ours)
        return ("not_in_python" if ours.binding else "python_refuses"), _line(ours)
    if isinstance(theirs, _RefusedError):
        return ("not_in_java" if theirs.binding else "java_refuses"), _line(theirs)
    if list(ours) != list(theirs):
        return "differs", f"Python gives the outputs {list(ours)}, Java {list(theirs)}"
    different = [f"{name}: {why}" for name in ours if (why := difference(ours[name], theirs[name]))]
    return ("differs", "; ".join(different)) if different else ("equal", "")


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:300]


def difference(ours: Any, theirs: Any) -> str:
    """Return in words how two values differ in any bit; empty where they do not."""
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return f"{len(ours)} elements and {len(theirs)}"
        return next((why for each in zip(ours, theirs, strict=True) if (why := difference(*each))), "")
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if sorted(ours) != sorted(theirs):
            return f"keys {sorted(ours)[:5]} and {sorted(theirs)[:5]}"
        return next((why for key in ours if (why := difference(np.asarray(ours[key]), np.asarray(theirs[key])))), "")
    if ours is None and theirs is None:
        return ""
    if isinstance(ours, Raw) and isinstance(theirs, Raw) and ours.dtype == theirs.dtype and ours.shape == theirs.shape:
        return difference(ours.data, theirs.data)
    if not isinstance(ours, np.ndarray) or not isinstance(theirs, np.ndarray):
        return f"{_kind(ours)} and {_kind(theirs)}"
    if ours.dtype.kind in "OUS" and theirs.dtype.kind in "OUS":
        same = ours.shape == theirs.shape and ours.tolist() == theirs.tolist()
        return "" if same else "other strings"
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return f"{ours.dtype} {ours.shape} and {theirs.dtype} {theirs.shape}"
    if ours.tobytes() == theirs.tobytes():
        return ""
    width = f"V{ours.dtype.itemsize}"
    flags = np.ascontiguousarray(ours).view(width).ravel() != np.ascontiguousarray(theirs).view(width).ravel()
    first = int(np.argmax(flags))
    return (
        f"{int(flags.sum())} of {ours.size} values, first at {first}: {ours.flat[first]!r} and {theirs.flat[first]!r}"
    )


def _kind(value: Any) -> str:
    return value.dtype if isinstance(value, Raw) else type(value).__name__


def _python(model: Path) -> Any:
    """Return a session, or why there is none."""
    import onnxruntime

    options = session_options(SessionSettings())
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(model.parent.resolve())
    )
    try:
        return onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        return _RefusedError(f"file_unreadable: {error}")
    except Exception as error:  # the runtime raises many types, none of them documented
        return _RefusedError(f"graph_refused: {error}")


def _run_python(session: Any, folder: Path) -> dict[str, Any]:
    if isinstance(session, _RefusedError):
        raise session
    declared = [*session.get_inputs(), *session.get_overridable_initializers()]
    feeds: dict[str, Any] = {}
    for index, value in enumerate(declared):
        path = folder / f"input_{index}.pb"
        if not path.exists():
            break
        feeds[value.name] = _read(path, value.type)
    names = [value.name for value in session.get_outputs()]
    try:
        if any(isinstance(value, Raw) for value in feeds.values()):
            raise _RefusedError("unsupported_type: an input is of a type that numpy has not", binding=True)
        values = session.run(names, feeds)
    except _RefusedError:
        raise
    except Exception as error:  # the runtime raises many types, none of them documented
        raise _RefusedError(f"run_failed: {error}", binding="is not supported" in str(error)) from error
    return dict(zip(names, values, strict=True))


def _read(path: Path, type_: str) -> Any:
    """Read one stored value of a type as ONNX Runtime names it; refused if it cannot be read."""
    try:
        return _value(path, type_)
    except OSError as error:
        raise _RefusedError(f"file_unreadable: {error}") from error
    except Exception as error:  # protobuf's own, of a package without types
        raise _RefusedError(f"invalid_value: {path.name}: {error}") from error


def _value(path: Path, type_: str) -> Any:
    import onnx
    from onnx import numpy_helper

    data = path.read_bytes()
    if type_.startswith("optional("):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    if type_.startswith("seq("):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    array = numpy_helper.to_array(onnx.TensorProto.FromString(data))
    if array.dtype.kind == "V" or (array.dtype.name not in _onnx_values.NUMPY and array.dtype.kind not in "OUS"):
        return Raw(array.dtype.name, array.shape, np.frombuffer(array.tobytes(), np.uint8))
    return array


def _as_stored(session: Any, folder: Path, outputs: Mapping[str, Any]) -> bool | None:
    if isinstance(session, _RefusedError):
        return None
    told: list[bool] = []
    for index, value in enumerate(session.get_outputs()):
        path = folder / f"output_{index}.pb"
        if path.exists():
            told.append(_near(_read(path, value.type), outputs[value.name]))
    return all(told) if told else None


def _near(expected: Any, actual: Any) -> bool:
    if isinstance(expected, list):
        pairs = zip(expected, actual, strict=False)
        return len(expected) == len(actual) and all(_near(*pair) for pair in pairs)
    if expected is None or isinstance(expected, Raw) or isinstance(actual, Raw):
        return not difference(expected, actual)
    actual = np.asarray(actual)
    if expected.shape != actual.shape or expected.dtype.kind in "OUS":
        return bool(expected.shape == actual.shape and expected.tolist() == actual.tolist())
    with contextlib.suppress(AssertionError):
        np.testing.assert_allclose(actual, expected, rtol=_RTOL, atol=_ATOL)
        return bool(expected.dtype == actual.dtype)
    return False


def summary(replayed: Sequence[Replayed]) -> dict[str, int]:
    """Return how many data sets came to each outcome, all outcomes in a fixed order."""
    counts = dict.fromkeys(get_args(Outcome), 0)
    for each in replayed:
        counts[each.outcome] += 1
    return counts
