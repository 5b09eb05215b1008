"""The first node of the graph whose inputs agree on both sides and whose output does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twinrank.bridge._findings import CauseCode, Place, TapValue
from twinrank.bridge._scorer import Array, RouteError, RouteFailedError
from twinrank.bridge._values import hex_bits
from twinrank.bridge.explain._facts import REMEDIES, host_evidence, is_runtime, libraries
from twinrank.bridge.explain._inquiry import Inquiry, equal_values
from twinrank.bridge.explain._models import Model, inputs_of, load, name_of, operator_of
from twinrank.export.bundle import canonical_bits, ulp_distance

_STAND_IN = "probe"
_STARTING = 5.0
_TAPS_A_RUN = 7
_MOST_AT_ONCE = 64 * 1024 * 1024
"""Most elements that all taps of one run may be thought to hold: beyond it only few are taken at once."""

Runner = Callable[[Sequence[str]], Mapping[str, Array] | None]


def locate(inquiry: Inquiry) -> None:
    """Find the place, and name the runtime where the same graph gives other bits on the same blocks."""
    if not _searchable(inquiry):
        return
    if inquiry.theirs.packing.to_json() != inquiry.manifest.packing.to_json():
        inquiry.notes.append("place: the deployed bundle packs other blocks, so no graph takes the same on both sides")
        return
    inquiry.ran_graph = _runs(inquiry, inquiry)


def run_both(inquiry: Inquiry) -> None:
    """Run the graph in both runtimes, whatever the two answered, and search where they depart from each other."""
    if not _runs(inquiry, inquiry):
        inquiry.notes.append(f"place: {inquiry.route} runs no graph, so the place was not searched")


def locate_elsewhere(inquiry: Inquiry) -> None:
    """Let the probe run the graph for a route that runs none, if it shows the same difference."""
    if not _searchable(inquiry) or inquiry.ran_graph or inquiry.proven_by_answer:
        return
    if inquiry.options is None or inquiry.route == _STAND_IN or not is_runtime(inquiry.facts[1]):
        inquiry.notes.append(f"place: {inquiry.route} runs no graph but its own, so the place was not searched")
        return
    if inquiry.left() < _STARTING:
        inquiry.notes.append(f"place: no time is left to start {_STAND_IN} in the place of {inquiry.route}")
        return
    from twinrank.bridge import routes

    with routes.route(_STAND_IN).open(inquiry.deployed, inquiry.options) as scorer:
        answer = scorer.score(inquiry.case.raw)
        asked = dataclasses.replace(inquiry, route=_STAND_IN, scorer=scorer, facts=(inquiry.facts[0], scorer.facts()))
        if isinstance(answer, RouteError) or not inquiry.reproduces(answer.outputs):
            inquiry.notes.append(
                f"place: {inquiry.route} runs no graph but its own, and {_STAND_IN}, tried in its place on the same "
                "bundle, does not give its bits"
            )
        elif _runs(inquiry, asked):
            inquiry.notes.append(f"place: found on {_STAND_IN}, which gives exactly {inquiry.route}'s bits here")
        else:
            inquiry.notes.append(f"place: {_STAND_IN}, tried in the place of {inquiry.route}, did not find it")


def locate_condition(inquiry: Inquiry, run_other: Runner, note: str) -> None:
    """Find the first node that a changed condition changes in the baseline's own runtime, and note it as the place."""
    own = load(inquiry.bundle)
    search = _Search(own, own, lambda taps: inquiry.run_own(taps=taps), run_other, inquiry.blocks, note=note)
    inquiry.place = search.place()
    if inquiry.place is None:
        inquiry.notes.append(f"place: not found in {search.runs} runs: taps change the final bits")


def _searchable(inquiry: Inquiry) -> bool:
    """Whether a graph can be the reason: values differ, and not because of what was packed alone."""
    both = inquiry.scores
    return both is not None and both[0].n > 0 and inquiry.outputs_differ and not inquiry.packing_alone


def _runs(inquiry: Inquiry, asked: Inquiry) -> bool:
    """Run both graphs and search; False if the route runs no graphs. `asked` is the route or its stand-in."""
    theirs = asked.run_theirs(blocks=inquiry.blocks)
    if theirs is None:
        return False
    ours = inquiry.run_own()
    if not _outputs_differ(ours, theirs):
        inquiry.notes.append(
            f"place: when {asked.route} runs the graph itself under the manifest's options, it gives the baseline's "
            "bits; so its live session runs under other options, or its answer is changed after the graph"
        )
        return True
    search = _Search(
        load(inquiry.bundle),
        load(inquiry.deployed),
        lambda taps: inquiry.run_own(taps=taps),
        lambda taps: asked.run_theirs(taps=taps, blocks=inquiry.blocks),
        inquiry.blocks,
        both_plain=(ours, theirs),
        runs=2,
    )
    inquiry.place = search.place() or _without_fusion(inquiry, asked, search)
    _name_runtime(inquiry, asked)
    return True


