"""Measures against a referee: ir-measures (trec_eval) for nDCG and recall, counting pairs for AUC."""

import itertools

import ir_measures
import numpy as np
import pytest
from ir_measures import Qrel, ScoredDoc, nDCG
from ir_measures import R as RecallAt

from twinrank.training.metrics import auc, ndcg, ranked_relevance, recall

QUERIES, ITEMS, K = 60, 37, 10


def a_case(seed: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.standard_normal((QUERIES, ITEMS)).astype(np.float32)
    if ties:
        scores = np.round(scores * 2) / 2
    relevant = random.random((QUERIES, ITEMS)) < 0.15
    allowed = random.random((QUERIES, ITEMS)) < 0.8
    relevant[0] = False
    return scores, relevant & allowed, allowed


@pytest.mark.parametrize("ties", [False, True])
def test_ndcg_and_recall_equal_trec_eval(ties: bool) -> None:
    scores, relevant, allowed = a_case(5, ties=ties)
    # trec_eval breaks ties by document name, descending; names that descend with the index make that our rule.
    names = [f"d{ITEMS - item:03d}" for item in range(ITEMS)]
    qrels = [
        Qrel(str(query), names[item], int(relevant[query, item])) for query in range(QUERIES) for item in range(ITEMS)
    ]
    run = [
        ScoredDoc(str(query), names[item], float(scores[query, item]))
        for query in range(QUERIES)
        for item in range(ITEMS)
        if allowed[query, item]
    ]
    referee = {
        (metric.measure, int(metric.query_id)): metric.value
        for metric in ir_measures.iter_calc([nDCG @ K, RecallAt @ K], qrels, run)
    }
    ranked = ranked_relevance(scores, relevant, allowed, k=K)
    counts = relevant.sum(axis=1)
    assert len(referee) == 2 * QUERIES
    for measure, ours in ((nDCG @ K, ndcg(ranked, counts)), (RecallAt @ K, recall(ranked, counts))):
        np.testing.assert_allclose(ours, [referee[measure, query] for query in range(QUERIES)], rtol=1e-12)
        assert ours[0] == 0.0, "a query without relevant items counts 0"


def test_ties_are_ordered_by_input_index() -> None:
    scores = np.array([[1.0, 2.0, 2.0, 1.0]])
    relevant = np.array([[True, False, True, False]])
    ranked = ranked_relevance(scores, relevant, np.ones_like(relevant), k=4)
    assert ranked.tolist() == [[False, True, True, False]]


def test_items_that_are_not_allowed_take_no_rank() -> None:
    scores = np.array([[9.0, 1.0, 2.0]])
    relevant = np.array([[True, True, False]])
    ranked = ranked_relevance(scores, relevant, np.array([[False, True, True]]), k=5)
    assert ranked.tolist() == [[False, True, False, False, False]]


def test_infinite_scores_are_legal_and_minus_infinity_still_ranks_before_what_is_not_allowed() -> None:
    scores = np.array([[np.inf, -np.inf, np.inf]])
    ranked = ranked_relevance(scores, np.array([[True, True, True]]), np.array([[False, True, True]]), k=2)
    assert ranked.tolist() == [[True, True]]


def test_a_nan_score_is_refused() -> None:
    relevant = np.array([[True, False]])
    with pytest.raises(ValueError, match="a score is NaN"):
        ranked_relevance(np.array([[np.nan, 1.0]]), relevant, relevant, k=1)


def test_auc_is_the_share_of_ordered_pairs_and_ties_count_half() -> None:
    scores, relevant, allowed = a_case(6, ties=True)
    expected = []
    for query in range(QUERIES):
        good = scores[query, relevant[query]]
        bad = scores[query, allowed[query] & ~relevant[query]]
        pairs = [1.0 if g > b else 0.5 if g == b else 0.0 for g, b in itertools.product(good, bad)]
        expected.append(np.mean(pairs) if pairs else np.nan)
    ours = auc(scores, relevant, allowed)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    assert np.isnan(ours[0]), "undefined where nothing is relevant"
