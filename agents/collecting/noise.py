"""Actions at random: uniform, held, a Brownian walk, Perlin noise.

A walk or noise has a value for each dimension of a Box, cut to its bounds, and one for each of
finitely many actions, of which the greatest acts.
"""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from agents.base import AgentRefused

Values = NDArray[np.float64]


class Uniform:
    """Samples the action space: uniform where it is bounded."""

    def __init__(self, action_space: gymnasium.Space[Any]) -> None:
        self._space = copy.deepcopy(action_space)

    def begin(self, rng: np.random.Generator) -> None:
        self._space.seed(int(rng.integers(2**31)))

    def act(self, observation: Any) -> Any:
        return self._space.sample()


class Held(Uniform):
    """Keeps each for 1 to 2 `hold` - 1 steps, all equally likely."""

    def __init__(self, action_space: gymnasium.Space[Any], hold: int) -> None:
        super().__init__(action_space)
        self._hold, self._left = hold, 0
        self._action: Any = None

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        self._rng, self._left = rng, 0

    def act(self, observation: Any) -> Any:
        if self._left == 0:
            self._left = int(self._rng.integers(1, 2 * self._hold))
            self._action = self._space.sample()
        self._left -= 1
        return self._action


class ActionCode:
    """Numbers as actions: those of a Box, or the index of the greatest.

    Attributes:
        size: how many numbers.
        reach: [size] the largest number that means something.

    Raises:
        AgentRefused: the actions are of another kind.
    """

    def __init__(self, space: gymnasium.Space[Any], policy: str) -> None:
        self.reach: Values
        if isinstance(space, Discrete):
            self.reach = np.ones(int(space.n))
            self._start: int | None = int(space.start)
        elif isinstance(space, Box) and space.dtype.kind == "f":
            self._start = None
            self._low, self._high = space.low.ravel(), space.high.ravel()
            reach = np.maximum(np.abs(self._low), np.abs(self._high)).astype(np.float64)
            self.reach = np.where(np.isfinite(reach), reach, 1.0)
            self._shape, self._dtype = space.shape, space.dtype
        else:
            raise AgentRefused(
                f"{policy} actions are those of a box of real numbers, or one of finitely many; "
                f"these are {space}: random and held sample any"
            )
        self.size = len(self.reach)

    def clip(self, numbers: Values) -> Values:
        """Within the bounds of a Box; within ±1 where actions are finitely many."""
        if self._start is not None:
            return np.clip(numbers, -1, 1)
        return np.clip(numbers, self._low, self._high)

    def action(self, numbers: Values) -> Any:
        """What they mean."""
        if self._start is not None:
            return self._start + int(np.argmax(numbers))
        return self.clip(numbers).reshape(self._shape).astype(self._dtype)


class Coded:
    """A policy whose actions are numbers of an `ActionCode`."""

    def __init__(self, action_space: gymnasium.Space[Any], name: str) -> None:
        self._code = ActionCode(action_space, name)

    def begin(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def act(self, observation: Any) -> Any:
        return self._code.action(self._numbers(observation))

    @abstractmethod
    def _numbers(self, observation: Any) -> Values: ...


class Brownian(Coded):
    """a <- clip(a + √dt ε), ε standard normal, from a uniform start (ctallec/world-models)."""

    def __init__(self, action_space: gymnasium.Space[Any], dt: float) -> None:
        super().__init__(action_space, "brownian")
        self._step = math.sqrt(dt)

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        self._at = self._code.clip(rng.uniform(-1, 1, self._code.size) * self._code.reach)

    def _numbers(self, observation: Any) -> Values:
        at = self._at
        self._at = self._code.clip(at + self._step * self._rng.standard_normal(len(at)))
        return at


class Perlin(Coded):
    """Gradient noise (Perlin 1985) of one dimension, time, for each number.

    Between two steps that are multiples of `time_scale` the slopes g, drawn anew from [-1, 1] at
    each of them, are blended by 6f⁵ - 15f⁴ + 10f³; doubled, the noise lies within ±1.
    """

    def __init__(
        self, action_space: gymnasium.Space[Any], time_scale: float, magnitude: float
    ) -> None:
        super().__init__(action_space, "perlin")
        self._time_scale, self._magnitude = time_scale, magnitude

    def begin(self, rng: np.random.Generator) -> None:
        super().begin(rng)
        # each starts anywhere: at a lattice point all would be zero
        self._at = rng.uniform(size=self._code.size)
        self._slopes = rng.uniform(-1, 1, (2, self._code.size))

    def _numbers(self, observation: Any) -> Values:
        f, (before, after) = self._at, self._slopes
        blend = ((6 * f - 15) * f + 10) * f**3
        noise: Values = 2 * ((1 - blend) * before * f + blend * after * (f - 1))
        self._at = f + 1 / self._time_scale
        # time scales below one step pass several lattice points at once
        over = self._at >= 1
        if over.any():
            self._at = self._at % 1
            drawn = self._rng.uniform(-1, 1, len(f))
            self._slopes = np.where(over, [after, drawn], self._slopes)
        numbers: Values = noise * self._magnitude * self._code.reach
        return numbers
