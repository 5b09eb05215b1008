"""CatBoost, which trained the bundle's trees, on one thread: what raw scores must equal to the bit."""

from __future__ import annotations

from twinrank.bridge.routes._trees import tree_route

__all__ = ["ROUTE"]

ROUTE = tree_route("catboost", "CatBoost", ("model.catboost.json", "model.json"))
