"""Which key does what."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Literal

import gymnasium
import numpy as np

Command = Literal[
    "record", "pause", "reset", "switch", "header", "one_step", "faster", "slower", "quit",
    "next", "previous", "forwards", "backwards", "next_episode", "previous_episode",
]  # fmt: skip

#: By the names of pygame.
COMMANDS: dict[str, Command] = {
    ",": "record",
    ".": "pause",
    "return": "reset",
    "m": "switch",
    "h": "header",
    "e": "one_step",
    "=": "faster",
    "-": "slower",
    "escape": "quit",
}
#: Where nobody acts, arrows lead through episodes.
VIEWING: dict[str, Command] = {
    "right": "next",
    "left": "previous",
    "page up": "forwards",
    "page down": "backwards",
    "up": "next_episode",
    "down": "previous_episode",
}
HELP = (
    ", record   . pause   e one step   Enter reset   m human or agent   h header   "
    "- = speed   Esc quit"
)


class ActionKeys:
    """Actions of a space by the keys that are held.

    Discrete actions: digits from 0 on; the arrows left and right are the first and the last, up and
    down the second and the last but one. Boxes: left and right are the ends of the first dimension,
    up and down of the second; where there is a third, down is the far end of that too (the brake).
    With no key it is the middle of the discrete actions, 0 or what is nearest in a box.
    """

    def __init__(self, space: gymnasium.Space[Any]) -> None:
        self._space = space

    def action(self, held: Set[str]) -> Any:
        """What is done while these keys are held."""
        space = self._space
        if isinstance(space, gymnasium.spaces.Discrete):
            return int(space.start) + self._choice(held, int(space.n))
        assert isinstance(space, gymnasium.spaces.Box)
        low, high = space.low.reshape(-1), space.high.reshape(-1)
        action = np.clip(0.0, low, high)
        for key, dimension, ends in (
            ("left", 0, low), ("right", 0, high), ("up", 1, high), ("down", 1, low),
            ("down", 2, high),
        ):  # fmt: skip
            if key in held and dimension < len(action):
                action[dimension] = ends[dimension]
        return action.reshape(space.shape).astype(space.dtype)

    @staticmethod
    def _choice(held: Set[str], count: int) -> int:
        digits = [int(key) for key in held if key.isdigit() and int(key) < count]
        if digits:
            return min(digits)
        arrows = {"left": 0, "right": count - 1, "up": min(1, count - 1), "down": max(count - 2, 0)}
        pressed = [place for key, place in arrows.items() if key in held]
        return pressed[0] if pressed else count // 2 if count > 2 else 0
