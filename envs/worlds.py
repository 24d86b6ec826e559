"""A new Box2D world for every episode.

BipedalWalker and CarRacing build one world when they are made and only empty it between episodes.
An emptied world is not quite a new one: in it the same episode of BipedalWalker, same seed and
actions, comes out different in the last digits. An episode would depend on those before it in the
same process, and a resumed run could not repeat it. LunarLander makes a new world itself.
"""

from __future__ import annotations

from typing import Any

import gymnasium


class FreshWorld(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Resets into a world in which nothing has happened."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        import Box2D

        simulator: Any = self.env.unwrapped
        gravity = simulator.world.gravity
        # the list of bodies that the simulator would otherwise remove from the new world
        setattr(simulator, "terrain" if hasattr(simulator, "terrain") else "road", [])
        simulator.world = Box2D.b2World(gravity=gravity)
        return self.env.reset(seed=seed, options=options)


def keeps_its_world(simulator: object) -> bool:
    return any(
        kind.__module__.startswith("gymnasium.envs.box2d.")
        and kind.__name__ in {"BipedalWalker", "CarRacing"}
        for kind in type(simulator).__mro__
    )
