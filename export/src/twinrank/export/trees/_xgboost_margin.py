"""Where XGBoost's sums begin: the intercept of a file through the objective's link, to the bit."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from twinrank.export.trees._forest import Link
from twinrank.export.trees._xgboost_file import invalid, unsupported

_EDGE = np.float32(1e-6)
"""From 3.3 on the library keeps the probability of an intercept this far from 0 and 1, before that it did not."""
_LOGIT = frozenset({"binary:logistic", "reg:logistic"})
_LOG = frozenset({"count:poisson", "reg:gamma", "reg:tweedie", "survival:aft", "survival:cox"})
_IDENTITY = frozenset(
    {
        "binary:hinge",
        "binary:logitraw",
        "multi:softmax",
        "multi:softprob",
        "rank:map",
        "rank:ndcg",
        "rank:pairwise",
        "reg:absoluteerror",
        "reg:linear",
        "reg:pseudohubererror",
        "reg:quantileerror",
        "reg:squarederror",
        "reg:squaredlogerror",
    }
)


def base_margins(objective: str, scores: Sequence[float]) -> NDArray[np.float32]:
    """Return where the sums of leaves begin: the file's intercept through the objective's link, in float32.

    The link is computed with this machine's ``logf``, as the library computes it: another one is off by a bit at times,
    and then so is every score.

    Raises:
        TreeModelError: ``tree_model_unsupported`` for an objective whose link is not known to the bit, and for an
            intercept for which releases differ; ``tree_model_invalid`` where the link has no value.
    """
    where = "learner.learner_model_param.base_score"
    given = np.array(scores, np.float32)
    if objective in _IDENTITY:
        return given
    if objective not in _LOGIT | _LOG:
        raise unsupported(
            "learner.objective.name",
            f"how {objective!r} turns its intercept into a margin is not known to the bit",
            f"Known are {', '.join(sorted(_IDENTITY | _LOGIT | _LOG))}",
        )
    if objective in _LOG:
        if (given <= 0).any():
            raise invalid(where, f"{scores} has no logarithm, and {objective} takes it")
        return np.array([_logf(float(score)) for score in given], np.float32)
    if not ((given > 0) & (given < 1)).all():
        raise invalid(where, f"{scores} is no probability between 0 and 1, and {objective} takes its logit")
    if not ((given >= _EDGE) & (given <= np.float32(1) - _EDGE)).all():
        raise unsupported(
            where,
            f"{scores} is nearer to 0 or 1 than 1e-6, where XGBoost's releases differ in its logit",
            "Train with base_score between them, 0.5 for example",
        )
    odds = np.float32(1) / given - np.float32(1)
    return np.array([-_logf(float(odd)) for odd in odds], np.float32)


def _logf(value: float) -> float:
    """Return the C library's logarithm of a float32, in float32."""
    try:
        function = ctypes.CDLL(None).logf
    except (AttributeError, OSError, TypeError) as error:
        raise unsupported(
            "learner.objective.name",
            f"the intercept's logarithm needs the C library's logf, and this process has none ({error})",
            "Export on Linux",
        ) from error
    function.argtypes, function.restype = [ctypes.c_float], ctypes.c_float
    return cast(float, function(value))


def link_of(objective: str) -> Link:
    """Return how an objective's prediction follows from margins."""
    if objective in _LOGIT:
        return Link("sigmoid")
    if objective == "multi:softprob":
        return Link("softmax")
    return Link("exp" if objective in _LOG else "identity")
