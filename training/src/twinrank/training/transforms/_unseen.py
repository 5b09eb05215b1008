"""The graph's count of unseen values: contract section 4, the policy `error`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from twinrank.training.schema import Feature, Placement
from twinrank.training.transforms._scope import INT64, Scope

_PRESENT = 1


@dataclass(frozen=True, slots=True)
class Counted:
    """One output `unseen.<placement>`: int64 [r, width]."""

    output: str
    placement: Placement
    tensor: str
    width: int


def emit_unseen(scope: Scope) -> list[Counted]:
    """Writes the outputs, context first; a placement without such features has none."""
    counted = []
    for placement in get_args(Placement):
        features = [
            feature
            for feature in scope.packing.schema.features
            if feature.placement == placement and feature.unseen.policy == "error"
        ]
        if features:
            columns = [scope.builder.unsqueeze(_count(scope, feature), 1) for feature in features]  # each [r, 1]
            tensor = scope.builder.op("Concat", *columns, axis=1)
            counted.append(Counted(f"unseen.{placement}", placement, tensor, len(features)))
    return counted


def _count(scope: Scope, feature: Feature) -> str:
    """Writes how many of the feature's values are unseen in any vocabulary that reads it: int64 [r]."""
    builder = scope.builder
    first, *others = scope.unseen[feature.name].values()
    flag = first
    for other in others:
        flag = builder.op("Or", flag, other)
    if feature.list is not None:
        # A list that is missing or invalid is packed as length 0, so the mask covers its state too.
        kept = builder.cast(builder.op("And", flag, scope.mask(feature)), INT64)
        return builder.op("ReduceSum", kept, builder.constant([1], np.int64), keepdims=0)
    if feature.has_state:
        present = builder.op("Equal", scope.state(feature), builder.constant(_PRESENT, np.int64))
        flag = builder.op("And", flag, present)
    return builder.cast(flag, INT64)
