"""What changed by operator: every node of a graph alone in two runtimes, on the same input bits.

A runtime does not run the graph that a file holds: it fuses nodes first. A LayerNormalization whose kernel changed says
nothing about a bundle in which it only runs inside a SkipLayerNormalization. So the nodes that the pinned release fuses
are replayed too, and each operator tells how many of its nodes run as they are written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from twinrank.bridge._node_models import Dissected, Node, dissect
from twinrank.bridge._plain import PlainModel, PlainModelError
from twinrank.bridge._scorer import Array
from twinrank.bridge._values import hex_bits, measure
from twinrank.export.bundle import MODEL_DATA, SessionSettings, read_manifest, session_options
from twinrank.training.schema import pack, read_request

__all__ = ["Example", "NodeReplay", "OperatorTally", "Runtime", "Tallies", "replay_nodes"]

_MOST_REQUESTS = 16
_MOST_BYTES = 192 * 1024 * 1024
_MODEL = "model.onnx"
_FLOATS = ("float32", "float64")


class Runtime(Protocol):
    """Another runtime that opens a file and runs it."""

    def open(self, model: Path, settings: SessionSettings, *, beside: Path) -> None:
        """Open a file; raise PlainModelError if the runtime refuses it."""

    def run(self, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run it; raise PlainModelError if the runtime fails."""


@dataclass(frozen=True)
class Example:
    """The first value found that an operator computes otherwise.

    Attributes:
        bundle: name/version.
        node: the node's name.
        position: its position in the graph, from 0.
        value: name of the output.
        at: index of the element.
        expected, actual: both sides as text, with their bits.
    """

    bundle: str
    node: str
    position: int
    value: str
    at: tuple[int, ...]
    expected: str
    actual: str


@dataclass
class OperatorTally:
    """One kind of operator, over all bundles.

    Attributes:
        op: its name, with the domain unless that is ONNX's own.
        fused: whether the pinned release makes it of others; then the graph as written has none.
        runs: how many nodes of its kind there are in the graphs as the pinned release runs them.
        nodes: nodes that ran alone on both sides.
        differing_nodes: those of them that gave another bit.
        values: elements compared.
        differing_values: elements with another bit; any NaN equals any NaN.
        max_ulp: largest distance between floats; 2**64 - 1 where a NaN meets a number.
        max_abs: largest absolute difference between floats.
        bundles: the bundles in which it differs.
        refused: nodes that the target's runtime refuses.
        refusal: its first refusal, in the runtime's words.
        first: the first difference; None where there is none.
    """

    op: str
    fused: bool = False
    runs: int = 0
    nodes: int = 0
    differing_nodes: int = 0
    values: int = 0
    differing_values: int = 0
    max_ulp: int = 0
    max_abs: float = 0.0
    bundles: list[str] = field(default_factory=list)
    refused: int = 0
    refusal: str = ""
    first: Example | None = None


@dataclass(frozen=True)
class NodeReplay:
    """What one bundle's node by node comparison covered.

    Attributes:
        nodes: nodes that ran alone on both sides.
        differing: the names of those that gave another bit, in the graph's order.
        requests: requests whose values were fed to them.
        left_out: nodes that do not run alone under the pinned release, with its words.
    """

    nodes: int
    differing: tuple[str, ...]
    requests: int
    left_out: tuple[tuple[str, str], ...]


class Tallies:
    """Every operator seen so far."""

    def __init__(self) -> None:
        self._by_op: dict[str, OperatorTally] = {}

    def of(self, op: str, *, fused: bool) -> OperatorTally:
        """Return an operator's tally."""
        return self._by_op.setdefault(op, OperatorTally(op, fused))

    def sorted(self) -> tuple[OperatorTally, ...]:
        """Return all, what the target refuses first, then those with the most differing values."""
        return tuple(sorted(self._by_op.values(), key=lambda each: (-each.refused, -each.differing_values, each.op)))


def replay_nodes(bundle: Path, label: str, raws: Sequence[bytes], target: Runtime, tallies: Tallies) -> NodeReplay:
    """Run every node of a bundle's graph alone, here and on the target, and add what differs to the tallies.

    Args:
        bundle: the bundle directory.
        label: its name in examples.
        raws: valid requests with candidates, the most telling ones first. Of them come the values that flow into the
            nodes: of as many requests as a bounded memory holds, sixteen at most.
        target: the other runtime.
        tallies: what is added to.
    """
    manifest = read_manifest(bundle)
    requests = [
        pack(read_request(raw, manifest.schema, max_candidates=manifest.max_candidates), manifest.packing)
        for raw in raws[:_MOST_REQUESTS]
    ]
    settings = manifest.session
    with tempfile.TemporaryDirectory(prefix="twinrank-nodes-") as folder:
        replay = _Replay(bundle, label, settings, target, tallies, Path(folder) / "node.onnx")
        written = dissect(bundle / _MODEL)
        replay.graph(
            written, PlainModel(bundle / _MODEL, settings, written.values, beside=bundle), requests, written.nodes
        )
        if (bundle / MODEL_DATA).exists():
            replay.left_out.append(
                ("fused nodes", "weights are beside the graph, and a runtime would copy them to tell")
            )
        else:
            # Fused already: what the file holds is what runs.
            as_is = replace(settings, graph_optimization_level="none")
            optimised = Path(folder) / "optimised.onnx"
            optimise(bundle / _MODEL, settings, optimised)
            run = dissect(optimised)
            known = {node.op for node in written.nodes}
            for node in run.nodes:
                tallies.of(node.op, fused=node.op not in known).runs += 1
            fused = [node for node in run.nodes if node.op not in known]
            values = tuple(name for node in fused for name in (*node.inputs, *node.constants))
            taps = [name for name in dict.fromkeys(values) if name in run.values]
            replay.graph(run, PlainModel(optimised, as_is, taps), requests, fused)
    return NodeReplay(replay.nodes, tuple(replay.differing), replay.requests, tuple(replay.left_out))


