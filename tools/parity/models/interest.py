"""A candidate asks a history (DIN), and what is known of both is crossed (DCN V2) before a perceptron."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tools.parity.models.mixer import Mixer
from twinrank.training.transforms import read_front_yaml

SCHEMA = Path(__file__).with_suffix(".yaml")
_WIDTH = 16


class Interest(Mixer):
    """DIN's activation unit over the history, then two cross layers and a perceptron over everything."""

    def __init__(self) -> None:
        specs = read_front_yaml(SCHEMA).outputs
        super().__init__([spec for spec in specs if spec.name not in ("history", "dwell", "history_mask", "item")])
        self.items = nn.Embedding(2000, _WIDTH)
        self.attention = nn.Sequential(nn.Linear(4 * _WIDTH + 1, 32), nn.Sigmoid(), nn.Linear(32, 1))
        width = self.context.in_features + self.candidate.in_features + 2 * _WIDTH
        self.crosses = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.deep = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, **encoded: Tensor) -> dict[str, Tensor]:
        """One head and the score."""
        target = self.items(encoded["item"])
        past = self.items(encoded["history"])
        shape = (target.shape[0], *past.shape[1:])
        wide, events = target.unsqueeze(1).expand(shape), past.expand(shape)
        dwell = encoded["dwell"].unsqueeze(-1).expand(*shape[:2], 1)
        pairs = torch.cat([wide, events, wide - events, wide * events, dwell], dim=-1)
        weights = self.attention(pairs).squeeze(-1) * encoded["history_mask"]
        interest = (weights.unsqueeze(1) @ events).squeeze(1)
        context = self.side("context", encoded).expand(target.shape[0], -1)
        first = torch.cat([context, self.side("candidate", encoded), target, interest], dim=-1)
        crossed = first
        for layer in self.crosses:
            crossed = first * layer(crossed) + crossed
        clicked, score = self.deep(crossed).unbind(dim=-1)
        return {"clicked": torch.sigmoid(clicked), "score": score}


def make() -> nn.Module:
    """Freshly seeded."""
    torch.manual_seed(22)
    return Interest().eval()
