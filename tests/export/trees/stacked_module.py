"""A network for `test_stack.py`, made by a factory as a user's is."""

from __future__ import annotations

import torch


class Doubling(torch.nn.Module):
    """clicked = 2 size; the score is clicked squashed."""

    def forward(self, scaled: torch.Tensor) -> dict[str, torch.Tensor]:
        """Both, [n]."""
        clicked = scaled * 2
        return {"clicked": clicked, "score": torch.tanh(clicked)}


def make() -> torch.nn.Module:
    """The module."""
    return Doubling()
