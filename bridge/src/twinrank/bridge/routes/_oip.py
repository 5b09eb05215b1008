"""Raw requests as tensors of the Open Inference Protocol, asked by NVIDIA's own client, tritonclient.

What the protocol cannot say of a request is never made up: it has no JSON types, so a value of the wrong one has no
tensor, and no document order, so of two problems either may be told. Such requests are counted as not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Protocol, Self
from urllib.parse import urlsplit

import httpx
import numpy as np

from twinrank.bridge._scorer import (
    SCORE,
    Array,
    Facts,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scored,
    ScorerBase,
    UnaskedError,
)
from twinrank.bridge.routes.http import launched
from twinrank.export.bundle import read_manifest
from twinrank.training.schema import SCORING_CODES, Feature, Schema, ScoringError, candidate_rows, read_request
from twinrank.training.schema._json import parse

_NUMPY: Mapping[str, tuple[str, Any]] = {
    "float32": ("FP32", np.float32),
    "float64": ("FP64", np.float64),
    "int64": ("INT64", np.int64),
    "timestamp": ("INT64", np.int64),
    "bool": ("BOOL", np.bool_),
    "string": ("BYTES", np.object_),
}
_EMPTY: Mapping[str, Any] = {"string": b"", "bool": False, "float32": 0.0, "float64": 0.0}
_PRESENT = 1

MISSING_EXTRA = "tritonclient is not installed: pip install 'twinrank[oip]'"


@dataclass(frozen=True)
class Input:
    """One tensor: its name, the protocol's datatype, and its values; BYTES are an object array of `bytes`."""

    name: str
    datatype: str
    values: Array


@dataclass(frozen=True)
class Encoded:
    """A request as tensors.

    Attributes:
        inputs: the tensors, in the schema's order.
        n: how many candidates there are; the parameter `candidates`.
        k: how many are to be ranked; None for all.
    """

    inputs: Sequence[Input]
    n: int
    k: int | None

    @property
    def parameters(self) -> dict[str, int]:
        """The request's parameters."""
        return {"candidates": self.n} if self.k is None else {"candidates": self.n, "k": self.k}


def encode(raw: bytes, schema: Schema, max_candidates: int) -> Encoded | UnaskedError:
    """Return a raw request as tensors; why that cannot be where it cannot.

    Args:
        raw: the JSON request.
        schema: what features there are.
        max_candidates: the most candidates that the bundle takes.
    """
    try:
        request = read_request(raw, schema, max_candidates=max_candidates)
    except ScoringError as error:
        whole = _refused_as_tensors(raw, schema, error)
        return whole or UnaskedError(f"{error.code}: as tensors the request would be another one, or none")
    told = parse(raw)
    if not isinstance(told, dict):
        raise TypeError(f"read_request took {type(told).__name__}")
    rows = {"context": [told["context"]], "candidate": candidate_rows(told["candidates"])}
    inputs: list[Input] = []
    for feature in schema.features:
        states = request.states(feature.name)
        if any(state not in (0, _PRESENT) for state in states):
            return UnaskedError("a value that an invalid policy absorbs has no tensor")
        given = [
            row[feature.name] if state == _PRESENT else None
            for row, state in zip(rows[feature.placement], states, strict=True)
        ]
        typed = request.values(feature.name)
        inputs += _tensors(feature, given, typed)
    return Encoded(inputs, request.n, request.k)


def _refused_as_tensors(raw: bytes, schema: Schema, error: ScoringError) -> Encoded | None:
    """Return a refused request as tensors where they say the same: one feature of the context alone is at fault."""
    if error.candidate is not None or error.code not in ("missing_feature", "unknown_feature"):
        return None
    told = parse(raw)
    if not isinstance(told, dict) or not isinstance(told.get("context"), dict) or set(told) - {"context", "candidates"}:
        return None
    context = dict(told["context"])
    name = str(error.feature)
    if error.code == "unknown_feature":
        # Without it the request must be a good one, or two things would be wrong with it.
        del context[name]
        extra = [Input(name, "BYTES", np.array([b""], np.object_))]
    else:
        extra = []
    return _mended(told, context, name, schema, extra)


