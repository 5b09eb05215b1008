"""Trains and predicts with the library of the environment that it runs in; needs that library and NumPy, no more.

Reads one JSON object a line. ``{"do": "train", "cell": …, "seed": …, "rounds": …, "model": path, "rows": path}`` writes
the model and the rows that it was trained on. ``{"do": "predict", "model": path, "rows": path, "scores": path}`` writes
raw scores [n, K] of rows float64 [n, F]. Answers one line each: ``{}``, or ``{"error": …}``.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

import numpy as np

SAMPLES = 600
TYPES = ["q", "q", "c", "q", "q", "q"]


def training_set(seed: int, missing: str, categories: int) -> tuple[Any, Any]:
    """Column 2 is a category where there are some; 4 has seconds since 1970, 5 values about 1e-35."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(SAMPLES, 6))
    x[:, 2] = generator.integers(0, max(categories, 1), SAMPLES)
    x[:, 3] = generator.integers(-3, 9, SAMPLES)
    x[:, 4] = 1.7e9 + generator.integers(0, 10**6, SAMPLES)
    x[:, 5] *= 1e-35
    if missing != "none":
        x[generator.random(x.shape) < 0.1] = 0.0 if missing == "zero" else np.nan
    y = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 2]) % 3 + (x[:, 5] > 0) + generator.normal(size=SAMPLES) * 0.1
    return x, y


def labels(objective: str, y: Any) -> Any:
    """Labels that the objective takes."""
    kind = objective.split(":")[-1]
    if kind in ("binary", "cross_entropy", "cross_entropy_lambda", "logistic", "logitraw", "hinge"):
        return (y > 1).astype(np.float64)
    if kind in ("multiclass", "multiclassova", "softprob", "softmax", "lambdarank", "rank_xendcg", "ndcg", "pairwise"):
        return np.clip(np.floor(y), 0, 2)
    if kind in ("poisson", "gamma", "tweedie", "squaredlogerror"):
        return np.abs(y) + 0.1
    return y


class LightGbm:
    """LightGBM, of whatever release."""

    def __init__(self) -> None:
        import lightgbm

        self.library = lightgbm

    def train(self, cell: dict[str, Any], x: Any, y: Any, seed: int, rounds: int, path: str) -> None:
        """Writes a text model."""
        ranks = cell["objective"] in ("lambdarank", "rank_xendcg")
        parameters = {
            "objective": cell["objective"],
            "boosting": cell["booster"],
            "use_missing": cell["missing"] != "none",
            "zero_as_missing": cell["missing"] == "zero",
            "num_threads": 1,
            "verbose": -1,
            "seed": seed,
            "min_data_in_leaf": 5,
            "min_data_per_group": 5,
            "cat_smooth": 1,
            "max_cat_threshold": 256,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
        }
        if cell["objective"].startswith("multi"):
            parameters["num_class"] = 3
        parameters.update(cell["parameters"])
        data = self.library.Dataset(
            x,
            y,
            group=[SAMPLES // 10] * 10 if ranks else None,
            categorical_feature=[2] if cell["categories"] else [],
            params={"verbose": -1},
        )
        self.library.train(parameters, data, rounds).save_model(path)

    def predict(self, path: str, x: Any) -> Any:
        """Return raw scores."""
        return self.library.Booster(model_file=path).predict(x, raw_score=True, num_threads=1)


class XgBoost:
    """XGBoost, of whatever release."""

    def __init__(self) -> None:
        import xgboost

        self.library = xgboost

    def _matrix(self, x: Any, types: Any, **more: Any) -> Any:
        return self.library.DMatrix(x, feature_types=types, enable_categorical=True, nthread=1, **more)

    def train(self, cell: dict[str, Any], x: Any, y: Any, seed: int, rounds: int, path: str) -> None:
        """Writes a model as its name ends, .json or .ubj."""
        parameters = {
            "objective": cell["objective"],
            "booster": "dart" if cell["booster"] == "dart" else "gbtree",
            "tree_method": "hist",
            "max_depth": 5,
            "max_cat_to_onehot": 4,
            "nthread": 1,
            "verbosity": 0,
            "seed": seed,
        }
        if cell["booster"] == "dart":
            parameters.update(rate_drop=0.3, one_drop=1)
        if cell["booster"] == "lossguide":
            parameters.update(grow_policy="lossguide", max_leaves=31, max_depth=0)
        if cell["objective"].startswith("multi"):
            parameters["num_class"] = 3
        parameters.update(cell["parameters"])
        types = TYPES if cell["categories"] else ["q"] * 6
        queries = np.repeat(np.arange(10), SAMPLES // 10) if cell["objective"].startswith("rank") else None
        data = self._matrix(x, types, label=y, qid=queries)
        self.library.train(parameters, data, num_boost_round=rounds).save_model(path)

    def predict(self, path: str, x: Any) -> Any:
        """Return margins. Only a DMatrix adds models of dropout up as `predict` does, and it refuses infinity."""
        booster = self.library.Booster(model_file=path)
        booster.set_param({"nthread": 1})
        with np.errstate(over="ignore"):
            narrow = x.astype(np.float32)
        if json.loads(booster.save_config())["learner"]["gradient_booster"]["name"] != "dart":
            return booster.inplace_predict(narrow, predict_type="margin", validate_features=False)
        # No split tells infinity from the largest number.
        finite = np.where(np.isinf(narrow), np.copysign(np.finfo(np.float32).max, narrow), narrow)
        return booster.predict(self._matrix(finite, booster.feature_types), output_margin=True)


def main() -> None:
    """Works off standard input."""
    warnings.simplefilter("ignore")
    # What the library prints is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    library: Any = {"lightgbm": LightGbm, "xgboost": XgBoost}[sys.argv[1]]()
    print(json.dumps({"version": library.library.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            if job["do"] == "train":
                cell = job["cell"]
                x, y = training_set(job["seed"], cell["missing"], cell["categories"])
                library.train(cell, x, labels(cell["objective"], y), job["seed"], job["rounds"], job["model"])
                np.save(job["rows"], x)
            else:
                rows = np.load(job["rows"])
                np.save(job["scores"], np.asarray(library.predict(job["model"], rows)).reshape(len(rows), -1))
            answer = {}
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}".split("\n")[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
