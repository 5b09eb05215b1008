"""The ranking API over HTTP: the server jar on a free loopback port, or a running service that somebody names."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import httpx
import numpy as np
import orjson

from twinrank.bridge._deadline import DeadlineError, Worker
from twinrank.bridge._java import JavaMissingError, find_jar, find_java
from twinrank.bridge._process import Child
from twinrank.bridge._scorer import (
    SCORE,
    Array,
    Facts,
    Level,
    Reason,
    Route,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scored,
    Scorer,
    ScorerBase,
)
from twinrank.export.bundle import BUNDLE_CODES, BundleError, read_manifest
from twinrank.training.schema import SCORING_CODES

__all__ = ["ROUTE", "launched", "read_json", "serving"]

_NAME = "http"
_MAX_BODY = 64 * 1024 * 1024
# A route asks for every answer, on a crowded machine too: its requests wait as long as the route does.
_QUEUE_AGE_MS = 86_400_000
_MAX_ANSWER = 1024 * 1024 * 1024
_CONNECTIONS = 2
"""Requests of a batch that are under way at once: one is computed there while another is read here."""

_MINUS_ZERO = re.compile(rb"-0(?![.0-9eE])")
_WORDS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


@contextmanager
def serving(
    models: Path, *, require: Level = "bits", start_timeout: float = 180.0, more: Sequence[str] = ()
) -> Iterator[str]:
    """Start the server jar on a free loopback port, and stop it on leaving.

    Args:
        models: the directory above `<name>/<version>`.
        require: the verification that every bundle must reach.
        start_timeout: seconds until a start counts as hung.
        more: further options of the server.

    Yields:
        The base URL, once the server is ready.

    Raises:
        RouteFailedError: if Java or the jar is missing, or the server does not get ready.
    """
    try:
        java, jar = find_java(), find_jar("server")
    except JavaMissingError as error:
        raise RouteFailedError(_NAME, "unavailable", str(error)) from error
    with tempfile.TemporaryDirectory(prefix="twinrank-") as folder:
        port_file = Path(folder) / "port"
        options = ["--models", str(models), "--port", "0", "--port-file", str(port_file), "--require", require]
        options += ["--max-body", str(_MAX_BODY), "--queue-age", str(_QUEUE_AGE_MS)]
        child = Child(java.run_jar(jar, *options, *more))
        try:
            if not child.await_file(port_file, start_timeout):
                _not_ready(child, start_timeout)
            yield f"http://127.0.0.1:{int(port_file.read_text(encoding='ascii'))}"
        finally:
            child.close()


def _not_ready(child: Child, start_timeout: float) -> NoReturn:
    reason: Reason = "hung"
    code = None
    detail = f"the server was not ready within {start_timeout:g} s"
    if child.process.poll() is not None:
        # Exit status 1 is the server's own word for a bundle that it does not serve.
        reason = "refused" if child.process.returncode == 1 else "crashed"
        detail = f"the server did not start: {child.exit_text()}"
    child.kill()
    words = child.last_words()
    if reason == "refused":
        code = next((word for word in re.findall(r"[a-z]+(?:_[a-z]+)+", words) if word in BUNDLE_CODES), None)
        detail += f": {code}" if code is not None else ""
    raise RouteFailedError(_NAME, reason, detail, words, code=code)


class _Service(ScorerBase):
    """One model of a running service as a scorer."""

    def __init__(self, base_url: str, model: str, options: RouteOptions, stack: ExitStack) -> None:
        self._stack = stack
        self._base_url = base_url
        self._client = self._connect(stack, options.score_timeout)
        self._timeout = options.score_timeout
        self._reached = False
        self._options = options
        self._workers: list[Worker[RouteScores | RouteError]] = [
            Worker(f"twinrank-http-{place}") for place in range(_CONNECTIONS)
        ]
        for worker in self._workers:
            stack.callback(worker.close)
        self._clients = [self._connect(stack, options.score_timeout) for _ in self._workers]
        detail = self._json(self._send(self._client, "GET", f"/v1/models/{model}"), f"/v1/models/{model}")
        self._path = f"/v1/models/{model}:rank"
        try:
            heads = {str(head["name"]): np.dtype(head["dtype"]) for head in detail["heads"]}
            self._outputs = {**heads, SCORE: np.dtype(detail["score"]["dtype"])}
            self._facts = Facts(
                implementation="twinrank-server",
                runtime=str(detail["runtime"]),
                host_class=str(detail["host_class"]),
                verification=str(detail["verification"]),
                bundle=str(detail["bundle"]),
                details={"address": base_url, "version": str(detail["version"]), "goldens": str(detail["goldens"])},
            )
        except (KeyError, TypeError) as error:
            self._break(f"{base_url} does not describe its model as this bridge knows it: {error!r}")

    def _connect(self, stack: ExitStack, timeout: float) -> httpx.Client:
        """Return a client for one thread alone.

        Threads that share one close each other's connections: a pool looks whether an idle connection has something to
        read, which means that the service hung up, and meanwhile another thread has asked and its answer has come.
        """
        # An environment's proxy must not come between: parity is about the service itself.
        return stack.enter_context(httpx.Client(base_url=self._base_url, timeout=timeout, trust_env=False))

    def facts(self) -> Facts:
        return self._facts

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        """None: a ranking service does not show its tensors."""
        del raw
        return None

    def score(self, raw: bytes) -> RouteScores | RouteError:
        return self._score(self._client, raw)

    def _score(self, client: httpx.Client, raw: bytes) -> RouteScores | RouteError:
        answer = self._send(client, "POST", self._path, raw)
        told = self._json(answer, self._path, any_status=True)
        if answer.status_code != httpx.codes.OK:
            if told.get("code") not in SCORING_CODES:
                self._break(f"{self._path} answered {answer.status_code} {told.get('code')}: {told.get('detail')}")
            return RouteError(str(told["code"]), told.get("feature"), told.get("candidate"))
        try:
            return self._ranking(told)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self._break(f"the answer is no ranking of the contract: {error!r}")

    def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        """Score the requests over a few connections; see `Scorer.score_batch`."""
        limit = self._options.batch_timeout(len(raws))
        for place, raw in enumerate(raws):
            self._workers[place % _CONNECTIONS].submit(partial(self._score, self._clients[place % _CONNECTIONS], raw))
        # Every submitted call has its result taken, so that none is left for the batch after this one.
        answers: list[RouteScores | RouteError] = []
        failed: RouteFailedError | None = None
        for place in range(len(raws)):
            try:
                answers.append(self._workers[place % _CONNECTIONS].result(limit))
            except DeadlineError:
                raise RouteFailedError(_NAME, "hung", f"no answer within {limit:g} s") from None
            except RouteFailedError as failure:
                failed = failed or failure
        if failed is not None:
            raise failed
        return [Scored(answer) for answer in answers]

    def _ranking(self, told: Mapping[str, Any]) -> RouteScores:
        n = int(told["candidates"])
        entries = [*told["ranking"], *({"score": "NaN", **entry} for entry in told["dropped"])]
        places = [int(entry["index"]) for entry in entries]
        known = np.zeros(n, np.bool_)
        for index in places:
            if not 0 <= index < n or known[index]:
                raise ValueError(f"candidate {index} of {n} is out of range or listed twice")
            known[index] = True
        outputs: dict[str, Array] = {}
        for name, dtype in self._outputs.items():
            column = [entry["score"] if name == SCORE else entry["heads"][name] for entry in entries]
            wide = np.zeros(n, np.float64)
            wide[places] = column if set(map(type, column)) <= {float} else [_number(value) for value in column]
            outputs[name] = _narrow(wide, dtype)
        ranked = len(told["ranking"])
        return RouteScores(n, outputs, tuple(places[:ranked]), tuple(places[ranked:]), known)

    def _send(self, client: httpx.Client, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        try:
            headers = {"Content-Type": "application/json"}
            deadline = time.monotonic() + self._timeout
            with client.stream(method, path, content=body, headers=headers) as answer:
                whole = bytearray()
                # The client's own limit is for one read: a service that drips, or never ends, keeps within it.
                for part in answer.iter_bytes():
                    whole += part
                    if len(whole) > _MAX_ANSWER:
                        self._break(f"{path} answered with more than {_MAX_ANSWER:,} bytes")
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("the answer did not end")
            self._reached = True
            return httpx.Response(answer.status_code, content=bytes(whole))
        except httpx.TimeoutException as error:
            detail = f"{method} {path} took longer than {self._timeout:g} s"
            raise RouteFailedError(_NAME, "hung", detail) from error
        except httpx.ConnectError as error:
            if self._reached:
                raise RouteFailedError(_NAME, "crashed", f"{self._base_url} takes no connection any more") from error
            detail = f"{self._base_url} cannot be reached ({error}): give the URL or HOST:PORT of a running service"
            raise RouteFailedError(_NAME, "unavailable", detail) from error
        except httpx.HTTPError as error:
            raise RouteFailedError(
                _NAME, "crashed", f"{method} {path} at {self._base_url} failed: {error!r}"
            ) from error

    def _json(self, answer: httpx.Response, path: str, *, any_status: bool = False) -> dict[str, Any]:
        try:
            told = read_json(answer.content)
        except ValueError as error:
            self._break(f"{path} answered {answer.status_code} with something that is no JSON: {error}")
        if not isinstance(told, dict) or (answer.status_code != httpx.codes.OK and not any_status):
            self._break(f"{path} answered {answer.status_code}: {answer.text[:300]}")
        return told

    def _break(self, detail: str) -> NoReturn:
        raise RouteFailedError(_NAME, "protocol", detail)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def read_json(text: bytes) -> Any:
    """Read JSON with numbers exactly as they are written.

    orjson rounds decimals correctly, but reads the literal `-0` as the integer 0, which loses a float's sign. Where
    those three bytes occur so, Python's own reader takes over.

    Raises:
        ValueError: if it is no JSON in UTF-8.
    """
    if _MINUS_ZERO.search(text) is None:
        return orjson.loads(text)
    return json.loads(text.decode("utf-8"), parse_int=_integer)


def _integer(text: str) -> int | float:
    return -0.0 if text == "-0" else int(text)


def _number(value: Any) -> float:
    if isinstance(value, str):
        return _WORDS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _narrow(values: Array, dtype: np.dtype[Any]) -> Array:
    """Return the declared dtype where that loses nothing; else the values as they came, so that the loss shows."""
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype)
    same = (narrow.astype(np.float64) == values) | np.isnan(values)
    return narrow if bool(same.all()) else values


def _open(bundle: Path, options: RouteOptions) -> Scorer:
    stack = ExitStack()
    try:
        return _Service(launched(bundle, options, stack), _name(bundle), options, stack)
    except BaseException:
        stack.close()
        raise


def launched(bundle: Path, options: RouteOptions, stack: ExitStack) -> str:
    """Return the base URL of the service that is named in the options, or of a server started with this bundle alone.

    Args:
        bundle: the bundle.
        options: what was said on the command line.
        stack: stops what was started.

    Raises:
        RouteFailedError: as `serving`.
    """
    if options.against is not None:
        return _address(options.against)
    models = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinrank-models-")))
    _place(bundle, models / _name(bundle))
    return stack.enter_context(serving(models, require=options.require, start_timeout=options.load_timeout))


def _name(bundle: Path) -> str:
    try:
        return read_manifest(bundle).name
    except BundleError:
        # The server shall judge such a bundle by itself; where a bundle lies, its model is named so.
        return bundle.resolve().parent.name


def _address(against: str) -> str:
    """Return the base URL: what is given, or HOST:PORT as one."""
    return (against if "://" in against else f"http://{against}").rstrip("/")


def _place(bundle: Path, model: Path) -> None:
    """Give the server a directory with this bundle alone: it serves the newest version of each model it finds.

    A copy, because a reader refuses links.
    """
    version = bundle.resolve().name
    shutil.copytree(bundle, model / (version if re.fullmatch("[1-9][0-9]{0,17}", version) else "1"), symlinks=True)


ROUTE = Route(name=_NAME, summary="the ranking API of the Java server", level="bits", open=_open)
