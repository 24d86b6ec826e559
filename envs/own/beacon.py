"""An empty room and a goal somewhere in it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from gymnasium.spaces import Discrete

from envs.own.base import State
from envs.own.grids import MOVES, Cell, GridOfThings

SIZE = 10


class MoveToBeacon(GridOfThings):
    """Reward +1 at the goal, which terminates; each episode has another goal.

    The state is (column, row) of the hero, then of the goal. An edge stops a move.
    """

    kinds: ClassVar = ".DH"
    map: ClassVar = f"{'.' * SIZE} " * SIZE
    action_names = ("NORTH", "EAST", "SOUTH", "WEST")

    def __init__(
        self,
        render_mode: str | None = None,
        observation: Literal["rgb", "compact", "basic"] = "rgb",
    ) -> None:
        super().__init__(render_mode, observation)
        self.action_space = Discrete(len(self.action_names))
        self._moves = [MOVES[name] for name in self.action_names]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        x, y, *goal = self._state
        right, down = self._moves[action]
        x, y = min(max(x + right, 0), self.cols - 1), min(max(y + down, 0), self.rows - 1)
        self._state = (x, y, *goal)
        terminated = [x, y] == goal
        if self.render_mode == "human":
            self.render()
        return self._observation(), 1.0 if terminated else 0.0, terminated, False, {}

    def _start_state(self) -> State:
        """The hero in the middle, the goal in any other cell."""
        hero = (self.cols // 2, self.rows // 2)
        cell = int(self.np_random.integers(self.rows * self.cols - 1))
        cell += cell >= hero[1] * self.cols + hero[0]
        return (*hero, cell % self.cols, cell // self.cols)

    def _things(self) -> dict[str, Cell]:
        return {"D": (int(self._state[2]), int(self._state[3]))}

    def _compact_scale(self) -> tuple[float, ...]:
        return super()._compact_scale() * 2
