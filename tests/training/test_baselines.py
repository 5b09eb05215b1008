"""Baselines under the trainer's protocol."""

from collections.abc import Callable

import numpy as np
import pytest

from twinrank.training.baselines import Ease, Popularity, RecentPopularity
from twinrank.training.data import DataError, Interactions, place_requests
from twinrank.training.trainer import evaluate

Make = Callable[..., Interactions]


@pytest.fixture
def events(interactions: Make) -> Interactions:
    return interactions(
        *[(user, item, time) for time, user in enumerate("pqr") for item in "ab"],
        *[(user, item, time) for time, user in enumerate("stu") for item in "cd"],
        ("v", "c", 50),
        ("v", "d", 60),
        ("v", "a", 70),
        ("w", "b", 99),
    )


def test_popularity_scores_training_counts(events: Interactions) -> None:
    requests = place_requests(events, start=50, end=100, per_user=1)
    scores = Popularity(events.before(50)).scores(requests, np.array([0, 1]))
    assert scores.tolist() == [[3, 3, 3, 3]] * 2


def test_recent_popularity_sees_only_the_window_before_the_snapshot(events: Interactions) -> None:
    requests = place_requests(events, start=99, end=100, per_user=1)
    scores = RecentPopularity(window=25, snapshot=10).scores(requests, np.array([0]))
    # The snapshot of 99 is 90: the window [65, 90) holds v's third event only.
    assert dict(zip(events.items, scores[0].tolist(), strict=True)) == {"a": 1, "b": 0, "c": 0, "d": 0}


def test_ease_is_the_closed_form_and_its_own_columns_minimum(events: Interactions) -> None:
    training = events.before(50)
    seen = np.zeros((len(events.users), 4))
    seen[training.user, training.item] = 1
    weights = Ease(training, regularisation=0.5)._weights
    # Steck 2019, eq. 4: column j minimises |X_j - X b|^2 + lambda |b|^2 with b_j = 0, here by least squares without j.
    for item in range(4):
        others = [each for each in range(4) if each != item]
        stacked = np.concatenate([seen[:, others], np.sqrt(0.5) * np.eye(3)])
        target = np.concatenate([seen[:, item], np.zeros(3)])
        solution = np.linalg.lstsq(stacked, target, rcond=None)[0]
        np.testing.assert_allclose(weights[others, item], solution, atol=1e-12)
        assert weights[item, item] == 0


def test_ease_recommends_the_companion_and_falls_back_to_popularity(events: Interactions) -> None:
    requests = place_requests(events, start=60, end=100, per_user=1)
    scores = Ease(events.before(50), regularisation=0.5).scores(requests, np.array([0, 1]))
    best = [events.items[item] for item in np.argsort(-scores[0], kind="stable")[:1]]
    assert best == ["d"], "v has met c only"
    assert scores[1].tolist() == [3, 3, 3, 3], "w has met nothing"


def test_evaluation_leaves_out_what_was_met_and_requests_without_anything_new(interactions: Make) -> None:
    # After time 10 ann meets a again and b; bob only what he knows.
    events = interactions(
        ("ann", "a", 1), ("bob", "a", 2), ("ann", "a", 10), ("ann", "b", 11), ("bob", "a", 12), ("cy", "c", 3)
    )
    requests = place_requests(events, start=10, end=20, per_user=1)
    measures = evaluate(Popularity(events.before(10)), requests, k=1)
    # Ann's ranking is c before b, so b has rank 2 of 2; bob has no relevant item left.
    assert measures == {"ndcg@1": 0.0, "recall@1": 0.0, "auc": 0.0, "requests": 1}
    only_bob = place_requests(events, start=12, end=20, per_user=1)
    with pytest.raises(DataError, match="no request has a relevant item"):
        evaluate(Popularity(events.before(10)), only_bob, k=1)
