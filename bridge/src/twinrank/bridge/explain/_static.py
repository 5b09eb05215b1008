"""Two bundles on disk: what differs between their graphs and settings, each proven by putting it alone into ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from twinrank.bridge._findings import CauseCode
from twinrank.bridge._values import hex_bits
from twinrank.bridge.explain._inquiry import MODEL, Inquiry
from twinrank.bridge.explain._models import (
    Model,
    is_tree,
    load,
    lookup,
    name_of,
    operator_of,
    saved,
    thresholds,
)
from twinrank.bridge.explain._requests import Literal, parse, shown
from twinrank.bridge.explain._strings import key_of
from twinrank.export.bundle import lookups_of

_MOST_TENSORS = 8
_MOST_ENTRIES = 5
_DEPLOY = "deploy the bundle that was exported; export again if the other graph is the right one"


@dataclass(frozen=True)
class Change:
    """One thing that is otherwise in the deployed graph.

    Attributes:
        code: the cause that it is.
        said: one sentence.
        evidence: what was seen.
        remedy: what to do.
        apply: puts this change, and nothing else, into a copy of the baseline's graph; None where it cannot be put
            there alone.
    """

    code: CauseCode
    said: str
    evidence: tuple[str, ...]
    remedy: str
    apply: Callable[[onnx.ModelProto], None] | None


def compare_bundles(inquiry: Inquiry) -> None:
    """Name every difference between the two bundles' settings and graphs; prove each by an experiment."""
    if inquiry.theirs.digest == inquiry.manifest.digest:
        return
    _settings(inquiry)
    if (inquiry.bundle / MODEL).read_bytes() == (inquiry.deployed / MODEL).read_bytes() and not _has_data(inquiry):
        return
    ours, theirs = load(inquiry.bundle), load(inquiry.deployed)
    changes = list(_changes(inquiry, ours, theirs))
    whole = _whole(inquiry) if inquiry.outputs_differ else False
    if whole:
        _prove_bundle(inquiry)
    for change in changes:
        inquiry.check_time()
        alone = inquiry.outputs_differ and change.apply is not None and _alone(inquiry, ours, change.apply)
        evidence = list(change.evidence)
        if alone:
            evidence.append(f"with this change alone the baseline's graph gives exactly {inquiry.route}'s bits")
        elif whole:
            evidence.append(f"the deployed graph, run by the baseline, gives exactly {inquiry.route}'s bits")
        proven = alone or (whole and len({each.code for each in changes}) == 1)
        inquiry.add(change.code, change.said, evidence, change.remedy, proven=proven)


def _prove_bundle(inquiry: Inquiry) -> None:
    """That the route holds another bundle is the reason: its graph gives the route's bits in the baseline too."""
    for at, cause in enumerate(inquiry.causes):
        if cause.code == "other_bundle":
            seen = f"the deployed graph, run by the baseline, gives exactly {inquiry.route}'s bits"
            inquiry.causes[at] = dataclasses.replace(cause, proven=True, evidence=(*cause.evidence, seen))


def _has_data(inquiry: Inquiry) -> bool:
    digests = [
        {path: entry.sha256 for path, entry in side.files.items() if path.endswith(".data")}
        for side in (inquiry.manifest, inquiry.theirs)
    ]
    return digests[0] != digests[1]


def _settings(inquiry: Inquiry) -> None:
    ours, theirs = inquiry.manifest.session, inquiry.theirs.session
    if ours == theirs:
        return
    here, there = ours.to_json(), theirs.to_json()
    changed = [name for name in here if here[name] != there[name]]
    evidence = [f"{name}: baseline {here[name]}, {inquiry.route} {there[name]}" for name in changed]
    proven = inquiry.outputs_differ and inquiry.reproduces(inquiry.heads_of(inquiry.run_own(settings=theirs)))
    if proven:
        evidence.append(f"under these options the baseline's graph gives exactly {inquiry.route}'s bits")
    threads = "intra_op_num_threads" in changed
    inquiry.add(
        "intra_op_threads" if threads else "other_session_options",
        f"the deployed bundle runs under other session options: {', '.join(changed)}",
        evidence,
        "run one intra-op thread, as exports do: sums of trees depend on their number"
        if threads
        else "deploy the options of the export; they are a part of what was proven",
        proven=proven,
    )


def _whole(inquiry: Inquiry) -> bool:
    """Return whether the deployed graph gives the route's bits in the baseline's runtime."""
    model, settings = inquiry.deployed / MODEL, inquiry.theirs.session
    try:
        return inquiry.reproduces(inquiry.heads_of(inquiry.run_own(model=model, settings=settings)))
    except KeyError:
        return False  # its outputs have other names


def _alone(inquiry: Inquiry, ours: Model, apply: Callable[[onnx.ModelProto], None]) -> bool:
    changed = onnx.ModelProto()
    changed.CopyFrom(ours.proto)
    apply(changed)
    with saved(changed, inquiry.bundle) as path:
        return inquiry.reproduces(inquiry.heads_of(inquiry.run_own(model=path)))


