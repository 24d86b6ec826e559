"""Action-value functions and their targets: K of them for each member (twins, or one alone).

With a vector action Q(s, a) is a number, with n discrete ones Q(s, ·) is n numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from agents.neural import arithmetic
from agents.neural.adam import Adam, AdamSettings
from agents.neural.convolutions import stack
from agents.neural.parameters import Activation, Shape, WeightInit, gain_for, initial_rows


class CriticInput(NamedTuple):
    """What every critic reads: the same for all K of a member.

    Attributes:
        rows: [M K, B, in].
        states, actions: [M, K, B, ...] its parts, to be written; both views of `rows`.
    """

    rows: Tensor
    states: Tensor
    actions: Tensor

    def set(self, states: Tensor, actions: Tensor | None = None) -> None:
        """Writes states [M, B, I] and actions [M, B, A] for all K."""
        self.states.copy_(states.unsqueeze(1))
        if actions is not None:
            self.actions.copy_(actions.unsqueeze(1))


class Critics:
    """M members' K critics as M K stacked networks, member by member.

    Attributes:
        copies: K.
        loss: [M] of the last regression: Σ_k mean (Q_k - y)².
    """

    def __init__(
        self,
        shape: Shape,
        activation: Activation,
        weight_init: WeightInit,
        copies: int,
        adam: Sequence[AdamSettings],
        tau: Tensor,
        generators: Sequence[np.random.Generator],
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """`tau` [M, 1] is the targets' step towards their critics; one `adam` for each member."""
        self.copies = copies
        self._members = len(generators)
        rows = initial_rows(shape, weight_init, gain_for(activation), generators, copies=copies)
        rows = rows.to(device, dtype)
        self._nets = stack(shape, activation, rows)
        self._targets = stack(shape, activation, rows.clone())
        each = [one for one in adam for _ in range(copies)]
        self._adam = Adam(self._nets.values, self._nets.gradients, each)
        self._tau = tau.repeat_interleave(copies, 0)
        self.loss = rows.new_zeros(self._members)
        self._is_compiled = arithmetic.is_compiled(rows.device)

    def input(self, batch: int, states: int, actions: int) -> CriticInput:
        """A place for B inputs of each critic: `states` numbers, then `actions`."""
        x = self._nets.values.new_zeros(self._members, self.copies, batch, states + actions)
        return CriticInput(x.flatten(0, 1), x[..., :states], x[..., states:])

    def values(self, x: CriticInput) -> Tensor:
        """Q [M, K, B, outputs]."""
        return self._grouped(self._nets.forward(x.rows))

    def target_values(self, x: CriticInput) -> Tensor:
        """The targets' Q, likewise."""
        return self._grouped(self._targets.forward(x.rows))

    def regress(
        self, x: CriticInput, y: Tensor, taken: Tensor | None = None, *, huber: bool = False
    ) -> None:
        """One step of Adam on Σ_k mean_B (Q_k - y)².

        Args:
            y: [M, B] targets.
            taken: [M, B] the discrete actions taken; None where Q has one output.
            huber: let the loss grow as 2 |Q_k - y| - 1 beyond an error of 1.
        """
        q = self.values(x)
        M, K, B, _ = q.shape
        if self._is_compiled:
            d_q = torch.zeros_like(q)
            which = _NONE if taken is None else taken.numpy()
            _regression(q.numpy(), y.numpy(), which, huber, d_q.numpy(), self.loss.numpy())
            self._nets.backward(d_q.view(M * K, B, -1))
            self._adam.step()
            return
        y = y.view(M, 1, B, 1)
        if taken is None:
            error = q - y
        else:
            place = taken.view(M, 1, B, 1).expand(M, K, B, 1)
            error = q.gather(-1, place) - y
        slope = error.clamp(-1, 1) if huber else error
        d_q = slope * (2 / B)
        if taken is not None:
            d_q = torch.zeros_like(q).scatter_(-1, place, d_q)
        self._nets.backward(d_q.view(M * K, B, -1))
        self._adam.step()
        loss = slope * (2 * error - slope) if huber else error.square_()
        self.loss.copy_(loss.sum((1, 2, 3)).div_(B))

    def lowest_gradient(self, q: Tensor, d_lowest: float) -> tuple[Tensor, Tensor]:
        """min_k Q_k [M, B] of the last `values`, and Σ_k dL/dx_k [M, B, in] where dL/dmin is
        `d_lowest` for every state."""
        if self._is_compiled:
            least, d_q = q.new_empty(q.shape[0], q.shape[2]), torch.zeros_like(q)
            _lowest(q.numpy(), d_lowest, least.numpy(), d_q.numpy())
            return least, self.input_gradient(d_q)
        lowest, which = q.min(1, keepdim=True)
        d_q = torch.zeros_like(q).scatter_(1, which, d_lowest)
        return lowest[:, 0, :, 0], self.input_gradient(d_q)

    def input_gradient(self, d_q: Tensor) -> Tensor:
        """Σ_k dL/dx_k [M, B, in] at the last `values`, given dL/dQ [M, K, B, outputs]."""
        d_x = self._grouped(self._nets.input_gradient(d_q.flatten(0, 1)))
        return d_x[:, 0] if self.copies == 1 else d_x.sum(1)

    def follow(self) -> None:
        """θ_T <- (1 - τ) θ_T + τ θ."""
        self._targets.values.lerp_(self._nets.values, self._tau)

    def _grouped(self, rows: Tensor) -> Tensor:
        return rows.view(self._members, self.copies, *rows.shape[1:])

    # -- leaving and coming back

    def state_dict(self, member: int) -> dict[str, Any]:
        """A member's weights, targets and moments."""
        rows = slice(member * self.copies, (member + 1) * self.copies)
        return {
            "values": self._nets.values[rows].cpu().numpy().copy(),
            "targets": self._targets.values[rows].cpu().numpy().copy(),
            "adam": self._adam.state_dict(rows),
            "loss": float(self.loss[member]),
        }

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        """Continues a member's."""
        rows = slice(member * self.copies, (member + 1) * self.copies)
        self._nets.values[rows] = torch.from_numpy(state["values"]).to(self._nets.values)
        self._targets.values[rows] = torch.from_numpy(state["targets"]).to(self._nets.values)
        self._adam.load_state_dict(rows, state["adam"])
        self.loss[member] = state["loss"]

    def learned_params(self, member: int) -> dict[str, np.ndarray]:
        """A member's arrays by name, each [K, ...]."""
        rows = slice(member * self.copies, (member + 1) * self.copies)
        shape = self._nets.shape
        params = {}
        for owner, values in (("critic", self._nets.values), ("target", self._targets.values)):
            for name, array in shape.named(values[rows]).items():
                params[f"{owner}_{name}"] = array
        return params


