"""Neural circuits that say all tokens of the next frame at once.

A step's K tokens and its action are embedded, concatenated and seen as one input. So tokens of a
frame are drawn independently of each other. A frame waits for its action: after `reset` circuits
are at rest, and have seen nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agents.iris.world_model_settings import WorldModelSettings
from agents.iris.world_models.circuits import Circuits
from agents.iris.world_models.heads import REWARDS
from agents.iris.world_models.interface import (
    Imagined,
    Logits,
    Sizes,
    WorldModel,
    draw,
    small_weights,
)


class SingleStep(WorldModel):
    """See the module's text."""

    def __init__(
        self, settings: WorldModelSettings, sizes: Sizes, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes = sizes
        width = settings.world_model_embed_dim
        size = (sizes.tokens_per_frame + 1) * width
        self.token_embedding = nn.Embedding(sizes.vocabulary, width)
        self.action_embedding = nn.Embedding(sizes.actions, width)
        self.token_head = nn.Linear(size, sizes.tokens_per_frame * sizes.vocabulary)
        self.reward_head, self.end_head = nn.Linear(size, REWARDS), nn.Linear(size, 2)
        small_weights(self, generator)
        self.circuits = Circuits(settings, size, 1.5, generator)
        self._states = self.circuits.at_rest()
        self._tokens: Tensor | None = None

    def logits(self, tokens: Tensor, actions: Tensor, frames: Tensor | None = None) -> Logits:
        features, _ = self.circuits(self._embedded(tokens, actions), self.circuits.at_rest())
        return self._said(features)

    def reset(self, tokens: Tensor, snapshots: list[Any] | None = None) -> None:
        self._states, self._tokens = self.circuits.at_rest(), tokens

    @torch.no_grad()
    def step(
        self,
        actions: Tensor,
        generator: torch.Generator,
        *,
        frames: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Imagined:
        if self._tokens is None:
            raise RuntimeError("reset() comes before the first step()")
        embedded = self._embedded(self._tokens[:, None], actions[:, None])
        features, self._states = self.circuits(embedded, self._states)
        tokens, rewards, ends = (logits[:, 0] for logits in self._said(features))
        self._tokens = draw(tokens, temperature, generator)
        drawn = draw(rewards, temperature, generator).float() - 1
        return Imagined(self._tokens, drawn, draw(ends, temperature, generator).bool())

    def _embedded(self, tokens: Tensor, actions: Tensor) -> Tensor:
        """[B, L, (K + 1) d] of tokens [B, L, K] and actions [B, L]."""
        return torch.cat(
            (self.token_embedding(tokens).flatten(2), self.action_embedding(actions)), 2
        )

    def _said(self, features: Tensor) -> Logits:
        frames = self.token_head(features).unflatten(2, (self.sizes.tokens_per_frame, -1))
        return Logits(frames, self.reward_head(features), self.end_head(features))