def _changes(inquiry: Inquiry, ours: Model, theirs: Model) -> Iterator[Change]:
    structure = _structure(inquiry, ours, theirs)
    if structure is not None:
        rounded = _rounded_elsewhere(ours, theirs)
        if rounded is not None:
            yield rounded
        yield structure
        return
    yield from _weights(ours, theirs)
    for position, (here, there) in enumerate(zip(ours.nodes, theirs.nodes, strict=True)):
        if here.SerializeToString(deterministic=True) != there.SerializeToString(deterministic=True):
            yield _node(inquiry, ours, position, here, there)


def _structure(inquiry: Inquiry, ours: Model, theirs: Model) -> Change | None:
    """What makes the graphs two graphs: opsets, nodes and how they are connected."""
    evidence = []
    opsets = [
        {entry.domain or "ai.onnx": entry.version for entry in side.proto.opset_import} for side in (ours, theirs)
    ]
    if opsets[0] != opsets[1]:
        evidence.append(f"operator sets: baseline {opsets[0]}, {inquiry.route} {opsets[1]}")
    sides = [[(operator_of(n), tuple(n.input), tuple(n.output)) for n in side.nodes] for side in (ours, theirs)]
    if sides[0] != sides[1]:
        evidence.append(f"nodes: baseline {len(sides[0])}, {inquiry.route} {len(sides[1])}")
        shared = enumerate(zip(*sides, strict=False))
        at = next((at for at, (one, other) in shared if one != other), min(map(len, sides)))
        for name, side in zip(("baseline", inquiry.route), sides, strict=True):
            evidence.append(f"node {at} of {name}: {_call(side[at]) if at < len(side) else 'there is none'}")
    constants = [
        {name: (t.data_type, tuple(t.dims)) for name, t in side.constants().items()} for side in (ours, theirs)
    ]
    differing = sorted(
        name for name in constants[0].keys() | constants[1].keys() if constants[0].get(name) != constants[1].get(name)
    )
    evidence += [
        f"constant {name} has another type or shape, or is on one side only" for name in differing[:_MOST_ENTRIES]
    ]
    if not evidence:
        return None
    return Change("other_graph", "the deployed graph is another graph", tuple(evidence), _DEPLOY, None)


def _call(node: tuple[str, tuple[str, ...], tuple[str, ...]]) -> str:
    return f"{', '.join(node[2])} = {node[0]}({', '.join(node[1])})"


def _weights(ours: Model, theirs: Model) -> Iterator[Change]:
    """Initialisers whose bits differ, as one change: which, where, and both bits of the first element."""
    others = theirs.constants()
    changed: list[onnx.TensorProto] = []
    evidence: list[str] = []
    flipped = elements = 0
    for name, tensor in ours.constants().items():
        one, other = ours.values(tensor), theirs.values(others[name])
        if one.dtype.hasobject:
            differs = one != other
        else:
            left, right = (
                np.ascontiguousarray(side).reshape(-1).view(f"u{side.dtype.itemsize}").reshape(side.shape)
                for side in (one, other)
            )
            differs = left != right
            flipped += int(np.bitwise_count(left ^ right).sum()) if differs.any() else 0
        if not differs.any():
            continue
        changed.append(others[name])
        count = int(np.count_nonzero(differs))
        elements += count
        at = tuple(int(axis) for axis in np.argwhere(differs)[0])
        evidence.append(
            f"{name}{list(at)}: baseline {_value(one[at])}, deployed {_value(other[at])}; "
            f"{count} of {one.size} elements differ"
        )
    if not changed:
        return
    exact = (
        "one bit of one element"
        if (flipped, elements) == (1, 1)
        else f"{elements} {'element' if elements == 1 else 'elements'}"
    )
    named = changed[0].name if len(changed) == 1 else f"{len(changed)} constants"
    more = [f"and {len(evidence) - _MOST_TENSORS} more constants"] if len(evidence) > _MOST_TENSORS else []

    def apply(model: onnx.ModelProto) -> None:
        places = {tensor.name: tensor for tensor in model.graph.initializer}
        for tensor in changed:
            places[tensor.name].CopyFrom(onnx.numpy_helper.from_array(np.array(theirs.values(tensor)), tensor.name))

    yield Change(
        "other_weights",
        f"the deployed weights differ in {exact} of {named}",
        (*evidence[:_MOST_TENSORS], *more),
        _DEPLOY,
        apply,
    )


def _value(value: Any) -> str:
    return f"{value.item()!r} ({hex_bits(value)})" if isinstance(value, np.generic) else repr(value)


