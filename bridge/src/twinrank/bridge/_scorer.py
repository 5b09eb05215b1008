"""What every route is to the parity engine: facts, packed tensors where it can show them, scores or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    # The catalogue of routes is read for --help too, which needs no runtime.
    from twinrank.export.bundle import SessionSettings, SignaturePolicy

Array = npt.NDArray[Any]
"""A numpy array whose dtype the bundle declares: float32 or float64 for outputs, int64 too for blocks."""

Level = Literal["bits", "reference"]
RouteLevel = Literal["bits", "trees", "reference"]
"""What a route promises towards ONNX Runtime."""
CompareLevel = Literal["bits", "trees", "reference", "order"]
"""How close a route must come.

`bits`: every bit. `trees`: every bit of raw scores, and the rest (links, neural heads) within the bundle's tolerance.
`reference`: within the bundle's tolerance. `order`: the same ranking but for ties.
"""
Reason = Literal["unavailable", "refused", "crashed", "hung", "protocol"]

SCORE = "score"
"""The key of the score in `RouteScores.outputs`; the manifest reserves it, so no head has this name."""


@dataclass(frozen=True)
class Facts:
    """Who answered.

    Attributes:
        implementation: name and version of the reader, for example `twinrank-java/0.1.0`.
        runtime: name and release of what computed, for example `onnxruntime 1.29.0`.
        host_class: the contract's host class (64 hex digits); None where the route cannot tell it (a remote service)
            or has none (torch).
        verification: the state in which the route holds the bundle; None where the word does not apply.
        bundle: digest of the bundle that the route says it loaded, `sha256:<hex>`; None where it holds none.
        details: further facts, as text: versions, addresses.
    """

    implementation: str
    runtime: str
    host_class: str | None = None
    verification: str | None = None
    bundle: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RouteScores:
    """One request's answer.

    Attributes:
        n: number of candidates of the request.
        outputs: every head in the bundle's order, then `"score"`; float32 or float64, shape [n]; units are the head's.
        order: candidate indices, best first, cut by the request's k.
        dropped: candidates whose score is NaN, ascending.
        known: bool, shape [n]: for which candidates `outputs` holds values. A ranking service does not tell those
            that k cut away.
    """

    n: int
    outputs: Mapping[str, Array]
    order: tuple[int, ...]
    dropped: tuple[int, ...]
    known: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RouteError:
    """A refused request: a stable code of `codes.json`, and the feature and candidate that it names."""

    code: str
    feature: str | None = None
    candidate: int | None = None

    def __str__(self) -> str:
        """Return one line for tables: `missing_feature(feature='age', candidate=3)`."""
        parts = [f"feature={self.feature!r}"] if self.feature is not None else []
        parts += [f"candidate={self.candidate}"] if self.candidate is not None else []
        return f"{self.code}({', '.join(parts)})" if parts else self.code


@dataclass(frozen=True)
class UnaskedError(RouteError):
    """A request that a route's protocol cannot say: it was not sent, and nothing is compared.

    Its `code` is why, in a few words that are the same for every request of the kind.
    """


@dataclass(frozen=True)
class Scored:
    """One request's answer in a batch.

    Attributes:
        answer: scores, or the refusal; `UnaskedError` where the route cannot ask.
        packed: XXH3-64 (seed 0) of the packed blocks' bytes, one block after another in packing order, as an unsigned
            number; None where the route does not show its packing, or refused the request. Names, dtypes and shapes
            of blocks follow from the manifest and n, so equal digests mean equal tensors.
    """

    answer: RouteScores | RouteError
    packed: int | None = None


class RouteFailedError(Exception):
    """A route gave no answer at all: never green, and never the end of the suite.

    Attributes:
        route: the route's name.
        reason: `unavailable` (something to install or to pass is missing), `refused` (the route did not take the
            bundle), `crashed`,
            `hung` (killed after its time limit), `protocol` (an answer that is not of the contract).
        detail: what was seen, where, and what to do.
        evidence: the last lines that the testee wrote to stderr; empty where there are none.
        code: the primary code of a bundle that was refused (contract, section 10); None for everything else.
    """

    def __init__(self, route: str, reason: Reason, detail: str, evidence: str = "", *, code: str | None = None) -> None:
        super().__init__(f"{route}: {reason}: {detail}")
        self.route = route
        self.reason: Reason = reason
        self.detail = detail
        self.evidence = evidence
        self.code = code


class Scorer(Protocol):
    """One opened bundle behind one route. Not thread-safe; close it by leaving its `with` block."""

    def facts(self) -> Facts:
        """Return who answers."""

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        """Return the packed blocks by name, in packing order.

        Returns: the blocks; the error that refuses the request; None where the route cannot show them.
        """

    def score(self, raw: bytes) -> RouteScores | RouteError:
        """Score one raw request.

        Raises:
            RouteFailedError: if the testee crashed, hung or answered outside the contract. The scorer is not usable
                after that.
        """

    def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        """Score several raw requests at once; the answers are in the requests' order, one each.

        Raises:
            RouteFailedError: as `score`; no answer of the batch is known then.
        """

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        """Run an ONNX file in the route's own runtime, with intermediate values as further outputs.

        Args:
            model: an ONNX file, which need not be a bundle's; external data lie beside it.
            settings: the session options.
            taps: names of values of the graph to return beside its outputs.
            blocks: the graph's inputs by name.

        Returns:
            The graph's outputs and the taps by name, bits untouched; None where the route cannot run a graph.

        Raises:
            RouteFailedError: if the testee crashed or hung, or its runtime refuses the graph (`refused`).
        """

    def __enter__(self) -> Self:
        """Return the scorer itself."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release processes, sockets and sessions of this scorer; never raises for a testee that is already gone."""


