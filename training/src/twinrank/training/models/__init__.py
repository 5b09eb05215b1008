"""Rankers as torch modules. They read encoded tensors and return logits; what raw values mean is the front graph's."""

from twinrank.training.models._ranker import SCORE, SlateRanker

__all__ = ["SCORE", "SlateRanker"]
