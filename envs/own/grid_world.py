"""A rectangle of cells: from the top left to the bottom right corner, one cell a step."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from gymnasium.spaces import Box, Discrete

from envs.drawing import GREEN, GREY, Canvas
from envs.own.base import OwnEnvironment, State

OBSERVATIONS = ("xy", "onehot", "index")
MOVES = ((0, -1), (0, 1), (-1, 0), (1, 0))
"""(rows, columns) of the actions left, right, up, down; row 0 is the top."""


class GridWorld(OwnEnvironment):
    """Reward -1 a step, 0 on reaching the goal, which terminates. A wall stops a move.

    ``observation`` is "xy": float32 [column, row], both scaled to [0, 1]; "onehot": float32
    [rows * cols]; or "index": an integer, row * cols + column.
    """

    picture: ClassVar = ((0.0, 0.0), (1.0, 1.0))
    draws_in_step: ClassVar = False
    few_states: ClassVar = True
    action_names = ("LEFT", "RIGHT", "UP", "DOWN")

    def __init__(
        self,
        render_mode: str | None = None,
        rows: int = 10,
        cols: int = 10,
        observation: Literal["xy", "onehot", "index"] = "xy",
    ) -> None:
        super().__init__(render_mode)
        if rows < 1 or cols < 1 or rows * cols < 2:
            raise ValueError(f"a grid has two cells or more, not {rows} x {cols}")
        if observation not in OBSERVATIONS:
            raise ValueError(f"observation is one of {OBSERVATIONS}, not {observation!r}")
        self.rows, self.cols, self.observation = rows, cols, observation
        self.action_space = Discrete(4)
        self.observation_space = {
            "xy": Box(0.0, 1.0, (2,), np.float32),
            "onehot": Box(0.0, 1.0, (rows * cols,), np.float32),
            "index": Discrete(rows * cols),
        }[observation]
        self._scale = (1 / max(cols - 1, 1), 1 / max(rows - 1, 1))

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        row, col = self._state
        down, right = MOVES[action]
        row = min(max(row + down, 0), self.rows - 1)
        col = min(max(col + right, 0), self.cols - 1)
        self._state = (row, col)
        terminated = row == self.rows - 1 and col == self.cols - 1
        if self.render_mode == "human":
            self.render()
        return self._observation(), 0.0 if terminated else -1.0, terminated, False, {}

    def checked_start(self, values: Any) -> State:
        state = super().checked_start(values)
        if not all(value.is_integer() for value in state):
            raise ValueError(f"a cell is two whole numbers, not {list(values)}")
        return tuple(int(value) for value in state)

    def _start_bounds(self) -> dict[str, tuple[float, float]]:
        return {"row": (0, self.rows - 1), "column": (0, self.cols - 1)}

    def _start_state(self) -> State:
        return (0, 0)

    def _observation(self) -> Any:
        row, col = self._state
        if self.observation == "xy":
            return np.array((col * self._scale[0], row * self._scale[1]), np.float32)
        index = int(row * self.cols + col)
        if self.observation == "index":
            return index
        onehot = np.zeros(self.rows * self.cols, np.float32)
        onehot[index] = 1
        return onehot

    def _draw(self, canvas: Canvas) -> None:
        width, height = 1 / self.cols, 1 / self.rows
        canvas.rectangle((1 - width, 0.0), (1.0, height), GREEN)
        for col in range(1, self.cols):
            canvas.line([(col * width, 0.0), (col * width, 1.0)], GREY, 1)
        for row in range(1, self.rows):
            canvas.line([(0.0, row * height), (1.0, row * height)], GREY, 1)
        at_row, at_col = self._state
        canvas.dot(((at_col + 0.5) * width, 1 - (at_row + 0.5) * height))
