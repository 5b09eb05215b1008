"""nn.TransformerEncoder over a user's history, with a causal mask and padding: its export fails at the mask."""

import torch
from torch import nn


class HistoryEncoder(nn.Module):
    """What a user looked at, read in order; the last state meets every candidate."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.items = nn.Embedding(24, width)
        self.places = nn.Embedding(8, width)
        layer = nn.TransformerEncoderLayer(width, nhead=4, dim_feedforward=32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.price = nn.Linear(1, width)
        self.out = nn.Linear(3 * width, 2)

    def forward(
        self, history: torch.Tensor, history_mask: torch.Tensor, item: torch.Tensor, price: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        length = history.shape[1]
        states = self.items(history) + self.places(torch.arange(length))
        causal = nn.Transformer.generate_square_subsequent_mask(length)
        # Padding lies behind the elements, so a causal mask already hides it from them.
        states = self.encoder(states, mask=causal)
        kept = history_mask.sum(dim=1).long().clamp(min=1) - 1
        last = states[torch.arange(states.shape[0]), kept] * (history_mask.sum(dim=1, keepdim=True) > 0)
        shown = self.items(item) + torch.nn.functional.softplus(self.price(price.unsqueeze(-1)))
        logits = self.out(torch.cat([last.expand_as(shown), shown, last * shown], dim=-1))
        return {"clicked": logits[:, 0], "bought": logits[:, 1], "score": logits[:, 0] + 2 * logits[:, 1]}


def make() -> nn.Module:
    """Freshly seeded, and left in training mode as a training script would."""
    torch.manual_seed(11)
    return HistoryEncoder()
