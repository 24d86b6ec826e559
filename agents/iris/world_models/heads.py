"""What reads tokens, rewards and ends from features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.iris.world_models.interface import Logits, draw

#: Classes of a reward: its sign, -1, 0 or 1, and one.
REWARDS = 3


class Heads(nn.Module):
    """Three networks of two layers.

    Places of a step are its K tokens, and others, of which the last is the action's.

    Args:
        width: d, of features.
        vocabulary: V.
        count: K.
    """

    def __init__(self, width: int, vocabulary: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.token = _head(width, vocabulary)
        self.reward = _head(width, REWARDS)
        self.end = _head(width, 2)

    def one_by_one(self, features: Tensor) -> Logits:
        """Of features [B, L, P, d] of a step's places.

        Token 0 of a frame is said by the action before it, token i + 1 by token i of that frame. Of
        the last step only token 0 of what follows is said; the others' logits are 0.
        """
        at_action = features[:, :, -1]
        first = self.token(at_action)[:, :, None]
        others = self.token(features[:, 1:, : self.count - 1])
        others = torch.cat((others, others.new_zeros(len(others), 1, *others.shape[2:])), 1)
        frames = torch.cat((first, others), 2)
        return Logits(frames, self.reward(at_action), self.end(at_action))

    def at_once(self, features: Tensor) -> Logits:
        """Of features [B, L, P, d]: token i of the next frame is said by token i."""
        at_action = features[:, :, -1]
        frames = self.token(features[:, :, : self.count])
        return Logits(frames, self.reward(at_action), self.end(at_action))

    def draw_tokens(
        self, features: Tensor, temperature: float, generator: torch.Generator
    ) -> Tensor:
        """int64 [...] of features [..., d]."""
        return draw(self.token(features), temperature, generator)

    def draw_outcome(
        self, features: Tensor, temperature: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Rewards float32 [B] and ends bool [B] of an action's features [B, d]."""
        rewards = draw(self.reward(features), temperature, generator).float() - 1
        return rewards, draw(self.end(features), temperature, generator).bool()


def _head(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))
