"""Bundles under another runtime or processor: what their scores keep, and which operators compute other bits.

Two comparisons, because one alone misleads. Whole bundles say what callers would see. Node by node says why: each node
runs alone on both sides, on the very bits that flow into it under the pinned release, so that one operator does not
colour everything after it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from twinrank.bridge import routes as catalogue
from twinrank.bridge._cases import Case
from twinrank.bridge._environments import Environment
from twinrank.bridge._graph_peer import GraphPeer
from twinrank.bridge._operators import NodeReplay, OperatorTally, Tallies, replay_nodes
from twinrank.bridge._parity import within_ties
from twinrank.bridge._peers import TESTEE, Sources
from twinrank.bridge._scorer import (
    SCORE,
    Facts,
    Level,
    RouteError,
    RouteFailedError,
    RouteOptions,
    RouteScores,
    Scored,
    Scorer,
)
from twinrank.bridge._values import measure
from twinrank.bridge._verify import BundleFacts, bundle_facts
from twinrank.bridge.routes.probe import open_command
from twinrank.export.bundle import BundleError

__all__ = ["BundleResult", "Certificate", "Change", "Target", "certify"]

State = Literal["equal", "within", "differs", "refused", "unknown"]
"""`within`: bits differ, all inside the bundle's tolerances. `refused`: the target does not take the bundle. `unknown`:
nothing was compared."""

_CHUNK = 64


@dataclass(frozen=True)
class Target:
    """What bundles are certified for.

    Attributes:
        name: `onnxruntime 1.23.2`, or the command that was given.
        command: an interpreter's command.
        environment: the environment of our making that it is in; None if somebody else's.
    """

    name: str
    command: tuple[str, ...]
    environment: Environment | None = None


@dataclass
class Change:
    """One output's sums over all rows.

    Attributes:
        name: the head, or `score`.
        allowed: the bundle's tolerance a.
        rows: rows compared.
        differing_rows: rows with another bit.
        differing_bits: bits that differ.
        beyond: rows further apart than `allowed`.
        max_ulp: largest distance; 2**64 - 1 where a NaN meets a number.
        max_abs: largest absolute difference.
    """

    name: str
    allowed: float
    rows: int = 0
    differing_rows: int = 0
    differing_bits: int = 0
    beyond: int = 0
    max_ulp: int = 0
    max_abs: float = 0.0


@dataclass
class BundleResult:
    """What one bundle gives on the target.

    Attributes:
        bundle: the bundle's facts; None where its manifest cannot be read.
        path: its folder.
        pinned: who gave the expected bits.
        target: who gave the others.
        state: the verdict.
        detail: why it is `refused` or `unknown`; empty otherwise.
        changes: every head, then the score.
        requests: requests that both sides answered.
        goldens, goldens_equal: those of them that are goldens, and how many of these are equal to the bit.
        orders, orders_equal, orders_tied: rankings compared, equal, and different inside ties of 2a only.
        errors, errors_agreed: requests that one side refused, and on which both said the same.
        packed_differing: requests whose packed tensors differ.
        replay: the node by node comparison; None where it could not begin.
        seconds: what all this took.
    """

    bundle: BundleFacts | None
    path: Path
    pinned: Facts | None = None
    target: Facts | None = None
    state: State = "unknown"
    detail: str = ""
    changes: tuple[Change, ...] = ()
    requests: int = 0
    goldens: int = 0
    goldens_equal: int = 0
    orders: int = 0
    orders_equal: int = 0
    orders_tied: int = 0
    errors: int = 0
    errors_agreed: int = 0
    packed_differing: int = 0
    replay: NodeReplay | None = None
    seconds: float = 0.0

    def label(self) -> str:
        """Return name/version, or the folder's path where the manifest cannot be read."""
        return str(self.path) if self.bundle is None else f"{self.bundle.name}/{self.bundle.version}"

    def judge(self) -> None:
        """Set the state from what was compared."""
        if self.requests == 0 or self.changes[-1].rows == 0:
            self.state, self.detail = "unknown", "no row was compared"
            return
        decided = self.errors == self.errors_agreed and not self.packed_differing
        ordered = self.orders == self.orders_equal
        if decided and ordered and not any(change.differing_bits for change in self.changes):
            self.state = "equal"
        elif (
            decided
            and self.orders == self.orders_equal + self.orders_tied
            and not any(change.beyond for change in self.changes)
        ):
            self.state = "within"
        else:
            self.state = "differs"


