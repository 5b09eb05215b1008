"""What changed between two bundles: schema, vocabularies, weights, heads, evidence, metrics, the goldens' scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from twinrank.export.bundle._bits import FloatArray, canonical_bits, order_of
from twinrank.export.bundle._bundle import Bundle, Require, Scores, open_bundle
from twinrank.export.bundle._graph import read_graph
from twinrank.export.bundle._json import Json, equal_json
from twinrank.export.bundle._layout import read_files, read_listed_manifest, scan
from twinrank.export.bundle._lookups import lookups_of
from twinrank.export.bundle._manifest import MODEL, MODEL_DATA, Manifest
from twinrank.export.bundle._problems import BundleError
from twinrank.training.schema import ScoringError

DIFFERENCE = 1
TOP = 10
_EXAMPLES = 5
_IN_PROVENANCE_TOO = ("metrics",)


@dataclass(frozen=True, slots=True)
class _Side:
    """One bundle, checked up to its graph."""

    path: Path
    manifest: Manifest
    model: onnx.ModelProto


def diff_bundles(left: Path | str, right: Path | str, *, require: Require = "bits") -> dict[str, Json]:
    """What changed from ``left`` to ``right``; two bundles of one digest are the same.

    Both are read up to the graph phase; then both are opened to score the goldens of each with the other. A bundle
    that does not open on this host (another host class or runtime) leaves ``scores`` with the reason.

    Args:
        left: the older bundle.
        right: the newer one.
        require: as for ``open_bundle``.

    Returns:
        The document that export/README.md describes.

    Raises:
        BundleError: if one of the two is damaged: then nobody can tell.
    """
    a, b = _read(Path(left)), _read(Path(right))
    same = a.manifest.digest == b.manifest.digest
    schema = _schema(a.manifest, b.manifest)
    heads = _heads(a.manifest, b.manifest)
    breaks = [*_breaks(a.manifest, b.manifest), *(f"head {name} is {what}" for what, name in _changes(heads))]
    return {
        "diff": DIFFERENCE,
        "same": same,
        "left": _facts(a),
        "right": _facts(b),
        "compatible": not breaks,
        "breaks": breaks,
        "schema": schema,
        "heads": heads,
        "vocabularies": _vocabularies(a, b),
        "graph": _operators(a.model, b.model),
        "weights": _weights(a, b),
        "settings": _leaf_changes(_settings(a.manifest), _settings(b.manifest)),
        "evidence": _leaf_changes(a.manifest.document["evidence"], b.manifest.document["evidence"]),
        "metrics": _metrics(a.manifest, b.manifest),
        "provenance": _leaf_changes(_provenance(a.manifest), _provenance(b.manifest)),
        "scores": None if same else _scores(a, b, require),
    }


def _read(path: Path) -> _Side:
    tree = scan(path)
    manifest = read_listed_manifest(path, tree)
    contents, _ = read_files(path, manifest.files)
    read_graph(contents[MODEL], manifest)
    return _Side(path, manifest, onnx.ModelProto.FromString(contents[MODEL]))


def _facts(side: _Side) -> dict[str, Json]:
    manifest = side.manifest
    return {
        "path": str(side.path),
        "name": manifest.name,
        "digest": manifest.digest,
        "listed_bytes": sum(entry.size for entry in manifest.files.values()),
    }


def _by_name(items: list[dict[str, Json]]) -> dict[str, dict[str, Json]]:
    return {str(item["name"]): item for item in items}


def _schema(a: Manifest, b: Manifest) -> dict[str, Json]:
    """Added, removed and changed features, field by field; whether those in both stand in another order."""
    left, right = _by_name(a.schema.to_json()["features"]), _by_name(b.schema.to_json()["features"])
    changed = [
        {"feature": name, **change}
        for name in left
        if name in right
        for change in _leaf_changes(left[name], right[name])
    ]
    shared = [name for name in left if name in right]
    return {
        "added": [name for name in right if name not in left],
        "removed": [name for name in left if name not in right],
        "changed": changed,
        "reordered": shared != [name for name in right if name in left],
    }


def _breaks(a: Manifest, b: Manifest) -> Iterator[str]:
    """Why requests made for ``a`` may not be for ``b``: the rule of a hot reload, and the fields that b has no more."""
    left = {feature.name: feature for feature in a.schema.features}
    right = {feature.name: feature for feature in b.schema.features}
    for name, feature in right.items():
        older = left.get(name)
        if older is None and feature.missing.policy == "error":
            yield f"feature {name} is new and required"
        if older is not None and older.missing.policy != "error" and feature.missing.policy == "error":
            yield f"feature {name} is required now"
    for name, feature in left.items():
        newer = right.get(name)
        if newer is None:
            yield f"feature {name} is gone; a request that has it is refused"
        elif (feature.placement, feature.dtype) != (newer.placement, newer.dtype):
            yield f"feature {name} was {feature.placement} {feature.dtype}, is {newer.placement} {newer.dtype}"
        elif (feature.list is None) != (newer.list is None) or feature.vector != newer.vector:
            yield f"feature {name} has another shape"
        elif newer.group != feature.group and newer.group is not None:
            yield f"feature {name} is in group {newer.group} now, whose lengths must agree"
        elif feature.nonfinite and not newer.nonfinite:
            yield f"feature {name} takes no NaN and infinities any more"
        elif feature.invalid.policy != "error" and newer.invalid.policy == "error":
            yield f"feature {name} refuses invalid values now"
        elif feature.unseen.policy != "error" and newer.unseen.policy == "error":
            yield f"feature {name} refuses unseen values now"
    if b.max_candidates < a.max_candidates:
        yield f"at most {b.max_candidates} candidates instead of {a.max_candidates}"


def _heads(a: Manifest, b: Manifest) -> dict[str, Json]:
    left = {head.name: {"dtype": head.dtype, "output": head.output} for head in a.outputs}
    right = {head.name: {"dtype": head.dtype, "output": head.output} for head in b.outputs}
    return {
        "added": [name for name in right if name not in left],
        "removed": [name for name in left if name not in right],
        "changed": [
            {"head": name, **change}
            for name in left
            if name in right
            for change in _leaf_changes(left[name], right[name])
        ],
    }


def _changes(heads: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for name in heads["added"]:
        yield "new", name
    for name in heads["removed"]:
        yield "gone", name
    for change in heads["changed"]:
        if change["field"] == "dtype":
            yield "of another dtype", change["head"]


def _vocabularies(a: _Side, b: _Side) -> list[Json]:
    """Per lookup that differs: keys added and removed; lookups are matched by the features that they read."""
    left, right = _lookups(a), _lookups(b)
    found: list[Json] = []
    for name in (*left, *(name for name in right if name not in left)):
        before, after = left.get(name, np.zeros(0, np.int64)), right.get(name, np.zeros(0, np.int64))
        added, removed = np.setdiff1d(after, before), np.setdiff1d(before, after)
        if added.size or removed.size or (name in left) != (name in right):
            found.append(
                {
                    "features": list(name[0]),
                    "left_keys": int(before.size),
                    "right_keys": int(after.size),
                    "added": int(added.size),
                    "removed": int(removed.size),
                    "added_keys": added[:_EXAMPLES].tolist(),
                    "removed_keys": removed[:_EXAMPLES].tolist(),
                }
            )
    return found


def _lookups(side: _Side) -> dict[tuple[tuple[str, ...], int], NDArray[np.int64]]:
    seen: Counter[tuple[str, ...]] = Counter()
    found = {}
    for lookup in lookups_of(side.model, side.manifest.packing):
        found[(lookup.features, seen[lookup.features])] = lookup.keys
        seen[lookup.features] += 1
    return found


def _operators(a: onnx.ModelProto, b: onnx.ModelProto) -> dict[str, Json]:
    left, right = (Counter(f"{n.domain}:{n.op_type}" if n.domain else n.op_type for n in m.graph.node) for m in (a, b))
    changed = {
        name: [left[name], right[name]] for name in sorted(left.keys() | right.keys()) if left[name] != right[name]
    }
    return {"nodes": [len(a.graph.node), len(b.graph.node)], "operators": changed}


def _weights(a: _Side, b: _Side) -> dict[str, Json]:
    """Initialisers by name; a changed one with the norm of its change relative to the older one's (Frobenius).

    Numbered constants of the graph have other names as soon as one is new; they are compared by value, as a multiset.
    """
    left, right = _initialisers(a), _initialisers(b)
    before_all = Counter(_constant(left.pop(name)) for name in list(left) if _is_constant(name, left[name]))
    after_all = Counter(_constant(right.pop(name)) for name in list(right) if _is_constant(name, right[name]))
    same = 0
    changed: list[dict[str, Json]] = []
    for name in left:
        if name not in right:
            continue
        before, after = left[name], right[name]
        if before.dtype == after.dtype and before.shape == after.shape:
            if before.tobytes() == after.tobytes():
                same += 1
                continue
            changed.append({"name": name, **_shape_of(after), "relative_change": _relative(before, after)})
        else:
            was = _shape_of(before)
            changed.append({"name": name, **_shape_of(after), "was": was, "relative_change": None})
    changed.sort(
        key=lambda one: (-math.inf if one["relative_change"] is None else -one["relative_change"], one["name"])
    )
    return {
        "same": same,
        "changed": changed,
        "added": [{"name": name, **_shape_of(right[name])} for name in right if name not in left],
        "removed": [{"name": name, **_shape_of(left[name])} for name in left if name not in right],
        "constants": {
            "same": (before_all & after_all).total(),
            "added": (after_all - before_all).total(),
            "removed": (before_all - after_all).total(),
        },
    }


def _is_constant(name: str, array: NDArray[Any]) -> bool:
    return ".const." in name or array.dtype.kind != "f"


def _constant(array: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.str, array.shape, array.tobytes()


def _shape_of(array: NDArray[Any]) -> dict[str, Json]:
    return {"dtype": array.dtype.name, "shape": list(array.shape)}


def _relative(before: NDArray[Any], after: NDArray[Any]) -> float | None:
    """The norm of the difference over the norm of the older one; None where that is no finite number."""
    with np.errstate(over="ignore", invalid="ignore"):
        change = float(np.linalg.norm(after.astype(np.float64).ravel() - before.astype(np.float64).ravel()))
        base = float(np.linalg.norm(before.astype(np.float64).ravel()))
    relative = change / base if base else math.inf
    return relative if math.isfinite(relative) else None


def _initialisers(side: _Side) -> dict[str, NDArray[Any]]:
    """Every initialiser by name; external ones are mapped, not read."""
    found: dict[str, NDArray[Any]] = {}
    for tensor in side.model.graph.initializer:
        if not tensor.external_data:
            found[tensor.name] = numpy_helper.to_array(tensor)
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        shape = tuple(tensor.dims)
        if 0 in shape:
            found[tensor.name] = np.zeros(shape, dtype)  # nothing to map
            continue
        found[tensor.name] = np.memmap(
            side.path / MODEL_DATA, dtype=dtype, mode="r", offset=int(entries.get("offset", "0")), shape=shape
        )
    return found


def _settings(manifest: Manifest) -> dict[str, Json]:
    document = manifest.document
    kept = ("format", "runtime", "max_candidates", "goldens")
    return {"name": manifest.name, **{name: document[name] for name in kept}}


def _provenance(manifest: Manifest) -> dict[str, Json]:
    return {name: value for name, value in manifest.document["provenance"].items() if name not in _IN_PROVENANCE_TOO}


def _leaf_changes(left: Json, right: Json, at: str = "") -> list[dict[str, Json]]:
    """Where two JSON values differ, as ``{field, left, right}``; an absent member is null.

    Lists of named objects are compared by name, others whole.
    """
    if isinstance(left, list) and isinstance(right, list) and _are_named(left) and _are_named(right):
        left, right = _by_name(left), _by_name(right)
    if isinstance(left, dict) and isinstance(right, dict):
        found = []
        for name in (*left, *(name for name in right if name not in left)):
            found += _leaf_changes(left.get(name), right.get(name), f"{at}.{name}" if at else str(name))
        return found
    return [] if equal_json(left, right) else [{"field": at, "left": left, "right": right}]


def _are_named(items: list[Json]) -> bool:
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def _metrics(a: Manifest, b: Manifest) -> list[Json]:
    """Every figure of the two trainings' metrics that one of them has, with the change."""
    left, right = (dict(_figures(side.document["provenance"].get("metrics"))) for side in (a, b))
    found: list[Json] = []
    for name in (*left, *(name for name in right if name not in left)):
        before, after = left.get(name), right.get(name)
        delta = None if before is None or after is None else after - before
        found.append({"metric": name, "left": before, "right": after, "delta": delta})
    return found


