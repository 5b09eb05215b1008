"""Losses, and above all the sign of logQ."""

import itertools
import math

import pytest
import torch

from twinrank.training.losses import binary_cross_entropy, sampled_softmax

SCORES = torch.tensor([0.3, -1.2, 2.0, 0.7])
Q = torch.tensor([0.1, 0.2, 0.3, 0.4])
POSITIVE, DRAWS = 0, 3


def partition(sign: float) -> float:
    """The expected partition function over every possible draw of three items, each weighted by its probability."""
    expected = 0.0
    for drawn in itertools.product(range(4), repeat=DRAWS):
        items = torch.tensor(drawn)
        loss = sampled_softmax(
            SCORES[None, [POSITIVE]],
            SCORES[None, items],
            sign * torch.log(DRAWS * Q[items])[None],
            (items == POSITIVE)[None],
            torch.ones(1, 1),
        )
        expected += float(Q[items].prod()) * math.exp(float(loss) + float(SCORES[POSITIVE]))
    return expected


def test_the_full_softmax_is_recovered_in_expectation() -> None:
    # loss = log Z - s+, so exp(loss + s+) is the estimate of Z; its mean over all draws must be the sum over all items.
    assert partition(1.0) == pytest.approx(float(SCORES.exp().sum()), rel=1e-5)


def test_the_wrong_sign_recovers_something_else() -> None:
    assert partition(-1.0) != pytest.approx(float(SCORES.exp().sum()), rel=0.05)


def test_gradients_approach_those_of_the_full_softmax() -> None:
    generator = torch.Generator().manual_seed(1)
    sampled, full = SCORES.clone().requires_grad_(), SCORES.clone().requires_grad_()
    items = torch.multinomial(Q, 200_000, replacement=True, generator=generator)
    sampled_softmax(
        sampled[None, [POSITIVE]],
        sampled[None, items],
        torch.log(len(items) * Q[items])[None],
        (items == POSITIVE)[None],
        torch.ones(1, 1),
    ).backward()
    torch.nn.functional.cross_entropy(full[None], torch.tensor([POSITIVE])).backward()
    torch.testing.assert_close(sampled.grad, full.grad, atol=3e-3, rtol=0)


def test_a_request_whose_draws_are_all_excluded_has_loss_zero_and_finite_gradients() -> None:
    positive = torch.zeros(1, 2, requires_grad=True)
    negative = torch.zeros(1, 3, requires_grad=True)
    excluded = torch.ones(1, 3, dtype=torch.bool)
    loss = sampled_softmax(positive, negative, torch.zeros(1, 3), excluded, torch.ones(1, 2))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.isfinite(positive.grad).all()
    assert torch.isfinite(negative.grad).all()


def test_weights_leave_positives_out() -> None:
    positive = torch.tensor([[1.0, 50.0]])
    arguments = (torch.tensor([[0.5, 0.2]]), torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.bool))
    one = sampled_softmax(positive[:, :1], *arguments, torch.ones(1, 1))
    assert sampled_softmax(positive, *arguments, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(one.item())


def test_cross_entropy_is_the_mean_over_known_labels() -> None:
    logits = torch.tensor([[0.0, 2.0, 9.0]])
    # By hand: -log 1/2, and -log of sigmoid(2).
    expected = (math.log(2) + math.log1p(math.exp(-2))) / 2
    loss = binary_cross_entropy(logits, torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([[1.0, 1.0, 0.0]]))
    assert loss.item() == pytest.approx(expected)
    assert binary_cross_entropy(logits, torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0.0
