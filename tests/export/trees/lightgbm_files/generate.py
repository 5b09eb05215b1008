"""Trains small models with the LightGBM that is installed, and writes them with their raw scores.

Run it under each release whose files are to be read for ever: `python generate.py` writes the folder of its release.
"""

from pathlib import Path

import lightgbm as lgb
import numpy as np

HERE = Path(__file__).resolve().parent
TINY = float(np.float32(1e-35))


def rows(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(count, 5))
    made[:, 2] = 1.7e9 + rng.integers(0, 10**6, count) / 4
    made[:, 3] = rng.integers(0, 40, count)
    made[:, 4] *= 1e-35
    return made


def gaps(made: np.ndarray, seed: int, value: float) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(made.shape) < 0.1, value, made)


def train(params: dict[str, object], x: np.ndarray, y: np.ndarray, **more: object) -> lgb.Booster:
    fixed = {"num_leaves": 7, "min_data_in_leaf": 5, "min_data_per_group": 5, "cat_smooth": 1, "num_threads": 1}
    data = lgb.Dataset(x, y, categorical_feature=[3], **more)
    return lgb.train({**fixed, "verbose": -1, "seed": 3, **params}, data, 4)


def main() -> None:
    folder = HERE / lgb.__version__
    folder.mkdir(exist_ok=True)
    seen = rows(0, 400)
    value = seen[:, 0] + seen[:, 3] % 3 + (seen[:, 4] > 0)
    grade = np.digitize(value, [0.5, 2])
    holes = gaps(seen, 1, np.nan)
    bagging = {"bagging_freq": 1, "bagging_fraction": 0.5}
    made = {
        "ranks": train({"objective": "lambdarank"}, holes, grade, group=[40] * 10),
        "zeros": train({"objective": "regression", "zero_as_missing": True}, gaps(seen, 1, 0), value),
        "none": train({"objective": "quantile", "use_missing": False}, seen, value),
        "classes": train({"objective": "multiclass", "num_class": 3}, holes, grade),
        "forest": train({"objective": "binary", "boosting": "rf", **bagging}, holes, value > 1),
        "dropout": train({"objective": "tweedie", "boosting": "dart", "drop_rate": 0.5}, holes, np.abs(value)),
        "constant": train({"objective": "regression", "min_gain_to_split": 1e9}, seen, value),
    }
    asked = gaps(rows(5, 200), 6, np.nan)
    asked[:40] = gaps(asked[:40], 7, 0.0)
    asked[40:80, 3] = np.resize([-0.5, -1.0, 3.75, 39.0, 40.0, 1e10, np.inf, -np.inf], 40)
    asked[80:120, [0, 1, 4]] = np.resize([TINY, -TINY, np.nextafter(TINY, 1), -np.nextafter(TINY, 1), -0.0], (40, 3))
    asked[120:140] = np.resize([np.inf, -np.inf, 5e-324, 1.7e308], (20, 5))
    np.save(HERE / "rows.npy", asked)
    for name, booster in made.items():
        booster.save_model(folder / f"{name}.txt")
        scores = booster.predict(asked, raw_score=True, num_threads=1)
        np.save(folder / f"{name}.npy", np.asarray(scores).reshape(len(asked), -1))


if __name__ == "__main__":
    main()
