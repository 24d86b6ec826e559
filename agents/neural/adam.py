"""Adam (Kingma & Ba 2015) on rows of parameters, each row with step size, betas and ε of its own.

    m <- β₁ m + (1 - β₁) g        v <- β₂ v + (1 - β₂) g²
    θ <- θ - lr m̂ / (√v̂ + ε)     m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)

The bias corrections are moved into step size and ε, which depend on time alone:

    θ <- θ - lrₜ m / (√v + εₜ)    lrₜ = lr √(1 - β₂ᵗ) / (1 - β₁ᵗ),  εₜ = ε √(1 - β₂ᵗ)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from agents.neural import arithmetic

#: lrₜ and εₜ are computed for so many steps at a time.
_BLOCK = 256


@dataclass(frozen=True)
class AdamSettings:
    """Hyperparameters of one row."""

    lr: float
    betas: tuple[float, float]
    eps: float


class Adam:
    """Steps `values` [N, P] against `gradients` [N, P], both held by somebody else.

    Attributes:
        moments: m and v, stacked: [2, N, P].
        steps: t.
    """

    def __init__(self, values: Tensor, gradients: Tensor, settings: Sequence[AdamSettings]) -> None:
        self._values, self._gradients = values, gradients
        self._settings = settings
        self.moments = values.new_zeros(2, *values.shape)
        betas = np.array([one.betas for one in settings])
        self._one_minus_betas = [self._column(1 - betas[:, moment]) for moment in (0, 1)]
        self.steps = 0
        self._schedule: list[tuple[Tensor, Tensor]] = []
        self._arrays: Any = None  # the same memory, for compiled arithmetic
        if arithmetic.is_compiled(values.device):
            tensors = (values, gradients, *self.moments, *self._one_minus_betas)
            self._arrays = tuple(tensor.numpy() for tensor in tensors)
        else:
            self._scratch = torch.empty_like(values)

    def step(self) -> None:
        """One step of every row."""
        position = self.steps % _BLOCK
        if not self._schedule or position == 0:
            self._schedule = self._schedule_from(self.steps - position)
        negative_lr, eps = self._schedule[position]
        self.steps += 1
        if self._arrays is not None:
            _step(negative_lr.numpy(), eps.numpy(), *self._arrays)
            return
        (m, v), g, scratch = self.moments, self._gradients, self._scratch
        m.lerp_(g, self._one_minus_betas[0])
        v.lerp_(torch.mul(g, g, out=scratch), self._one_minus_betas[1])
        torch.sqrt(v, out=scratch).add_(eps)
        torch.div(m, scratch, out=scratch)
        self._values.addcmul_(scratch, negative_lr)

    def state_dict(self, rows: slice) -> dict[str, Any]:
        """Moments of some rows, and t."""
        return {"steps": self.steps, "moments": self.moments[:, rows].cpu().numpy().copy()}

    def load_state_dict(self, rows: slice, state: dict[str, Any]) -> None:
        """Continues some rows. All rows must have made equally many steps."""
        self.steps, self._schedule = state["steps"], []
        self.moments[:, rows] = torch.from_numpy(state["moments"]).to(self._values)

    def _schedule_from(self, start: int) -> list[tuple[Tensor, Tensor]]:
        """-lrₜ and εₜ, each [N, 1], of every step of the block that begins after `start`."""
        t = np.arange(start + 1, start + 1 + _BLOCK)
        negative_lr, eps = [], []
        for one in self._settings:  # each alone: a row's numbers must not depend on the others
            root = np.sqrt(1 - np.power(one.betas[1], t))
            negative_lr.append(-one.lr * root / (1 - np.power(one.betas[0], t)))
            eps.append(one.eps * root)
        columns = (self._column(np.stack(one, axis=1)).unbind() for one in (negative_lr, eps))
        return list(zip(*columns, strict=True))

    def _column(self, numbers: np.ndarray) -> Tensor:
        column = torch.from_numpy(numbers).to(self._values)
        return column.unsqueeze(-1)


@njit(cache=True, error_model="numpy")
def _step(
    negative_lr: np.ndarray,
    eps: np.ndarray,
    values: np.ndarray,
    gradients: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    one_minus_beta1: np.ndarray,
    one_minus_beta2: np.ndarray,
) -> None:
    """One step of every row, in one pass over the memory."""
    for n in range(len(values)):
        rate1, rate2 = one_minus_beta1[n, 0], one_minus_beta2[n, 0]
        factor, least = negative_lr[n, 0], eps[n, 0]
        row, g, m_row, v_row = values[n], gradients[n], m[n], v[n]
        for i in range(len(row)):
            m_row[i] += (g[i] - m_row[i]) * rate1
            v_row[i] += (g[i] * g[i] - v_row[i]) * rate2
            row[i] += m_row[i] / (np.sqrt(v_row[i]) + least) * factor
