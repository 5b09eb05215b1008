"""Features and the schema: contract section 4."""

from __future__ import annotations

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
MAX_LIST_LENGTH = 4096
_BLOCK_SUFFIXES = ("i64", "f32", "f64")
_FEATURE_FIELDS = ("name", "placement", "dtype", "list", "group", "nonfinite", "missing", "invalid")


@dataclass(frozen=True, slots=True)
class ListSpec:
    """Makes a feature a list: at most `max_length` elements (1 to 4096) stay, at the end that `keep` names."""

    max_length: int
    keep: Literal["first", "last"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to a missing or an invalid value.

    Attributes:
        policy: `error` refuses the request, `default` makes the graph substitute `value`, `own_row` gives it an
            embedding row of its own.
        value: The default: a value of the feature's type (for floats also an int, or "NaN", "Infinity", "-Infinity"),
            `()` for a list; None unless the policy is `default`.
    """

    policy: Literal["error", "default", "own_row"] = "error"
    value: Scalar | tuple[()] | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest form."""
        if self.policy != "default":
            return {"policy": self.policy}
        return {"policy": self.policy, "value": [] if isinstance(self.value, tuple) else self.value}


@dataclass(frozen=True, slots=True)
class Feature:
    """A named, typed raw input. It is checked by the `Schema` that holds it, together with its neighbours."""

    name: str
    placement: Placement
    dtype: DType
    list: ListSpec | None = None
    group: str | None = None
    nonfinite: bool = False
    missing: Policy = Policy()
    invalid: Policy = Policy()

    @property
    def has_state(self) -> bool:
        """Whether the packing gives the feature a state column: one of its policies is not `error`."""
        return self.missing.policy != "error" or self.invalid.policy != "error"

    def default_of(self, policy: Policy) -> Scalar:
        """Returns the typed default of one of this scalar feature's policies (float32 already rounded)."""
        return scalar_reader(self.dtype, self.nonfinite)(policy.value)

    def to_json(self) -> dict[str, Any]:
        """Returns the manifest form; optional fields that say nothing are left out."""
        document: dict[str, Any] = {"name": self.name, "placement": self.placement, "dtype": self.dtype}
        if self.list is not None:
            document["list"] = {"max_length": self.list.max_length, "keep": self.list.keep}
        if self.group is not None:
            document["group"] = self.group
        if self.nonfinite:
            document["nonfinite"] = True
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
    required = ("name", "placement", "dtype", "missing", "invalid")
    optional = tuple(name for name in _FEATURE_FIELDS if name not in required)
    fields = _fields(item, path, required, optional, problems)
    for name, kind in (("name", str), ("placement", str), ("dtype", str), ("group", str), ("nonfinite", bool)):
        if name in fields and not isinstance(fields[name], kind):
            problems.append(SchemaProblem(f"{path}.{name}", f"is {shown(fields[name])}; a {kind.__name__} is required"))
    spec = None
    if "list" in fields:
        listed = _fields(fields["list"], f"{path}.list", ("max_length", "keep"), (), problems)
        spec = ListSpec(listed.get("max_length", 1), listed.get("keep", "first"))
    policies = {}
    for name in ("missing", "invalid"):
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
    )


def _read_policy(item: object, path: str, problems: list[SchemaProblem]) -> Policy:
    fields = _fields(item, path, ("policy",), ("value",), problems)
    if "value" in fields and fields.get("policy") != "default":
        problems.append(SchemaProblem(f"{path}.value", "is given, but only the policy 'default' has a value"))
    if "value" not in fields and fields.get("policy") == "default":
        problems.append(SchemaProblem(path, "lacks the field 'value', which the policy 'default' requires"))
    value = fields.get("value")
    return Policy(fields.get("policy", "error"), () if value == [] and isinstance(value, list) else value)


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
        length = feature.list.max_length
        if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= MAX_LIST_LENGTH:
            detail = f"is {shown(length)}; an integer from 1 to {MAX_LIST_LENGTH} is required"
            yield SchemaProblem(f"{path}.list.max_length", detail)
        if feature.list.keep not in ("first", "last"):
            yield SchemaProblem(f"{path}.list.keep", f"is {shown(feature.list.keep)}; allowed: first, last")
    if feature.group is not None:
        if not isinstance(feature.group, str) or not GROUP_NAME.fullmatch(feature.group):
            yield SchemaProblem(f"{path}.group", f"is {shown(feature.group)}; it must match {GROUP_NAME.pattern}")
        elif feature.group in _BLOCK_SUFFIXES:
            yield SchemaProblem(f"{path}.group", f"is {feature.group!r}, which is the name of a block")
        if feature.list is None:
            yield SchemaProblem(f"{path}.group", "is given, but the feature is no list; groups align lists")
    for which in ("missing", "invalid"):
        policy: Policy = getattr(feature, which)
        if policy.policy not in ("error", "default", "own_row"):
            detail = f"is {shown(policy.policy)}; allowed: error, default, own_row"
            yield SchemaProblem(f"{path}.{which}.policy", detail)
        elif policy.policy != "default" and policy.value is not None:
            yield SchemaProblem(f"{path}.{which}.value", "is given, but only the policy 'default' has a value")
        elif feature.list is not None:
            if policy.policy == "own_row":
                yield SchemaProblem(f"{path}.{which}.policy", "is own_row, which a list cannot have")
            elif policy.policy == "default" and policy.value != ():
                detail = f"is {shown(policy.value)}; the only default of a list is []"
                yield SchemaProblem(f"{path}.{which}.value", detail)
        elif policy.policy == "default" and dtype_known:
            try:
                feature.default_of(policy)
            except InvalidValueError as error:
                detail = f"is {shown(policy.value)} ({error.code}); {feature.dtype} takes {error.allowed}"
                yield SchemaProblem(f"{path}.{which}.value", detail)
