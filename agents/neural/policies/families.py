"""Families of laws of one action dimension: the pieces of `Independent` and `Mixture` policies.

A family works in double precision, with a graph for autograd, and writes the draw as a function x
of parameters and noise whose derivative is the pathwise one. x keeps what the action may lose:
before the tanh, before the clamp, within (0, 1) of a Beta. Parameters and x are [M, N, A].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from agents.neural.policies.base import ActionBox, Noise


class Edges(NamedTuple):
    """At low and at high, [M, N, A] each: log-density inside the box and log-mass on the edge."""

    density: tuple[Tensor, Tensor]
    mass: tuple[Tensor, Tensor]


class Family(Protocol):
    """
    Attributes:
        parameters: real numbers that parameterise one dimension; the last is the width.
    """

    parameters: int

    def draw(self, parameters: Sequence[Tensor], noise: Noise) -> Tensor:
        """x, differentiable in the parameters."""
        ...

    def log_density(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """In units of the action, of each dimension."""
        ...

    def centre(self, parameters: Sequence[Tensor]) -> Tensor:
        """The x of evaluation."""
        ...

    def action(self, x: Tensor) -> Tensor: ...

    def latent(self, action: Tensor) -> Tensor:
        """The x of an action."""
        ...

    def edges(self, parameters: Sequence[Tensor]) -> Edges | None:
        """What a law with masses on the edges of the box jumps between, else None."""
        ...


@dataclass(frozen=True)
class DoubleBox:
    """The box in double precision, and the precision that actions are kept in."""

    low: Tensor
    high: Tensor
    centre: Tensor
    scale: Tensor
    precision: float

    @classmethod
    def of(cls, box: ActionBox) -> DoubleBox:
        low, high, centre, scale = (
            bound.double() for bound in (box.low, box.high, box.centre, box.scale)
        )
        return cls(low, high, centre, scale, torch.finfo(box.low.dtype).eps)


def as_array(x: Tensor) -> np.ndarray:
    array: np.ndarray = x.detach().cpu().numpy()
    return array


def as_tensor(members: list[np.ndarray], like: Tensor) -> Tensor:
    """[M, ...] of the members' draws."""
    return torch.from_numpy(np.stack(members)).to(like.device)
