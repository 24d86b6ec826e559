"""Catch: balls fall one cell a step, and a paddle at the bottom is to be under them.

After Mnih et al. 2014, with several balls an episode, as a picture.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from envs.drawing import BLACK, BLUE, RED, Canvas, Colour
from envs.own.base import OwnEnvironment, State

SIDE = 8
PIXELS = 2
"""Of a cell, in each direction."""
BALL_COLOUR: Colour = (255, 255, 255)
PADDLE_COLOUR: Colour = (255, 128, 0)


class Catch(OwnEnvironment):
    """Reward 1 for a ball that is caught, -1 for one that is not, when it reaches the bottom row.

    The next ball then appears in the top row, in any column; after the last one the episode
    terminates. An observation is uint8 [16, 16, 3], 2 x 2 pixels for each of 8 x 8 cells. A ball in
    the paddle's cell hides it. How many balls are to come is not seen.

    The state is (row, column) of the ball, row 0 at the top, the paddle's column, and the balls
    that have not reached the bottom yet.
    """

    picture: ClassVar = ((0.0, 0.0), (1.0, 1.0))
    action_names = ("LEFT", "STAY", "RIGHT")

    def __init__(self, render_mode: str | None = None, balls: int = 3) -> None:
        super().__init__(render_mode)
        if balls < 1:
            raise ValueError(f"balls is 1 or more, not {balls}")
        self.balls = balls
        self.action_space = Discrete(3)
        self.observation_space = Box(0, 255, (SIDE * PIXELS, SIDE * PIXELS, 3), np.uint8)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        row, column, paddle, left = (int(number) for number in self._state)
        paddle = min(max(paddle + int(action) - 1, 0), SIDE - 1)
        row, reward = row + 1, 0.0
        if row == SIDE - 1:
            reward, left = (1.0 if paddle == column else -1.0), left - 1
            if left:
                row, column = 0, int(self.np_random.integers(SIDE))
        self._state = (row, column, paddle, left)
        if self.render_mode == "human":
            self.render()
        return self._observation(), reward, left == 0, False, {}

    def checked_start(self, values: Any) -> State:
        state = super().checked_start(values)
        if not all(value.is_integer() for value in state):
            raise ValueError(f"a start state is four whole numbers, not {list(values)}")
        return tuple(int(value) for value in state)

    def _start_bounds(self) -> dict[str, tuple[float, float]]:
        last = SIDE - 1
        return {
            "row": (0, last - 1),
            "column": (0, last),
            "paddle": (0, last),
            "balls": (1, self.balls),
        }

    def _start_state(self) -> State:
        column, paddle = self.np_random.integers(SIDE, size=2)
        return (0, int(column), int(paddle), self.balls)

    def _observation(self) -> NDArray[np.uint8]:
        row, column, paddle, _ = (int(number) for number in self._state)
        cells = np.zeros((SIDE, SIDE, 3), np.uint8)
        cells[SIDE - 1, paddle] = PADDLE_COLOUR
        cells[row, column] = BALL_COLOUR
        return cells.repeat(PIXELS, axis=0).repeat(PIXELS, axis=1)

    def _draw(self, canvas: Canvas) -> None:
        row, column, paddle, _ = self._state
        size = 1 / SIDE
        canvas.line([(0.0, 0.0), (1.0, 0.0)], BLACK)
        canvas.rectangle((paddle * size, 0.0), ((paddle + 1) * size, size), BLUE)
        canvas.dot(((column + 0.5) * size, 1 - (row + 0.5) * size), RED, 16)
