"""The entropy temperature α of each member: fixed, or tuned towards a target entropy.

Tuning descends L = -ln α · (ln π(a|s) + H̄), of which only ln α is learned (Haarnoja et al. 2018,
"Soft Actor-Critic Algorithms and Applications", in the form common in code).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents.neural.adam import Adam, AdamSettings


class Temperature:
    """M temperatures.

    Attributes:
        alpha: [M, 1].
        tuned: whether they change.
    """

    def __init__(
        self,
        alpha: Tensor,
        target_entropy: Tensor,
        adam: Sequence[AdamSettings] | None,
    ) -> None:
        """
        Args:
            alpha: [M, 1] the temperature, or where it begins.
            target_entropy: [M, 1] H̄.
            adam: how it is tuned; None: it is not.
        """
        self.tuned = adam is not None
        self._target_entropy = target_entropy
        self._log_alpha = torch.log(alpha)
        # where it is tuned, always what its logarithm says, before the first step too
        self.alpha = torch.exp(self._log_alpha) if self.tuned else alpha.clone()
        self._gradient = torch.zeros_like(alpha)
        self._adam = Adam(self._log_alpha, self._gradient, adam) if adam is not None else None

    def tune(self, log_prob: Tensor) -> None:
        """One step, given the mean of ln π(a|s) [M, 1]. Does nothing where α is fixed."""
        if self._adam is None:
            return
        torch.add(log_prob, self._target_entropy, out=self._gradient).neg_()
        self._adam.step()
        torch.exp(self._log_alpha, out=self.alpha)

    def state_dict(self, member: int) -> dict[str, Any]:
        """A member's ln α and its moments."""
        state: dict[str, Any] = {"log_alpha": self._log_alpha[member].cpu().numpy().copy()}
        if self._adam is not None:
            state["adam"] = self._adam.state_dict(slice(member, member + 1))
        return state

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues a member's."""
        if self._adam is not None:
            self._log_alpha[member] = torch.from_numpy(state["log_alpha"]).to(self._log_alpha)
            self._adam.load_state_dict(slice(member, member + 1), state["adam"])
            self.alpha[member] = torch.exp(self._log_alpha[member])

    def learned_params(self, member: int) -> dict[str, np.ndarray]:
        """α."""
        return {"alpha": self.alpha[member, 0].cpu().numpy().copy()}
