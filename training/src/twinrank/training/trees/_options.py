"""What trees are asked to be, and what each library calls it."""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from twinrank.training.trees._columns import Column
from twinrank.training.trees._errors import TreesError

_INSTALL = {"lightgbm": "pip install 'twinrank[lightgbm]'", "xgboost": "pip install 'twinrank[xgboost]'"}
_OBJECTIVES = {"lightgbm": ("lambdarank", "rank_xendcg"), "xgboost": ("rank:ndcg",)}
# XGBoost reads these under both names and lists one of them.
_XGBOOST_ALIASES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "alpha": "reg_alpha",
    "gamma": "min_split_loss",
    "n_jobs": "nthread",
    "random_state": "seed",
}


@dataclass(frozen=True)
class TreeOptions:
    """How trees are grown.

    Attributes:
        library: `lightgbm` or `xgboost`.
        objective: `lambdarank` or `rank_xendcg` of LightGBM, `rank:ndcg` of XGBoost.
        rounds: trees at most.
        early_stopping: rounds without a better validation nDCG after which to stop, None to grow all.
        learning_rate: shrinkage.
        leaves: of a tree, at most.
        label_gain: the gain of grade 0, 1, ...; as many as there are grades.
        monotone: by column name, 1 (never falls), -1 (never rises) or 0.
        position_bias: None, or the regularisation of LightGBM's position factors; of XGBoost, the exponent's
            regularisation (`lambdarank_bias_norm`). Needs positions.
        parameters: further ones of the library, by its own names.
    """

    library: Literal["lightgbm", "xgboost"]
    objective: str
    rounds: int
    early_stopping: int | None
    learning_rate: float
    leaves: int
    label_gain: tuple[float, ...]
    monotone: Mapping[str, int] = field(default_factory=dict)
    position_bias: float | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks what needs no library.

        Raises:
            TreesError: for whatever is out of bounds.
        """
        if self.library not in _OBJECTIVES:
            raise TreesError(f"library must be one of {sorted(_OBJECTIVES)}, not {self.library!r}")
        if self.objective not in _OBJECTIVES[self.library]:
            allowed = ", ".join(_OBJECTIVES[self.library])
            raise TreesError(f"objective of {self.library} must be one of {allowed}, not {self.objective!r}")
        if self.rounds < 1 or (self.early_stopping is not None and self.early_stopping < 1):
            raise TreesError("rounds and early_stopping must be >= 1")
        if self.leaves < 2:
            raise TreesError("leaves must be >= 2")
        if not self.learning_rate > 0:
            raise TreesError("learning_rate must be > 0")
        gains = self.label_gain
        if len(gains) < 2 or gains[0] != 0 or list(gains) != sorted(set(gains)):
            raise TreesError("label_gain must begin with 0 and rise, one gain a grade")
        if any(sign not in (-1, 0, 1) for sign in self.monotone.values()):
            raise TreesError("monotone must be 1, -1 or 0 by column")
        if self.position_bias is not None and not 0 <= self.position_bias < math.inf:
            raise TreesError("position_bias must be >= 0")


def import_library(name: str) -> Any:
    """The library.

    Raises:
        TreesError: if it is not installed, with what to install.
    """
    try:
        if name == "lightgbm":
            import lightgbm

            return lightgbm
        import xgboost
    except ImportError as error:
        raise TreesError(f"{name} is not installed; {_INSTALL[name]} ({error})") from error
    return xgboost


def native_parameters(options: TreeOptions, columns: Sequence[Column], *, seed: int, threads: int, k: int) -> Any:
    """The library's own parameters, the same model in every run on one host.

    Raises:
        TreesError: if a parameter is unknown to the library or is set by a key of its own, or a monotone constraint
            names no column or a category.
    """
    known = {column.name: column for column in columns}
    for name, sign in options.monotone.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise TreesError(f"monotone: there is no column {name!r}; did you mean {near[0]!r}?")
        if known[name].categorical and sign:
            raise TreesError(f"monotone: {name!r} is a category, and codes have no order")
    signs = [options.monotone.get(column.name, 0) for column in columns]
    made = _lightgbm(options, signs) if options.library == "lightgbm" else _xgboost(options, signs)
    made |= {"seed": seed, "metric" if options.library == "lightgbm" else "eval_metric": f"ndcg@{k}"}
    if options.library == "lightgbm":
        made |= {"num_threads": threads, "metric": "ndcg", "eval_at": [k]}
        _check(options.parameters, _lightgbm_names(), made)
    else:
        made |= {"nthread": threads}
        _check(options.parameters, _xgboost_names(), made)
    return {**made, **options.parameters}


def _lightgbm(options: TreeOptions, signs: list[int]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "objective": options.objective,
        "learning_rate": options.learning_rate,
        "num_leaves": options.leaves,
        "label_gain": list(options.label_gain),
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    if any(signs):
        made["monotone_constraints"] = signs
    if options.position_bias is not None:
        made["lambdarank_position_bias_regularization"] = options.position_bias
    return made


def _xgboost(options: TreeOptions, signs: list[int]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "objective": options.objective,
        "learning_rate": options.learning_rate,
        "max_leaves": options.leaves,
        "grow_policy": "lossguide",
        "max_depth": 0,
        "tree_method": "hist",
        # Labels are gains already; 2^l - 1 of them would be gains of gains.
        "ndcg_exp_gain": False,
        "verbosity": 0,
    }
    if any(signs):
        made["monotone_constraints"] = f"({','.join(map(str, signs))})"
    if options.position_bias is not None:
        made |= {"lambdarank_unbiased": True, "lambdarank_bias_norm": options.position_bias}
    return made


def _lightgbm_names() -> dict[str, str]:
    # The library lists its parameters and their other names by this alone.
    from lightgbm.basic import _ConfigAliases

    return {alias: name for name, all_of_it in _ConfigAliases._get_all_param_aliases().items() for alias in all_of_it}


def _xgboost_names() -> dict[str, str]:
    import xgboost

    data = xgboost.DMatrix(np.zeros((2, 1)), label=[0, 1], qid=[0, 0])
    booster = xgboost.train({"objective": "rank:ndcg", "nthread": 1, "verbosity": 0}, data, 1)
    found = set(_leaves(json.loads(booster.save_config()))) | {"eval_metric", "verbosity"}
    return {name: _XGBOOST_ALIASES.get(name, name) for name in found | set(_XGBOOST_ALIASES)}


def _leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        below = [name for each in value.values() for name in _leaves(each)]
        return below + [key for key, each in value.items() if not isinstance(each, dict | list)]
    return [name for each in value for name in _leaves(each)] if isinstance(value, list) else []


# Everything that decides what is read, written, seeded or stopped is set by the run file's own keys.
_OURS = {
    "boosting", "data", "valid", "input_model", "output_model", "num_iterations", "early_stopping_round", "task",
    "device_type", "force_col_wise", "categorical_feature", "position_column", "group_column", "config",
    "lambdarank_position_bias_regularization", "lambdarank_unbiased", "lambdarank_bias_norm", "monotone_constraints",
    "booster", "device", "process_type", "updater", "seed_per_iteration", "num_parallel_tree",
}  # fmt: skip


def _check(given: Mapping[str, object], names: Mapping[str, str], made: Mapping[str, Any]) -> None:
    ours = _OURS | {names.get(name, name) for name in made}
    for name, value in given.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
            raise TreesError(f"parameters: {name!r} is unknown to the library; did you mean {near[0]!r}?")
        if names[name] in ours:
            raise TreesError(f"parameters: {name!r} is set by the run file's own keys or fixed; leave it out")
        if not isinstance(value, bool | int | float | str):
            raise TreesError(f"parameters: {name!r} must be a number, a word or a truth value, not {value!r}")
