"""Random schemas, and requests that fit them."""

import math
from typing import Any

from hypothesis import strategies as st

from twinrank.training.schema import Feature, ListSpec, Policy, Schema, VectorSpec

DEFAULTS: dict[str, Any] = {"float32": 0.5, "float64": -2, "int64": 7, "timestamp": 0, "bool": True, "string": "none"}
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def values_of(feature: Feature) -> st.SearchStrategy[Any]:
    words = st.sampled_from(list(WORDS)) if feature.nonfinite else st.nothing()
    by_dtype: dict[str, st.SearchStrategy[Any]] = {
        "float32": st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70) | words,
        "float64": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70) | words,
        "int64": st.integers(-(2**63), 2**63 - 1),
        "timestamp": st.integers(-(2**63), 2**63 - 1),
        "bool": st.booleans(),
        "string": st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    }
    return by_dtype[feature.dtype]


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    features: list[Feature] = []
    specs: dict[tuple[str, str], ListSpec] = {}
    for index in range(draw(st.integers(1, 9))):
        placement = draw(st.sampled_from(["context", "candidate"])) if index else "candidate"
        dtype = draw(st.sampled_from(list(DEFAULTS)))
        spec = draw(st.none() | st.builds(ListSpec, st.integers(1, 4), st.sampled_from(["first", "last"])))
        # A group's name tells its placement, because a group never spans two.
        group = draw(st.sampled_from([None, f"{placement}_a", f"{placement}_b"])) if spec else None
        if group is not None and spec is not None:
            spec = specs.setdefault((placement, group), spec)
        vector = None
        if spec is None and dtype in ("float32", "float64", "int64"):
            vector = draw(st.none() | st.builds(VectorSpec, st.integers(1, 3)))
        one = DEFAULTS[dtype]
        empty = Policy("default", () if spec else (one,) * vector.length if vector else one)
        choices = [Policy(), empty] if spec or vector else [Policy(), empty, Policy("own_row")]
        features.append(
            Feature(
                name=f"f{index}",
                placement=placement,  # type: ignore[arg-type]
                dtype=dtype,  # type: ignore[arg-type]
                list=spec,
                group=group,
                nonfinite=dtype.startswith("float") and draw(st.booleans()),
                missing=draw(st.sampled_from(choices)),
                invalid=draw(st.sampled_from(choices)),
                vector=vector,
            )
        )
    return Schema(tuple(features))


@st.composite
def documents(draw: st.DrawFn, schema: Schema) -> dict[str, Any]:
    def row(placement: str) -> dict[str, Any]:
        members: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for feature in schema.features:
            if feature.placement != placement:
                continue
            if feature.list is None:
                if feature.missing.policy == "error" or draw(st.booleans()):
                    values = values_of(feature)
                    if feature.vector is not None:
                        length = feature.vector.length
                        values = st.lists(values, min_size=length, max_size=length)
                    members[feature.name] = draw(values)
                continue
            length = draw(st.integers(0, 6))
            if feature.group is not None:
                length = lengths.setdefault(feature.group, length)
            if feature.missing.policy == "error" or length or draw(st.booleans()):
                members[feature.name] = draw(st.lists(values_of(feature), min_size=length, max_size=length))
        return {name: members[name] for name in draw(st.permutations(list(members)))}

    return {"candidates": [row("candidate") for _ in range(draw(st.integers(0, 4)))], "context": row("context")}
