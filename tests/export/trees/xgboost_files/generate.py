"""Trains small models with the XGBoost that is installed, and writes them with their margins.

Run it under each release whose files are to be read for ever: `python generate.py` writes the folder of its release.
The margins are those of `predict(DMatrix, output_margin=True)` on one thread.
"""

from pathlib import Path

import numpy as np
import xgboost as xgb

HERE = Path(__file__).resolve().parent
TYPES = ["q", "q", "float", "c", "c"]
NUMBERS = ["q"] * 5


def rows(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(count, 5)).astype(np.float32) * 2
    made[:, 3] = rng.integers(-1, 14, count) + 0.5 * (rng.random(count) < 0.2)
    made[:, 4] = rng.integers(0, 4, count)
    made[rng.random(made.shape) < 0.15] = np.nan
    return made


def train(params: dict[str, object], data: xgb.DMatrix, rounds: int) -> xgb.Booster:
    fixed = {"max_depth": 3, "tree_method": "hist", "nthread": 1, "max_cat_to_onehot": 4, "seed": 0}
    return xgb.train({**fixed, **params}, data, num_boost_round=rounds)


def main() -> None:
    folder = HERE / xgb.__version__
    folder.mkdir(exist_ok=True)
    seen = rows(0, 300)
    seen[:, 3] = np.abs(np.floor(seen[:, 3]))
    value = (np.nansum(seen[:, :3], axis=1) + np.nan_to_num(seen[:, 3]) % 3).astype(np.float32)
    label = (value > 1).astype(np.float32)
    grade = np.digitize(value, [0, 2])

    def matrix(label: np.ndarray, types: list[str] = TYPES, **more: object) -> xgb.DMatrix:
        return xgb.DMatrix(seen, label=label, feature_types=types, enable_categorical=True, **more)

    dropout = {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}
    made = {
        "squares": train({}, matrix(value), 3),
        "logistic": train({"objective": "binary:logistic", "base_score": 0.123}, matrix(label), 3),
        "softprob": train({"objective": "multi:softprob", "num_class": 3}, matrix(grade), 2),
        "ndcg": train({"objective": "rank:ndcg"}, matrix(grade, qid=np.repeat(np.arange(30), 10)), 3),
        "dart": train({**dropout, "objective": "count:poisson"}, matrix(label + 0.5), 6),
        "forest": train({"num_parallel_tree": 3, "subsample": 0.7, "seed": 3}, matrix(value), 1),
        "vectors": train(
            {"multi_strategy": "multi_output_tree"}, matrix(np.stack([value, -label], axis=1), NUMBERS), 2
        ),
    }
    asked = rows(1, 200)
    np.save(HERE / "rows.npy", asked)
    for name, booster in made.items():
        booster.save_model(folder / f"{name}.ubj")
        types = NUMBERS if name == "vectors" else TYPES
        given = xgb.DMatrix(asked, feature_types=types, enable_categorical=True)
        np.save(folder / f"{name}.npy", booster.predict(given, output_margin=True).reshape(len(asked), -1))
    made["squares"].save_model(folder / "squares.json")


if __name__ == "__main__":
    main()