class _Replay:
    """The nodes of one bundle's graph in its two forms, replayed one after another."""

    def __init__(
        self, bundle: Path, label: str, settings: SessionSettings, target: Runtime, tallies: Tallies, file: Path
    ) -> None:
        self.nodes = self.requests = 0
        self.differing: list[str] = []
        self.left_out: list[tuple[str, str]] = []
        self._bundle = bundle
        self._label = label
        self._settings = settings
        self._target = target
        self._tallies = tallies
        self._file = file

    def graph(
        self, parts: Dissected, whole: PlainModel, requests: Sequence[Mapping[str, Array]], nodes: Sequence[Node]
    ) -> None:
        """Replay some nodes of one form on the values that flow through it."""
        runs: list[dict[str, Array]] = []
        held = 0
        for blocks in requests:
            values = {**blocks, **whole.run(blocks)}
            held += sum(value.nbytes for value in values.values())
            if runs and held > _MOST_BYTES:
                break
            runs.append(values)
        self.requests = self.requests or len(runs)
        for node in nodes:
            self._node(parts, node, runs)

    def _node(self, parts: Dissected, node: Node, runs: Sequence[Mapping[str, Array]]) -> None:
        try:
            self._file.write_bytes(parts.alone(node, runs[0]))
            alone = PlainModel(self._file, self._settings, beside=self._bundle)
            expected = [alone.run(_inputs(node, values)) for values in runs]
        except PlainModelError as error:
            self.left_out.append((node.name, str(error)))
            return
        tally = self._tallies.of(node.op, fused=False)
        try:
            self._target.open(self._file, self._settings, beside=self._bundle)
            actual = [self._target.run(_inputs(node, values)) for values in runs]
        except PlainModelError as error:
            tally.refused += 1
            tally.refusal = tally.refusal or f"{self._label}: {node.name}: {error}"
            return
        self.nodes += 1
        tally.nodes += 1
        if _compare(tally, self._label, node, expected, actual):
            self.differing.append(node.name)
            tally.differing_nodes += 1
            if self._label not in tally.bundles:
                tally.bundles.append(self._label)


def optimise(model: Path, settings: SessionSettings, into: Path) -> None:
    """Write the graph that this process's runtime makes of a file under given session options.

    Raises:
        PlainModelError: if the runtime refuses it.
    """
    import onnxruntime

    options = session_options(settings)
    options.optimized_model_filepath = str(into)
    try:
        onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises many types, none of them documented
        raise PlainModelError(str(error)) from error


def _inputs(node: Node, values: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values[name] for name in node.inputs}


def _compare(
    tally: OperatorTally,
    label: str,
    node: Node,
    expected: Sequence[Mapping[str, Array]],
    actual: Sequence[Mapping[str, Array]],
) -> bool:
    """Add a node's outputs to its operator's tally; return whether one differs."""
    differs = False
    for want, got in zip(expected, actual, strict=True):
        for name in node.outputs:
            left, right = want[name], got[name]
            tally.values += left.size
            if left.shape != right.shape or left.dtype != right.dtype:
                differs = True
                tally.differing_values += left.size
                said = [f"{side.dtype} {list(side.shape)}" for side in (left, right)]
                tally.first = tally.first or Example(label, node.name, node.position, name, (), *said)
                continue
            wrong = _differing(tally, left, right)
            if not wrong.any():
                continue
            differs = True
            tally.differing_values += int(np.count_nonzero(wrong))
            at = np.unravel_index(int(wrong.argmax()), left.shape)
            place = tuple(int(axis) for axis in at)
            tally.first = tally.first or Example(
                label, node.name, node.position, name, place, _said(left[place]), _said(right[place])
            )
    return differs


def _differing(tally: OperatorTally, left: Array, right: Array) -> Array:
    """Which elements differ, flat; floats count for the tally's distances too."""
    left, right = left.reshape(-1), right.reshape(-1)
    if left.dtype.name not in _FLOATS or left.size == 0:
        if left.dtype.kind == "f":
            left, right = left.view(f"u{left.itemsize}"), right.view(f"u{right.itemsize}")
        return np.asarray(left != right)
    found = measure(left, right)
    tally.max_ulp = max(tally.max_ulp, int(found.ulp.max()))
    tally.max_abs = max(tally.max_abs, float(found.absolute.max()))
    return np.asarray(found.bits > 0)


def _said(value: np.generic) -> str:
    return f"{value.item()!r} ({hex_bits(value)})" if isinstance(value, np.floating) else repr(value)
