"""Throwers above, and a player below who has to get out of the way: a small Doom Take Cover.

As in the game that Ha and Schmidhuber (2018) dream of, danger is random and rare: a model that
leaves out what is unlikely is one in which nobody throws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from envs.drawing import BLACK, BLUE, RED, Canvas
from envs.own.base import OwnEnvironment, State

STEP = 0.05
FALL = 0.125  # exact in binary: heights are sums of it
REACH = 0.12  # a stone that lands nearer than this hits
MOVES = (-STEP, 0.0, STEP)


class TakeCover(OwnEnvironment):
    """Reward 1 a step; ends when a stone hits the player.

    A thrower is anywhere at the top, uniformly, on every step, and throws with probability
    ``chance``. The stone falls straight down, lands on the eighth step, and then the thrower is
    back. Observation float32 [1 + 2 throwers]: where the player is, in [0, 1], then for each
    thrower how far to the right of the player it, or its stone, is, and the height, which is 1
    at the top. The player is kept REACH away from both sides: no place is safer than another.
    """

    action_names = ("LEFT", "STAY", "RIGHT")

    def __init__(
        self, render_mode: str | None = None, throwers: int = 1, chance: float = 0.2
    ) -> None:
        super().__init__(render_mode)
        if throwers < 1:
            raise ValueError(f"throwers is at least 1, not {throwers}")
        if not 0 < chance <= 1:
            raise ValueError(f"chance is above 0 and at most 1, not {chance}")
        self.throwers, self.chance = throwers, chance
        self.action_space = Discrete(3)
        low, high = [0.0] + [-1.0, 0.0] * throwers, np.ones(1 + 2 * throwers, np.float32)
        self.observation_space = Box(np.array(low, np.float32), high)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        player, *stones = self._state
        player = min(max(player + MOVES[action], REACH), 1.0 - REACH)
        after, hit = [player], False
        for place, height in zip(stones[::2], stones[1::2], strict=True):
            if height == 0.0:
                after += (self._place(), 1.0)
            elif height == 1.0:
                # whether it throws does not depend on where it is
                thrown = float(self.np_random.random()) < self.chance
                after += (self._place(), 1.0 - FALL if thrown else 1.0)
            else:
                after += (place, height - FALL)
                hit = hit or (height == FALL and abs(place - player) < REACH)
        self._state = tuple(after)
        if self.render_mode == "human":
            self.render()
        return self._observation(), 1.0, hit, False, {}

    def _place(self) -> float:
        return float(self.np_random.random())

    def _start_state(self) -> State:
        places = (self._place() for _ in range(self.throwers))
        return (0.5, *(number for place in places for number in (place, 1.0)))

    def _observation(self) -> Any:
        seen = np.array(self._state, np.float32)
        seen[1::2] -= seen[0]
        return seen

    def _draw(self, canvas: Canvas) -> None:
        player, *stones = self._state
        canvas.line([(0.0, 0.0), (1.0, 0.0)], BLACK, 1)
        canvas.line([(max(player - REACH, 0.0), 0.0), (min(player + REACH, 1.0), 0.0)], BLUE, 5)
        canvas.dot((player, 0.0))
        for place, height in zip(stones[::2], stones[1::2], strict=True):
            canvas.dot((place, height), RED)