def _mended(
    told: Mapping[str, Any], context: Mapping[str, Any], name: str, schema: Schema, extra: list[Input]
) -> Encoded | None:
    import orjson

    features = {feature.name: feature for feature in schema.features}
    whole = dict(context)
    if not extra:
        feature = features[name]
        one: Any = {"string": "", "bool": False}.get(feature.dtype, 0)
        whole[name] = [] if feature.list else [one] * feature.vector.length if feature.vector else one
    try:
        text = orjson.dumps({"context": whole, "candidates": told["candidates"]})
    except (TypeError, KeyError):  # a literal that only the contract's own reader keeps
        return None
    encoded = encode(text, schema, 1_000_000)
    if isinstance(encoded, UnaskedError) or (name in features and extra):
        return None
    inputs = [each for each in encoded.inputs if each.name != name] + extra
    return Encoded(inputs, encoded.n, encoded.k)


def _tensors(feature: Feature, given: Sequence[Any], typed: Sequence[Any]) -> list[Input]:
    """Return a feature's tensors: none if no value is there."""
    there = [value is not None for value in given]
    if not any(there) and given:
        return []
    if feature.placement == "context":
        values = _elements(feature, given[0]) if feature.list else _flat(feature, [typed[0]])
        return [_input(feature.name, feature, values, (len(values),))]
    if feature.list:
        parts = [_elements(feature, value) if value is not None else [] for value in given]
        values = [element for part in parts for element in part]
        lengths = np.array([len(part) for part in parts], np.int32)
        found = [
            _input(feature.name, feature, values, (len(values),)),
            Input(f"{feature.name}.lengths", "INT32", lengths),
        ]
    else:
        width = feature.vector.length if feature.vector else 1
        empty = _EMPTY.get(feature.dtype, 0)
        values = []
        for value in typed:
            values += [empty] * width if value is None else _flat(feature, [value])
        shape = (len(given), width) if feature.vector else (len(given),)
        found = [_input(feature.name, feature, values, shape)]
    if not all(there):
        found.append(Input(f"{feature.name}.present", "BOOL", np.array(there, np.bool_)))
    return found


def _flat(feature: Feature, typed: Sequence[Any]) -> list[Any]:
    values = [element for value in typed for element in (value if isinstance(value, tuple) else (value,))]
    return [value.encode() for value in values] if feature.dtype == "string" else values


def _elements(feature: Feature, given: Sequence[Any]) -> list[Any]:
    """Return every element of a list as its dtype holds it, also those that the server will cut away."""
    if feature.dtype == "string":
        return [str(each).encode() for each in given]
    if feature.dtype == "bool":
        return list(given)
    texts = [getattr(each, "text", each) for each in given]
    return [float(each) if feature.dtype.startswith("float") else int(each) for each in texts]


def _input(name: str, feature: Feature, values: list[Any], shape: tuple[int, ...]) -> Input:
    datatype, dtype = _NUMPY[feature.dtype]
    if datatype == "BYTES":
        array = np.empty(len(values), np.object_)
        array[:] = values
    else:
        # As in the contract: the nearest float64 first, and of that the nearest float32.
        array = np.array(values, np.float64 if datatype == "FP32" else dtype).astype(dtype)
    return Input(name, datatype, array.reshape(shape))


class Client(Protocol):
    """One of tritonclient's two clients, as far as the routes differ."""

    def infer(self, model: str, encoded: Encoded, outputs: Sequence[str]) -> Mapping[str, Array] | RouteError:
        """Return the outputs by name, or the refusal."""

    def close(self) -> None:
        """Close the connection."""


