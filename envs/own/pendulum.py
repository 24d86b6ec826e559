"""A pendulum that hangs at the start and has no way to terminate.

The swing-up of Degris, Pilarski and Sutton (2012) with Gymnasium's equation of motion: the
observation is the state itself, [angle, angular velocity], and the reward is the cosine of the
angle, 1 upright and -1 hanging.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from envs.drawing import BLUE, Canvas
from envs.own.base import Moved, State, States, SteppedAtOnce

GRAVITY = 10.0  # m/s²
MASS = 1.0  # kg
LENGTH = 1.0  # m
DT = 0.05  # s
MAX_SPEED = 8.0  # rad/s
MAX_TORQUE = 2.0  # N m

_FALL = 3 * GRAVITY / (2 * LENGTH)
_PUSH = 3 / (MASS * LENGTH * LENGTH)
_TURN = 2 * pi
_TORQUES = (-MAX_TORQUE, 0.0, MAX_TORQUE)


class _Pendulum(SteppedAtOnce):
    """Observation float32 [θ, ω], θ in [-π, π) from upright, ω in ±8 rad/s; reward cos θ."""

    state_bounds: ClassVar = {"theta": (-pi, pi), "omega": (-MAX_SPEED, MAX_SPEED)}
    draws_in_step: ClassVar = False
    picture: ClassVar = ((-1.3, -1.3), (1.3, 1.3))

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        high = np.array([pi, MAX_SPEED], np.float32)
        self.observation_space = Box(-high, high, dtype=np.float32)

    def _swing(self, torque: float) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        theta, omega = self._state
        omega = omega + (_FALL * sin(theta) + _PUSH * torque) * DT
        # the angle moves with the speed before it is clipped
        theta = theta + omega * DT
        if theta >= pi:
            theta -= _TURN
        elif theta < -pi:
            theta += _TURN
        omega = min(max(omega, -MAX_SPEED), MAX_SPEED)
        self._state = (theta, omega)
        if self.render_mode == "human":
            self.render()
        return np.array((theta, omega), np.float32), cos(theta), False, False, {}

    @staticmethod
    def _swing_many(states: States, torques: NDArray[np.float64]) -> Moved:
        theta, omega = states
        omega = omega + (_FALL * np.sin(theta) + _PUSH * torques) * DT
        theta = theta + omega * DT
        theta = np.where(theta >= pi, theta - _TURN, np.where(theta < -pi, theta + _TURN, theta))
        omega = np.minimum(np.maximum(omega, -MAX_SPEED), MAX_SPEED)
        return np.array((theta, omega)), np.cos(theta), np.zeros(len(theta), bool)

    def _start_state(self) -> State:
        return (-pi, 0.0)

    def _observation(self) -> Any:
        return np.array(self._state, np.float32)

    def _draw(self, canvas: Canvas) -> None:
        tip = (sin(self._state[0]) * LENGTH, cos(self._state[0]) * LENGTH)
        canvas.line([(0.0, 0.0), tip], BLUE, 12)
        canvas.dot((0.0, 0.0), radius=6)


class PendulumContinuous(_Pendulum):
    """The torque is the action, clipped to ±2 N m."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = Box(-MAX_TORQUE, MAX_TORQUE, (1,), np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._swing(min(max(float(action[0]), -MAX_TORQUE), MAX_TORQUE))

    @classmethod
    def step_many(cls, states: States, actions: NDArray[Any]) -> Moved:
        torques = actions[:, 0].astype(np.float64)
        return cls._swing_many(states, np.minimum(np.maximum(torques, -MAX_TORQUE), MAX_TORQUE))


class PendulumDiscrete(_Pendulum):
    """Actions 0, 1, 2 are torques -2, 0, 2 N m."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = Discrete(3)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._swing(_TORQUES[action])

    @classmethod
    def step_many(cls, states: States, actions: NDArray[Any]) -> Moved:
        return cls._swing_many(states, np.array(_TORQUES)[actions])
