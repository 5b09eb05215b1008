"""Features and the schema: contract section 4."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from twinrank.training.schema._errors import SchemaError, SchemaProblem, shown
from twinrank.training.schema._values import InvalidValueError, Scalar, scalar_reader

Placement = Literal["context", "candidate"]
"""Where a feature lives: once a request, or once an item."""

DType = Literal["float32", "float64", "int64", "timestamp", "bool", "string"]
"""A feature's type in a request."""

FEATURE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
GROUP_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
MAX_LENGTH = 4096
_BLOCK_SUFFIXES = ("i64", "f32", "f64")
_REQUIRED = ("name", "placement", "dtype", "missing", "invalid")
_OPTIONAL = ("list", "vector", "group", "nonfinite", "unseen")
_VECTOR_DTYPES = ("float32", "float64", "int64")
_UNSEEN_DTYPES = ("string", "int64")


@dataclass(frozen=True, slots=True)
class ListSpec:
    """Makes a feature a list: at most `max_length` elements (1 to 4096) stay, at the end that `keep` names."""

    max_length: int
    keep: Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class VectorSpec:
    """Makes a feature a vector: exactly `length` values (1 to 4096) of float32, float64 or int64."""

    length: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a missing, an invalid or an unseen value.

    Attributes:
        policy: `error` refuses the request, `default` makes the graph substitute `value`, `own_row` gives it an
            embedding row of its own (an unseen value: the out-of-vocabulary row, or one of several by hash).
        value: The default: a value of the feature's dtype (for floats also an int, or "NaN", "Infinity", "-Infinity");
            for `missing` and `invalid` of a list `()`, of a vector a tuple of exactly its length; for `unseen` always
            one element; None unless the policy is `default`.
    """

    policy: Literal["error", "default", "own_row"] = "error"
    value: Scalar | tuple[Scalar, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest form; NaN and the infinities become the contract's three strings."""
        if self.policy != "default":
            return {"policy": self.policy}
        if isinstance(self.value, tuple):
            return {"policy": self.policy, "value": [_plain(element) for element in self.value]}
        return {"policy": self.policy, "value": _plain(self.value)}


_OWN_ROW = Policy("own_row")


