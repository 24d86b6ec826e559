"""A one-step bandit with two good actions and nothing in between.

A unimodal policy that averages the two modes earns nothing: the test of how an actor treats a
multimodal value. With ``suboptimal_reward`` below ``optimal_reward`` the left mode is a trap.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box

from envs.drawing import BLUE, Canvas
from envs.own.base import OwnEnvironment, State

MAX_ACTION = 2.0


class Bimodal(OwnEnvironment):
    """Observation float32 [1.0]; action in ±2; the episode terminates after its one step.

    The reward is the sum of two Gaussian bumps of width ``stddev``, ``suboptimal_reward`` high at
    ``-center`` and ``optimal_reward`` high at ``+center``, and of noise of ``reward_stddev``.
    """

    picture: ClassVar = ((-MAX_ACTION, -0.1), (MAX_ACTION, 1.1))

    def __init__(
        self,
        render_mode: str | None = None,
        center: float = 1.0,
        stddev: float = 0.05,
        optimal_reward: float = 1.5,
        suboptimal_reward: float = 1.5,
        reward_stddev: float = 0.0,
    ) -> None:
        super().__init__(render_mode)
        if stddev <= 0:
            raise ValueError(f"stddev is above 0, not {stddev}")
        if reward_stddev < 0:
            raise ValueError(f"reward_stddev is 0 or more, not {reward_stddev}")
        self.center, self.stddev = center, stddev
        self.optimal_reward, self.suboptimal_reward = optimal_reward, suboptimal_reward
        self.reward_stddev = reward_stddev
        self.observation_space = Box(0.0, 1.0, (1,), np.float32)
        self.action_space = Box(-MAX_ACTION, MAX_ACTION, (1,), np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = self._mean_reward(min(max(float(action[0]), -MAX_ACTION), MAX_ACTION))
        if self.reward_stddev > 0:
            reward += self.reward_stddev * float(self.np_random.standard_normal())
        if self.render_mode == "human":
            self.render()
        return self._observation(), reward, True, False, {}

    def _mean_reward(self, action: float) -> float:
        left = (action + self.center) / self.stddev
        right = (action - self.center) / self.stddev
        return self.suboptimal_reward * float(np.exp(-0.5 * left * left)) + (
            self.optimal_reward * float(np.exp(-0.5 * right * right))
        )

    def _start_state(self) -> State:
        return ()

    def _observation(self) -> Any:
        return np.ones(1, np.float32)

    def _draw(self, canvas: Canvas) -> None:
        highest = max(abs(self.optimal_reward), abs(self.suboptimal_reward), 1e-9)
        xs = [-MAX_ACTION + 0.01 * i for i in range(401)]
        canvas.line([(x, self._mean_reward(x) / highest) for x in xs], BLUE)
