"""What remembers, by attention: a causal transformer over the latest W steps.

Pre-norm blocks, x + attention(norm(x)), then x + mlp(norm(x)), and a last norm. A step attends to
itself and to the W - 1 steps before it. Each head adds a learned bias by distance to its scores, in
place of embedded positions: so windows may begin anywhere, the state is the keys and values of the
latest W - 1 steps, and one that is W steps old drops out while the others stay as they are.
`forward` computes just that for many steps in one pass.

A controller sees what enters the last block's dense layers, as in the original.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.world_models.sequence.interface import State


class Block(nn.Module):
    """Attention and dense layers of width d."""

    def __init__(self, width: int, heads: int, expansion: int, reach: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.dense_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen = nn.Linear(width, expansion * width)
        self.narrow = nn.Linear(expansion * width, width)
        #: [heads, reach] added to scores of what lies 0, 1, ... steps back, then of what lies ahead
        self.bias = nn.Parameter(torch.zeros(heads, reach))
        self.dropout = dropout

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each [..., d] of x [..., d]."""
        return cast(tuple[Tensor, Tensor, Tensor], self.qkv(self.attention_norm(x)).chunk(3, -1))

    def attend(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """[B, Q, d] for queries [B, Q, d], keys and values [B, K, d]; bias [B or 1, heads, Q, K],
        -inf where one does not see the other."""
        q, k, v = (t.view(*t.shape[:2], self.heads, -1).transpose(1, 2) for t in (q, k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        out: Tensor = self.projection(mixed.transpose(1, 2).flatten(2))
        return out

    def dense(self, x: Tensor) -> Tensor:
        out: Tensor = self.narrow(
            functional.gelu(self.widen(self.dense_norm(x)), approximate="tanh")
        )
        return out

    def drop(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Sets some of x to 0 by chance and the rest up; without a generator, nothing."""
        if generator is None or self.dropout == 0:
            return x
        kept = torch.rand(x.shape, generator=generator, device=x.device) >= self.dropout
        return x * kept / (1 - self.dropout)


class TransformerCore(nn.Module):
    """State: keys and values of the latest W - 1 steps, [B, layers, W - 1, d] each, the latest
    last; how many of them there are, [B]; features [B, d].

    Attributes:
        hidden_size, feature_size: d.
        context: W.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        layers: int,
        heads: int,
        expansion: int,
        context: int,
        dropout: float,
        both_sides: bool,
    ) -> None:
        """
        Args:
            both_sides: `forward` may be asked to look ahead.
        """
        super().__init__()
        self.hidden_size = self.feature_size = width
        self.context = context
        self._reach = 2 * context - 1 if both_sides else context
        self.embed = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            Block(width, heads, expansion, self._reach, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def layers(self) -> list[Block]:
        return [cast(Block, block) for block in self.blocks]

    def initial_state(self, batch: int) -> State:
        weight = self.embed.weight
        width, layers = self.hidden_size, len(self.blocks)
        cache = weight.new_zeros(batch, layers, self.context - 1, width)
        counts = torch.zeros(batch, dtype=torch.int64, device=weight.device)
        return cache, cache, counts, weight.new_zeros(batch, width)

    def features(self, state: State) -> Tensor:
        return state[3]

    def forward(
        self,
        inputs: Tensor,
        *,
        ahead: bool = False,
        present: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """[B, L, I] to [B, L, d].

        Args:
            ahead: steps also see those after them.
            present: [B, L] bool, with `ahead`: steps that are not there are not seen.
            generator: of dropout; None: there is none.
        """
        steps = torch.arange(inputs.shape[1], device=inputs.device)
        back = steps.unsqueeze(1) - steps
        seen = (back < self.context) & (back > -self.context if ahead else back >= 0)
        visible = seen.unsqueeze(0)
        if present is not None:
            # a step sees itself, so that no row is empty
            visible = visible & (present.unsqueeze(1) | (back == 0))
        places = torch.where(back >= 0, back, self.context - 1 - back)
        places = places.clamp(0, self._reach - 1)
        hidden: Tensor = self.embed(inputs)
        for block in self.layers():
            bias = block.bias[:, places].masked_fill(~visible.unsqueeze(1), -torch.inf)
            mixed = block.attend(*block.queries_keys_values(hidden), bias)
            hidden = hidden + block.drop(mixed, generator)
            hidden = hidden + block.drop(block.dense(hidden), generator)
        out: Tensor = self.norm(hidden)
        return out

    def step(self, state: State, inputs: Tensor) -> tuple[State, Tensor]:
        """[B, I] to the state after it and what the outputs read, [B, d]."""
        keys, values, counts, _ = state
        back = torch.arange(self.context - 1, -1, -1, device=inputs.device)
        unseen = (back > counts.unsqueeze(1))[:, None, None, :]
        hidden: Tensor = self.embed(inputs).unsqueeze(1)
        all_keys, all_values = [], []
        seen = hidden
        for layer, block in enumerate(self.layers()):
            q, k, v = block.queries_keys_values(hidden)
            k, v = torch.cat((keys[:, layer], k), 1), torch.cat((values[:, layer], v), 1)
            bias = block.bias[:, back][None, :, None].masked_fill(unseen, -torch.inf)
            hidden = hidden + block.attend(q, k, v, bias)
            seen = hidden
            hidden = hidden + block.dense(hidden)
            all_keys.append(k[:, 1:])
            all_values.append(v[:, 1:])
        counts = (counts + 1).clamp(max=self.context - 1)
        after = (torch.stack(all_keys, 1), torch.stack(all_values, 1), counts, seen[:, 0])
        return after, self.norm(hidden[:, 0])