@dataclass(frozen=True, slots=True)
class Feature:
    """A named, typed raw input. It is checked by the `Schema` that holds it, together with its neighbours.

    Attributes:
        name: Unique across both placements.
        placement: Once a request, or once an item.
        dtype: Type of the value, or of every element.
        list: Makes it a list.
        group: The aligned sequence group that a list belongs to.
        nonfinite: Makes NaN and the infinities legal values of a float dtype.
        missing: What happens when the field is absent or null.
        invalid: What happens to a value that breaks its dtype's rules.
        vector: Makes it a fixed number of values; excludes `list` and `group`.
        unseen: What happens to a string or int64 that a vocabulary does not hold; with `error` the graph counts.
    """

    name: str
    placement: Placement
    dtype: DType
    list: ListSpec | None = None
    group: str | None = None
    nonfinite: bool = False
    missing: Policy = Policy()
    invalid: Policy = Policy()
    vector: VectorSpec | None = None
    unseen: Policy = _OWN_ROW

    @property
    def has_state(self) -> bool:
        """Whether the packing gives the feature a state column: one of its policies is not `error`."""
        return self.missing.policy != "error" or self.invalid.policy != "error"

    def default_of(self, policy: Policy) -> Scalar | tuple[Scalar, ...]:
        """Returns the typed value of a policy `default` of this feature, float32 already rounded.

        A tuple of the elements for `missing` and `invalid` of a vector; one element otherwise.
        """
        read = scalar_reader(self.dtype, self.nonfinite)
        return tuple(map(read, policy.value)) if isinstance(policy.value, tuple) else read(policy.value)

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest form; optional fields that say nothing are left out."""
        document: dict[str, Any] = {"name": self.name, "placement": self.placement, "dtype": self.dtype}
        if self.list is not None:
            document["list"] = {"max_length": self.list.max_length, "keep": self.list.keep}
        if self.vector is not None:
            document["vector"] = {"length": self.vector.length}
        if self.group is not None:
            document["group"] = self.group
        if self.nonfinite:
            document["nonfinite"] = True
        if self.unseen != _OWN_ROW:
            document["unseen"] = self.unseen.to_json()
        return document | {"missing": self.missing.to_json(), "invalid": self.invalid.to_json()}


@dataclass(frozen=True, slots=True)
class Schema:
    """The ordered list of features, checked as a whole.

    Raises:
        SchemaError: if the features contradict the contract; all problems are listed.
    """

    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", tuple(self.features))
        problems = [*_problems(self.features)]
        if problems:
            raise SchemaError(problems)

    @property
    def context(self) -> tuple[Feature, ...]:
        """The context features, in schema order."""
        return tuple(feature for feature in self.features if feature.placement == "context")

    @property
    def candidate(self) -> tuple[Feature, ...]:
        """The candidate features, in schema order."""
        return tuple(feature for feature in self.features if feature.placement == "candidate")

    def feature(self, name: str) -> Feature:
        """Returns the feature of that name; raises KeyError if there is none."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(f"no feature {shown(name)}; the schema has {[feature.name for feature in self.features]}")

    def groups(self, placement: Placement) -> dict[str, tuple[Feature, ...]]:
        """Returns the aligned groups of a placement: name to members, both in schema order."""
        found: dict[str, tuple[Feature, ...]] = {}
        for feature in self.features:
            if feature.placement == placement and feature.group is not None:
                found[feature.group] = (*found.get(feature.group, ()), feature)
        return found

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest's `schema` object."""
        return {"features": [feature.to_json() for feature in self.features]}

    @classmethod
    def from_json(cls, document: object) -> Schema:
        """Reads the manifest's `schema` object, already parsed; members whose names begin with `x-` are ignored.

        Raises:
            SchemaError: if a field is unknown, absent or of the wrong type (then the meaning is not looked at), or if
                the features contradict the contract.
        """
        problems: list[SchemaProblem] = []
        features: list[Feature] = []
        top = _fields(document, "schema", ("features",), (), problems)
        items = top.get("features", [])
        if not isinstance(items, list):
            problems.append(SchemaProblem("features", f"is {shown(items)}; a list of features is required"))
            items = []
        for index, item in enumerate(items):
            feature = _read_feature(item, f"features[{index}]", problems)
            if feature is not None:
                features.append(feature)
        if problems:
            raise SchemaError(problems)
        return cls(tuple(features))


def _fields(
    document: object, path: str, required: tuple[str, ...], optional: tuple[str, ...], problems: list[SchemaProblem]
) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        problems.append(SchemaProblem(path, f"is {shown(document)}; an object is required"))
        return {}
    for name in document:
        if name not in required and name not in optional and not str(name).startswith("x-"):
            known = ", ".join((*required, *optional))
            problems.append(SchemaProblem(path, f"has the unknown field {shown(name)}; known are {known}"))
    for name in required:
        if name not in document:
            problems.append(SchemaProblem(path, f"lacks the field {name!r}"))
    return document