@dataclass(frozen=True)
class Certificate:
    """Every bundle on one target.

    Attributes:
        target: the target.
        require: `bits`, or `reference` where differences within tolerance are good enough.
        bundles: one result a bundle.
        operators: what changed, operator by operator, those that changed most first.
        failure: why the node by node comparison ended early; empty where it did not.
        seconds: what the target's part took.
    """

    target: Target
    require: Level
    bundles: tuple[BundleResult, ...]
    operators: tuple[OperatorTally, ...]
    failure: str
    seconds: float

    @property
    def verdict(self) -> Literal["equal", "differs", "unknown"]:
        """`differs` if one bundle does, or is refused; `equal` if every bundle is good enough; else `unknown`."""
        states = {result.state for result in self.bundles}
        if states & {"differs", "refused"} or ("within" in states and self.require == "bits"):
            return "differs"
        good = states <= {"equal", "within"}
        return "equal" if states and good and not self.failure else "unknown"

    @property
    def exit_code(self) -> int:
        """0 equal, 1 differs, 2 could not tell."""
        return {"equal": 0, "differs": 1, "unknown": 2}[self.verdict]


def certify(
    bundles: Sequence[Path],
    target: Target,
    requests: Callable[[Path], Sequence[Case]],
    *,
    require: Level = "bits",
    nodes: bool = True,
    load_timeout: float = 180.0,
    score_timeout: float = 60.0,
    tell: Callable[[str], None] = lambda _line: None,
) -> Certificate:
    """Compare bundles on a target with themselves under the release that they name.

    Args:
        bundles: bundle directories.
        target: what to certify for.
        requests: gives a bundle's requests, its goldens among them.
        require: whether differences within tolerance are good enough.
        nodes: whether to compare node by node too.
        load_timeout: seconds until the start of the target, or a load, counts as hung.
        score_timeout: seconds until one chunk of requests, or one run of a node, counts as hung.
        tell: hears one line before each slow step.
    """
    began = time.perf_counter()
    options = RouteOptions(require="reference", load_timeout=load_timeout, score_timeout=score_timeout)
    results = []
    chosen: list[tuple[BundleResult, list[bytes]]] = []
    for path in bundles:
        tell(f"{target.name}: {path}")
        result, worth = _bundle(path, target, requests, options)
        results.append(result)
        if result.bundle is not None and worth:
            chosen.append((result, worth))
    tallies = Tallies()
    failure = ""
    if nodes and chosen:
        try:
            with GraphPeer(
                target.command,
                alone=target.environment is not None,
                start_seconds=load_timeout,
                seconds=score_timeout,
            ) as peer:
                for result, worth in chosen:
                    tell(f"{target.name}: {result.label()}: node by node")
                    result.replay = replay_nodes(result.path, result.label(), worth, peer, tallies)
        except RouteFailedError as error:
            failure = f"{error.reason}: {error.detail}" + (f": {_last(error.evidence)}" if error.evidence else "")
    return Certificate(target, require, tuple(results), tallies.sorted(), failure, time.perf_counter() - began)


