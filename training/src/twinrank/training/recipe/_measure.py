"""Ranker and baselines under one protocol; every baseline's parameter is chosen on validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twinrank.training.baselines import Ease, Popularity, RecentPopularity
from twinrank.training.data import Interactions, Requests
from twinrank.training.trainer import Scorer, evaluate

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Baselines:
    """Scorers by name, and the parameters that validation chose."""

    scorers: dict[str, Scorer]
    chosen: dict[str, float]


def choose_baselines(
    training: Interactions,
    validation: Requests,
    *,
    recent_days: Sequence[int],
    ease_regularisation: Sequence[float],
    snapshot: int,
    k: int,
) -> Baselines:
    """Fits the baselines on the training period; among parameters the best nDCG@k on validation wins.

    Args:
        training: events of the training period.
        validation: requests of the validation period.
        recent_days: windows of recent popularity.
        ease_regularisation: lambdas of EASE.
        snapshot: milliseconds between refreshes of recent popularity, as for the ranker.
        k: cut-off.
    """
    windows: Mapping[float, Scorer] = {
        float(days): RecentPopularity(window=days * _DAY_MS, snapshot=snapshot) for days in recent_days
    }
    days, recent = _best(windows, validation, k)
    eases: Mapping[float, Scorer] = {each: Ease(training, regularisation=each) for each in ease_regularisation}
    regularisation, ease = _best(eases, validation, k)
    return Baselines(
        {"popularity": Popularity(training), "recent popularity": recent, "EASE": ease},
        {"recent_days": days, "ease_regularisation": regularisation},
    )


def measure(scorers: Mapping[str, Scorer], requests: Requests, *, k: int) -> dict[str, dict[str, float]]:
    """Every scorer's measures, by name."""
    return {name: evaluate(scorer, requests, k=k) for name, scorer in scorers.items()}


def _best(scorers: Mapping[float, Scorer], validation: Requests, k: int) -> tuple[float, Scorer]:
    measured = {value: evaluate(scorer, validation, k=k)[f"ndcg@{k}"] for value, scorer in scorers.items()}
    best = max(measured, key=lambda value: measured[value])
    return best, scorers[best]