def _read_feature(item: object, path: str, problems: list[SchemaProblem]) -> Feature | None:
    before = len(problems)
    fields = _fields(item, path, _REQUIRED, _OPTIONAL, problems)
    for name, kind in (("name", str), ("placement", str), ("dtype", str), ("group", str), ("nonfinite", bool)):
        if name in fields and not isinstance(fields[name], kind):
            problems.append(SchemaProblem(f"{path}.{name}", f"is {shown(fields[name])}; a {kind.__name__} is required"))
    spec = None
    if "list" in fields:
        listed = _fields(fields["list"], f"{path}.list", ("max_length", "keep"), (), problems)
        spec = ListSpec(listed.get("max_length", 1), listed.get("keep", "first"))
    vector = None
    if "vector" in fields:
        vector = VectorSpec(_fields(fields["vector"], f"{path}.vector", ("length",), (), problems).get("length", 1))
    policies = {"unseen": _OWN_ROW}
    for name in ("missing", "invalid", "unseen"):
        if name in fields:
            policies[name] = _read_policy(fields[name], f"{path}.{name}", problems)
    if len(problems) > before:
        return None
    return Feature(
        name=fields["name"],
        placement=fields["placement"],
        dtype=fields["dtype"],
        list=spec,
        group=fields.get("group"),
        nonfinite=fields.get("nonfinite", False),
        missing=policies["missing"],
        invalid=policies["invalid"],
        vector=vector,
        unseen=policies["unseen"],
    )


def _read_policy(item: object, path: str, problems: list[SchemaProblem]) -> Policy:
    fields = _fields(item, path, ("policy",), ("value",), problems)
    if "value" in fields and fields.get("policy") != "default":
        problems.append(SchemaProblem(f"{path}.value", "is given, but only the policy 'default' has a value"))
    if "value" not in fields and fields.get("policy") == "default":
        problems.append(SchemaProblem(path, "lacks the field 'value', which the policy 'default' requires"))
    value = fields.get("value")
    return Policy(fields.get("policy", "error"), tuple(value) if isinstance(value, list) else value)


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _problems(features: tuple[Feature, ...]) -> Iterator[SchemaProblem]:
    names: dict[str, int] = {}
    groups: dict[str, Feature] = {}
    for index, feature in enumerate(features):
        path = f"features[{index}]"
        yield from _own_problems(feature, path)
        if isinstance(feature.name, str):
            if feature.name in names:
                where = f"features[{names[feature.name]}]"
                yield SchemaProblem(f"{path}.name", f"{shown(feature.name)} is already the name of {where}")
            names.setdefault(feature.name, index)
        if isinstance(feature.group, str):
            first = groups.setdefault(feature.group, feature)
            if (first.placement, first.list) != (feature.placement, feature.list):
                detail = f"differs from {first.name!r} in placement, max_length or keep; members of a group share them"
                yield SchemaProblem(f"{path}.group", detail)
    if not any(feature.placement == "candidate" for feature in features):
        yield SchemaProblem("features", "has no candidate feature; the graph learns n from the candidate blocks")


def _own_problems(feature: Feature, path: str) -> Iterator[SchemaProblem]:
    if not isinstance(feature.name, str) or not FEATURE_NAME.fullmatch(feature.name):
        yield SchemaProblem(f"{path}.name", f"is {shown(feature.name)}; it must match {FEATURE_NAME.pattern}")
    if feature.placement not in get_args(Placement):
        yield SchemaProblem(f"{path}.placement", f"is {shown(feature.placement)}; allowed: context, candidate")
    dtype_known = feature.dtype in get_args(DType)
    if not dtype_known:
        allowed = ", ".join(get_args(DType))
        yield SchemaProblem(f"{path}.dtype", f"is {shown(feature.dtype)}; allowed: {allowed}")
    if feature.nonfinite and feature.dtype not in ("float32", "float64"):
        yield SchemaProblem(f"{path}.nonfinite", f"is true for {feature.dtype}; only float dtypes have such values")
    if feature.list is not None:
        yield from _length_problems(feature.list.max_length, f"{path}.list.max_length")
        if feature.list.keep not in ("first", "last"):
            yield SchemaProblem(f"{path}.list.keep", f"is {shown(feature.list.keep)}; allowed: first, last")
    if feature.vector is not None:
        yield from _vector_problems(feature, path)
    if feature.group is not None:
        if not isinstance(feature.group, str) or not GROUP_NAME.fullmatch(feature.group):
            yield SchemaProblem(f"{path}.group", f"is {shown(feature.group)}; it must match {GROUP_NAME.pattern}")
        elif feature.group in _BLOCK_SUFFIXES:
            yield SchemaProblem(f"{path}.group", f"is {feature.group!r}, which is the name of a block")
        if feature.list is None:
            yield SchemaProblem(f"{path}.group", "is given, but the feature is no list; groups align lists")
    for which in ("missing", "invalid"):
        yield from _policy_problems(feature, getattr(feature, which), f"{path}.{which}", dtype_known)
    yield from _unseen_problems(feature, f"{path}.unseen", dtype_known)


