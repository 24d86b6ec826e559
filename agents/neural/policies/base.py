"""What a policy is: a law of the action, given the linear outputs h of a network.

M members (settings times seeds that train together) x B states x H outputs. A member's numbers are
the same bits whatever members stand beside it; see `elementary`.

Log-probabilities are those of the action in the units of the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch
from torch import Tensor

from agents.base import AgentRefused

#: (dL/daction [M, B, A], dL/dlog_prob [M, B]) -> dL/dh [M, B, H].
PathwiseBackward = Callable[[Tensor, Tensor], Tensor]
#: dL/dlog_prob [M, B] -> dL/dh [M, B, H].
LikelihoodBackward = Callable[[Tensor], Tensor]


class Noise(Protocol):
    """A stream of random numbers for each member."""

    @property
    def generators(self) -> Sequence[np.random.Generator]:
        """One per member, for laws that need more than `normal` and `uniform`."""
        ...

    def normal(self, batch: int, width: int) -> Tensor:
        """Independent N(0, 1), [M, batch, width]."""
        ...

    def uniform(self, batch: int, width: int) -> Tensor:
        """Independent, uniform on (0, 1), [M, batch, width]."""
        ...


class Policy(Protocol):
    """A law of continuous actions. Tensors carry no autograd graph, in or out.

    Attributes:
        outputs: H, the linear outputs that parameterise it.
    """

    outputs: int

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        """a ~ π(·|s), inside the box, [M, B, A]."""
        ...

    def mode(self, h: Tensor) -> Tensor:
        """The action of evaluation, [M, B, A]."""
        ...

    def reparameterised(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, PathwiseBackward]:
        """a ~ π(·|s) as a function of h and noise, ln π(a|s), and the gradient through both.

        The expectation of the gradient is that of E[f(a)] and of E[ln π(a|s)].
        """
        ...

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        """ln π(action|s) [M, B] of actions from anywhere, and its gradient."""
        ...

    def scored(self, h: Tensor, noise: Noise) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        """a ~ π(·|s), ln π(a|s) and the score ∇ ln π(a|s) of this very draw.

        Better than `likelihood` of `draw`: what the action's rounding loses, such as the inverse
        of a tanh at its limits, is still known here.
        """
        ...


class DiscretePolicy(Protocol):
    """A law of n actions, numbered from 0; what an action is called outside is not known here."""

    outputs: int

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        """a ~ π(·|s), int64 [M, B]."""
        ...

    def mode(self, h: Tensor) -> Tensor:
        """The most probable action, int64 [M, B]; the first of several."""
        ...

    def expected(self, h: Tensor) -> tuple[Tensor, Tensor, LikelihoodBackward]:
        """π(·|s), ln π(·|s), both [M, B, n], and w [M, B, n] -> ∇_h Σ_a π(a|s) w(a)."""
        ...

    def likelihood(self, h: Tensor, action: Tensor) -> tuple[Tensor, LikelihoodBackward]:
        """ln π(action|s) [M, B] of actions [M, B], and its gradient."""
        ...


@dataclass(frozen=True)
class ActionBox:
    """low <= a <= high and the map a = centre + scale y of y in [-1, 1]; tensors [1, 1, A]."""

    low: Tensor
    high: Tensor
    centre: Tensor
    scale: Tensor

    @classmethod
    def of(
        cls,
        space: gymnasium.Space[Any],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> ActionBox:
        """
        Raises:
            AgentRefused: not a vector, or without bounds, or without room between them.
        """
        if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
            raise AgentRefused(f"a continuous policy needs a vector of actions, not {space}")
        if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
            raise AgentRefused(f"a policy on a box needs bounded actions, not {space}")
        if not (space.low < space.high).all():
            raise AgentRefused(f"a policy on a box needs low < high, not {space}")
        low, high = (
            torch.as_tensor(bound).to(dtype)[None, None] for bound in (space.low, space.high)
        )
        centre = low / 2 + high / 2
        scale = high / 2 - low / 2
        # a = centre ± scale may round to just outside: then a hair less of scale
        hair = torch.finfo(dtype).eps
        while (outside := (centre + scale > high) | (centre - scale < low)).any():
            scale = torch.where(outside, scale * (1 - hair), scale)
            hair *= 2
        return cls(*(tensor.to(device) for tensor in (low, high, centre, scale)))

    @property
    def dimensions(self) -> int:
        return self.low.shape[-1]

    @property
    def centred(self) -> bool:
        """Whether centre = 0, so that nobody need add it."""
        return not self.centre.any()

    @property
    def log_scale(self) -> float:
        """Σ_d ln scale_d: what the map from [-1, 1] takes off a log-density."""
        return float(self.scale.double().log().sum())


def log_stddev_bounds(clip_stddev: Tensor) -> tuple[Tensor, Tensor]:
    """The interval of ln σ: ± ln clip_stddev, or [-5, 2] where clip_stddev <= 0.

    Raises:
        AgentRefused: 0 < clip_stddev < 1, an empty interval.
    """
    if ((clip_stddev > 0) & (clip_stddev < 1)).any():
        raise AgentRefused("clip_stddev is at least 1, or -1 for ln σ in [-5, 2]")
    fixed = clip_stddev <= 0
    limit = torch.log(torch.where(fixed, 1.0, clip_stddev))
    return torch.where(fixed, -5.0, -limit), torch.where(fixed, 2.0, limit)
