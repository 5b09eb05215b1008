"""The rich schema's module: what is not finite comes through, so some candidates have no score."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tools.parity.models.mixer import Mixer
from twinrank.training.transforms import read_front_yaml

SCHEMA = Path(__file__).with_suffix(".yaml")


class Rich(Mixer):
    """Mixes all but mood and discount, which go to the outputs as they are."""

    def forward(self, **encoded: Tensor) -> dict[str, Tensor]:
        """Two heads and the score; a discount that is not finite leaves no score, a mood of NaN no margin."""
        discount = encoded["discount"]
        finite = {**encoded, "discount": discount.nan_to_num(0.0, 1.0, -1.0), "mood": encoded["mood"].nan_to_num(0.25)}
        outputs = super().forward(**finite)
        return {
            "liked": outputs["liked"],
            "margin": outputs["bought"] * encoded["mood"] + discount,
            "score": outputs["score"] + discount * 0.0,
        }


def make() -> nn.Module:
    """Freshly seeded."""
    torch.manual_seed(21)
    return Rich(read_front_yaml(SCHEMA).outputs).eval()
