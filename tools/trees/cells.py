"""What the exactness table has a line for: releases, and in each the models that are trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Library = Literal["lightgbm", "xgboost"]


@dataclass(frozen=True)
class Release:
    """A release of a library, and how its wheel is had."""

    library: Library
    version: str
    wheel: str
    numpy: str

    @property
    def name(self) -> str:
        """Return the name of its folder and lines."""
        return f"{self.library} {self.version}"

    @property
    def requirements(self) -> list[str]:
        """Return what its environment holds."""
        return [f"{self.wheel}=={self.version}", self.numpy, "scipy"]


LOCKED = {"lightgbm": "4.7.0", "xgboost": "3.2.0"}
RELEASES = (
    # Releases before NumPy 2 were built for NumPy 1.
    Release("lightgbm", "3.3.5", "lightgbm", "numpy<2"),
    Release("lightgbm", "4.0.0", "lightgbm", "numpy<2"),
    Release("lightgbm", "4.3.0", "lightgbm", "numpy<2"),
    Release("lightgbm", "4.6.0", "lightgbm", "numpy>=2"),
    Release("lightgbm", "4.7.0", "lightgbm", "numpy>=2"),
    Release("xgboost", "1.7.6", "xgboost", "numpy<2"),
    Release("xgboost", "2.0.3", "xgboost", "numpy<2"),
    Release("xgboost", "2.1.4", "xgboost-cpu", "numpy<2"),
    Release("xgboost", "3.0.5", "xgboost-cpu", "numpy>=2"),
    Release("xgboost", "3.2.0", "xgboost-cpu", "numpy>=2"),
)


@dataclass(frozen=True)
class Cell:
    """One model to train.

    Attributes:
        objective: as the library names it.
        booster: gbdt, dart or rf for LightGBM; gbtree, lossguide (leaf by leaf) or dart for XGBoost.
        missing: what the training set has in a tenth of its values; LightGBM's rule follows from it. "none" has no gap,
            though the rows that are scored have some.
        categories: how many the category has; 0 for none.
        parameters: more, for the library.
    """

    objective: str
    booster: str
    missing: Literal["nan", "none", "zero"]
    categories: int
    parameters: dict[str, Any] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """Return what a worker needs."""
        return {
            "objective": self.objective,
            "booster": self.booster,
            "missing": self.missing,
            "categories": self.categories,
            "parameters": self.parameters,
        }


# From few categories a library makes one split each, from many it makes sets; 3000 need sets of many words.
_CATEGORIES = (0, 3, 40, 3000)
_LIGHTGBM = (
    *("lambdarank", "rank_xendcg", "regression", "regression_l1", "huber", "fair", "quantile", "mape"),
    *("poisson", "gamma", "tweedie", "binary", "cross_entropy", "cross_entropy_lambda", "multiclass", "multiclassova"),
)
_XGBOOST = (
    *("rank:ndcg", "rank:pairwise", "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror"),
    *("reg:gamma", "reg:tweedie", "count:poisson", "reg:logistic"),
    *("binary:logistic", "binary:logitraw", "binary:hinge", "multi:softprob", "multi:softmax"),
)
_MISSING: tuple[Literal["nan", "none", "zero"], ...] = ("nan", "none", "zero")


def cells_of(library: Library, quick: bool) -> Iterator[Cell]:
    """Yields a release's lines; quick: every fifth, so that each objective, booster, rule and category is met."""
    every = list(_lightgbm() if library == "lightgbm" else _xgboost())
    yield from every[:: 5 if quick else 1]


def _lightgbm() -> Iterator[Cell]:
    for objective, missing, categories in itertools.product(_LIGHTGBM, _MISSING, _CATEGORIES):
        yield Cell(objective, "gbdt", missing, categories)
    boosters = itertools.product(("lambdarank", "regression", "binary", "multiclass"), ("dart", "rf"), _MISSING)
    for (objective, booster, missing), categories in itertools.product(boosters, (0, 40)):
        yield Cell(objective, booster, missing, categories)
    for missing in _MISSING:
        yield Cell("lambdarank", "gbdt", missing, 40, {"num_leaves": 255, "min_data_in_leaf": 1})
        yield Cell("lambdarank", "gbdt", missing, 40, {"monotone_constraints": [1, -1, 0, 0, 0, 0]})
        yield Cell("regression", "gbdt", missing, 40, {"extra_trees": True, "max_bin": 15, "path_smooth": 1.0})


def _xgboost() -> Iterator[Cell]:
    gaps: tuple[Literal["nan", "none"], ...] = ("nan", "none")
    boosters = ("gbtree", "lossguide", "dart")
    for objective, booster, missing, categories in itertools.product(_XGBOOST, boosters, gaps, (0, 3, 40)):
        yield Cell(objective, booster, missing, categories)
    for missing in gaps:
        yield Cell("rank:ndcg", "gbtree", missing, 40, {"num_parallel_tree": 3, "subsample": 0.7})
        yield Cell("rank:ndcg", "gbtree", missing, 0, {"monotone_constraints": "(1,-1,0,0,0,0)"})
        yield Cell("reg:squarederror", "gbtree", missing, 0, {"base_score": 0.1, "max_bin": 8})