class ScorerBase:
    """What a scorer does where its route has nothing better: one request after another, and no graphs."""

    def pack(self, raw: bytes) -> Mapping[str, Array] | RouteError | None:
        """Return None: this route does not show its tensors."""
        del raw
        return None

    def score(self, raw: bytes) -> RouteScores | RouteError:
        """Score one raw request; see `Scorer.score`."""
        raise NotImplementedError

    def score_batch(self, raws: Sequence[bytes]) -> Sequence[Scored]:
        """Score one request after another; see `Scorer.score_batch`."""
        return [self._scored(raw) for raw in raws]

    def run_graph(
        self, model: Path, settings: SessionSettings, taps: Sequence[str], blocks: Mapping[str, Array]
    ) -> Mapping[str, Array] | None:
        """Return None: this route runs no graph but its bundle's."""
        del model, settings, taps, blocks
        return None

    def __enter__(self) -> Self:
        """Return the scorer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release nothing: a route that holds a process or a socket overrides this."""

    def _scored(self, raw: bytes) -> Scored:
        answer = self.score(raw)
        if isinstance(answer, RouteError):
            return Scored(answer)
        blocks = self.pack(raw)
        return Scored(answer, None if blocks is None or isinstance(blocks, RouteError) else packed_digest(blocks))


def packed_digest(blocks: Mapping[str, Array]) -> int:
    """Return XXH3-64 (seed 0) of the blocks' bytes, row-major little-endian, one block after another."""
    import xxhash

    digest = xxhash.xxh3_64()
    for block in blocks.values():
        digest.update(np.ascontiguousarray(block).astype(block.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.intdigest()


@dataclass(frozen=True)
class RouteOptions:
    """What a person may say about routes on the command line.

    Attributes:
        require: the verification that a reader must reach when it loads the bundle.
        run: run directory of the trainer; the torch route needs it, and the routes of tree libraries take its model.
        native: model file for the routes of tree libraries, where there is no run or it holds none.
        schema: YAML file of features and transforms that such a bundle was exported with, where there is no run.
        against: base URL of a running service to attach to, instead of starting the server jar.
        gateway: connection file of a running Py4J gateway to attach to, instead of starting the gateway jar.
        python: command of another Python interpreter, which brings its own ONNX Runtime.
        load_timeout: seconds until a load or a start counts as hung.
        score_timeout: seconds until one request counts as hung.
        signature: what the baseline's reader asks of the bundle's signature; None asks nothing.
    """

    require: Level = "bits"
    run: Path | None = None
    native: Path | None = None
    schema: Path | None = None
    against: str | None = None
    gateway: Path | None = None
    python: tuple[str, ...] | None = None
    load_timeout: float = 180.0
    score_timeout: float = 60.0
    signature: SignaturePolicy | None = None

    def batch_timeout(self, requests: int) -> float:
        """Return the seconds until a batch counts as hung: one request's limit, and a 64th of it for each request.

        A batch of the engine holds as many candidates as one large slate may (`_chunks.py`), so a limit that is
        generous for one request is generous for a batch too.
        """
        return self.score_timeout * (1 + requests / 64)


@dataclass(frozen=True)
class Route:
    """A way to get scores, as its module in `twinrank.bridge.routes` declares it.

    Attributes:
        name: the module's own name.
        summary: one line for `--help` and the report.
        level: `bits` where the route runs ONNX Runtime, `trees` where a library of trees computes raw scores,
            `reference` where something else computes otherwise.
        open: opens a bundle; raises RouteFailedError.
        lacks: returns why the route is left out of a bundle's comparison when nobody asked for it by name (an input
            that was not given); None to take part.
    """

    name: str
    summary: str
    level: RouteLevel
    open: Callable[[Path, RouteOptions], Scorer]
    lacks: Callable[[Path, RouteOptions], str | None] = lambda _bundle, _options: None
