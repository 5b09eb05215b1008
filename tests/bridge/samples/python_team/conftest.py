import numpy as np
from ranker import Ranker

from twinrank.bridge import Facts, Route, RouteError, RouteScores, ScorerBase
from twinrank.training.schema import ScoringError


class Service(ScorerBase):
    """What `ranker.py` answers, as the parity suite compares it."""

    def __init__(self, bundle):
        self.ranker = Ranker(bundle)

    def facts(self):
        return Facts(implementation="films-ranker/7", runtime="onnxruntime")

    def score(self, raw):
        try:
            outputs, order, dropped = self.ranker.rank(raw)
        except ScoringError as error:
            return RouteError(error.code, error.feature, error.candidate)
        n = len(outputs["score"])
        return RouteScores(n, outputs, tuple(order), tuple(dropped), known=np.ones(n, np.bool_))


def pytest_twinrank_routes():
    return [Route("films", "the ranker that our web shop asks", "bits", lambda bundle, _options: Service(bundle))]
