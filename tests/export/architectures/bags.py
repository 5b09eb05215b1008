"""nn.EmbeddingBag with padding_idx, in its three modes: it converts to a loop over the candidates."""

import torch
from torch import nn


class Bags(nn.Module):
    """Tags pooled three ways, one of them weighed; the history too."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.mean = nn.EmbeddingBag(10, width, mode="mean", padding_idx=0)
        self.sum = nn.EmbeddingBag(10, width, mode="sum", padding_idx=0)
        self.max = nn.EmbeddingBag(10, width, mode="max", padding_idx=0)
        self.past = nn.EmbeddingBag(24, 3 * width, mode="mean", padding_idx=0)
        self.items = nn.Embedding(24, 3 * width)

    def forward(
        self,
        history: torch.Tensor,
        dwell: torch.Tensor,
        item: torch.Tensor,
        tags: torch.Tensor,
        tags_mask: torch.Tensor,
        price: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        weights = tags_mask * torch.log1p(price).unsqueeze(-1)
        pooled = torch.cat([self.mean(tags), self.sum(tags, per_sample_weights=weights), self.max(tags)], dim=-1)
        user = self.past(history) * torch.nn.functional.elu(dwell.sum(dim=1, keepdim=True) - 20)
        # A product of candidates with what the context computes, and one with a computed matrix.
        liking = (self.items(item) + pooled) @ user.T
        return liking.squeeze(-1), torch.nn.functional.softplus(liking.squeeze(-1) + (pooled * user).sum(dim=-1))


def make() -> nn.Module:
    """Freshly seeded."""
    torch.manual_seed(13)
    return Bags().eval()
