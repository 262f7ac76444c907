"""Several networks as one: the mean of their logits, at as many times the cost (a deep ensemble).

Trained from other first weights and in another order, networks err on other cells; the mean of their answers is more
accurate and better calibrated than any of them (Lakshminarayanan et al., NeurIPS 2017).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The mean of the members' logits, as one network with one last layer.

    The embedding is the members' embeddings side by side, and the mean of their last layers is a linear layer on it:
    `head` holds it, so that an ensemble is calibrated and exported as any other network.

    Parameters
    ----------
    members
        Networks of one kind, each with `embedding` and a linear `head`. Their own heads are not used any more.
    """

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        heads = [cast("nn.Linear", member.head) for member in members]
        self.embedding = sum(head.in_features for head in heads)
        self.head = nn.Linear(self.embedding, heads[0].out_features)
        with torch.no_grad():
            self.head.weight.copy_(torch.cat([head.weight for head in heads], dim=1) / len(heads))
            self.head.bias.copy_(torch.stack([head.bias for head in heads]).mean(dim=0))
        for member in members:
            member.head = nn.Identity()

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean logits `(n, K)` and the embeddings side by side `(n, E)` of standardised frames."""
        embedding = torch.cat([member(frames)[1] for member in self.members], dim=1)
        return self.head(embedding), embedding
