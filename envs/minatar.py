"""MinAtar's games (Young & Tian 2019): their registration, their starts and their snapshots."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium

NAMESPACE = "MinAtar"
#: Attributes around a game that decide what it does next; the rest draws it.
_AROUND = ("random", "last_action")


def register() -> None:
    """Makes MinAtar's ids known: importing the package does not. Calling it again does nothing."""
    from minatar.gym import register_envs

    if not any(name.startswith(f"{NAMESPACE}/") for name in gymnasium.registry):
        register_envs()


class FreshGame(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Resets into a game in which nothing was played.

    The package repeats an action at random, the first of an episode by the last of the episode
    before: an episode would depend on those before it, and an evaluation on earlier ones.
    """

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        simulator: Any = self.env.unwrapped
        simulator.game.last_action = 0
        return self.env.reset(seed=seed, options=options)


def is_minatar(simulator: object) -> bool:
    return type(simulator).__module__ == "minatar.gym"


def save(simulator: Any) -> dict[str, Any]:
    """Everything that decides what a game does next, its random numbers included."""
    game = simulator.game
    around = {name: getattr(game, name) for name in _AROUND}
    # one copy of both: the game shares its random numbers with what is around it
    return copy.deepcopy({"around": around, "game": vars(game.env)})


def restore(simulator: Any, saved: dict[str, Any]) -> None:
    """Puts a game of the same name where `save` found the other one."""
    saved = copy.deepcopy(saved)
    vars(simulator.game).update(saved["around"])
    vars(simulator.game.env).update(saved["game"])
