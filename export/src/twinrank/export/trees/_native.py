"""What the native library says: the referee of every exported forest. Each library is imported only when asked."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._errors import TreeModelError
from twinrank.export.trees._forest import Source
from twinrank.export.trees._json import read_bytes

Native = Callable[[NDArray[np.float64]], NDArray[np.floating]]
"""From float64 [n, F], columns in the order of the model, to raw scores [n, K]."""


def native_raw(source: Source, path: Path, x: NDArray[np.float64]) -> NDArray[np.floating]:
    """Returns raw scores [n, K] of a model file by the library that wrote it, on one thread; see `open_native`."""
    return open_native(source, path)(x)


def open_native(source: Source, path: Path, *, link: bool = False) -> Native:
    """Opens a model file with the library that wrote it; what comes back scores on one thread.

    Args:
        source: which library.
        path: the model file, read now and not again; of CatBoost the ``.cbm``, or a ``.json`` beside which it lies
            under the same name.
        link: whether the library's own predictions are wanted, probabilities say, and not raw scores.

    Raises:
        TreeModelError: ``tree_native_missing`` if the library, or the file that it must read, is not there;
            ``tree_model_invalid`` if the library refuses the file, then or when it is asked for scores.
    """
    if link and source == "catboost":
        raise TreeModelError(
            "tree_model_unsupported", source, "its own predictions are not compared", "Export its raw scores"
        )
    with _refusals(source, path):
        score = _REFEREES[source](path, link)

    def native(x: NDArray[np.float64]) -> NDArray[np.floating]:
        with _refusals(source, path):
            return score(np.ascontiguousarray(x, np.float64))

    return native


@contextmanager
def _refusals(source: Source, path: Path) -> Iterator[None]:
    """Turns what a library raises, none of which have a base of ours, into the error of its model file."""
    try:
        yield
    except (TreeModelError, OSError, MemoryError):
        raise
    except Exception as e:
        # XGBoost puts a stack of its own below the first lines.
        said = str(e).split("\nStack trace:")[0].strip() or type(e).__name__
        raise TreeModelError(
            "tree_model_invalid",
            path.name,
            f"{source} {version_of(source)}, which must say what its scores are, refuses it: {said}",
            "Save the model again with the library that trained it, in a release of today, and do not edit it",
        ) from e


def _lightgbm(path: Path, link: bool) -> Native:
    try:
        import lightgbm
    except ImportError as e:
        raise _missing("lightgbm") from e
    booster = lightgbm.Booster(model_file=str(path))

    def score(x: NDArray[np.float64]) -> NDArray[np.floating]:
        scores = booster.predict(x, raw_score=not link, num_threads=1)
        found: NDArray[np.float64] = np.asarray(scores, np.float64).reshape(len(x), -1)
        return found

    return score


def _xgboost(path: Path, link: bool) -> Native:
    try:
        import xgboost
    except ImportError as e:
        raise _missing("xgboost") from e
    booster = xgboost.Booster(model_file=str(path))
    booster.set_param({"nthread": 1})
    dart = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"] == "dart"

    def score(x: NDArray[np.float64]) -> NDArray[np.floating]:
        with np.errstate(over="ignore"):
            narrow = x.astype(np.float32)
        if dart:
            # In place, releases up to 3.2 add a dropped tree with its base score and take that off again: other bits
            # than predict has. A matrix refuses infinities, and no split tells them from the largest numbers.
            finite = np.where(np.isinf(narrow), np.copysign(np.finfo(np.float32).max, narrow), narrow)
            matrix = xgboost.DMatrix(
                finite,
                feature_names=booster.feature_names,
                feature_types=booster.feature_types,
                enable_categorical=True,
                nthread=1,
            )
            scores = booster.predict(matrix, output_margin=not link)
        else:
            scores = booster.inplace_predict(
                narrow, predict_type="value" if link else "margin", validate_features=False
            )
        found: NDArray[np.float32] = np.asarray(scores, np.float32).reshape(len(x), -1)
        return found

    return score


def _catboost(path: Path, link: bool) -> Native:
    del link
    try:
        from catboost import CatBoost
    except ImportError as e:
        raise _missing("catboost") from e
    # CatBoost reads the leaves of its own JSON inexactly: only the binary form has the bits that were trained.
    binary = path.with_suffix(".cbm") if path.suffix == ".json" else path
    if not binary.is_file():
        raise TreeModelError(
            "tree_native_missing",
            str(binary),
            "CatBoost reads other last bits from its JSON than it wrote, so the binary form is the judge of scores",
            "Save the model in both forms side by side: save_model(name.json, format='json') and save_model(name.cbm)",
        )
    model = CatBoost()
    model.load_model(str(binary))
    if binary != path:
        guid = json.loads(read_bytes(path)).get("model_info", {}).get("model_guid")
        if guid is None or guid != model.get_metadata().get("model_guid"):
            raise TreeModelError(
                "tree_model_invalid",
                str(binary),
                f"it is not the model of {path.name}",
                "Save both forms together again",
            )

    def score(x: NDArray[np.float64]) -> NDArray[np.floating]:
        scores = model.predict(x, prediction_type="RawFormulaVal", thread_count=1)
        found: NDArray[np.float64] = np.asarray(scores, np.float64).reshape(len(x), -1)
        return found

    return score


def version_of(source: Source) -> str:
    """Release of the library that is installed; empty if none is."""
    try:
        return str(importlib.import_module(source).__version__)
    except ImportError:
        return ""


def _missing(library: str) -> TreeModelError:
    return TreeModelError(
        "tree_native_missing",
        library,
        "it is not installed, and only the library that trained a model can say what its scores are",
        f"Install twinrank[{library}]",
    )


_REFEREES: dict[Source, Callable[[Path, bool], Native]] = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "catboost": _catboost,
}
