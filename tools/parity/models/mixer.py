"""Everything that a front graph encodes, embedded, pooled and mixed: the module for schemas that are wide, not deep."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from twinrank.training.transforms import EncodedSpec

WIDTH = 8


class Mixer(nn.Module):
    """Embeds ids, takes numbers as they are, and scores a candidate by what it and its context come to.

    Args:
        specs: the encoded tensors.
    """

    def __init__(self, specs: Sequence[EncodedSpec]) -> None:
        super().__init__()
        self.specs = {spec.name: spec for spec in specs}
        # What shares a vocabulary shares a table.
        sizes = {_table(spec): spec.cardinality for spec in specs if spec.cardinality is not None}
        self.tables = nn.ModuleDict({name: nn.Embedding(rows, WIDTH) for name, rows in sizes.items()})
        self.context = nn.Linear(self._width("context"), 4 * WIDTH)
        self.candidate = nn.Linear(self._width("candidate"), 4 * WIDTH)
        self.cross = nn.Linear(4 * WIDTH, 4 * WIDTH)
        self.heads = nn.Linear(4 * WIDTH, 3)

    def _width(self, placement: str) -> int:
        own = [spec for spec in self.specs.values() if spec.placement == placement]
        return 1 + sum(_numbers(spec) if spec.cardinality is None else WIDTH for spec in own)

    def side(self, placement: str, encoded: dict[str, Tensor]) -> Tensor:
        """What is known of one side, shape [r, width]; the last column is 1, for sides that have nothing."""
        parts = []
        for name, spec in self.specs.items():
            if spec.placement != placement:
                continue
            values = encoded[name]
            if spec.cardinality is None:
                parts.append(values.float().reshape(values.shape[0], _numbers(spec)))
            else:
                found = self.tables[_table(spec)](values)
                parts.append(found.mean(dim=1) if found.dim() == 3 else found)
        rows = encoded[next(name for name, spec in self.specs.items() if spec.placement == "candidate")]
        ones = torch.ones(rows.shape[0] if placement == "candidate" else 1, 1)
        return torch.cat([*parts, ones], dim=-1)

    def mixed(self, encoded: dict[str, Tensor]) -> Tensor:
        """The heads' values, shape [n, 3]."""
        context = torch.tanh(self.context(self.side("context", encoded)))
        candidate = torch.nn.functional.gelu(self.candidate(self.side("candidate", encoded)))
        values: Tensor = self.heads(candidate * self.cross(context) + candidate)
        return values

    def forward(self, **encoded: Tensor) -> dict[str, Tensor]:
        """Two heads and the score."""
        liked, bought, score = self.mixed(encoded).unbind(dim=-1)
        return {"liked": torch.sigmoid(liked), "bought": torch.nn.functional.softplus(bought), "score": score}


def _table(spec: EncodedSpec) -> str:
    return f"shared {spec.table}" if spec.table is not None else f"own {spec.name}"


def _numbers(spec: EncodedSpec) -> int:
    count = 1
    for axis in spec.shape[1:]:
        count *= axis
    return count
