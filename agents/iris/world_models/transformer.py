"""A transformer over frames' tokens and actions.

A step is K tokens and an action, L steps at most are remembered, each place has a learned position.
When a step no longer has a place, the memory begins again with the present frame.

With causal attention the place of token i says token i + 1, and that of the action the reward, the
end and token 0 of the next frame; that of the last token says nothing. In imagination the last
token of a frame waits for the action, and the two take one pass: K passes a frame. With
block-causal attention the place of token i says token i of the next frame, all in one pass.

Where tokens are of what is new (Micheli et al. 2024), a step is K tokens, an embedding of the frame
that they led to, and an action: a frame is seen once, and only what is new is said. Nothing led to
the first frame of a memory; its tokens are those of a word of their own, V.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agents.iris.world_model_settings import WorldModelSettings
from agents.iris.world_models.frame_embedding import FrameEmbedding
from agents.iris.world_models.heads import Heads
from agents.iris.world_models.interface import (
    Imagined,
    Logits,
    Sizes,
    WorldModel,
    small_weights,
)
from agents.iris.world_models.trunk import Cache, Trunk, block_causal, causal


class Transformer(WorldModel):
    """
    Attributes:
        block: places of a step, K + 1, or K + 2 with a frame.
        places: that there are positions for, L times as many.
    """

    def __init__(
        self,
        settings: WorldModelSettings,
        sizes: Sizes,
        generator: torch.Generator,
        trunk: Trunk | None = None,
    ) -> None:
        """
        Args:
            trunk: of another model, left as it is; None: a new one.
        """
        super().__init__()
        self.sizes, self.dropout = sizes, settings.world_model_dropout
        self.block = sizes.tokens_per_frame + (1 if sizes.frame is None else 2)
        self.places = settings.sequence_length * self.block
        self.at_once = settings.world_model_attention == "block_causal"
        width = settings.world_model_embed_dim if trunk is None else trunk.width
        words = sizes.vocabulary + (0 if sizes.frame is None else 1)
        self.token_embedding = nn.Embedding(words, width)
        self.action_embedding = nn.Embedding(sizes.actions, width)
        self.positions = nn.Embedding(self.places, width)
        self.heads = Heads(width, sizes.vocabulary, sizes.tokens_per_frame)
        small_weights(self, generator)
        self.frame_embedding: FrameEmbedding | None = None
        if sizes.frame is not None:
            self.frame_embedding = FrameEmbedding(settings, sizes.frame, width, generator)
        if trunk is None:
            trunk = Trunk(
                width,
                settings.world_model_heads,
                settings.world_model_layers,
                settings.world_model_dropout,
                tanh=False,
            )
            small_weights(trunk, generator)
        self.trunk = trunk
        self._cache: Cache | None = None
        self._tokens = torch.empty(0)  # of the present frame
        self._waiting = torch.empty(0)  # those of them that the cache has not seen

    def logits(self, tokens: Tensor, actions: Tensor, frames: Tensor | None = None) -> Logits:
        batch, steps, _ = tokens.shape
        tokens = torch.cat((self._first(tokens[:, :1]), tokens[:, 1:]), 1)
        embedded = self._embedded(tokens, actions, frames).flatten(1, 2)
        x = embedded + self.positions.weight[: embedded.shape[1]]
        x = nn.functional.dropout(x, self.dropout, self.training)
        features = self.trunk(x, self._mask(x.shape[1])).view(batch, steps, self.block, -1)
        return self.heads.at_once(features) if self.at_once else self.heads.one_by_one(features)

    def reset(self, tokens: Tensor, snapshots: list[Any] | None = None) -> None:
        if self._cache is None or not self._cache.fits(self.trunk, len(tokens)):
            self._cache = Cache(self.trunk, len(tokens), self.places)
        self._cache.length = 0
        self._tokens = tokens
        self._waiting = self._first(tokens)

    @torch.no_grad()
    def step(
        self,
        actions: Tensor,
        generator: torch.Generator,
        *,
        frames: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Imagined:
        cache, count = self._cache, self.sizes.tokens_per_frame
        if cache is None:
            raise RuntimeError("reset() comes before the first step()")
        waiting = self._waiting.shape[1] + self.block - count
        # what is said next needs a place too, but for its last token
        needed = waiting + (0 if self.at_once else count - 1)
        if cache.length + needed > self.places:
            cache.length, self._waiting = 0, self._first(self._tokens)
        embedded = self._embedded(self._waiting, actions, frames)
        if self.at_once:
            features = self._pass(embedded, self.block)
            tokens = self.heads.draw_tokens(features[:, :count], temperature, generator)
        else:
            features = self._pass(embedded, 1)
            tokens = self._one_by_one(features[:, 0], temperature, generator)
        rewards, ends = self.heads.draw_outcome(features[:, -1], temperature, generator)
        self._tokens = tokens
        self._waiting = tokens if self.at_once else tokens[:, -1:]
        return Imagined(tokens, rewards, ends)

    def _first(self, tokens: Tensor) -> Tensor:
        """Tokens [...] of a memory's first frame."""
        none = self.sizes.vocabulary
        return tokens if self.frame_embedding is None else torch.full_like(tokens, none)

    def _embedded(self, tokens: Tensor, actions: Tensor, frames: Tensor | None) -> Tensor:
        """[..., P, d] of a step: tokens [..., P - 1 or P - 2], a frame if it is seen, an action."""
        parts = [self.token_embedding(tokens)]
        if self.frame_embedding is not None:
            assert frames is not None  # `Sizes.frame`
            parts.append(self.frame_embedding(frames)[..., None, :])
        return torch.cat((*parts, self.action_embedding(actions)[..., None, :]), -2)

    def _one_by_one(
        self, at_action: Tensor, temperature: float, generator: torch.Generator
    ) -> Tensor:
        """[B, K] tokens of the next frame; the last one is left waiting."""
        drawn = [self.heads.draw_tokens(at_action, temperature, generator)]
        for _ in range(self.sizes.tokens_per_frame - 1):
            features = self._pass(self.token_embedding(drawn[-1])[:, None], 1)
            drawn.append(self.heads.draw_tokens(features[:, 0], temperature, generator))
        return torch.stack(drawn, 1)

    def _pass(self, embedded: Tensor, last: int) -> Tensor:
        """Features [B, last, d] of the last places of [B, P, d], which follow those cached."""
        cache = self._cache
        assert cache is not None  # `step` has seen to it
        begin, end = cache.length, cache.length + embedded.shape[1]
        x = embedded + self.positions.weight[begin:end]
        mask = None if embedded.shape[1] == 1 or self.at_once else self._mask(end)[begin:]
        return self.trunk.step(x, cache, mask, last)

    def _mask(self, places: int) -> Tensor:
        device = self.positions.weight.device
        if self.at_once:
            return block_causal(places, self.block, device)
        return causal(places, device)
