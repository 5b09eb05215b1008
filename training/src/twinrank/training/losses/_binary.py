"""Binary cross-entropy on logits, where the label is known.

The negative log-likelihood of a Bernoulli variable: Cox, "The regression analysis of binary
sequences", JRSS B 20(2), 1958.
"""

import torch.nn.functional as F
from torch import Tensor


def binary_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean of the cross-entropy where the label is known.

    Args:
        logits: float32, shape [b, p], log-odds.
        target: float32, shape [b, p], 0 or 1.
        weight: float32, shape [b, p], 0 where the label is unknown.

    Returns:
        float32 scalar, natural log units; 0 if no label is known.
    """
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * weight).sum() / weight.sum().clamp(min=1.0)