class Service(ScorerBase):
    """One model of a running service, asked by tensors."""

    def __init__(self, route: str, client: Client, url: str, bundle: Path, stack: ExitStack, timeout: float) -> None:
        manifest = read_manifest(bundle)
        self._route = route
        self._client = client
        self._stack = stack
        self._model = manifest.name
        self._schema = manifest.schema
        self._most = manifest.max_candidates
        self._dtypes = {**{head.name: np.dtype(head.dtype) for head in manifest.heads}}
        self._dtypes[SCORE] = np.dtype(manifest.score.dtype)
        self._facts = self._ask_facts(url, timeout)

    def _ask_facts(self, url: str, timeout: float) -> Facts:
        # What the service holds is told by its own API: the protocol has no words for evidence.
        try:
            with httpx.Client(timeout=timeout, trust_env=False) as client:
                told = client.get(f"{url}/v1/models/{self._model}").raise_for_status().json()
            return Facts(
                implementation="twinrank-server",
                runtime=str(told["runtime"]),
                host_class=str(told["host_class"]),
                verification=str(told["verification"]),
                bundle=str(told["bundle"]),
                details={"address": url, "version": str(told["version"]), "goldens": str(told["goldens"])},
            )
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            detail = f"{url} does not tell of the model {self._model}: {error!r}"
            raise RouteFailedError(self._route, "unavailable", detail) from error

    def facts(self) -> Facts:
        """Return who answers."""
        return self._facts

    def score(self, raw: bytes) -> RouteScores | RouteError:
        """Score one raw request; `UnaskedError` where it has no tensors."""
        encoded = encode(raw, self._schema, self._most)
        if isinstance(encoded, UnaskedError):
            return encoded
        told = self._client.infer(self._model, encoded, [*self._dtypes, "ranking", "dropped"])
        if isinstance(told, RouteError):
            if told.code not in SCORING_CODES:
                self._break(f"it refused a request with {told}")
            return told
        outputs = {}
        for name, dtype in self._dtypes.items():
            if told[name].dtype != dtype or told[name].shape != (encoded.n,):
                self._break(f"{name} is {told[name].dtype} {told[name].shape}, not {dtype} ({encoded.n},)")
            outputs[name] = told[name]
        return RouteScores(
            n=encoded.n,
            outputs=outputs,
            order=tuple(told["ranking"].tolist()),
            dropped=tuple(told["dropped"].tolist()),
            known=np.ones(encoded.n, np.bool_),
        )

    def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        """Score one request after another."""
        return [Scored(self.score(raw)) for raw in raws]

    def _break(self, detail: str) -> NoReturn:
        raise RouteFailedError(self._route, "protocol", detail)

    def __enter__(self) -> Self:
        """Return the scorer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, and stop the server if it is ours."""
        self._stack.close()


def open_service(route: str, bundle: Path, options: RouteOptions, connect: Callable[[str, float], Client]) -> Service:
    """Start the server with one bundle, or attach to one, and connect to it.

    Args:
        route: the route's name.
        bundle: the bundle.
        options: what was said on the command line.
        connect: makes the client of HOST:PORT and a time limit in seconds.

    Raises:
        RouteFailedError: if the client, Java or the jar is missing, or the service does not serve the bundle.
    """
    stack = ExitStack()
    try:
        url = launched(bundle, options, stack)
        client = connect(urlsplit(url).netloc, options.score_timeout)
        stack.callback(client.close)
        return Service(route, client, url, bundle, stack, options.score_timeout)
    except ImportError as error:
        stack.close()
        raise RouteFailedError(route, "unavailable", MISSING_EXTRA) from error
    except BaseException:
        stack.close()
        raise


def failed(route: str, error: Exception) -> RouteFailedError:
    """Return what a client's own failure means."""
    text = str(error)
    hung = "DEADLINE_EXCEEDED" in text or "timed out" in text.lower() or "timeout" in text.lower()
    return RouteFailedError(route, "hung" if hung else "crashed", f"the client failed: {text[:500]}")


def asked_by_name(name: str) -> Callable[[Path, RouteOptions], str | None]:
    """Return the reason for which a route is left out unless somebody asks for it."""
    return lambda _bundle, _options: f"the server of the route http once more: --route {name} asks it by tensors"
