"""What a player shows: something with pictures that goes on step by step."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


class Panel(NamedTuple):
    """A picture [H, W, 3] and what it is called."""

    name: str
    picture: Picture


class Moment(NamedTuple):
    """Where a world is.

    Attributes:
        panels: side by side.
        reward: of the last step.
        total: of the episode so far.
        steps: of the episode so far.
        over: whether it has ended: `step` needs a `reset` first.
        note: more for people, or nothing.
    """

    panels: tuple[Panel, ...]
    reward: float = 0.0
    total: float = 0.0
    steps: int = 0
    over: bool = False
    note: str = ""


class World(Protocol):
    """An environment, a dream, or episodes that were saved.

    Attributes:
        action_space: that keys act in; None: nobody can act here.
        has_agent: whether it can act by itself.
    """

    action_space: Any
    has_agent: bool

    def reset(self) -> Moment:
        """A new episode."""
        ...

    def step(self, action: Any | None) -> Moment:
        """The action is done; None: that of its agent, where it has one."""
        ...

    def move(self, steps: int, episodes: int) -> Moment | None:
        """Goes to another place, forwards or back; None: there is only one way, by `step`."""
        ...

    def last(self) -> dict[str, NDArray[Any]]:
        """What is to be saved of the last step beside its pictures: arrays by name."""
        ...

    def close(self) -> None:
        """Closes what it opened."""
        ...