def _length_problems(length: object, path: str) -> Iterator[SchemaProblem]:
    if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= MAX_LENGTH:
        yield SchemaProblem(path, f"is {shown(length)}; an integer from 1 to {MAX_LENGTH} is required")


def _vector_problems(feature: Feature, path: str) -> Iterator[SchemaProblem]:
    if feature.vector is not None:
        yield from _length_problems(feature.vector.length, f"{path}.vector.length")
    if feature.dtype not in _VECTOR_DTYPES:
        detail = f"is given for {shown(feature.dtype)}; vectors are {', '.join(_VECTOR_DTYPES)}"
        yield SchemaProblem(f"{path}.vector", detail)
    if feature.list is not None:
        yield SchemaProblem(f"{path}.vector", "is given together with list; a feature is one of the two")


def _policy_problems(feature: Feature, policy: Policy, path: str, dtype_known: bool) -> Iterator[SchemaProblem]:
    before = [*_shape_problems(policy, path)]
    yield from before
    if before:
        return
    kind = "list" if feature.list is not None else "vector" if feature.vector is not None else None
    if kind is not None and policy.policy == "own_row":
        yield SchemaProblem(f"{path}.policy", f"is own_row, which a {kind} cannot have")
    if policy.policy != "default":
        return
    if kind == "list":
        if policy.value != ():
            yield SchemaProblem(f"{path}.value", f"is {shown(policy.value)}; the only default of a list is []")
    elif feature.vector is not None:
        length = feature.vector.length
        if not isinstance(policy.value, tuple) or len(policy.value) != length:
            detail = f"is {shown(policy.value)}; the default of this vector is an array (in Python a tuple) of exactly"
            yield SchemaProblem(f"{path}.value", f"{detail} {shown(length)} values")
        elif dtype_known:
            for index, element in enumerate(policy.value):
                yield from _value_problems(feature, element, f"{path}.value[{index}]")
    elif dtype_known:
        yield from _value_problems(feature, policy.value, f"{path}.value")


def _unseen_problems(feature: Feature, path: str, dtype_known: bool) -> Iterator[SchemaProblem]:
    before = [*_shape_problems(feature.unseen, path)]
    yield from before
    if before or feature.unseen.policy == "own_row" or not dtype_known:
        return
    if feature.dtype not in _UNSEEN_DTYPES:
        detail = f"is {feature.unseen.policy} for {feature.dtype}; only string and int64 are looked up in a vocabulary"
        yield SchemaProblem(f"{path}.policy", detail)
    elif feature.unseen.policy == "default":
        yield from _value_problems(feature, feature.unseen.value, f"{path}.value")


def _shape_problems(policy: Policy, path: str) -> Iterator[SchemaProblem]:
    if policy.policy not in ("error", "default", "own_row"):
        yield SchemaProblem(f"{path}.policy", f"is {shown(policy.policy)}; allowed: error, default, own_row")
    elif policy.policy != "default" and policy.value is not None:
        yield SchemaProblem(f"{path}.value", "is given, but only the policy 'default' has a value")


def _value_problems(feature: Feature, value: object, path: str) -> Iterator[SchemaProblem]:
    try:
        scalar_reader(feature.dtype, feature.nonfinite)(value)
    except InvalidValueError as error:
        detail = f"is {shown(value)} ({error.code}); {feature.dtype} takes {error.allowed}"
        yield SchemaProblem(path, detail)
