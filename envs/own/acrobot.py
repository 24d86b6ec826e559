"""Two links that hang from a hinge and are driven at the joint between them.

Gymnasium's Acrobot-v1 (the equations of Sutton and Barto's book, one Runge-Kutta step of 0.2 s),
observed as its state, always starting at rest, and with torques between -1 and 1.
"""

from __future__ import annotations

import math
from math import cos, pi, sin
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from envs.drawing import BLUE, GREEN, Canvas
from envs.own.base import Moved, State, States, SteppedAtOnce

GRAVITY = 9.8  # m/s²
DT = 0.2  # s
MAX_SPEED_1, MAX_SPEED_2 = 4 * pi, 9 * pi  # rad/s

# both links: length 1 m, mass 1 kg, centre of mass at 0.5 m, moment of inertia 1 kg m²
_INERTIA_2 = 0.25 + 1.0
_INERTIA_BOTH = 0.25 + 1.25 + 1.0 + 1.0
_TURN = 2 * pi


_TORQUES = (-1.0, 0.0, 1.0)

Number = Any
"""A float or an array: the equations of motion are written once for both."""


def _acceleration(
    theta1: Number, theta2: Number, omega1: Number, omega2: Number, torque: Number, lib: Any
) -> tuple[Number, Number]:
    """Angular accelerations of both links, rad/s², with the sine and cosine of ``lib``."""
    sin = lib.sin
    cos2, sin2 = lib.cos(theta2), sin(theta2)
    d1 = _INERTIA_BOTH + cos2
    d2 = _INERTIA_2 + 0.5 * cos2
    phi2 = 0.5 * GRAVITY * sin(theta1 + theta2)
    phi1 = (
        1.5 * GRAVITY * sin(theta1) + phi2 - 0.5 * omega2 * omega2 * sin2 - omega2 * omega1 * sin2
    )
    ratio = d2 / d1
    alpha2 = (torque + ratio * phi1 - 0.5 * omega1 * omega1 * sin2 - phi2) / (
        _INERTIA_2 - d2 * ratio
    )
    return -(d2 * alpha2 + phi1) / d1, alpha2


def _runge_kutta(state: Any, torque: Number, lib: Any) -> tuple[Number, Number, Number, Number]:
    """(θ1, θ2, ω1, ω2) after one step of the classic method, neither wrapped nor clipped.

    The slopes of the angles are the ω of each stage.
    """
    a, b, u, v = state
    half = DT / 2
    p1, q1 = _acceleration(a, b, u, v, torque, lib)
    u2, v2 = u + half * p1, v + half * q1
    p2, q2 = _acceleration(a + half * u, b + half * v, u2, v2, torque, lib)
    u3, v3 = u + half * p2, v + half * q2
    p3, q3 = _acceleration(a + half * u2, b + half * v2, u3, v3, torque, lib)
    u4, v4 = u + DT * p3, v + DT * q3
    p4, q4 = _acceleration(a + DT * u3, b + DT * v3, u4, v4, torque, lib)
    sixth = DT / 6
    return (
        a + sixth * (u + 2 * u2 + 2 * u3 + u4),
        b + sixth * (v + 2 * v2 + 2 * v3 + v4),
        u + sixth * (p1 + 2 * p2 + 2 * p3 + p4),
        v + sixth * (q1 + 2 * q2 + 2 * q3 + q4),
    )


def _wrapped(angle: float) -> float:
    while angle > pi:
        angle -= _TURN
    while angle < -pi:
        angle += _TURN
    return angle


def _wrapped_many(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    while (above := angles > pi).any():
        angles = np.where(above, angles - _TURN, angles)
    while (below := angles < -pi).any():
        angles = np.where(below, angles + _TURN, angles)
    return angles


class _Acrobot(SteppedAtOnce):
    """Observation float32 [θ1, θ2, ω1, ω2]; -1 a step, 0 when the tip is one link above the hinge.

    θ1 is measured from hanging, θ2 from the direction of the first link; both in [-π, π].
    """

    state_bounds: ClassVar = {
        "theta1": (-pi, pi),
        "theta2": (-pi, pi),
        "omega1": (-MAX_SPEED_1, MAX_SPEED_1),
        "omega2": (-MAX_SPEED_2, MAX_SPEED_2),
    }
    draws_in_step: ClassVar = False
    picture: ClassVar = ((-2.2, -2.2), (2.2, 2.2))

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        high = np.array([pi, pi, MAX_SPEED_1, MAX_SPEED_2], np.float32)
        self.observation_space = Box(-high, high, dtype=np.float32)

    def _swing(self, torque: float) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        theta1, theta2, omega1, omega2 = _runge_kutta(self._state, torque, math)
        theta1, theta2 = _wrapped(theta1), _wrapped(theta2)
        omega1 = min(max(omega1, -MAX_SPEED_1), MAX_SPEED_1)
        omega2 = min(max(omega2, -MAX_SPEED_2), MAX_SPEED_2)
        self._state = state = (theta1, theta2, omega1, omega2)
        terminated = -cos(theta1) - cos(theta2 + theta1) > 1
        if self.render_mode == "human":
            self.render()
        return np.array(state, np.float32), 0.0 if terminated else -1.0, terminated, False, {}

    @staticmethod
    def _swing_many(states: States, torques: NDArray[np.float64]) -> Moved:
        theta1, theta2, omega1, omega2 = _runge_kutta(states, torques, np)
        theta1, theta2 = _wrapped_many(theta1), _wrapped_many(theta2)
        omega1 = np.minimum(np.maximum(omega1, -MAX_SPEED_1), MAX_SPEED_1)
        omega2 = np.minimum(np.maximum(omega2, -MAX_SPEED_2), MAX_SPEED_2)
        terminated = -np.cos(theta1) - np.cos(theta2 + theta1) > 1
        rewards = np.where(terminated, 0.0, -1.0)
        return np.array((theta1, theta2, omega1, omega2)), rewards, terminated

    def _start_state(self) -> State:
        return (0.0, 0.0, 0.0, 0.0)

    def _observation(self) -> Any:
        return np.array(self._state, np.float32)

    def _draw(self, canvas: Canvas) -> None:
        first, second = self._state[0], self._state[0] + self._state[1]
        elbow = (sin(first), -cos(first))
        tip = (elbow[0] + sin(second), elbow[1] - cos(second))
        canvas.line([(-2.2, 1.0), (2.2, 1.0)], GREEN)
        canvas.line([(0.0, 0.0), elbow, tip], BLUE, 10)
        canvas.dot((0.0, 0.0), radius=6)


class AcrobotContinuous(_Acrobot):
    """The torque at the joint is the action, clipped to ±1 N m."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = Box(-1.0, 1.0, (1,), np.float32)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._swing(min(max(float(action[0]), -1.0), 1.0))

    @classmethod
    def step_many(cls, states: States, actions: NDArray[Any]) -> Moved:
        torques = actions[:, 0].astype(np.float64)
        return cls._swing_many(states, np.minimum(np.maximum(torques, -1.0), 1.0))


class AcrobotDiscrete(_Acrobot):
    """Actions 0, 1, 2 are torques -1, 0, 1 N m."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.action_space = Discrete(3)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._swing(_TORQUES[action])

    @classmethod
    def step_many(cls, states: States, actions: NDArray[Any]) -> Moved:
        return cls._swing_many(states, np.array(_TORQUES)[actions])
