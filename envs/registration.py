"""The project's own environments, under Gymnasium's namespace ``sweep/``.

``register()`` also makes them known to a plain ``gymnasium.make("sweep/...")``.
"""

from __future__ import annotations

import gymnasium

# id -> (class, registered steps per episode)
OWN_ENVIRONMENTS: dict[str, tuple[str, int | None]] = {
    "sweep/PendulumContinuous-v1": ("envs.own.pendulum:PendulumContinuous", 1000),
    "sweep/PendulumDiscrete-v1": ("envs.own.pendulum:PendulumDiscrete", 1000),
    "sweep/PendulumContinuing-v1": ("envs.own.pendulum:PendulumContinuous", None),
    "sweep/MountainCarContinuous-v1": ("envs.own.mountain_car:MountainCarContinuous", 1000),
    "sweep/MountainCarDiscrete-v1": ("envs.own.mountain_car:MountainCarDiscrete", 1000),
    "sweep/AcrobotContinuous-v1": ("envs.own.acrobot:AcrobotContinuous", 1000),
    "sweep/AcrobotDiscrete-v1": ("envs.own.acrobot:AcrobotDiscrete", 1000),
    "sweep/Bimodal-v1": ("envs.own.bimodal:Bimodal", 1),
    "sweep/GridWorld-v1": ("envs.own.grid_world:GridWorld", 1000),
    "sweep/PuddleWorld-v1": ("envs.own.puddle_world:PuddleWorld", 1000),
    "sweep/TakeCover-v1": ("envs.own.take_cover:TakeCover", 200),
    "sweep/KeyDoorCorridor-v1": ("envs.own.key_door:Corridor", 200),
    "sweep/KeyDoorMaze0-v1": ("envs.own.key_door:Maze0", 200),
    "sweep/KeyDoorMaze1-v1": ("envs.own.key_door:Maze1", 200),
    "sweep/KeyDoorMaze2-v1": ("envs.own.key_door:Maze2", 200),
    "sweep/KeyDoorMaze3-v1": ("envs.own.key_door:Maze3", 200),
    "sweep/KeyDoorMazeR-v1": ("envs.own.key_door:MazeR", 200),
    "sweep/KeyDoorMazeL-v1": ("envs.own.key_door:MazeL", 200),
    "sweep/KeyDoorMaze20-v1": ("envs.own.key_door:Maze20", 200),
    "sweep/KeyDoorMaze32-v1": ("envs.own.key_door:Maze32", 200),
    "sweep/TicTacToe-v1": ("envs.own.board_games:TicTacToe", 9),
    "sweep/Connect4-v1": ("envs.own.board_games:Connect4", 42),
    "sweep/MoveToBeacon-v1": ("envs.own.beacon:MoveToBeacon", 200),
    "sweep/Catch-v1": ("envs.own.catch:Catch", 100),
}

# the same of environments that are Gymnasium's but for their speed, and not saved within episodes
FASTER_ENVIRONMENTS: dict[str, tuple[str, int | None]] = {
    "sweep/CarRacing-v3": ("envs.car_racing:CarRacing", 1000),
}


def register() -> None:
    """Registers all of these; calling it again does nothing."""
    every = OWN_ENVIRONMENTS | FASTER_ENVIRONMENTS
    for name, (entry_point, steps_per_episode) in every.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point, max_episode_steps=steps_per_episode)
