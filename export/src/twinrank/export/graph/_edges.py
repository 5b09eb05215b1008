"""Requests at the edges of a schema: made from a real one, valid ones and ones that must be refused."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from twinrank.training.schema import Feature, Placement, Schema, candidate_rows

Request = dict[str, Any]
"""A request as parsed JSON."""

_UNSEEN = "never seen \U0001f600\u0000é"
# Below the first two, every integer is a float64 too; 2^53 + 1 is the first that is none.
_INTEGERS = (-(2**63), 2**63 - 1, 2**53 + 1, -(2**53) - 1, 0, -1)
# What has more than 32 bits: ONNX Runtime 1.29.0 takes 2^31 to 2^32 - 1 for negative in Min, Max and Clip.
_WIDE_INTEGERS = (2**31, 2**32 - 1, -(2**31) - 1, 2**32)
_MAX_REFUSED_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Edge:
    """A valid request with something unusual.

    Attributes:
        kind: what that is.
        features: those that it changes; none, or all of one kind of change.
        request: the request.
    """

    kind: str
    features: tuple[Feature, ...]
    request: Request

    @property
    def label(self) -> str:
        """The kind, and the features by name."""
        return ": ".join(
            (self.kind, *((", ".join(feature.name for feature in self.features),) if self.features else ()))
        )


def parse(raw: bytes) -> Request:
    """The request of a JSON text that readers accept, its candidates in rows."""
    document: Request = json.loads(raw)
    return document | {"candidates": candidate_rows(document["candidates"])}


def dump(request: object) -> bytes:
    """The request as JSON on one line."""
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def cut(request: Request, count: int) -> Request:
    """The request with at most ``count`` candidates, its ``k`` dropped."""
    return {"context": request["context"], "candidates": request["candidates"][:count]}


def edge_requests(base: Request, schema: Schema, groups: int | None = None) -> Iterator[Edge]:
    """Valid requests with something unusual.

    Args:
        base: a request of at least one candidate.
        schema: the features.
        groups: how many requests of a kind are enough; of more features several are changed together, far from each
            other in the schema. None makes a request for every feature.
    """
    yield Edge("no candidates", (), cut(base, 0))
    yield Edge("one candidate", (), cut(base, 1))
    yield Edge("k", (), cut(base, 5) | {"k": 2})
    small = cut(base, 4)
    step = len(schema.features) if groups is None else min(groups, len(schema.features))
    for kind, change in _CHANGES.items():
        for first in range(step):
            variants = []
            for feature in schema.features[first::step]:
                # A change may leave what it has tried behind: it gets the feature alone.
                made = _only(small, feature)
                if change(made, feature):
                    variants.append((feature, made))
            if variants:
                yield Edge(kind, tuple(feature for feature, _ in variants), merge(small, variants))


def _only(request: Request, feature: Feature) -> Request:
    """The request with one of its features, in new places."""
    made: Request = {"context": {}, "candidates": [{} for _ in request["candidates"]]}
    for place, source in zip(_places(made, feature.placement), _places(request, feature.placement), strict=True):
        if feature.name in source:
            place[feature.name] = copy.deepcopy(source[feature.name])
    return made


def merge(base: Request, variants: Sequence[tuple[Feature, Request]]) -> Request:
    """The request with each variant's values of that variant's feature."""
    made = copy.deepcopy(base)
    for feature, variant in variants:
        for place, source in zip(_places(made, feature.placement), _places(variant, feature.placement), strict=True):
            if feature.name in source:
                place[feature.name] = source[feature.name]
            else:
                place.pop(feature.name, None)
    return made


def _places(request: Request, placement: Placement) -> list[dict[str, Any]]:
    return [request["context"]] if placement == "context" else list(request["candidates"])


def _set(request: Request, feature: Feature, values: list[Any]) -> bool:
    """Gives the feature the values in turn; a list keeps its length, a vector gets them all over again."""
    for index, place in enumerate(_places(request, feature.placement)):
        value = values[index % len(values)]
        if feature.list:
            place[feature.name] = [value] * len(place.get(feature.name) or [])
        elif feature.vector:
            place[feature.name] = [values[(index + i) % len(values)] for i in range(feature.vector.length)]
        else:
            place[feature.name] = value
    return bool(values)


def _unseen(request: Request, feature: Feature) -> bool:
    return feature.dtype == "string" and feature.unseen.policy != "error" and _set(request, feature, [_UNSEEN, ""])


def _extreme_integers(request: Request, feature: Feature) -> bool:
    return (
        feature.dtype in ("int64", "timestamp")
        and feature.unseen.policy != "error"
        and _set(request, feature, list(_INTEGERS))
    )


def _wide_integers(request: Request, feature: Feature) -> bool:
    return (
        feature.dtype in ("int64", "timestamp")
        and feature.unseen.policy != "error"
        and _set(request, feature, list(_WIDE_INTEGERS))
    )


def _small_floats(request: Request, feature: Feature) -> bool:
    return feature.dtype in ("float32", "float64") and _set(request, feature, [0.0, -0.0, 1e-45, -1e-40])


def _absent(request: Request, feature: Feature) -> bool:
    for index, place in enumerate(_places(request, feature.placement)):
        if index % 2:
            place[feature.name] = None
        else:
            place.pop(feature.name, None)
    return feature.missing.policy != "error" and feature.group is None


def _bad(request: Request, feature: Feature) -> bool:
    value: Any = {"an": "object"}
    for place in _places(request, feature.placement):
        place[feature.name] = value
    return feature.invalid.policy != "error" and feature.group is None


def _nonfinite(request: Request, feature: Feature) -> bool:
    return feature.nonfinite and _set(request, feature, ["NaN", "Infinity", "-Infinity"])


def _large_floats(request: Request, feature: Feature) -> bool:
    """The ends of what is legal: a transform clips them to its own ends, or the model sees them as they are."""
    return feature.dtype in ("float32", "float64") and _set(
        request, feature, [3.4028234663852886e38, -3.4028234663852886e38]
    )


def _ties(request: Request, feature: Feature) -> bool:
    """A list whose elements are all its first: what sorts by it, or takes the best, must choose."""
    changed = False
    for place in _places(request, feature.placement):
        elements = place.get(feature.name)
        if feature.list is not None and isinstance(elements, list) and len(elements) > 1:
            place[feature.name] = elements[:1] * len(elements)
            changed = True
    return changed


_CHANGES: dict[str, Callable[[Request, Feature], bool]] = {
    "unseen": _unseen,
    "absent": _absent,
    "invalid": _bad,
    "extreme integers": _extreme_integers,
    "wide integers": _wide_integers,
    "small floats": _small_floats,
    "not finite": _nonfinite,
    "large floats": _large_floats,
    "equal elements": _ties,
}


def list_requests(base: Request, schema: Schema) -> Iterator[tuple[str, Request]]:
    """Valid requests whose lists are all empty, all of one element, exactly full and longer than is kept.

    The elements are the request's own, over again; a list that has none in any place stays as it is.
    """
    small = cut(base, 4)
    for label, extra in (("empty lists", None), ("lists of one", 0), ("full lists", 1), ("long lists", 2)):
        made = copy.deepcopy(small)
        changed = False
        for feature in schema.features:
            if feature.list is None:
                continue
            for place in _places(made, feature.placement):
                elements = place.get(feature.name)
                if not isinstance(elements, list) or not elements:
                    continue
                length = {None: 0, 0: 1, 1: feature.list.max_length, 2: feature.list.max_length + 3}[extra]
                place[feature.name] = [elements[i % len(elements)] for i in range(length)]
                changed = True
        if changed:
            yield label, made


def largest_request(requests: list[Request], count: int) -> Request:
    """A request of ``count`` candidates, those of all requests over again, under the first one's context."""
    candidates = [candidate for request in requests for candidate in request["candidates"]]
    return {"context": requests[0]["context"], "candidates": [candidates[i % len(candidates)] for i in range(count)]}


