"""A simulator: an environment that a planner may leave and come back to, at any state, exactly.

`make_simulator` builds the one for an environment file. Families, and how each saves a state:

* this project's own environments: their tuple of numbers; those with few states remember what a
  step does and what a state looks like (`envs.simulators.own`);
* classic control: the attributes that move; MuJoCo: a copy of all its data, since positions and
  velocities alone give a wrong first reward (`envs.simulators.physics`);
* Atari: the emulator's state, with the pictures that belong to it (`envs.simulators.atari`);
* MinAtar: the attributes of the game (`envs.simulators.minatar`);
* whatever else `envs.state` can save within an episode: toy text, Atari with sticky actions
  (`envs.simulators.saved`);
* all others, Box2D among them: the seed and the actions since, which are played again
  (`envs.simulators.replayed`).

Nothing copies an environment: a copy of an Atari or Box2D one silently is a new game.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.arguments import creator
from envs.errors import EnvironmentRefused
from envs.factory import make
from envs.lookup import find_spec
from envs.noise import noise_of
from envs.settings import AtariSettings, EnvironmentSettings
from envs.state import family, resumes_mid_episode
from envs.wrappers import Problem

Snapshot = Any
"""Of one state: opaque, never changed, picklable; restores into any simulator of the same file."""


class Outcome(NamedTuple):
    """What a step gave; the reward is the file's."""

    reward: float
    terminated: bool
    truncated: bool


class Simulator(Protocol):
    """An environment of its own, apart from the one that is acted in.

    Actions are indices of `actions`. `reset` or `restore` or `adopt` comes before all else.

    Attributes:
        actions: what the environment's `step` takes, an entry for each index.
        action_names: the same in words.
        frames_per_step: frames that one step advances (Atari), else 1.
    """

    actions: Sequence[Any]
    action_names: Sequence[str]
    observation_space: gymnasium.Space[Any]
    frames_per_step: int

    @property
    def in_episode(self) -> bool:
        """Whether `step` may be called: not where the episode is over."""
        ...

    def reset(self, seed: int | None = None) -> None:
        """Begins an episode, the one that the environment begins with the same seed."""
        ...

    def save(self) -> Snapshot:
        """The present state: observation, step counter and, where it decides what a step does,
        the random generator included."""
        ...

    def restore(self, snapshot: Snapshot) -> None:
        """Goes to a saved state."""
        ...

    def step(self, action: int) -> Outcome:
        """Takes action number `action`.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over here.
        """
        ...

    def observation(self) -> Any:
        """What the environment would show of the present state, to the bit; not to be written to.
        After a restore it is the snapshot's."""
        ...

    def lives(self) -> int:
        """Lives left; 0 where there is no such thing."""
        ...

    def screen(self) -> NDArray[np.uint8]:
        """Atari's screen, uint8 [210, 160] of palette indices; not to be kept.

        Raises:
            RuntimeError: after `restore` the emulator still shows the state before it; or there is
                no such screen.
        """
        ...

    def ram(self) -> NDArray[np.uint8]:
        """Atari's memory, uint8 [128]. Raises RuntimeError elsewhere."""
        ...

    def picture(self) -> NDArray[np.uint8]:
        """uint8 [H, W, 3], to be looked at.

        Raises:
            RuntimeError: the environment cannot be drawn.
        """
        ...

    def adopt(self, problem: Problem) -> Snapshot:
        """Goes to the state of a running environment of the same file, and returns it."""
        ...

    def close(self) -> None: ...


class NotExact(EnvironmentRefused):
    """Going back to a state of this environment does not bring back what follows it."""


def make_simulator(settings: EnvironmentSettings, *, bins: int = 3) -> Simulator:
    """The simulator of an environment file.

    Args:
        bins: values for each dimension of a continuous action, from its lowest to its highest.

    Raises:
        EnvironmentRefused: the file is refused, or there is no finite list of actions.
    """
    from envs.simulators import atari, minatar, own, physics, replayed, saved

    if noise_of(settings, evaluation=False) is not None:
        raise EnvironmentRefused(
            "observation_noise", "is not for planners, which would know what it will be"
        )
    problem = make(settings, render_mode=_drawn(settings))
    games = settings.atari or AtariSettings()
    simulator: Any = problem.unwrapped
    match family(simulator) if resumes_mid_episode(problem) else None:
        case None:
            kind: Any = replayed.Replayed
        case "own" if simulator.has_basic_features:
            kind = own.Grid
        case "own":
            kind = own.Own
        case "atari":
            whole = atari.plays_whole_steps(games)
            return (atari.Emulated if whole else atari.FrameByFrame)(problem, bins, games)
        case "mujoco":
            kind = physics.MuJoCo
        case "minatar":
            kind = minatar.Game
        case "plain" if physics.is_known(simulator):
            kind = physics.ClassicControl
        case _:
            kind = saved.Saved
    made: Simulator = kind(problem, bins)
    return made


def _drawn(settings: EnvironmentSettings) -> str | None:
    """The render mode in which an environment that does not draw for a simulator can be drawn."""
    create = creator(find_spec(settings.env_name))
    modes = getattr(create, "metadata", {}).get("render_modes", ())
    return "rgb_array" if "rgb_array" in modes else None


def check_exact(simulator: Simulator, rng: np.random.Generator, steps: int = 20) -> None:
    """Plays on from a state, goes back, plays the same again, and compares everything.

    It begins an episode of the simulator.

    Raises:
        NotExact: the second time was different.
    """
    simulator.reset(int(rng.integers(2**31)))
    actions = rng.integers(len(simulator.actions), size=steps + 5).tolist()
    _played(simulator, actions[steps:])
    start = simulator.save()
    if not simulator.in_episode:
        simulator.reset(int(rng.integers(2**31)))
        start = simulator.save()
    seen = [_look(simulator), *_played(simulator, actions[:steps])]
    for _ in range(2):
        simulator.restore(start)
        again = [_look(simulator), *_played(simulator, actions[: len(seen) - 1])]
        for number, (first, second) in enumerate(zip(seen, again, strict=False)):
            for name in first:
                if first[name] != second[name]:
                    raise NotExact(
                        "env_name",
                        "is an environment that a planner cannot go back in: played again from a "
                        f"saved state, it differs in the {name} of step {number} of {steps}",
                    )


def _played(simulator: Simulator, actions: Sequence[int]) -> list[dict[str, Any]]:
    """What is seen at each of the steps, up to the end of the episode."""
    seen = []
    for action in actions:
        if not simulator.in_episode:
            break
        seen.append(_look(simulator, simulator.step(action)))
    return seen


def _look(simulator: Simulator, outcome: Outcome | None = None) -> dict[str, Any]:
    content = _bytes(simulator.observation())
    return {"observation": content, "reward and end": outcome, "lives": simulator.lives()}


def _bytes(observation: Any) -> Any:
    """The observation as something that is equal only to the bit."""
    if isinstance(observation, dict):
        return {name: _bytes(part) for name, part in observation.items()}
    if isinstance(observation, tuple | list):
        return [_bytes(part) for part in observation]
    return np.asarray(observation).tobytes()