def _bundle(
    path: Path, target: Target, requests: Callable[[Path], Sequence[Case]], options: RouteOptions
) -> tuple[BundleResult, list[bytes]]:
    """One bundle's result, and requests that are worth a look node by node, the most telling ones first."""
    began = time.perf_counter()
    result = BundleResult(None, path)
    try:
        facts = bundle_facts(path)
        result = BundleResult(facts, path)
        cases = requests(path)
        with catalogue.route(catalogue.BASELINE).open(path, options) as pinned:
            result.pinned = pinned.facts()
            expected = _answers(pinned, cases)
    except BundleError as error:
        result.detail = f"the pinned release's reader refuses it: {error.problems[0]}"
        return result, []
    by_size = _spread([case.raw for case, answer in zip(cases, expected, strict=True) if _rows(answer)])
    sources = Sources()
    environ = sources.environ(alone=target.environment is not None)
    try:
        with open_command(
            [*target.command, *TESTEE], path, options, route="python", environ=environ, after=sources.close
        ) as scorer:
            result.target = scorer.facts()
            actual = _answers(scorer, cases)
    except RouteFailedError as error:
        result.state = "refused" if error.reason == "refused" else "unknown"
        result.detail = f"{error.reason}: {error.detail}" + (f": {_last(error.evidence)}" if error.evidence else "")
        result.seconds = time.perf_counter() - began
        return result, by_size
    telling = _compare(result, facts, cases, expected, actual)
    result.judge()
    result.seconds = time.perf_counter() - began
    return result, list(dict.fromkeys([*telling, *by_size]))


def _answers(scorer: Scorer, cases: Sequence[Case]) -> list[Scored]:
    raws = [case.raw for case in cases]
    return [
        answer for start in range(0, len(raws), _CHUNK) for answer in scorer.score_batch(raws[start : start + _CHUNK])
    ]


def _rows(answer: Scored) -> int:
    return answer.answer.n if isinstance(answer.answer, RouteScores) else 0


def _compare(
    result: BundleResult,
    facts: BundleFacts,
    cases: Sequence[Case],
    expected: Sequence[Scored],
    actual: Sequence[Scored],
) -> list[bytes]:
    """Fill the result's sums and return the requests that differ."""
    result.changes = tuple(Change(name, facts.allowed[name]) for name in facts.heads)
    telling = []
    for case, want, got in zip(cases, expected, actual, strict=True):
        equal = _compare_one(result, want, got)
        result.requests += 1
        if case.source == "golden":
            result.goldens += 1
            result.goldens_equal += equal
        if not equal and _rows(want):
            telling.append(case.raw)
    return telling


def _compare_one(result: BundleResult, want: Scored, got: Scored) -> bool:
    """Add one request to the sums; return whether every bit of both answers is the same."""
    left, right = want.answer, got.answer
    if isinstance(left, RouteError) or isinstance(right, RouteError):
        result.errors += 1
        result.errors_agreed += left == right
        return left == right
    if left.n != right.n or list(left.outputs) != list(right.outputs):
        result.errors += 1
        return False
    equal = True
    for change in result.changes:
        found = measure(left.outputs[change.name], right.outputs[change.name])
        change.rows += left.n
        if left.n == 0:
            continue
        change.differing_rows += int(np.count_nonzero(found.bits))
        change.differing_bits += int(found.bits.sum())
        change.beyond += int(np.count_nonzero(~(found.absolute <= change.allowed)))
        change.max_ulp = max(change.max_ulp, int(found.ulp.max()))
        change.max_abs = max(change.max_abs, float(found.absolute.max()))
        equal = equal and not found.bits.any()
    result.orders += 1
    same = left.order == right.order and left.dropped == right.dropped
    result.orders_equal += same
    if not same and left.dropped == right.dropped:
        tie = 2 * result.changes[-1].allowed
        result.orders_tied += within_ties(left.order, right.order, left.outputs[SCORE].astype(np.float64), tie)
    if want.packed is not None and got.packed is not None and want.packed != got.packed:
        result.packed_differing += 1
        return False
    return equal and same


def _spread(raws: Sequence[bytes]) -> list[bytes]:
    """The requests in an order whose every beginning holds small and large ones."""
    sized = sorted(raws, key=len)
    taken: list[bytes] = []
    while sized:
        taken.append(sized.pop())
        if sized:
            taken.append(sized.pop(0))
    return taken


def _last(evidence: str) -> str:
    return next((line.strip() for line in reversed(evidence.splitlines()) if line.strip()), "")
