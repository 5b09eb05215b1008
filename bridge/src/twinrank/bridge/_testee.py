"""A scorer over any transport that answers a frame with a frame: the probe's pipe, a JVM in this process, a gateway."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, Self, TypeVar

import numpy as np

from twinrank.bridge import _batch, _frames, _onnx_values
from twinrank.bridge._scorer import (
    SCORE,
    Array,
    Facts,
    Reason,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scored,
    ScorerBase,
)

if TYPE_CHECKING:
    from twinrank.export.bundle import SessionSettings

PROTOCOL = 1

_MOST_ELEMENTS = 2**31
_Kind = TypeVar("_Kind", dict[str, Any], list[Any])

_DTYPES: Mapping[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "int64": np.dtype("<i8"),
}


class Transport(Protocol):
    """Carries frames to a testee."""

    def exchange(self, frame: bytes, timeout: float) -> tuple[dict[str, Any], bytes | memoryview]:
        """Send one frame and return the answer's header and body.

        Raises:
            RouteFailedError: with reason `crashed` or `hung`.
            FrameError: if the answer is no frame.
        """

    def close(self) -> None:
        """End the connection, and the testee if this transport started it; idempotent, never raises."""


class FrameScorer(ScorerBase):
    """One bundle, loaded by a testee that speaks the probe protocol. Not thread-safe."""

    def __init__(self, route: str, transport: Transport, bundle: Path, options: RouteOptions) -> None:
        """Greet the testee and let it load the bundle.

        Args:
            route: the route's name, for messages.
            transport: carries the frames; this scorer closes it.
            bundle: bundle directory; the testee reads it from its own file system.
            options: time limits and the verification to reach.

        Raises:
            RouteFailedError: if it speaks another protocol, refuses the bundle (`refused`), crashes or hangs; the
                transport is closed then.
        """
        self._route = route
        self._transport = transport
        self._options = options
        self._graph: tuple[str, tuple[str, ...], SessionSettings] | None = None
        try:
            hello = self._ask({"op": "hello"})
            if hello.get("protocol") != PROTOCOL:
                self._break(f"the testee speaks protocol {hello.get('protocol')!r}; this bridge speaks {PROTOCOL}")
            self._operations = frozenset(map(str, self._told(hello, "ops", list)))
            load = self._load(bundle)
            self._outputs = self._declared_outputs(load)
            self._facts = Facts(
                implementation=str(hello.get("implementation")),
                runtime=str(hello.get("runtime")),
                host_class=hello.get("host_class"),
                verification=load.get("verification"),
                bundle=load.get("bundle"),
                details={str(name): str(value) for name, value in self._told(hello, "facts", dict).items()},
            )
        except BaseException:
            transport.close()
            raise

    def facts(self) -> Facts:
        """Return what the testee said of itself."""
        return self._facts

    def score(self, raw: bytes) -> RouteScores | RouteError:
        """Score one raw request; see `Scorer.score`."""
        answer = self._ask_about({"op": "score"}, raw)
        if isinstance(answer, RouteError):
            return answer
        header, body = answer
        n = self._count(header)
        expected = n * sum(dtype.itemsize for dtype in self._outputs.values())
        if len(body) != expected:
            self._break(f"a score answer for n = {n} has a body of {len(body)} bytes; its heads need {expected}")
        outputs: dict[str, Array] = {}
        offset = 0
        for name, dtype in self._outputs.items():
            outputs[name] = np.frombuffer(body, dtype=dtype, count=n, offset=offset)
            offset += n * dtype.itemsize
        return RouteScores(
            n, outputs, self._indices(header, "order", n), self._indices(header, "dropped", n), np.ones(n, np.bool_)
        )

    def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        """Score several raw requests at once; see `Scorer.score_batch`.

        A testee without the operation is asked one request after another. A batch whose answers exceed a frame is
        halved, so that a frame's limit bounds one request's answer and no more.
        """
        if "score_batch" not in self._operations:
            return super().score_batch(raws)
        scored: list[Scored] = []
        for part in _batch.parts(raws):
            scored += self._scored_part(part)
        return scored

    def _scored_part(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        answer, body = self._exchange({"op": "score_batch"}, _batch.body(raws), self._options.batch_timeout(len(raws)))
        if answer.get("code") == "response_too_large" and len(raws) > 1:
            middle = len(raws) // 2
            return [*self._scored_part(raws[:middle]), *self._scored_part(raws[middle:])]
        if answer.get("ok") is not True:
            self._break(f"score_batch failed: {answer.get('family')}: {answer.get('code')}: {answer.get('message')}")
        try:
            return _batch.read(answer, body, len(raws), self._outputs)
        except ValueError as error:
            self._break(f"a score_batch answer is not of the contract: {error}")

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        """Run an ONNX file in the testee's runtime; see `Scorer.run_graph`.

        The graph of the last call stays open, so that the same file with the same taps and settings is opened once.
        Values that are no arrays of numpy's (sequences, maps, bfloat16 and smaller) are left out.

        Raises:
            RouteFailedError: as `Scorer.run_graph`. With the reason `refused` (the runtime, or its Java binding, does
                not take the graph, a tap or a value) the scorer stays usable.
        """
        if "open_onnx" not in self._operations:
            return None
        wanted = (str(model.resolve()), tuple(taps), settings)
        if wanted != self._graph:
            self._graph = None
            header = {"op": "open_onnx", "model": wanted[0], "taps": list(taps), "session": settings.to_json()}
            self._graph_answer(header, b"", self._options.load_timeout)
            self._graph = wanted
        inputs, data = _onnx_values.encode(blocks)
        answer, body = self._graph_answer({"op": "run", "inputs": inputs}, data, self._options.score_timeout)
        try:
            outputs = _onnx_values.decode(answer.get("outputs"), body)
        except ValueError as error:
            self._break(f"a run answer is not of the contract: {error}")
        return {name: value for name, value in outputs.items() if isinstance(value, np.ndarray)}

    def _graph_answer(
        self, header: Mapping[str, Any], body: bytes, timeout: float
    ) -> tuple[dict[str, Any], bytes | memoryview]:
        answer, data = self._exchange(header, body, timeout)
        if answer.get("ok") is True:
            return answer, data
        told = f"{header['op']}: {answer.get('family')}: {answer.get('code')}: {answer.get('message')}"
        raise RouteFailedError(self._route, "refused" if answer.get("family") == "graph" else "protocol", told)

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        """Return the testee's packed blocks; see `Scorer.pack`."""
        answer = self._ask_about({"op": "pack"}, raw)
        if isinstance(answer, RouteError):
            return answer
        header, body = answer
        blocks: dict[str, Array] = {}
        offset = 0
        for entry in self._told(header, "inputs", list):
            if not _is_block(entry):
                self._break(f"a block must be a name, a dtype of {', '.join(_DTYPES)} and a shape, but it is {entry!r}")
            dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
            count = math.prod(shape)
            if offset + count * dtype.itemsize > len(body):
                self._break(f"the body of {len(body)} bytes ends inside block {entry['name']!r}")
            blocks[entry["name"]] = np.frombuffer(body, dtype=dtype, count=count, offset=offset).reshape(shape)
            offset += count * dtype.itemsize
        if offset != len(body):
            self._break(f"{len(body) - offset} bytes follow the last packed block")
        return blocks

    def __enter__(self) -> Self:
        """Return the scorer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the transport."""
        self._transport.close()

    def _ask(self, header: Mapping[str, Any]) -> dict[str, Any]:
        return self._accepted(header, self._exchange(header, b"", self._options.load_timeout)[0])

    def _load(self, bundle: Path) -> dict[str, Any]:
        header = {"op": "load", "bundle": str(bundle.resolve()), "require": self._options.require}
        answer, _ = self._exchange(header, b"", self._options.load_timeout)
        if answer.get("code") == "attached":
            # A testee inside somebody's service speaks of the model that is live there, and loads no other.
            return self._ask({"op": "load", "require": self._options.require})
        return self._accepted(header, answer)

    def _accepted(self, header: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if answer.get("ok") is True:
            return answer
        problems = [f"{found.get('code')} at {found.get('path')}: {found.get('detail')}" for found in _problems(answer)]
        code = f"{answer.get('family')}: {answer.get('code')}"
        told = "; ".join(problems) or answer.get("message")
        reason: Reason = "refused" if answer.get("family") == "bundle" else "protocol"
        refused = str(answer.get("code")) if reason == "refused" else None
        raise RouteFailedError(self._route, reason, f"{header['op']} was refused [{code}]: {told}", code=refused)

    def _ask_about(
        self, header: Mapping[str, Any], raw: bytes
    ) -> tuple[dict[str, Any], bytes | memoryview] | RouteError:
        answer, data = self._exchange(header, raw, self._options.score_timeout)
        if answer.get("ok") is True:
            return answer, data
        if answer.get("family") == "scoring":
            try:
                return _batch.error(answer)
            except ValueError as error:
                self._break(f"a {header['op']} answer is not of the contract: {error}")
        self._break(f"{header['op']} failed outside the scoring family: {answer.get('code')}: {answer.get('message')}")

    def _exchange(
        self, header: Mapping[str, Any], body: bytes, timeout: float
    ) -> tuple[dict[str, Any], bytes | memoryview]:
        try:
            return self._transport.exchange(_frames.encode(header, body), timeout)
        except _frames.FrameError as error:
            raise RouteFailedError(self._route, "protocol", str(error)) from error

    def _told(self, answer: Mapping[str, Any], name: str, kind: type[_Kind]) -> _Kind:
        """Return a member that may be absent, which is as if it were empty."""
        value = answer.get(name)
        if value is None:
            return kind()
        if not isinstance(value, kind):
            self._break(f"an answer's {name!r} must be a {kind.__name__}, but it is {str(value)[:120]}")
        return value

    def _declared_outputs(self, load: Mapping[str, Any]) -> dict[str, np.dtype[Any]]:
        try:
            outputs = {str(head["name"]): _DTYPES[head["dtype"]] for head in load["heads"]}
            outputs[SCORE] = _DTYPES[load["score"]["dtype"]]
        except (KeyError, TypeError) as error:
            self._break(f"the load answer does not declare its heads as the contract says: {error!r} in {dict(load)!r}")
        return outputs

    def _count(self, header: Mapping[str, Any]) -> int:
        n = header.get("n")
        if type(n) is not int or n < 0:
            self._break(f"an answer's n must be an integer from 0, but it is {n!r}")
        return n

    def _indices(self, header: Mapping[str, Any], name: str, n: int) -> tuple[int, ...]:
        indices = header.get(name)
        if not isinstance(indices, list) or not all(type(index) is int and 0 <= index < n for index in indices):
            self._break(f"{name!r} must be a list of candidate indices below {n}, but it is {str(indices)[:120]}")
        return tuple(indices)

    def _break(self, detail: str) -> NoReturn:
        raise RouteFailedError(self._route, "protocol", detail)


def _is_block(entry: object) -> bool:
    """Whether a packed block is described as the contract says."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    shape = entry.get("shape")
    axes = isinstance(shape, list) and all(type(axis) is int and 0 <= axis < _MOST_ELEMENTS for axis in shape)
    return axes and isinstance(entry.get("dtype"), str) and entry["dtype"] in _DTYPES


def _problems(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    problems = answer.get("problems")
    return [found for found in problems if isinstance(found, dict)] if isinstance(problems, list) else []
