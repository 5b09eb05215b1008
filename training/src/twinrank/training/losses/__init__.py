"""Training losses, one a file. They exist in training only and are never exported."""

from twinrank.training.losses._binary import binary_cross_entropy
from twinrank.training.losses._sampled_softmax import sampled_softmax

__all__ = ["binary_cross_entropy", "sampled_softmax"]
