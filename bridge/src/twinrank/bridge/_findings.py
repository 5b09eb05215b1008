"""What is said about a difference: where it begins, why, and how to see it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

CauseCode = Literal[
    "other_bundle",
    "other_weights",
    "reordered_vocabulary",
    "rounded_thresholds",
    "other_graph",
    "string_encoding",
    "packing",
    "other_release",
    "other_runtime_library",
    "other_host_class",
    "intra_op_threads",
    "other_session_options",
    "row_dependent_kernel",
    "output_rounding",
    "other_order",
    "other_decision",
    "unstable",
    "unknown",
]
"""Stable names of causes; README.md says what each means and what to do."""


@dataclass(frozen=True)
class Cause:
    """One recognised reason for a difference.

    Attributes:
        code: its stable name.
        said: one sentence for people: what is different, on which side.
        proven: whether an experiment reproduced the route's bits under this cause alone; False means that facts point
            to it.
        evidence: what was seen, one fact a line: bits, names, releases, digests.
        remedy: what to do.
    """

    code: CauseCode
    said: str
    proven: bool
    evidence: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class TapValue:
    """One value that flows into or out of a node, as both sides hold it.

    Attributes:
        name: the value's name in the graph.
        dtype: element type.
        shape: its shape.
        equal: whether all bits are the same on both sides.
        expected: the baseline's first differing element (or first element where all are equal) as `value (hex bits)`.
        actual: the route's, at the same place.
        at: index of that element.
        max_ulp: largest distance over all elements; None for what is no float.
        differing: how many elements differ.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    equal: bool
    expected: str
    actual: str
    at: tuple[int, ...]
    max_ulp: int | None = None
    differing: int = 0


@dataclass(frozen=True)
class Place:
    """The first node of the graph, in topological order, whose inputs agree on both sides and whose output does not.

    Attributes:
        node: the node's name, or `<op>#<position>` where it has none.
        op: operator with its domain unless that is ONNX's own: `Gemm`, `ai.onnx.ml.TreeEnsemble`.
        position: its position in the graph, from 0.
        nodes: how many nodes the graph has.
        inputs: what flows in, initialisers included.
        output: what flows out.
        runs: how many runs of the graph the search took.
        note: what limits the statement (for example that tapping changes fusion, and where it was checked that the
            final outputs kept their bits); empty where nothing does.
    """

    node: str
    op: str
    position: int
    nodes: int
    inputs: tuple[TapValue, ...]
    output: TapValue
    runs: int
    note: str = ""


@dataclass(frozen=True)
class Shrunk:
    """The smallest request found on which the route still differs.

    Attributes:
        raw: its bytes.
        before: size of the request that it came from, in bytes.
        tried: how many requests both sides were asked.
        complete: whether nothing smaller was left to try; False if the time limit ended the search.
    """

    raw: bytes
    before: int
    tried: int
    complete: bool


@dataclass(frozen=True)
class Finding:
    """Everything known about one route's difference.

    Attributes:
        route: the route.
        causes: recognised reasons, the best proven first; never empty (the last resort is `unknown`).
        place: where in the graph it begins; None where no graph is involved or none could be run on both sides.
        shrunk: the smallest request; None where it was not searched for.
        command: what a person types to see this difference again, file names relative to the report folder's parent.
        files: further files of the report by their name in the report folder (the shrunk request among them).
        notes: what was tried and showed nothing, what could not be tried and why, one sentence each.
    """

    route: str
    causes: tuple[Cause, ...]
    place: Place | None = None
    shrunk: Shrunk | None = None
    command: str = ""
    files: Mapping[str, bytes] | None = None
    notes: tuple[str, ...] = ()
