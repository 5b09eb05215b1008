"""Sampled softmax with the logQ correction.

Bengio and Senécal, "Adaptive importance sampling to accelerate training of a neural probabilistic language model",
IEEE TNN 19(4), 2008:
a sum over all items is estimated from m items drawn from Q with replacement, each weighted by 1 / (m Q). In logits
that weight is a
subtraction: s - log(m Q). Jean et al., "On using very large target vocabulary for neural machine translation", ACL
2015, eq. 7-9.

The positive is in the sum by construction, not by sampling, so it is not corrected; draws that hit it, or any
excluded item, are dropped.
Then the estimate of the partition function is unbiased: E[exp(s+) + sum_j exp(s_j - log(m Q_j))] = sum over all items
not excluded.
Subtracting on the positive too, the common form, makes it biased (Khrylchenko et al., "Correcting the LogQ
Correction", RecSys 2025).
"""

import torch
from torch import Tensor


def sampled_softmax(
    positive: Tensor, negative: Tensor, log_expected: Tensor, excluded: Tensor, weight: Tensor
) -> Tensor:
    """Mean of -log p(positive) under the sampled estimate of the full softmax.

    b: requests, p: positives a request, m: negatives a request.

    Args:
        positive: float32, shape [b, p], logits of watched items.
        negative: float32, shape [b, m], logits of items drawn from Q with replacement.
        log_expected: float32, shape [b, m], log(m Q(item)): how often the drawn item was to be expected.
        excluded: bool, shape [b, m], draws that are no negatives: the request's positives and what it removes from
            the ranking.
        weight: float32, shape [b, p], 0 where there is no positive.

    Returns:
        float32 scalar, natural log units, averaged over weights.
    """
    corrected = torch.where(excluded, -torch.inf, negative - log_expected)  # [b, m]
    others = torch.logsumexp(corrected, dim=-1, keepdim=True)  # [b, 1], -inf where every draw is excluded
    loss = torch.logaddexp(positive, others) - positive  # [b, p]
    return (loss * weight).sum() / weight.sum()
