"""Puddle World (Sutton 1996, "Generalization in Reinforcement Learning").

A point crosses the unit square to its top right corner; two puddles on the way cost dearly.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete

from envs.drawing import BLUE, GREEN, Canvas
from envs.own.base import OwnEnvironment, State

STEP = 0.05
NOISE = 0.01  # standard deviation of each coordinate of a move
GOAL = 1.9  # x + y
RADIUS = 0.1
COST = 400.0  # of a unit of depth
PUDDLES = (((0.1, 0.75), (0.45, 0.75)), ((0.45, 0.4), (0.45, 0.8)))
MOVES = ((-STEP, 0.0), (STEP, 0.0), (0.0, STEP), (0.0, -STEP))
"""(x, y) of the actions left, right, up, down."""


def puddle_cost(x: float, y: float) -> float:
    """400 times the depth in each puddle, the distance to its edge from within."""
    cost = 0.0
    for (x0, y0), (x1, y1) in PUDDLES:
        # both puddles lie along an axis: the nearest point of the segment needs no projection
        dx = x - min(max(x, x0), x1)
        dy = y - min(max(y, y0), y1)
        distance = sqrt(dx * dx + dy * dy)
        if distance < RADIUS:
            cost += COST * (RADIUS - distance)
    return cost


class PuddleWorld(OwnEnvironment):
    """Observation float32 [x, y] in [0, 1]; reward -1 a step less the cost of the puddles.

    Terminates where x + y reaches 1.9; starts anywhere else, uniformly.
    """

    state_bounds: ClassVar = {"x": (0.0, 1.0), "y": (0.0, 1.0)}

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(render_mode)
        self.observation_space = Box(0.0, 1.0, (2,), np.float32)
        self.action_space = Discrete(4)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        normal = self.np_random.standard_normal
        dx, dy = MOVES[action]
        x, y = self._state
        x = min(max(x + dx + NOISE * float(normal()), 0.0), 1.0)
        y = min(max(y + dy + NOISE * float(normal()), 0.0), 1.0)
        self._state = (x, y)
        if self.render_mode == "human":
            self.render()
        return np.array((x, y), np.float32), -1.0 - puddle_cost(x, y), x + y >= GOAL, False, {}

    def checked_start(self, values: Any) -> State:
        state = super().checked_start(values)
        if sum(state) >= GOAL:
            raise ValueError(f"{list(values)} lies in the goal region, x + y >= {GOAL}")
        return state

    def _start_state(self) -> State:
        while True:
            x, y = (float(value) for value in self.np_random.random(2))
            if x + y < GOAL:
                return (x, y)

    def _observation(self) -> Any:
        return np.array(self._state, np.float32)

    def _draw(self, canvas: Canvas) -> None:
        for start, end in PUDDLES:
            canvas.capsule(start, end, RADIUS, BLUE)
        canvas.line([(GOAL - 1, 1.0), (1.0, GOAL - 1)], GREEN)
        canvas.dot((self._state[0], self._state[1]))
