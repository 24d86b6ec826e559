"""An underpowered car in a valley, as Gymnasium's, with a reward of -1 on every step.

The state is kept in double precision; Gymnasium's continuous car rounds it to single precision on
every step.
"""

from __future__ import annotations

from math import cos, sin
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from envs.drawing import GREEN, Canvas
from envs.own.base import Moved, State, States, SteppedAtOnce

MIN_POSITION, MAX_POSITION = -1.2, 0.6
MAX_SPEED = 0.07
GRAVITY = 0.0025
POWER = 0.0015  # of a continuous action of 1
FORCE = 0.001  # of a discrete action
_FORCES = (-FORCE, 0.0, FORCE)


class _MountainCar(SteppedAtOnce):
    """Observation float32 [position, velocity]; terminates at the goal, on the right slope."""

    state_bounds: ClassVar = {
        "position": (MIN_POSITION, MAX_POSITION),
        "velocity": (-MAX_SPEED, MAX_SPEED),
    }
    draws_in_step: ClassVar = False
    picture: ClassVar = ((MIN_POSITION, -0.2), (MAX_POSITION, 1.4))
    goal: ClassVar[float]

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = Box(
            np.array([MIN_POSITION, -MAX_SPEED], np.float32),
            np.array([MAX_POSITION, MAX_SPEED], np.float32),
            dtype=np.float32,
        )

    def _drive(self, force: float) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        position, velocity = self._state
        velocity = velocity + (force - GRAVITY * cos(3 * position))
        velocity = min(max(velocity, -MAX_SPEED), MAX_SPEED)
        position = min(max(position + velocity, MIN_POSITION), MAX_POSITION)
        if position == MIN_POSITION and velocity < 0:
            velocity = 0.0
        self._state = (position, velocity)
        terminated = position >= self.goal and velocity >= 0
        if self.render_mode == "human":
            self.render()
        return np.array((position, velocity), np.float32), -1.0, terminated, False, {}

    @classmethod
    def _drive_many(cls, states: States, forces: NDArray[np.float64]) -> Moved:
        position, velocity = states
        velocity = velocity + (forces - GRAVITY * np.cos(3 * position))
        velocity = np.minimum(np.maximum(velocity, -MAX_SPEED), MAX_SPEED)
        position = np.minimum(np.maximum(position + velocity, MIN_POSITION), MAX_POSITION)
        velocity[(position == MIN_POSITION) & (velocity < 0)] = 0.0
        terminated = (position >= cls.goal) & (velocity >= 0)
        return np.array((position, velocity)), np.full(len(position), -1.0), terminated

    def _start_state(self) -> State:
        return (float(self.np_random.uniform(-0.6, -0.4)), 0.0)

    def _observation(self) -> Any:
        return np.array(self._state, np.float32)

    def _draw(self, canvas: Canvas) -> None:
        xs = [MIN_POSITION + 0.02 * i for i in range(91)]
        canvas.line([(x, _height(x)) for x in xs])
        canvas.dot((self.goal, _height(self.goal)), GREEN, 5)
        canvas.dot((self._state[0], _height(self._state[0]) + 0.03))


def _height(position: float) -> float:
    return sin(3 * position) * 0.45 + 0.55


class MountainCarContinuous(_MountainCar):
    """The action in ±1 times 0.0015 is the acceleration; the goal is at 0.45."""

    goal: ClassVar = 0.45

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = Box(-1.0, 1.0, (1,), np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._drive(min(max(float(action[0]), -1.0), 1.0) * POWER)

    @classmethod
    def step_many(cls, states: States, actions: NDArray[Any]) -> Moved:
        pedal = actions[:, 0].astype(np.float64)
        return cls._drive_many(states, np.minimum(np.maximum(pedal, -1.0), 1.0) * POWER)


class MountainCarDiscrete(_MountainCar):
    """Actions 0, 1, 2 accelerate by -0.001, 0, 0.001; the goal is at 0.5."""

    goal: ClassVar = 0.5

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = Discrete(3)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._drive(_FORCES[action])

    @classmethod
    def step_many(cls, states: States, actions: NDArray[Any]) -> Moved:
        return cls._drive_many(states, np.array(_FORCES)[actions])
