"""Controllers: a_t = C(z_t, h_t), many of them at once, their weights flat vectors.

    linear   u = W [z; h] + b
    mlp      u = W₂ tanh(W₁ [z; h] + b₁) + b₂

Of a box, tanh(u) within [-1, 1] is scaled or cut to the bounds (Ha and Schmidhuber 2018 scale the
gas and cut the brake of CarRacing); of discrete actions that of the greatest u is done, or one is
drawn by their softmax. A controller of zeros does the middle of a box, or the first action.
"""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.base import AgentRefused
from agents.encoders.actions import ActionCode
from agents.world_models.controller.settings import ControllerSettings


class Controllers:
    """Controllers of one kind, for an action space.

    Attributes:
        inputs: I, numbers that one sees.
        size: n, weights of one: W row by row, then b; of an mlp W₁, b₁, W₂, b₂.
        draws: whether actions are drawn.
        code: between its outputs and actions.

    Args:
        latent_size: D of z.
        feature_size: F of h.

    Raises:
        AgentRefused: the action space is none that it can act in.
    """

    def __init__(
        self,
        settings: ControllerSettings,
        latent_size: int,
        feature_size: int,
        action_space: gymnasium.Space[Any],
    ) -> None:
        self.code = ActionCode(action_space)
        self._sees_z = "z" in settings.controller_inputs
        self._sees_h = "h" in settings.controller_inputs
        self.inputs = latent_size * self._sees_z + feature_size * self._sees_h
        self.hidden = settings.controller_hidden if settings.controller == "mlp" else 0
        self.draws = self.code.discrete and settings.controller_choice == "sampled"
        layers = [self.inputs, *([self.hidden] if self.hidden else []), self.code.size]
        self._layers = list(itertools.pairwise(layers))
        self.size = sum(n * (m + 1) for m, n in self._layers)
        self._cut = _cuts(settings, action_space, self.code)

    def see(self, latents: Tensor, features: Tensor) -> Tensor:
        """What they see, [..., I], of latents [..., D] and features [..., F]."""
        if self._sees_z and self._sees_h:
            return torch.cat([latents, features], dim=-1)
        return latents if self._sees_z else features

    def outputs(self, weights: Tensor, seen: Tensor) -> Tensor:
        """u [P, E, A] of P controllers, weights [P, n], each seeing [P, E, I]."""
        start, x = 0, seen
        for number, (m, n) in enumerate(self._layers):
            matrix = weights[:, start : start + m * n].view(-1, n, m)
            bias = weights[:, start + m * n : start + (m + 1) * n]
            start += (m + 1) * n
            x = torch.baddbmm(bias[:, None, :], x, matrix.transpose(1, 2))
            if number < len(self._layers) - 1:
                x = torch.tanh(x)
        return x

    def uncentred(
        self, weights: NDArray[np.float64], centre: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Weights [..., n] that do on what is seen what these do on that less a centre [I].

        W (x - c) + b = W x + (b - W c)
        """
        m, n = self._layers[0]
        moved = weights.copy()
        matrix = weights[..., : m * n].reshape(*weights.shape[:-1], n, m)
        moved[..., m * n : (m + 1) * n] -= matrix @ centre
        return moved

    def codes(self, outputs: Tensor, noise: Tensor | None = None) -> Tensor:
        """Codes of actions [..., A] of u [..., A].

        Args:
            noise: [..., A] of the Gumbel distribution, where actions are drawn; None: the likeliest
                is done.
        """
        if self.code.discrete:
            return self.code.code(outputs if noise is None else outputs + noise)
        low, high, middle, half = (part.to(outputs.device) for part in self._cut)
        codes = torch.tanh(outputs)
        cut = (torch.minimum(torch.maximum(codes, low), high) - middle) / half
        return torch.where(torch.isnan(low), codes, cut)

    def actions(self, codes: NDArray[Any]) -> NDArray[Any]:
        """Actions of the space of codes [..., A]."""
        return self.code.decode(codes)

    def gumbel(self, rng: np.random.Generator, count: int) -> Tensor | None:
        """Noise for `codes` of that many, [count, A]; None where nothing is drawn."""
        if not self.draws:
            return None
        return torch.from_numpy(rng.gumbel(size=(count, self.code.size)).astype(np.float32))


def _cuts(
    settings: ControllerSettings, space: gymnasium.Space[Any], code: ActionCode
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """[A] each: low, high, middle and half the width of dimensions that are cut; low is nan of
    those that are scaled."""
    if not isinstance(space, gymnasium.spaces.Box):
        return (torch.empty(0),) * 4
    ranges = settings.controller_ranges
    if isinstance(ranges, str):
        ranges = (ranges,) * code.size
    if len(ranges) != code.size:
        raise AgentRefused(
            f"controller_ranges has {len(ranges)} entries, and actions {code.size} dimensions"
        )
    low = torch.tensor(space.low.reshape(-1), dtype=torch.float32)
    high = torch.tensor(space.high.reshape(-1), dtype=torch.float32)
    scaled = torch.tensor([name == "scale" for name in ranges]) | (low == high)
    middle, half = (low + high) / 2, (high - low) / 2
    return torch.where(scaled, torch.nan, low), high, middle, half.masked_fill(scaled, 1.0)
