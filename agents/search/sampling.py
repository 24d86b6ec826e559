"""Actions of a box, drawn at each node from the policy that a network says there.

A policy is a Gaussian before squashing, for each of D dimensions, of 2 D outputs (m, s):

    μ = M tanh(m / M)     σ = σ_low + (σ_high - σ_low) / (1 + e^-s)     a = tanh(u), u ~ N(μ, σ²)

Random numbers are given: the k-th sample of a node is u_k = μ + σ c_k ε_k for standard normal
ε [K, D]; c is 1, and κ for the last J samples, which are drawn more broadly. A search over the
samples has to know how much each stands for: the prior is ∝ π(a_k) / β(a_k), β being what samples
come from (Hubert et al. 2021).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.search.model import Model, Steps

Array = NDArray[np.floating]

#: M: actions lie within tanh(M) = 0.995 of the box before noise.
MEAN_BOUND = 3.0


class Sampling(NamedTuple):
    """How K actions are drawn at a node.

    Attributes:
        samples: K.
        dimensions: D.
        low, high: σ_low and σ_high.
        broad: J < K, how many are drawn more broadly.
        broad_scale: κ.
        density: whether the prior is ∝ π(a_k), uncorrected.
    """

    samples: int
    dimensions: int
    low: float = 0.1
    high: float = 2.0
    broad: int = 0
    broad_scale: float = 3.0
    density: bool = False

    @property
    def outputs(self) -> int:
        """Of a policy's head: 2 D."""
        return 2 * self.dimensions

    def gaussians(self, outputs: Array) -> tuple[Array, Array]:
        """μ and σ [..., D] of outputs [..., 2 D]."""
        mean, spread = outputs[..., : self.dimensions], outputs[..., self.dimensions :]
        share = 1 / (1 + np.exp(-spread))
        return MEAN_BOUND * np.tanh(mean / MEAN_BOUND), self.low + (self.high - self.low) * share

    def draw(self, outputs: Array, draws: Array) -> Array:
        """u [..., K, D] of outputs [..., 2 D] and ε [..., K, D]."""
        mean, std = self.gaussians(outputs)
        u: Array = mean[..., None, :] + std[..., None, :] * self._scaled(draws)
        return u

    def log_priors(self, outputs: Array, draws: Array) -> Array:
        """ln of the prior [..., K], but for a constant of each node."""
        z = self._scaled(draws)
        square = (z * z).sum(-1)
        if self.density:
            u = np.abs(self.draw(outputs, draws))
            # ln(1 - tanh²u), less 2 ln 2
            logs: Array = -0.5 * square + 2 * (u + np.log1p(np.exp(-2 * u))).sum(-1)
            return logs
        if self.broad == 0:
            return np.zeros_like(square)
        # β / π, β being a mixture of both Gaussians
        share = self.broad / self.samples
        wide = share * self.broad_scale**-self.dimensions
        ratio = 1 - share + wide * np.exp(0.5 * square * (1 - self.broad_scale**-2))
        logs = -np.log(ratio)
        return logs

    def _scaled(self, draws: Array) -> Array:
        """c ε."""
        if self.broad == 0:
            return draws
        scales = np.ones((self.samples, 1))
        scales[self.samples - self.broad :] = self.broad_scale
        return draws * scales


class SampledModel:
    """A model of actions in a box as a model of the K samples of each node.

    Args:
        model: that takes actions [B, D] in [-1, 1], and whose logits are outputs [B, 2 D].
        draws: [B, N, K, D] standard normal, for each node that simulations add.
    """

    def __init__(self, model: Model, sampling: Sampling, draws: Array) -> None:
        self.model, self.sampling, self.draws = model, sampling, draws
        batch, nodes = draws.shape[:2]
        self._order = draws.transpose(1, 0, 2, 3).reshape(nodes * batch, *draws.shape[2:])
        self.latents: NDArray[Any] = np.zeros(0)
        self.outputs = np.zeros((nodes * batch, sampling.outputs))
        self._used = 0

    def begin(self, latents: NDArray[Any], outputs: Array) -> tuple[NDArray[np.int64], Array]:
        """Numbers [B] that stand for the roots' latent states, and the logits [B, K] there."""
        self.latents = np.zeros((len(self.outputs), *latents.shape[1:]), latents.dtype)
        self._used = 0
        return self._numbered(latents, outputs)

    def roots(self) -> tuple[NDArray[Any], Array]:
        """The roots' latent states and outputs [B, 2 D]."""
        batch = len(self.draws)
        return self.latents[:batch], self.outputs[:batch]

    def samples(self) -> Array:
        """u [B, K, D] of the roots."""
        return self.sampling.draw(self.outputs[: len(self.draws)], self.draws[:, 0])

    def recurrent(self, latents: NDArray[Any], actions: NDArray[np.int64]) -> Steps:
        """See `agents.search.model.Model`: of states' numbers, and samples' numbers."""
        draws = self._order[latents]
        u = self.sampling.draw(self.outputs[latents], draws)[np.arange(len(actions)), actions]
        steps = self.model.recurrent(self.latents[latents], np.tanh(u).astype(np.float32))
        numbers, logits = self._numbered(steps.latents, steps.logits)
        return steps._replace(latents=numbers, logits=logits)

    def _numbered(self, latents: NDArray[Any], outputs: Array) -> tuple[NDArray[np.int64], Array]:
        end = self._used + len(outputs)
        at = slice(self._used, end)
        self.latents[at], self.outputs[at] = latents, outputs
        numbers = np.arange(self._used, end)
        self._used = end
        return numbers, self.sampling.log_priors(self.outputs[at], self._order[at])