def _figures(value: Json, at: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _figures(item, f"{at}.{name}" if at else str(name))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield at, value


def _scores(a: _Side, b: _Side, require: Require) -> dict[str, Json]:
    """The goldens of both, scored by both."""
    opened: list[Bundle] = []
    for side in (a, b):
        try:
            opened.append(open_bundle(side.path, require=require))
        except BundleError as e:
            return {"error": f"{side.path} does not open here: {e.problems[0]}"}
    left, right = opened
    shared = [head.name for head in left.manifest.outputs if head.name in {h.name for h in right.manifest.outputs}]
    return {
        "goldens_of_left": _shift(left, right, [golden.request for golden in left.goldens], shared),
        "goldens_of_right": _shift(left, right, [golden.request for golden in right.goldens], shared),
    }


class _HeadShift:
    """How far one head moved, over all requests."""

    def __init__(self) -> None:
        self.values = self.differing = self.unlike = 0
        self.total = self.largest = 0.0

    def add(self, left: FloatArray, right: FloatArray) -> None:
        wide, other = left.astype(np.float64), right.astype(np.float64)
        self.values += left.size
        self.differing += int((canonical_bits(wide) != canonical_bits(other)).sum())
        with np.errstate(invalid="ignore"):
            gap = np.abs(wide - other)
        # Equal infinities and two NaNs are no shift; a NaN or infinity against anything else has no size.
        gap[(wide == other) | (np.isnan(wide) & np.isnan(other))] = 0.0
        finite = np.isfinite(gap)
        self.unlike += int((~finite).sum())
        self.total += math.fsum(gap[finite].tolist())
        self.largest = max(self.largest, float(gap[finite].max(initial=0.0)))

    def to_json(self) -> dict[str, Json]:
        sized = self.values - self.unlike
        return {
            "values": self.values,
            "differing": self.differing,
            "mean_abs": self.total / sized if sized else None,
            "max_abs": self.largest if sized else None,
            "without_size": self.unlike,
        }


def _shift(left: Bundle, right: Bundle, requests: list[bytes], shared: list[str]) -> dict[str, Json]:
    heads = {name: _HeadShift() for name in shared}
    refused: dict[str, Counter[str]] = {"left": Counter(), "right": Counter(), "both": Counter()}
    scored = slates = equal = longer = 0
    taus, overlaps = 0.0, 0.0
    for raw in requests:
        before, after = _score(left, raw), _score(right, raw)
        if isinstance(before, str) or isinstance(after, str):
            if isinstance(before, str) and isinstance(after, str):
                refused["both"][before if before == after else f"{before}, {after}"] += 1
            elif isinstance(before, str):
                refused["left"][before] += 1
            else:
                refused["right"][str(after)] += 1
            continue
        if before.n == 0:
            continue
        scored += 1
        for name, shift in heads.items():
            shift.add(_output(before, name), _output(after, name))
        order, other = (order_of(scores.score)[0] for scores in (before, after))
        if before.n < 2:
            continue
        slates += 1
        equal += int(np.array_equal(order, other))
        taus += kendall_tau(order, other)
        if min(order.size, other.size) > TOP:
            longer += 1
            overlaps += len(set(order[:TOP].tolist()) & set(other[:TOP].tolist())) / TOP
    return {
        "requests": len(requests),
        "scored": scored,
        "refused": {side: dict(sorted(codes.items())) for side, codes in refused.items()},
        "heads": {name: shift.to_json() for name, shift in heads.items()},
        "order": {
            "slates": slates,
            "same": equal,
            "kendall_tau": taus / slates if slates else None,
            "longer_slates": longer,
            "top_10_overlap": overlaps / longer if longer else None,
        },
    }


def _score(bundle: Bundle, raw: bytes) -> Scores | str:
    try:
        return bundle.score(raw)
    except ScoringError as e:
        return e.code


def _output(scores: Scores, name: str) -> FloatArray:
    return scores.score if name == "score" else scores.heads[name]


def kendall_tau(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """Kendall's tau of two rankings, 1 for the same order and -1 for the reverse; 1 for fewer than two candidates.

    Only candidates that both rank count. A ranking has no ties (equal scores are ordered by index), so tau is
    1 - 4 * inversions / (m * (m - 1)).
    """
    shared = set(left.tolist()) & set(right.tolist())
    place = {candidate: at for at, candidate in enumerate(c for c in left.tolist() if c in shared)}
    sequence = [place[candidate] for candidate in right.tolist() if candidate in place]
    count = len(sequence)
    return 1.0 if count < 2 else 1.0 - 4.0 * _inversions(sequence) / (count * (count - 1))


def _inversions(sequence: list[int]) -> int:
    """Pairs in descending order, counted while merging from pieces of one element upwards."""
    total, width, pieces = 0, 1, sequence
    while width < len(pieces):
        merged: list[int] = []
        for start in range(0, len(pieces), 2 * width):
            low, high = pieces[start : start + width], pieces[start + width : start + 2 * width]
            i = 0
            for value in high:
                while i < len(low) and low[i] <= value:
                    merged.append(low[i])
                    i += 1
                total += len(low) - i
                merged.append(value)
            merged += low[i:]
        pieces, width = merged, 2 * width
    return total