def _name_runtime(inquiry: Inquiry, asked: Inquiry) -> None:
    """The same graph, options and blocks gave other bits: then the runtime itself is the cause, and facts say which."""
    if inquiry.theirs.digest != inquiry.manifest.digest:
        # Ours in both runtimes: is it the runtime too?
        model, settings = inquiry.bundle / "model.onnx", inquiry.manifest.session
        theirs = asked.run_theirs(model=model, settings=settings, blocks=inquiry.blocks)
        if theirs is None or not _outputs_differ(inquiry.run_own(), theirs):
            return
    ours, others = inquiry.facts[0], asked.facts[1]
    evidence = ["the same graph, options and packed blocks give other bits in the two runtimes"]
    if inquiry.place is not None:
        evidence.append(f"it begins at {inquiry.place.node} ({inquiry.place.op})")
    code: CauseCode = "other_runtime_library"
    said = f"{inquiry.route} runs another build of {ours.runtime} than the baseline"
    if ours.runtime != others.runtime:
        code, said = "other_release", f"{inquiry.route} runs {others.runtime}, the baseline {ours.runtime}"
        evidence += [f"baseline: {ours.runtime}", f"{inquiry.route}: {others.runtime}"]
    elif None not in (ours.host_class, others.host_class) and ours.host_class != others.host_class:
        code, said = "other_host_class", f"{inquiry.route} computes on another host class: its kernels give other bits"
        evidence += host_evidence(inquiry)
    evidence += libraries(inquiry)
    inquiry.causes[:] = [cause for cause in inquiry.causes if cause.code != code]
    inquiry.add(code, said, evidence, REMEDIES[code], proven=True)


