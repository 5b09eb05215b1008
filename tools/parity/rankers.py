"""Rankers that LightGBM and XGBoost train: the library itself is a route of theirs, held to every bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from tools.parity.traffic import Draw

Library = Literal["lightgbm", "xgboost"]
SCHEMA = Path(__file__).resolve().parent / "models" / "ranker.yaml"
FILES: Mapping[Library, str] = {"lightgbm": "model.txt", "xgboost": "model.ubj"}
"""What each library's model file is called, by the library."""
_COLUMNS = ("genre", "hour", "price", "age", "clicks", "query_length", "country")
# The columns that are categories, and how many entries the schema's vocabularies have.
_CATEGORIES = {"genre": 12, "country": 10}
_SEED = 47
_QUERIES, _SLATE, _GRADES = 400, 25, 4
_ROUNDS: Mapping[Library, int] = {"lightgbm": 120, "xgboost": 90}


def _price(random: Generator) -> float:
    return round(float(random.lognormal(2.0, 1.0)), 2)


def _age(random: Generator) -> float:
    return round(float(random.exponential(40.0)), 1)


def _clicks(random: Generator) -> int:
    return int(random.exponential(60.0))


def _hour(random: Generator) -> float:
    return int(random.integers(24 * 4)) / 4


def _length(random: Generator) -> int:
    return int(random.integers(1, 12))


DRAWS: Mapping[str, Draw] = {"price": _price, "age": _age, "clicks": _clicks, "hour": _hour, "query_length": _length}
"""Values of the same coarse grids as in training, so that many of them are a threshold's neighbours."""


def train(library: Library, path: Path) -> None:
    """Trains a ranker of 4 grades over 10,000 rows and writes its model file.

    Args:
        library: ``lightgbm`` (LambdaRank, 31 leaves) or ``xgboost`` (rank:ndcg, depth 6).
        path: of the model file.
    """
    random = np.random.Generator(np.random.PCG64(_SEED))
    x, grades = _rows(random)
    path.parent.mkdir(parents=True, exist_ok=True)
    _TRAINERS[library](x, grades, path)


def _rows(random: Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Queries of one length after the other; a tenth of each column is missing, but of the two counts."""
    rows = _QUERIES * _SLATE
    x = np.empty((rows, len(_COLUMNS)))
    for column, name in enumerate(_COLUMNS):
        of_query = name in ("hour", "query_length", "country")
        count = _QUERIES if of_query else rows
        known = _CATEGORIES.get(name)
        drawn = np.array([random.integers(known) if known else DRAWS[name](random) for _ in range(count)], np.float64)
        if name not in ("query_length", "clicks"):
            drawn[random.random(count) < 0.1] = np.nan
        x[:, column] = np.repeat(drawn, _SLATE) if of_query else drawn
    by_name = dict(zip(_COLUMNS, np.nan_to_num(x).T, strict=True))
    taste = np.sin(by_name["genre"] * 1.7 + by_name["country"]) - 0.03 * np.abs(by_name["price"] - by_name["hour"])
    liked = taste + 0.004 * by_name["clicks"] - 0.01 * by_name["age"] + random.normal(scale=0.4, size=rows)
    return x, np.digitize(liked, np.quantile(liked, np.arange(1, _GRADES) / _GRADES))


def _lightgbm(x: NDArray[np.float64], grades: NDArray[np.int64], path: Path) -> None:
    import lightgbm

    data = lightgbm.Dataset(
        x,
        grades,
        group=[_SLATE] * _QUERIES,
        feature_name=list(_COLUMNS),
        categorical_feature=list(_CATEGORIES),
        free_raw_data=False,
    )
    settings = {"objective": "lambdarank", "num_leaves": 31, "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1}
    booster = lightgbm.train({**settings, "seed": _SEED, "deterministic": True}, data, _ROUNDS["lightgbm"])
    booster.save_model(str(path))


def _xgboost(x: NDArray[np.float64], grades: NDArray[np.int64], path: Path) -> None:
    import xgboost

    types = ["c" if name in _CATEGORIES else "q" for name in _COLUMNS]
    data = xgboost.DMatrix(
        x,
        grades,
        group=[_SLATE] * _QUERIES,
        feature_names=list(_COLUMNS),
        feature_types=types,
        enable_categorical=True,
        nthread=1,
    )
    settings = {"objective": "rank:ndcg", "max_depth": 6, "max_cat_to_onehot": 4, "nthread": 1, "seed": _SEED}
    xgboost.train(settings, data, _ROUNDS["xgboost"]).save_model(path)


_TRAINERS: Mapping[Library, Callable[[NDArray[np.float64], NDArray[np.int64], Path], None]] = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
}