def refused_requests(base: Request, schema: Schema, max_candidates: int) -> Iterator[tuple[bytes, str]]:
    """Requests that must be refused, each with its code: one of every code that the schema can give."""
    small = cut(base, 2)
    text = dump(small)
    yield text[:-1], "invalid_json"
    yield text[:-1] + b',"context":{}}', "invalid_json"
    yield b"\xff" + text, "invalid_json"
    yield dump([small]), "invalid_request"
    yield dump({**small, "limit": 1}), "invalid_request"
    yield dump({**small, "k": -1}), "invalid_request"
    yield dump({"context": {**small["context"], "no_such_feature": 1}, "candidates": []}), "unknown_feature"
    for code, change in _REFUSALS.items():
        for feature in schema.features:
            made = copy.deepcopy(small)
            if change(made, feature):
                # A lone surrogate has no UTF-8; as an escape it is legal JSON text.
                yield json.dumps(made, ensure_ascii=code == "invalid_string").encode("utf-8"), code
                break
    too_many = {"context": small["context"], "candidates": small["candidates"][:1] * (max_candidates + 1)}
    if len(dump(small)) * max_candidates <= _MAX_REFUSED_BYTES:
        yield dump(too_many), "too_many_candidates"


def _place_of(request: Request, feature: Feature) -> dict[str, Any]:
    return _places(request, feature.placement)[-1]


