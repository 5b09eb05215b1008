"""Ranking measures in numpy, one a file: nDCG@k, R@k, AUC.

Order is by score, descending; ties by input index, ascending, as the contract orders a slate. trec_eval breaks ties
by document name,
descending, so both agree when names descend with the index; tests/training/test_metrics.py compares them that way.
Relevance is binary: gain 1, discount log2(rank + 1). A query without relevant items counts 0 in nDCG and R, as in
trec_eval.
"""

from twinrank.training.metrics._auc import auc
from twinrank.training.metrics._ndcg import ndcg
from twinrank.training.metrics._order import ranked_relevance
from twinrank.training.metrics._recall import recall

__all__ = ["auc", "ndcg", "ranked_relevance", "recall"]
