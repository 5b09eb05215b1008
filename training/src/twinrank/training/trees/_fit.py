"""Boosting by either library: the same queries in, a model file and its history out."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twinrank.training.trees._columns import Column
from twinrank.training.trees._errors import TreesError
from twinrank.training.trees._options import TreeOptions, import_library, native_parameters


@dataclass(frozen=True)
class Queries:
    """Rows by query: the rows of a query stand together.

    Attributes:
        x: float64, shape [rows, columns], NaN is missing.
        grade: int64, shape [rows], from 0.
        sizes: int64, shape [queries], rows of each.
        position: int64, shape [rows], from 0, where a row was shown; None where that is not known.
    """

    x: NDArray[np.float64]
    grade: NDArray[np.int64]
    sizes: NDArray[np.int64]
    position: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Checks that the parts fit together.

        Raises:
            TreesError: if they do not.
        """
        rows = len(self.x)
        if len(self.grade) != rows or int(self.sizes.sum()) != rows or (self.sizes < 1).any():
            raise TreesError(
                f"{rows} rows, {len(self.grade)} grades and queries of {int(self.sizes.sum())} rows differ"
            )
        if (self.grade < 0).any():
            raise TreesError("grades must be >= 0")
        if self.position is not None and (len(self.position) != rows or (self.position < 0).any()):
            raise TreesError("positions must be one a row, from 0")


@dataclass(frozen=True)
class FittedTrees:
    """Trained trees.

    Attributes:
        model: the model file's bytes, cut at the best round.
        best_round: from 1.
        validation: nDCG@k of each round.
        gain: by column, what its splits gained in all.
        splits: by column, how many there are.
        predict: raw scores of rows [n, columns], shape [n].
    """

    model: bytes
    best_round: int
    validation: tuple[float, ...]
    gain: dict[str, float]
    splits: dict[str, int]
    predict: Callable[[NDArray[np.float64]], NDArray[np.floating[Any]]]


def fit_trees(
    options: TreeOptions,
    columns: Sequence[Column],
    training: Queries,
    validation: Queries,
    *,
    seed: int,
    threads: int,
    k: int,
    progress: Callable[[int, int, float], None],
) -> FittedTrees:
    """Grows trees; the same arguments give the same bytes on one host.

    Args:
        options: how.
        columns: of the rows, in order; their names stand in the model file.
        training: what is learnt.
        validation: what stops it.
        seed: of the library.
        threads: of the library; sums depend on it.
        k: cut-off of the nDCG that stops.
        progress: told round, rounds and nDCG@k.

    Raises:
        TreesError: if the library is absent, an option is wrong, a grade has no gain, or positions are asked for and
            there are none.
    """
    library = import_library(options.library)
    highest = int(max(training.grade.max(), validation.grade.max()))
    if highest >= len(options.label_gain):
        raise TreesError(f"grade {highest} has no gain: label_gain has {len(options.label_gain)} entries")
    if options.position_bias is not None and training.position is None:
        raise TreesError(
            "position_bias needs to know where each row was shown, and these data have no positions; leave it out, "
            "or give a file of positions"
        )
    if any(queries.x.shape[1] != len(columns) for queries in (training, validation)):
        raise TreesError(
            f"{training.x.shape[1]} and {validation.x.shape[1]} columns are there, named are {len(columns)}"
        )
    parameters = native_parameters(options, columns, seed=seed, threads=threads, k=k)
    fit = _fit_lightgbm if options.library == "lightgbm" else _fit_xgboost
    refusal = library.basic.LightGBMError if options.library == "lightgbm" else library.core.XGBoostError
    try:
        return fit(library, options, parameters, columns, training, validation, progress)
    except refusal as error:
        raise TreesError(f"{options.library} refuses: {error}") from error


def _fit_lightgbm(
    library: Any,
    options: TreeOptions,
    parameters: dict[str, Any],
    columns: Sequence[Column],
    training: Queries,
    validation: Queries,
    progress: Callable[[int, int, float], None],
) -> FittedTrees:
    names = [column.name for column in columns]
    data = library.Dataset(
        training.x,
        training.grade,
        group=training.sizes,
        feature_name=names,
        categorical_feature=[column.name for column in columns if column.categorical],
        position=training.position if options.position_bias is not None else None,
        params=parameters,
    )
    held_out = library.Dataset(validation.x, validation.grade, group=validation.sizes, reference=data)
    history: list[float] = []

    def tell(state: Any) -> None:
        history.append(float(state.evaluation_result_list[0][2]))
        progress(state.iteration + 1, options.rounds, history[-1])

    stop = options.early_stopping
    callbacks = [tell] + ([library.early_stopping(stop, verbose=False)] if stop is not None else [])
    booster = library.train(parameters, data, options.rounds, valid_sets=[held_out], callbacks=callbacks)
    best = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    gain, splits = (booster.feature_importance(kind, iteration=best) for kind in ("gain", "split"))
    return FittedTrees(
        booster.model_to_string(num_iteration=best).encode(),
        best,
        tuple(history),
        dict(zip(names, map(float, gain), strict=True)),
        dict(zip(names, map(int, splits), strict=True)),
        lambda x: booster.predict(x, num_iteration=best, raw_score=True),
    )


def _fit_xgboost(
    library: Any,
    options: TreeOptions,
    parameters: dict[str, Any],
    columns: Sequence[Column],
    training: Queries,
    validation: Queries,
    progress: Callable[[int, int, float], None],
) -> FittedTrees:
    names = [column.name for column in columns]
    types = ["c" if column.categorical else "q" for column in columns]
    gains = np.array(options.label_gain)

    def matrix(x: NDArray[np.float64], **more: Any) -> Any:
        return library.DMatrix(x, feature_names=names, feature_types=types, enable_categorical=True, **more)

    if options.position_bias is not None and training.position is not None:
        training = _by_position(training, training.position)
    data, held_out = (
        matrix(each.x, label=gains[each.grade], qid=np.repeat(np.arange(len(each.sizes)), each.sizes))
        for each in (training, validation)
    )
    history: list[float] = []

    class Tell(library.callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            del model
            history.append(float(evals_log["validation"][parameters["eval_metric"]][-1]))
            progress(epoch + 1, options.rounds, history[-1])
            return False

    callbacks = [Tell()]
    if options.early_stopping is not None:
        callbacks.append(library.callback.EarlyStopping(rounds=options.early_stopping, maximize=True, save_best=True))
    booster = library.train(
        parameters, data, options.rounds, evals=[(held_out, "validation")], callbacks=callbacks, verbose_eval=False
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.ubj"
        booster.save_model(file)
        model = file.read_bytes()
    found = {kind: booster.get_score(importance_type=kind) for kind in ("total_gain", "weight")}
    return FittedTrees(
        model,
        booster.num_boosted_rounds(),
        tuple(history),
        {name: float(found["total_gain"].get(name, 0.0)) for name in names},
        {name: int(found["weight"].get(name, 0)) for name in names},
        lambda x: booster.predict(matrix(x), output_margin=True),
    )


def _by_position(queries: Queries, position: NDArray[np.int64]) -> Queries:
    """The rows of each query in the order they were shown, which XGBoost takes for their positions."""
    query = np.repeat(np.arange(len(queries.sizes)), queries.sizes)
    order = np.lexsort((position, query))
    return Queries(queries.x[order], queries.grade[order], queries.sizes, position[order])