def _lacks(request: Request, feature: Feature) -> bool:
    _place_of(request, feature)[feature.name] = None
    return feature.missing.policy == "error" and feature.group is None


def _mistyped(request: Request, feature: Feature) -> bool:
    _place_of(request, feature)[feature.name] = {}
    return feature.invalid.policy == "error"


def _wrapped(feature: Feature, value: object) -> object:
    """The value in the form that the feature takes."""
    if feature.vector is not None:
        return [value] * feature.vector.length
    return [value] if feature.list else value


def _too_large(request: Request, feature: Feature) -> bool:
    value: Any = {"int64": 2**63, "timestamp": -(2**63) - 1, "float32": 3.5e38}.get(feature.dtype)
    _place_of(request, feature)[feature.name] = _wrapped(feature, value)
    return value is not None and feature.invalid.policy == "error" and feature.group is None


def _not_finite(request: Request, feature: Feature) -> bool:
    _place_of(request, feature)[feature.name] = _wrapped(feature, "NaN")
    return (
        feature.dtype in ("float32", "float64")
        and not feature.nonfinite
        and feature.invalid.policy == "error"
        and feature.group is None
    )


def _lone_surrogate(request: Request, feature: Feature) -> bool:
    _place_of(request, feature)[feature.name] = _wrapped(feature, "\ud800")
    return feature.dtype == "string" and feature.invalid.policy == "error" and feature.group is None


def _wrong_length(request: Request, feature: Feature) -> bool:
    if feature.vector is None:
        return False
    value: Any = 0
    _place_of(request, feature)[feature.name] = [value] * (feature.vector.length + 1)
    return feature.invalid.policy == "error"


def _not_known(request: Request, feature: Feature) -> bool:
    """An unseen value that the graph counts."""
    value: Any = _UNSEEN if feature.dtype == "string" else _INTEGERS[0] + 12_345
    place = _place_of(request, feature)
    if feature.unseen.policy != "error" or (feature.group is not None and not place.get(feature.name)):
        return False
    place[feature.name] = [value, *(place.get(feature.name) or [])[1:]] if feature.list else value
    return True


def _uneven(request: Request, feature: Feature) -> bool:
    place = _place_of(request, feature)
    elements = place.get(feature.name)
    if feature.group is None or not isinstance(elements, list) or not elements:
        return False
    place[feature.name] = elements[1:]
    return True


_REFUSALS: dict[str, Callable[[Request, Feature], bool]] = {
    "missing_feature": _lacks,
    "wrong_type": _mistyped,
    "out_of_range": _too_large,
    "non_finite": _not_finite,
    "invalid_string": _lone_surrogate,
    "length_mismatch": _uneven,
    "wrong_length": _wrong_length,
    "unseen_value": _not_known,
}