def _outputs_differ(ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> bool:
    return any(name not in theirs or not equal_values(ours[name], theirs[name]) for name in ours)


def _without_fusion(inquiry: Inquiry, asked: Inquiry, search: _Search) -> Place | None:
    """Search again under optimisation level none, where taps change nothing, if the difference is there too."""
    settings = [
        dataclasses.replace(each.session, graph_optimization_level="none")
        for each in (inquiry.manifest, inquiry.theirs)
    ]
    again = _Search(
        search.ours,
        search.theirs,
        lambda taps: inquiry.run_own(settings=settings[0], taps=taps),
        lambda taps: asked.run_theirs(settings=settings[1], taps=taps, blocks=inquiry.blocks),
        inquiry.blocks,
        runs=search.runs,
        note="found under optimisation level none: under the bundle's own level taps change what is fused, and with it "
        "the final bits",
    )
    place = again.place()
    if place is None:
        inquiry.notes.append(
            f"place: not found in {again.runs} runs: every set of taps changes the final bits of one side, or the "
            "difference is gone under optimisation level none"
        )
    return place


@dataclass
class _Search:
    """One search over a pair of graphs.

    Attributes:
        ours: the baseline's graph.
        theirs: the route's.
        run_ours: runs ours with taps.
        run_theirs: runs theirs with taps.
        blocks: the inputs of both.
        both_plain: the outputs of both without taps; run when needed if they are not given.
        runs: how many runs of a graph there were so far.
        note: what limits the statement, said in every place.
    """

    ours: Model
    theirs: Model
    run_ours: Runner
    run_theirs: Runner
    blocks: Mapping[str, Array]
    both_plain: tuple[Mapping[str, Array], Mapping[str, Array]] | None = None
    runs: int = 0
    note: str = ""
    _kept: bool = field(default=True, init=False)

    def place(self) -> Place | None:
        """Return the first node that differs; None if taps change the final bits, or nothing differs."""
        if self.both_plain is None:
            plain = self.run_ours(()), self.run_theirs(())
            self.runs += 2
            if plain[0] is None or plain[1] is None:
                return None
            self.both_plain = plain[0], plain[1]
        if not _outputs_differ(*self.both_plain):
            return None
        names = self._values()
        rows = max((block.shape[0] for block in self.blocks.values() if block.ndim), default=1)
        if rows * len(names) * 64 <= _MOST_AT_ONCE:
            tapped = self._tap(names)
            if tapped is not None:
                return self._first(names, tapped)
        return self._narrow(names)

    def _values(self) -> list[str]:
        """The values that both graphs compute, in the order of the baseline's nodes."""
        there = {name for node in self.theirs.nodes for name in node.output}
        return [name for node in self.ours.nodes for name in node.output if name and name in there]

    def _tap(self, names: Sequence[str]) -> tuple[Mapping[str, Array], Mapping[str, Array]] | None:
        """Both sides with taps; None if that changes the final bits of one of them, or a runtime refuses them."""
        try:
            ours, theirs = self.run_ours(names), self.run_theirs(names)
        except RouteFailedError as failure:
            if failure.reason != "refused":
                raise
            return None
        finally:
            self.runs += 2
        if ours is None or theirs is None:
            return None
        for plain, tapped in zip(self.both_plain or (), (ours, theirs), strict=True):
            if any(not equal_values(plain[name], tapped[name]) for name in plain):
                return None
        return ours, theirs

    def _narrow(self, names: list[str]) -> Place | None:
        """Few taps a run, evenly spread, each time between the last that is equal and the first that is not."""
        outputs = self.both_plain[0] if self.both_plain is not None else {}
        differing = [at for at, name in enumerate(names) if name in outputs and not self._plainly_same(name)]
        if not differing:
            return None
        # What an output is computed from lies before it.
        low, high = -1, differing[0]
        while high - low > 1:
            span = high - low
            probes = sorted(
                {low + max(1, span * (k + 1) // (_TAPS_A_RUN + 1)) for k in range(_TAPS_A_RUN)} - {low, high}
            )
            tapped = self._tap([names[at] for at in probes])
            if tapped is None:
                probes = [low + span // 2]
                tapped = self._tap([names[probes[0]]])
            if tapped is None:
                return None
            for at in probes:
                name = names[at]
                if name in tapped[0] and name in tapped[1] and not _same(tapped[0][name], tapped[1][name]):
                    high = at
                    break
                low = at
        around = [*self._inputs(names[high]), names[high]]
        tapped = self._tap([name for name in dict.fromkeys(around) if name in set(names)]) or self._tap([names[high]])
        if tapped is None:
            return None
        place = self._first([names[high]], tapped)
        halves = "; searched by halves, so a difference that an earlier node has and that vanishes again is not seen"
        return place and dataclasses.replace(place, note=place.note + halves)

    def _plainly_same(self, name: str) -> bool:
        return self.both_plain is not None and _same(self.both_plain[0][name], self.both_plain[1].get(name))

    def _inputs(self, output: str) -> list[str]:
        return next((inputs_of(node) for node in self.ours.nodes if output in node.output), [])

    def _first(self, names: Sequence[str], tapped: tuple[Mapping[str, Array], Mapping[str, Array]]) -> Place | None:
        ours, theirs = tapped
        nodes = self.ours.nodes
        positions = {output: at for at, node in enumerate(nodes) for output in node.output}
        for name in names:
            if name not in ours or name not in theirs or _same(ours[name], theirs[name]):
                continue
            at = positions[name]
            node = nodes[at]
            inputs = tuple(value for each in inputs_of(node) if (value := self._value(each, ours, theirs)) is not None)
            note = self.note or "the final outputs kept their bits on both sides under these taps"
            if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
                note += "; the node holds subgraphs, inside which no value can be tapped"
            missing = [each for each in inputs_of(node) if each not in {value.name for value in inputs}]
            if missing:
                note += f"; not compared: {', '.join(missing)}"
            output = tap_value(name, ours[name], theirs[name])
            return Place(name_of(node, at), operator_of(node), at, len(nodes), inputs, output, self.runs, note)
        return None

    def _value(self, name: str, ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> TapValue | None:
        if name in self.blocks:
            return tap_value(name, self.blocks[name], self.blocks[name])
        if name in ours and name in theirs:
            return tap_value(name, ours[name], theirs[name])
        here, there = self.ours.constants().get(name), self.theirs.constants().get(name)
        if here is not None and there is not None:
            return tap_value(name, self.ours.values(here), self.theirs.values(there))
        return None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return equal_values(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def tap_value(name: str, one: Any, other: Any) -> TapValue:
    """Return one value as both sides hold it; what is no tensor is told by its text."""
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray):
        same = _same(one, other)
        return TapValue(
            name, type(one).__name__, (), same, str(one)[:120], str(other)[:120], (), None, 0 if same else 1
        )
    shape = tuple(int(axis) for axis in one.shape)
    dtype = "string" if one.dtype.hasobject else one.dtype.name
    if one.dtype != other.dtype or one.shape != other.shape:
        told = [f"{side.dtype} {list(side.shape)}" for side in (one, other)]
        return TapValue(name, dtype, shape, False, told[0], told[1], (), None, max(one.size, other.size))
    if one.size == 0:
        return TapValue(name, dtype, shape, True, "", "", ())
    if one.dtype in (np.float32, np.float64):
        differs = np.asarray(canonical_bits(one) != canonical_bits(other)).reshape(one.shape)
        ulp = int(np.asarray(ulp_distance(np.array(one), np.array(other))).max())
    elif one.dtype.hasobject:
        differs, ulp = np.asarray(one != other), None
    else:
        width = f"u{one.dtype.itemsize}"
        left, right = (np.ascontiguousarray(side).reshape(-1).view(width).reshape(one.shape) for side in (one, other))
        differs, ulp = left != right, None
    count = int(np.count_nonzero(differs))
    at = tuple(int(axis) for axis in (np.argwhere(differs)[0] if count else (0,) * one.ndim))
    return TapValue(name, dtype, shape, count == 0, _told(one[at]), _told(other[at]), at, ulp, count)


def _told(value: Any) -> str:
    return f"{value.item()!r} ({hex_bits(value)})" if isinstance(value, np.generic) else repr(value)[:120]
