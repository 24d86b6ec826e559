"""Neural circuits that say the tokens of the next frame one after another.

Tokens and actions are seen one by one, each with its place within the step. In imagination the
first frame's tokens are seen as any others: all of them, before the first action.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agents.iris.world_model_settings import WorldModelSettings
from agents.iris.world_models.circuits import Circuits
from agents.iris.world_models.heads import Heads
from agents.iris.world_models.interface import (
    Imagined,
    Logits,
    Sizes,
    WorldModel,
    small_weights,
)


class MultiStep(WorldModel):
    """See the module's text."""

    def __init__(
        self, settings: WorldModelSettings, sizes: Sizes, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.sizes = sizes
        width = settings.world_model_embed_dim
        self.token_embedding = nn.Embedding(sizes.vocabulary, width)
        self.action_embedding = nn.Embedding(sizes.actions, width)
        self.places = nn.Embedding(sizes.tokens_per_frame + 1, width)
        self.heads = Heads(width, sizes.vocabulary, sizes.tokens_per_frame)
        small_weights(self, generator)
        self.circuits = Circuits(settings, width, 2.0, generator)
        self._states = self.circuits.at_rest()
        self._waiting: Tensor | None = None

    def logits(self, tokens: Tensor, actions: Tensor, frames: Tensor | None = None) -> Logits:
        batch, steps, _ = tokens.shape
        seen, _ = self.circuits(
            self._embedded(tokens, actions).flatten(1, 2), self.circuits.at_rest()
        )
        return self.heads.one_by_one(seen.view(batch, steps, -1, seen.shape[-1]))

    def reset(self, tokens: Tensor, snapshots: list[Any] | None = None) -> None:
        self._states, self._waiting = self.circuits.at_rest(), tokens

    @torch.no_grad()
    def step(
        self,
        actions: Tensor,
        generator: torch.Generator,
        *,
        frames: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Imagined:
        if self._waiting is None:
            raise RuntimeError("reset() comes before the first step()")
        count = self._waiting.shape[1]
        embedded = self._embedded(self._waiting[:, None], actions[:, None], count)
        seen, self._states = self.circuits(embedded[:, 0], self._states)
        at_action = seen[:, -1]
        tokens = [self.heads.draw_tokens(at_action, temperature, generator)]
        for place in range(self.sizes.tokens_per_frame - 1):
            embedding = self.token_embedding(tokens[-1]) + self.places.weight[place]
            seen, self._states = self.circuits(embedding[:, None], self._states)
            tokens.append(self.heads.draw_tokens(seen[:, 0], temperature, generator))
        rewards, ends = self.heads.draw_outcome(at_action, temperature, generator)
        frame = torch.stack(tokens, 1)
        self._waiting = frame[:, -1:]
        return Imagined(frame, rewards, ends)

    def _embedded(self, tokens: Tensor, actions: Tensor, count: int | None = None) -> Tensor:
        """[B, L, P + 1, d] of tokens [B, L, P] and actions [B, L].

        Args:
            count: P, if these are the last P tokens of a frame.
        """
        places = self.places.weight if count is None else self.places.weight[-count - 1 :]
        embedded = (self.token_embedding(tokens), self.action_embedding(actions)[:, :, None])
        return torch.cat(embedded, 2) + places
