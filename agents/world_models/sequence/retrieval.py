"""Past experience like the present: what came next, the nearest times before.

The training data is cut into windows of W steps [z; a], half a window apart. The key of one is a
fixed random projection of it, and its value is the change of the latent that followed. The windows
nearest to the latest W steps, k of them, are weighted by a softmax over negative squared distances
(a mean over the numbers of a window), and the model is given the weighted mean of their values.
Steps before a beginning are 0. Latents are in standard deviations of the training data.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agents.world_models.sequence.table import LatentTable

_QUERIES_AT_ONCE = 1024


class Retrieval(nn.Module):
    """Keys [N, K], values [N, D] and the rollouts [N] that windows are of.

    Attributes:
        window: W.
        neighbours: k.
    """

    keys: Tensor
    values: Tensor
    owners: Tensor
    projection: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        latent_size: int,
        action_size: int,
        *,
        window: int,
        neighbours: int,
        key_size: int,
        temperature: float,
        size: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        numbers = latent_size + action_size
        self.window, self.neighbours, self.temperature = window, neighbours, temperature
        projection = torch.randn(key_size, numbers, window, generator=generator)
        self.register_buffer("projection", projection / math.sqrt(key_size * numbers * window))
        self.register_buffer("keys", torch.zeros(size, key_size))
        self.register_buffer("values", torch.zeros(size, latent_size))
        # places that are empty come last, and nobody is their owner
        self.register_buffer("owners", torch.full((size,), -1))
        self.register_buffer("shift", torch.zeros(latent_size))
        self.register_buffer("scale", torch.ones(latent_size))

    def fill(self, table: LatentTable, rng: np.random.Generator) -> None:
        """Takes its windows from a table; at random where there are more than it holds."""
        shift, scale = table.moments()
        self.shift.copy_(torch.from_numpy(shift))
        self.scale.copy_(torch.from_numpy(scale))
        stride = max(1, self.window // 2)
        owners = np.repeat(np.arange(len(table)), -(-table.lengths // stride))
        ends = np.concatenate([np.arange(0, length, stride) for length in table.lengths])
        size = len(self.keys)
        if len(ends) > size:
            kept = np.sort(rng.permutation(len(ends))[:size])
            owners, ends = owners[kept], ends[kept]
        self.owners.fill_(-1)
        for first in range(0, len(ends), _QUERIES_AT_ONCE):
            part = slice(first, min(first + _QUERIES_AT_ONCE, len(ends)))
            steps, following = table.histories(owners[part], ends[part], self.window)
            latents = torch.from_numpy(steps.latents).to(self.shift.device)
            scaled = (latents - self.shift) / self.scale
            there = torch.from_numpy(steps.present).to(self.shift.device).unsqueeze(-1)
            actions = torch.from_numpy(steps.actions).to(self.shift.device)
            self.keys[part] = self.key(torch.cat((scaled, actions), -1) * there)
            after = (torch.from_numpy(following).to(self.shift.device) - self.shift) / self.scale
            self.values[part] = after - scaled[:, -1]
            self.owners[part] = torch.from_numpy(owners[part]).to(self.shift.device)

    def moment(self, latents: Tensor, actions: Tensor) -> Tensor:
        """[..., D + A] of a step, as windows have them."""
        return torch.cat(((latents - self.shift) / self.scale, actions), -1)

    def key(self, windows: Tensor) -> Tensor:
        """[B, K] of windows [B, W, D + A], the latest step last."""
        return torch.einsum("bwn,knw->bk", windows, self.projection)

    def keys_along(self, moments: Tensor) -> Tensor:
        """[B, L, K] of the windows that end at each of L steps [B, L, D + A]."""
        padded = functional.pad(moments.transpose(1, 2), (self.window - 1, 0))
        return functional.conv1d(padded, self.projection).transpose(1, 2)

    @torch.no_grad()
    def find(self, queries: Tensor, owners: Tensor | None = None) -> Tensor:
        """[Q, D] the weighted values of the windows nearest to queries [Q, K].

        Args:
            owners: [Q] rollouts of the table, no window of which is found.
        """
        found = []
        for first in range(0, len(queries), _QUERIES_AT_ONCE):
            part = slice(first, first + _QUERIES_AT_ONCE)
            found.append(self._find(queries[part], None if owners is None else owners[part]))
        return torch.cat(found)

    def _find(self, queries: Tensor, owners: Tensor | None) -> Tensor:
        held = int((self.owners >= 0).sum())
        keys = self.keys[:held]
        distances = torch.addmm(keys.square().sum(-1), queries, keys.T, alpha=-2)
        distances = distances + queries.square().sum(-1, keepdim=True)
        if owners is not None:
            same = self.owners[:held] == owners.unsqueeze(1)
            distances = distances.masked_fill(same, torch.inf)
        nearest, places = distances.topk(min(self.neighbours, held), largest=False)
        # one that finds nothing is told of no change
        weights = torch.softmax(-nearest.clamp(min=0) / self.temperature, -1)
        weights = torch.where(nearest.isinf(), 0.0, weights)
        return torch.einsum("qk,qkd->qd", weights, self.values[places])
