"""Fetch the key, then go to the door: where a search must look past a goal without reward.

The corridor and the mazes are those of Junyent, Jonsson and Gomez (2019), "Deep policies for
width-based planning in pixel domains"; the larger ones have their distances, from the hero to the
key and on to the door, with rooms of our own.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from gymnasium.spaces import Discrete

from envs.own.base import State
from envs.own.grids import MOVES, Cell, GridOfThings


class KeyDoor(GridOfThings):
    """Reward +1 at the door with the key, which terminates; ``key_reward`` at the key, once.

    The state is (column, row, has the key). The door without the key is a cell like any other.
    """

    kinds: ClassVar = ".WDKH"
    action_names = tuple(MOVES)
    walls_end: ClassVar[bool] = True
    """A wall that is entered ends the episode with reward -1; else it stops the move."""

    def __init__(
        self,
        render_mode: str | None = None,
        observation: Literal["rgb", "compact", "basic"] = "rgb",
        key_reward: float = 0.0,
    ) -> None:
        super().__init__(render_mode, observation)
        self.key_reward = key_reward
        self.action_space = Discrete(len(self.action_names))
        self._moves = [MOVES[name] for name in self.action_names]
        self._start, self._key, self._door = (self._found[letter][0] for letter in "HKD")

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        x, y, has_key = self._state
        right, down = self._moves[action]
        to = (int(x) + right, int(y) + down)
        if not (0 <= to[0] < self.cols and 0 <= to[1] < self.rows):
            to = (int(x), int(y))
        hits = to in self._walls
        if hits and not self.walls_end:
            to, hits = (int(x), int(y)), False
        reward, terminated = 0.0, False
        if hits:
            reward, terminated = -1.0, True
        elif to == self._key and not has_key:
            reward, has_key = self.key_reward, 1
        elif to == self._door and has_key:
            reward, terminated = 1.0, True
        self._state = (*to, has_key)
        if self.render_mode == "human":
            self.render()
        return self._observation(), reward, terminated, False, {}

    def _start_state(self) -> State:
        return (*self._start, 0)

    def _things(self) -> dict[str, Cell]:
        things = {"D": self._door}
        return things if self._state[2] else things | {"K": self._key}

    def _compact_scale(self) -> tuple[float, ...]:
        return (*super()._compact_scale(), 1.0)


class Corridor(KeyDoor):
    """A corridor, the key at one end, the door at the other; walls stop a move."""

    action_names = ("WEST", "EAST")
    walls_end: ClassVar = False
    map: ClassVar = """
        ..........
        ..........
        ..........
        WWWWWWWWWW
        WDH.....KW
        WWWWWWWWWW
        ..........
        ..........
        ..........
        ..........
    """


class Maze0(KeyDoor):
    """No inner wall."""

    map: ClassVar = """
        WWWWWWWWWW
        WD......KW
        W........W
        W........W
        W........W
        W........W
        W........W
        W........W
        WH.......W
        WWWWWWWWWW
    """


class Maze1(KeyDoor):
    """One inner wall."""

    map: ClassVar = """
        WWWWWWWWWW
        WD......KW
        W........W
        W........W
        W........W
        W........W
        W..WWWW..W
        W........W
        WH.......W
        WWWWWWWWWW
    """


class Maze2(KeyDoor):
    """Two inner walls."""

    map: ClassVar = """
        WWWWWWWWWW
        WD......KW
        W........W
        W.....WWWW
        W........W
        W........W
        W..WWWW..W
        W........W
        WH.......W
        WWWWWWWWWW
    """


class Maze3(KeyDoor):
    """Three inner walls."""

    map: ClassVar = """
        WWWWWWWWWW
        WD.W....KW
        W..W.....W
        W..W..WWWW
        W........W
        W........W
        W..WWWW..W
        W........W
        WH.......W
        WWWWWWWWWW
    """


class MazeR(KeyDoor):
    """The key in a chamber that opens to the right, away from hero and door."""

    map: ClassVar = """
        WWWWWWWWWW
        WD.......W
        W........W
        W..WWWW..W
        W..WK....W
        W..W.....W
        W..WWWW..W
        W........W
        WH.......W
        WWWWWWWWWW
    """


class MazeL(KeyDoor):
    """The key in a chamber that opens to the left."""

    map: ClassVar = """
        WWWWWWWWWW
        WD.......W
        W........W
        W..WWWW..W
        W.....W..W
        W....KW..W
        W..WWWW..W
        W........W
        WH.......W
        WWWWWWWWWW
    """


class Maze20(KeyDoor):
    """Four rooms on 20 x 20 cells."""

    map: ClassVar = """
        WWWWWWWWWWWWWWWWWWWW
        W.........W........W
        W....H....W....D...W
        W.........W........W
        W.........W........W
        W..................W
        W.........W........W
        W.........W........W
        W.........W........W
        W.........W........W
        WWWW.WWWWWWWW.WWWWWW
        W.........W........W
        W.........W........W
        W.........W........W
        W.........W........W
        W.........W..K.....W
        W.........W........W
        W.........W........W
        W.........W........W
        WWWWWWWWWWWWWWWWWWWW
    """


class Maze32(KeyDoor):
    """Nine rooms on 32 x 32 cells."""

    map: ClassVar = """
        WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        W......H...................D...W
        W..............................W
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        WWWWW.WWWWWWWWW.WWWWWWWWW.WWWWWW
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        W..............................W
        W..............................W
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        WWWWW..WWWWWWWW..WWWWWWWW..WWWWW
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        W..............................W
        W......................K.......W
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        W..........W.........W.........W
        WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW
    """