_NONE: np.ndarray = np.zeros((0, 0), np.int64)


@njit(cache=True, error_model="numpy")
def _regression(
    q: np.ndarray,
    y: np.ndarray,
    taken: np.ndarray,
    huber: bool,
    d_q: np.ndarray,
    loss: np.ndarray,
) -> None:
    """`Critics.regress` from Q [M, K, B, outputs] to the loss [M] and dL/dQ, which comes as 0."""
    M, K, B, _ = q.shape
    one = q.dtype.type(1)
    for m in range(M):
        total = q.dtype.type(0)
        for k in range(K):
            for b in range(B):
                a = taken[m, b] if len(taken) else 0
                error = q[m, k, b, a] - y[m, b]
                slope = min(max(error, -one), one) if huber else error
                d_q[m, k, b, a] = 2 * slope / B
                total += slope * (2 * error - slope)
        loss[m] = total / B


@njit(cache=True, error_model="numpy")
def _lowest(q: np.ndarray, d_lowest: float, least: np.ndarray, d_q: np.ndarray) -> None:
    """min_k of Q [M, K, B, 1] into [M, B], and its derivative, which comes as 0."""
    M, K, B, _ = q.shape
    for m in range(M):
        for b in range(B):
            which = 0
            for k in range(1, K):
                if q[m, k, b, 0] < q[m, which, b, 0]:
                    which = k
            least[m, b] = q[m, which, b, 0]
            d_q[m, which, b, 0] = d_lowest
