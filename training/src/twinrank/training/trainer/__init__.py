"""The training loop: encoded batches, optimisation, validation, early stopping, checkpoints that resume to the bit."""

from twinrank.training.trainer._batches import Batch, TrainingSet
from twinrank.training.trainer._checkpoint import CheckpointError, Checkpoints
from twinrank.training.trainer._encoding import EncodedRequests, Encoder
from twinrank.training.trainer._evaluate import Scorer, evaluate
from twinrank.training.trainer._fit import EpochReport, FitResult, RatedHead, fit, ranking_loss
from twinrank.training.trainer._reproducible import reproducible
from twinrank.training.trainer._scorer import RankerScorer

__all__ = [
    "Batch",
    "CheckpointError",
    "Checkpoints",
    "EncodedRequests",
    "Encoder",
    "EpochReport",
    "FitResult",
    "RankerScorer",
    "RatedHead",
    "Scorer",
    "TrainingSet",
    "evaluate",
    "fit",
    "ranking_loss",
    "reproducible",
]
