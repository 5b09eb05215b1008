"""What the steps of an explanation share: both sides, the case, the clock, and what has been found so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from twinrank.bridge._cases import Case
from twinrank.bridge._findings import Cause, CauseCode, Place
from twinrank.bridge._plain import PlainModel
from twinrank.bridge._scorer import (
    SCORE,
    Array,
    Facts,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scored,
    Scorer,
)
from twinrank.export.bundle import Manifest, SessionSettings, canonical_bits, order_of, runtime_release
from twinrank.training.schema import pack, read_request

MODEL = "model.onnx"
_CONTROLS = 12
_LONGEST = 1 << 18
_AROUND = ("string_encoding", "packing", "output_rounding", "other_order", "other_decision", "unstable")


class OutOfTimeError(Exception):
    """The explanation's time is over; what was found until then stands."""


@dataclass
class Inquiry:
    """One difference under examination.

    Attributes:
        route: the route's name.
        bundle: directory of the baseline's bundle.
        deployed: directory of the route's bundle; the same one unless another is deployed.
        manifest: of `bundle`.
        theirs: of `deployed`.
        case: the request on which the two differ.
        expected: the baseline's answer.
        actual: the route's answer.
        baseline: the baseline, still open.
        scorer: the route, still open.
        facts: of the baseline, of the route.
        deadline: when to stop, on the monotonic clock, seconds.
        progress: hears one line a step.
        options: what the route was opened with; None where nobody may stand in for it.
        causes: recognised so far.
        notes: see `Finding.notes`.
        place: see `Finding.place`.
        their_blocks: the packed blocks as the route shows them; None where it does not.
        packing_alone: whether the baseline's graph gives the route's bits on the route's blocks.
        ran_graph: whether the route ran its graph for the search.
        lost: whether the route failed meanwhile, so that it must not be asked again.
    """

    route: str
    bundle: Path
    deployed: Path
    manifest: Manifest
    theirs: Manifest
    case: Case
    expected: Scored
    actual: Scored
    baseline: Scorer
    scorer: Scorer
    facts: tuple[Facts, Facts]
    deadline: float
    progress: Callable[[str], None]
    options: RouteOptions | None = None
    causes: list[Cause] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    place: Place | None = None
    their_blocks: Mapping[str, Array] | None = None
    packing_alone: bool = False
    ran_graph: bool = False
    lost: bool = False

    # ---- steps

    def step(self, name: str, work: Callable[[Inquiry], None]) -> None:
        """Run one step: whatever it raises becomes a note, and the steps after it are tried all the same."""
        if time.monotonic() >= self.deadline:
            self.notes.append(f"{name}: not tried, because the time limit was over")
            return
        self.progress(name)
        try:
            work(self)
        except OutOfTimeError:
            self.notes.append(f"{name}: cut off by the time limit")
        except RouteFailedError as failure:
            self.lost = self.lost or failure.reason in ("crashed", "hung", "protocol")
            self.notes.append(f"{name}: {failure}")
        except Exception as error:  # an explanation must never cost the report that it is a part of
            self.notes.append(f"{name}: failed with {type(error).__name__}: {error}")

    def check_time(self) -> None:
        """Raise OutOfTimeError once the time is over."""
        if time.monotonic() >= self.deadline:
            raise OutOfTimeError

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.deadline - time.monotonic()

    def add(self, code: CauseCode, said: str, evidence: Sequence[str], remedy: str, *, proven: bool) -> None:
        """Note a recognised cause; a second one of the same code and sentence is dropped."""
        if all((cause.code, cause.said) != (code, said) for cause in self.causes):
            self.causes.append(Cause(code, said, proven, tuple(evidence), remedy))

    @property
    def proven(self) -> bool:
        """Whether some cause is proven already."""
        return any(cause.proven for cause in self.causes)

    @property
    def proven_by_answer(self) -> bool:
        """Whether a proven cause lies in what happens around the graph, so that there is no node to look for."""
        return any(cause.proven and cause.code in _AROUND for cause in self.causes)

    # ---- answers

    @property
    def scores(self) -> tuple[RouteScores, RouteScores] | None:
        """Both answers where both scored; None where one refused."""
        expected, actual = self.expected.answer, self.actual.answer
        if isinstance(expected, RouteError) or isinstance(actual, RouteError):
            return None
        return expected, actual

    @property
    def outputs_differ(self) -> bool:
        """Whether both scored, and some value differs in a bit."""
        both = self.scores
        return both is not None and not equal_outputs(both[0].outputs, both[1])

    def reproduces(self, outputs: Mapping[str, Array]) -> bool:
        """Return whether outputs (heads and score by name) have exactly the route's bits, where it shows them."""
        actual = self.actual.answer
        return isinstance(actual, RouteScores) and equal_outputs(outputs, actual)

    def holds_elsewhere(self, gives: Callable[[bytes, RouteScores, RouteScores], bool]) -> bool:
        """Return whether an explanation gives the route's bits for the bundle's goldens too.

        In a small slate a difference of a unit in the last place may come about in many ways; over more rows only one
        of them is left.

        Args:
            gives: gets a request and both sides' answers, and tells whether the explanation makes the one the other.
        """
        lines = (self.bundle / "goldens" / "requests.jsonl").read_bytes().split(b"\n")
        for raw in [line for line in lines if line and len(line) <= _LONGEST][:_CONTROLS]:
            self.check_time()
            expected, actual = self.baseline.score(raw), self.scorer.score(raw)
            if isinstance(expected, RouteError) or isinstance(actual, RouteError) or expected.n == 0:
                continue
            if not gives(raw, expected, actual):
                return False
        return True

    # ---- graphs

    @cached_property
    def blocks(self) -> Mapping[str, Array]:
        """The request's blocks as our reader packs them."""
        return self.packed(self.case.raw)

    def packed(self, raw: bytes) -> Mapping[str, Array]:
        """Return the blocks of a request as our reader packs them."""
        request = read_request(raw, self.manifest.schema, max_candidates=self.manifest.max_candidates)
        return pack(request, self.manifest.packing)

    def run_own(
        self,
        *,
        model: Path | None = None,
        settings: SessionSettings | None = None,
        taps: Sequence[str] = (),
        blocks: Mapping[str, Array] | None = None,
    ) -> Mapping[str, Array]:
        """Run a graph in the baseline's runtime: the bundle's own, under its settings, on its blocks, unless told.

        A baseline that runs no graphs is stood in for by this process's runtime, if that is the bundle's release.

        Raises:
            RouteFailedError: if it cannot be run.
        """
        self.check_time()
        chosen = (model or self.bundle / MODEL, settings or self.manifest.session, taps)
        found = self.baseline.run_graph(*chosen, blocks or self.blocks)
        if found is not None:
            return found
        if runtime_release() != self.manifest.release:
            detail = f"it runs no graphs, and this process runs ONNX Runtime {runtime_release()}"
            raise RouteFailedError("baseline", "unavailable", detail)
        return PlainModel(*chosen).run(blocks or self.blocks)

    def run_theirs(
        self,
        *,
        model: Path | None = None,
        settings: SessionSettings | None = None,
        taps: Sequence[str] = (),
        blocks: Mapping[str, Array] | None = None,
    ) -> Mapping[str, Array] | None:
        """Run a graph in the route's runtime: the deployed one unless told; None if the route runs none."""
        self.check_time()
        if self.lost:
            return None
        chosen = (model or self.deployed / MODEL, settings or self.theirs.session, taps)
        return self.scorer.run_graph(*chosen, blocks or self.blocks)

    def heads_of(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return heads and score by name out of a graph's outputs by name."""
        outputs = {head.name: values[head.output] for head in self.manifest.heads}
        outputs[SCORE] = values[self.manifest.score.output]
        return outputs


def equal_outputs(outputs: Mapping[str, Array], actual: RouteScores) -> bool:
    """Return whether every output has the answer's bits for the candidates that it knows; any NaN equals any NaN."""
    for name, there in actual.outputs.items():
        here = outputs.get(name)
        if here is None or here.shape != there.shape or here.dtype != there.dtype:
            return False
        if (canonical_bits(here[actual.known]) != canonical_bits(there[actual.known])).any():
            return False
    return True


def equal_values(one: Array, other: Array) -> bool:
    """Return whether two tensors are the same to the bit; for floats any NaN equals any NaN."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype in (np.float32, np.float64):
        return bool((canonical_bits(one) == canonical_bits(other)).all())
    if one.dtype.hasobject:
        return bool((one == other).all())
    return one.tobytes() == other.tobytes()


def ranking(score: Array, k: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the contract's order, cut by k, and what is dropped."""
    order, dropped = order_of(score)
    return tuple(int(i) for i in order[:k]), tuple(int(i) for i in dropped)
