"""π(a) = e^(h_a) / Σ_b e^(h_b) over n actions; expectations over them are exact sums."""

from __future__ import annotations

import torch
from torch import Tensor

from agents.neural.policies.base import LikelihoodBackward, Noise


class Softmax:
    """h = the preferences. An action is its place, from 0; `Discrete.start` is not added."""

    def __init__(self, actions: int) -> None:
        self.outputs = actions

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        """The first action whose cumulative probability reaches u; never one of probability 0."""
        cumulative = self._exponentials(h)[1].cumsum(-1)
        reach = noise.uniform(h.shape[1], 1) * cumulative[..., -1:]
        return (cumulative < reach).sum(-1)

    def mode(self, h: Tensor) -> Tensor:
        return h.argmax(-1)  # documented to be the first of equals

    def expected(self, h: Tensor) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        """∇_h Σ_a π(a) w(a) = π (w - Σ_a π(a) w(a)).

        It stays the same where w holds c ln π itself: Σ_a π(a) ∇ ln π(a) = 0.
        """
        probabilities, log_probabilities = self._distribution(h)

        def backward(weights: Tensor) -> Tensor:
            mean = (probabilities * weights).sum(-1, keepdim=True)
            return (weights - mean).mul_(probabilities)

        return probabilities, log_probabilities, backward

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        """∇_h ln π(a) = 1[· = a] - π."""
        probabilities, log_probabilities = self._distribution(h)
        chosen = action.unsqueeze(-1)

        def backward(d_log_prob: Tensor) -> Tensor:
            d_log_prob = d_log_prob.unsqueeze(-1)
            return (probabilities * -d_log_prob).scatter_add_(-1, chosen, d_log_prob)

        return log_probabilities.gather(-1, chosen).squeeze(-1), backward

    @staticmethod
    def _exponentials(h: Tensor) -> tuple[Tensor, Tensor]:
        relative = h - h.amax(-1, keepdim=True)
        return relative, torch.exp(relative)

    def _distribution(self, h: Tensor) -> tuple[Tensor, Tensor]:
        relative, exponentials = self._exponentials(h)
        total = exponentials.sum(-1, keepdim=True)
        return exponentials / total, relative - total.log()
