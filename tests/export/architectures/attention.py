"""nn.MultiheadAttention from every candidate to the history, with key_padding_mask, and over a candidate's own tags."""

import torch
from torch import nn


class TargetAttention(nn.Module):
    """A candidate asks the history for what is like it."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.items = nn.Embedding(24, width)
        self.tags = nn.Embedding(10, width)
        self.history = nn.MultiheadAttention(width, num_heads=4, batch_first=True)
        self.own = nn.MultiheadAttention(width, num_heads=2, batch_first=True)
        self.out = nn.Linear(3 * width, 1)

    def forward(
        self,
        history: torch.Tensor,
        history_mask: torch.Tensor,
        item: torch.Tensor,
        tags: torch.Tensor,
        tags_mask: torch.Tensor,
    ) -> torch.Tensor:
        n = item.shape[0]
        asked = self.items(item).unsqueeze(1)
        # One place that is never hidden: a row of minus infinities has no softmax.
        past = torch.cat([torch.zeros(1, 1, 16), self.items(history)], dim=1).expand(n, -1, -1)
        hidden = torch.cat([torch.zeros(1, 1), 1 - history_mask], dim=1).bool().expand(n, -1)
        found, _ = self.history(asked, past, past, key_padding_mask=hidden, need_weights=False)
        words = torch.cat([asked, self.tags(tags)], dim=1)
        unsaid = torch.cat([torch.zeros(n, 1), 1 - tags_mask], dim=1).bool()
        # The weights are wanted too: another path through the layer.
        mixed, weights = self.own(words, words, words, key_padding_mask=unsaid)
        state = torch.cat([found[:, 0], mixed[:, 0], asked[:, 0] * weights[:, 0, :1]], dim=-1)
        return self.out(torch.tanh(state))


def make() -> nn.Module:
    """Freshly seeded."""
    torch.manual_seed(12)
    return TargetAttention().eval()