def _node(inquiry: Inquiry, ours: Model, position: int, here: onnx.NodeProto, there: onnx.NodeProto) -> Change:
    """One node whose attributes differ: a lookup, a tree ensemble, or anything else."""

    def apply(model: onnx.ModelProto) -> None:
        model.graph.node[position].CopyFrom(there)

    where = name_of(here, position)
    tables = lookup(here), lookup(there)
    if tables[0] is not None and tables[1] is not None:
        said = _vocabulary(inquiry, ours, where, tables[0], tables[1])
        if said is not None:
            return Change(
                "reordered_vocabulary", *said, "deploy the vocabulary that the embedding rows were trained with", apply
            )
    if is_tree(here) and is_tree(there):
        rounded = _rounded(where, thresholds(here), thresholds(there))
        if rounded is not None:
            return Change("rounded_thresholds", *rounded, _ROUNDED, apply)
    names = sorted(
        {one.name for one in (*here.attribute, *there.attribute)}
        - {one.name for one in here.attribute for other in there.attribute if one == other}
    )
    evidence = [f"attributes that differ: {', '.join(names)}"]
    for name in names[:_MOST_ENTRIES]:
        values = [
            next((onnx.helper.get_attribute_value(a) for a in n.attribute if a.name == name), None)
            for n in (here, there)
        ]
        sides = zip(("baseline", "deployed"), values, strict=True)
        told = (f"{side} {'not set' if value is None else str(value)[:120]}" for side, value in sides)
        evidence.append(f"{name}: {', '.join(told)}")
    return Change(
        "other_graph", f"node {where} ({operator_of(here)}) has other attributes", tuple(evidence), _DEPLOY, apply
    )


def _vocabulary(
    inquiry: Inquiry, ours: Model, where: str, here: tuple[list[Any], list[Any]], there: tuple[list[Any], list[Any]]
) -> tuple[str, tuple[str, ...]] | None:
    """Sentence and evidence where the keys are the same and lead to other rows; None where keys came or went."""
    before, after = dict(zip(*here, strict=True)), dict(zip(*there, strict=True))
    if before.keys() != after.keys():
        return None
    moved = [key for key in before if before[key] != after[key]]
    if not moved:
        return None
    known = _strings_of(inquiry)
    found = [
        each for each in lookups_of(ours.proto, inquiry.manifest.packing) if set(each.keys.tolist()) == set(before)
    ]
    features = sorted({name for each in found for name in each.features})
    evidence = [f"node {where}: {len(moved)} of {len(before)} keys lead to other rows"]
    evidence += [
        f"key {_key(key)}{f' ({known[key]})' if key in known else ''}: row {before[key]}, deployed row {after[key]}"
        for key in sorted(moved, key=lambda key: key not in known)[:_MOST_ENTRIES]
    ]
    of = f" of {', '.join(features)}" if features else ""
    return f"the vocabulary{of} is in another order: {len(moved)} keys lead to other rows", tuple(evidence)


def _key(key: Any) -> str:
    return f"0x{key & 0xFFFFFFFFFFFFFFFF:016x}" if isinstance(key, int) else repr(key)


def _strings_of(inquiry: Inquiry) -> dict[int, str]:
    """The request's strings by key, so that moved entries that it names are told by text."""
    found: dict[int, str] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for member in value.values():
                collect(member)
        elif isinstance(value, list):
            for member in value:
                collect(member)
        elif isinstance(value, str) and not isinstance(value, Literal):
            found[key_of(value.encode("utf-8", "replace"))] = shown(value)

    collect(parse(inquiry.case.raw))
    return found


_ROUNDED = "convert the trees with float64 thresholds (TreeEnsemble of opset ai.onnx.ml 5), or train on float32 inputs"


def _rounded(
    where: str, here: npt.NDArray[Any] | None, there: npt.NDArray[Any] | None
) -> tuple[str, tuple[str, ...]] | None:
    """Sentence and evidence where one side's thresholds are the float32 rounding of the other's."""
    if here is None or there is None or here.shape != there.shape:
        return None
    one, other = here.astype(np.float64), there.astype(np.float64)
    differs = one != other
    if not differs.any():
        return None
    for side, exact, short in (("deployed", one, other), ("baseline's", other, one)):
        if (exact.astype(np.float32).astype(np.float64) == short).all():
            first = int(np.flatnonzero(differs)[0])
            return (
                f"the {side} tree thresholds are rounded to float32",
                (
                    f"node {where}: {int(differs.sum())} of {one.size} thresholds are the other side's, rounded",
                    f"threshold {first}: baseline {float(one.flat[first])!r} ({hex_bits(one.flat[first])}), "
                    f"deployed {float(other.flat[first])!r} ({hex_bits(other.flat[first])})",
                ),
            )
    return None


def _rounded_elsewhere(ours: Model, theirs: Model) -> Change | None:
    """Trees of two graphs that differ otherwise too (a cast before them), matched by their order."""
    sides = [[(at, node) for at, node in enumerate(side.nodes) if is_tree(node)] for side in (ours, theirs)]
    if len(sides[0]) != len(sides[1]):
        return None
    for (at, here), (_, there) in zip(*sides, strict=True):
        rounded = _rounded(name_of(here, at), thresholds(here), thresholds(there))
        if rounded is not None:
            return Change("rounded_thresholds", *rounded, _ROUNDED, None)
    return None
