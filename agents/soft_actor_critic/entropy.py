"""Entropy in soft actor-critic: its weight α in the policy's loss and in the critics' targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.neural.learner import Setup
from agents.neural.temperature import Temperature


class Entropy:
    """α of each member, and whether the critics' targets have it (`soft_q`)."""

    def __init__(self, setup: Setup, *, default_target: float) -> None:
        """`default_target` is H̄ where a member's target_entropy is null."""
        self._temperature = Temperature(
            setup.column("alpha"),
            setup.column(
                lambda one: default_target if one.target_entropy is None else one.target_entropy
            ),
            setup.adam(lambda one: one.alpha_lr) if setup.static.automatic_entropy_tuning else None,
        )
        self._soft = setup.column("soft_q")
        self._weight = self._soft * self.alpha

    @property
    def alpha(self) -> Tensor:
        """[M, 1]."""
        return self._temperature.alpha

    @property
    def tuned(self) -> bool:
        """Whether α changes."""
        return self._temperature.tuned

    def softened(self, values: Tensor, log_probs: Tensor) -> Tensor:
        """Q - α ln π, both [M, B]; Q where not `soft_q`. Or both as expectations over actions."""
        if self.tuned:
            torch.mul(self._soft, self.alpha, out=self._weight)
        return torch.addcmul(values, self._weight, log_probs, value=-1)

    def tune(self, log_prob: Tensor) -> None:
        """A step of α, given the mean of ln π [M, 1]; nothing where it is fixed."""
        self._temperature.tune(log_prob)

    def added_to(self, metrics: dict[str, float], slot: int) -> dict[str, float]:
        """With α, where there are any."""
        return {**metrics, "alpha": float(self.alpha[slot])} if metrics else metrics

    # -- leaving and coming back

    def state_dict(self, member: int) -> dict[str, Any]:
        return self._temperature.state_dict(member)

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        self._temperature.load_state_dict(member, state)

    def learned_params(self, member: int) -> dict[str, np.ndarray]:
        return self._temperature.learned_params(member)
