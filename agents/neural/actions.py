"""How actions are drawn, stored and read by critics: vectors in a box, or one of n."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gymnasium
import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.neural.learner import Setup
from agents.neural.noise import Noise
from agents.neural.policies.base import ActionBox
from agents.neural.policies.factory import COLUMNS, continuous_policy_for
from agents.neural.policies.softmax import Softmax


class Actions(ABC):
    """Actions of a policy that is parameterised by linear outputs h.

    Attributes:
        stored: numbers of an action in replay.
        read: how many of them a critic reads beside the state.
        valued: values that a critic gives for a state.
        heads: widths of the policy network's linear heads.
    """

    stored: int
    read: int
    valued: int
    heads: tuple[int, ...]

    @abstractmethod
    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        """a ~ π(·|s), [M, B, ...]."""

    @abstractmethod
    def mode(self, h: Tensor) -> Tensor:
        """The action of evaluation, [M, B, ...]."""

    @abstractmethod
    def uniform(self, noise: Noise) -> Tensor:
        """Uniformly random actions [M, ...]."""


class VectorActions(Actions):
    """Continuous actions; the settings are `ContinuousPolicySettings`.

    Attributes:
        policy: of the type that the settings name.
    """

    def __init__(self, setup: Setup) -> None:
        """
        Raises:
            AgentRefused: the policy does not fit the action space.
        """
        static = setup.static
        self._box = ActionBox.of(setup.action_space, dtype=setup.dtype, device=setup.device)
        columns = {name: setup.column(name).unsqueeze(-1) for name in COLUMNS[static.policy_type]}
        self.policy = continuous_policy_for(
            static.policy_type,
            setup.action_space,
            columns,
            num_components=static.num_components,
            share_std=static.share_std,
            hard=static.hard,
            impl=static.impl,
            lmbda=static.lmbda,
            dtype=setup.dtype,
            device=setup.device,
        )
        A, K = self._box.dimensions, static.num_components
        self.stored = self.read = A
        self.valued = 1
        if static.policy_type.endswith("Mixture"):
            self.heads = (K, *_equal(self.policy.outputs - K, K * A))
        else:
            self.heads = _equal(self.policy.outputs, A)
        self._clip = static.clip_actions

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        return self._clipped(self.policy.draw(h, noise))

    def mode(self, h: Tensor) -> Tensor:
        return self._clipped(self.policy.mode(h))

    def uniform(self, noise: Noise) -> Tensor:
        return uniform_in(self._box, noise)

    def _clipped(self, action: Tensor) -> Tensor:
        return action.clamp(self._box.low, self._box.high) if self._clip else action


class DiscreteActions(Actions):
    """n actions, numbered from 0 here, with a softmax policy.

    Attributes:
        policy: the softmax.
    """

    stored, read = 1, 0

    def __init__(self, setup: Setup, *, agent: str) -> None:
        """
        Raises:
            AgentRefused: the actions are not discrete.
        """
        self.valued = number_of_actions(setup.action_space, agent=agent)
        self.policy = Softmax(self.valued)
        self.heads = (self.valued,)

    def draw(self, h: Tensor, noise: Noise) -> Tensor:
        return self.policy.draw(h, noise)

    def mode(self, h: Tensor) -> Tensor:
        return self.policy.mode(h)

    def uniform(self, noise: Noise) -> Tensor:
        return uniform_among(self.valued, noise)


def uniform_in(box: ActionBox, noise: Noise) -> Tensor:
    """Uniform vectors [M, A] in a box."""
    u = noise.uniform(1, box.dimensions)
    return (box.low + u * (box.high - box.low)).clamp_(box.low, box.high)[:, 0]


def uniform_among(n: int, noise: Noise) -> Tensor:
    """Uniform actions int64 [M] of n."""
    return (noise.uniform(1, 1)[:, 0, 0] * n).to(torch.int64).clamp_(max=n - 1)


def number_of_actions(space: gymnasium.Space[object], *, agent: str) -> int:
    """
    Raises:
        AgentRefused: the actions are not discrete.
    """
    if not isinstance(space, gymnasium.spaces.Discrete):
        raise AgentRefused(f"{agent} needs discrete actions, not {space}")
    return int(space.n)


def _equal(outputs: int, width: int) -> tuple[int, ...]:
    """As many heads of a width as fit, and one for the rest."""
    heads, rest = divmod(outputs, width)
    return (width,) * heads + ((rest,) if rest else ())
