"""The blocks of a transformer as GPT-2 has them, over a cache of keys and values.

Pre-norm: x + attention(norm(x)), then x + dense(norm(x)), and a last norm. What attends where is
the caller's mask; embeddings and positions are the caller's too.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Attention and dense layers of width d, which are four times as wide inside.

    Args:
        tanh: GELU by tanh, as GPT-2 has it; else the exact one.
    """

    def __init__(self, width: int, heads: int, dropout: float, *, tanh: bool) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.approximate = "tanh" if tanh else "none"
        self.attention_norm, self.dense_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, heads, P, d / heads] each, of x [B, P, d]."""
        batch, places, width = x.shape
        qkv = self.qkv(self.attention_norm(x))
        q, k, v = qkv.view(batch, places, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def rest(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """x [B, P, d] after this block.

        Args:
            mask: bool [P, places of k], who sees whom; None: everyone sees all.
        """
        dropout = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        x = x + self._dropped(self.projection(mixed.transpose(1, 2).reshape(x.shape)))
        wide = functional.gelu(self.widen(self.dense_norm(x)), approximate=self.approximate)
        return x + self._dropped(self.narrow(wide))

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training) if self.training else x


class Trunk(nn.Module):
    """Blocks and a last norm.

    Attributes:
        width: d.
    """

    def __init__(self, width: int, heads: int, layers: int, dropout: float, *, tanh: bool) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.blocks = nn.ModuleList(Block(width, heads, dropout, tanh=tanh) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def layers(self) -> list[Block]:
        return [cast(Block, block) for block in self.blocks]

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B, P, d] of [B, P, d]; mask: bool [P, P], who sees whom."""
        for block in self.layers():
            x = block.rest(x, *block.queries_keys_values(x), mask)
        out: Tensor = self.norm(x)
        return out

    def step(self, x: Tensor, cache: Cache, mask: Tensor | None, last: int) -> Tensor:
        """The last `last` places of `forward`, where `cache` has seen those before x [B, P, d].

        Args:
            mask: bool [P, places so far and P], who sees whom; None: everyone sees all.
        """
        begin, end = cache.length, cache.length + x.shape[1]
        cache.length = end
        for layer, block in enumerate(self.layers()):
            q, k, v = block.queries_keys_values(x)
            cache.keys[layer, :, :, begin:end] = k
            cache.values[layer, :, :, begin:end] = v
            if layer == len(self.blocks) - 1 and last < x.shape[1]:
                # no place after this block reads the others
                q, x = q[:, :, -last:], x[:, -last:]
                mask = None if mask is None else mask[-last:]
            x = block.rest(
                x, q, cache.keys[layer, :, :, :end], cache.values[layer, :, :, :end], mask
            )
        out: Tensor = self.norm(x)
        return out


class Cache:
    """Keys and values [layers, B, heads, places, d / heads] of the first `length` places."""

    def __init__(self, trunk: Trunk, batch: int, places: int) -> None:
        weight = trunk.norm.weight
        shape = (len(trunk.blocks), batch, trunk.heads, places, trunk.width // trunk.heads)
        dtype = precision_of(weight.device)
        self.keys = torch.zeros(shape, dtype=dtype, device=weight.device)
        self.values = torch.zeros(shape, dtype=dtype, device=weight.device)
        self.length = 0

    def fits(self, trunk: Trunk, batch: int) -> bool:
        """Whether it can be used again for a batch of that size."""
        device = trunk.norm.weight.device
        same = self.keys.device == device and self.keys.dtype == precision_of(device)
        return same and self.keys.shape[1] == batch


def precision_of(device: torch.device) -> torch.dtype:
    """What linear layers compute in."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return torch.float32


def causal(places: int, device: torch.device) -> Tensor:
    """bool [places, places]: each sees itself and those before."""
    return torch.ones(places, places, dtype=torch.bool, device=device).tril()


def block_causal(places: int, block: int, device: torch.device) -> Tensor:
    """bool [places, places]: each sees its whole block and those before."""
    blocks = torch.arange(places, device=device) // block
    return blocks[:, None] >= blocks[None, :]
