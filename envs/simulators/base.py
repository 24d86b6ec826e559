"""What all simulators share: a `Problem` of their own, which counts, truncates and rewards."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from envs.errors import EnvironmentRefused
from envs.simulator import Outcome
from envs.wrappers import Problem, Rules

#: A longer list of actions is a mistake: a planner tries each of them.
MOST_ACTIONS = 4096


class State(NamedTuple):
    """A snapshot: `inside` is the family's own."""

    inside: Any
    observation: Any
    steps: int
    in_episode: bool
    rules: Rules


class ProblemSimulator(ABC):
    """A simulator that steps a `Problem`. See `envs.simulator.Simulator`.

    A family says how the inside of a problem is read and written, its observation, step counter
    and end of episode apart, which are kept here.
    """

    frames_per_step = 1

    def __init__(self, problem: Problem, bins: int) -> None:
        self.problem = problem
        self.observation_space = problem.observation_space
        self.actions, self.action_names = finite_actions(problem, bins)
        self._observation: Any = None
        self._rules = problem.rules

    @abstractmethod
    def _read(self, problem: Problem) -> Any:
        """The inside of this or another problem of the same file, sharing nothing with it."""

    @abstractmethod
    def _write(self, inside: Any) -> None:
        """Puts an inside into this simulator's problem; it is not to be changed by what follows."""

    @property
    def in_episode(self) -> bool:
        """Whether `step` may be called."""
        return self.problem.in_episode

    def reset(self, seed: int | None = None) -> None:
        self.problem.rules = self._rules
        self._observation = self._keep(self.problem.reset(seed=seed)[0])

    def save(self) -> State:
        return self._state_of(self.problem, self._observation)

    def restore(self, snapshot: State) -> None:
        inside, self._observation, steps, in_episode, rules = snapshot
        problem = self.problem
        if problem.rules is not rules:
            problem.rules = rules
        self._write(inside)
        problem.restore_counters(steps=steps, in_episode=in_episode)

    def step(self, action: int) -> Outcome:
        observation, reward, terminated, truncated, _ = self.problem.step(self.actions[action])
        self._observation = self._keep(observation)
        return Outcome(reward, terminated, truncated)

    def observation(self) -> Any:
        return self._observation

    def adopt(self, problem: Problem) -> State:
        observation = kept(problem.observation)
        state = self._state_of(problem, observation)
        self.restore(state)
        return state

    def _state_of(self, problem: Problem, observation: Any) -> State:
        inside = self._read(problem)
        return State(inside, observation, problem.steps, problem.in_episode, problem.rules)

    def _keep(self, observation: Any) -> Any:
        """The observation of a step as it is kept: new, or not to be written to."""
        return kept(observation)

    def lives(self) -> int:
        return 0

    def screen(self) -> NDArray[np.uint8]:
        raise RuntimeError("only Atari games have a screen of palette indices")

    def ram(self) -> NDArray[np.uint8]:
        raise RuntimeError("only Atari games have a memory to look at")

    def picture(self) -> NDArray[np.uint8]:
        try:
            drawn = self.problem.render()
        except (AttributeError, NotImplementedError, gymnasium.error.Error) as error:
            raise RuntimeError(f"{self.problem} cannot be drawn: {error}") from error
        if not isinstance(drawn, np.ndarray):
            raise RuntimeError(f"{self.problem} draws no picture")
        return drawn

    def close(self) -> None:
        self.problem.close()


def frozen(observation: Any) -> Any:
    """An observation that is new with each step, not to be written to."""
    if isinstance(observation, np.ndarray) and observation.flags.writeable:
        observation.setflags(write=False)
    return observation


def kept(observation: Any) -> Any:
    """A copy that nobody will write to, of an observation that the environment may write to."""
    match observation:
        case np.ndarray() if observation.flags.writeable:
            return frozen(observation.copy())
        case dict():
            return {name: kept(part) for name, part in observation.items()}
        case tuple():
            return tuple(map(kept, observation))
        case _:
            return observation


def copied(value: Any) -> Any:
    """Plain data that shares nothing that can change."""
    match value:
        case np.ndarray():
            return value.copy()
        case list() | tuple() | set() | frozenset():
            return type(value)(map(copied, value))
        case deque():
            return deque(map(copied, value), value.maxlen)
        case dict():
            return {key: copied(item) for key, item in value.items()}
        case _:
            return value


def finite_actions(problem: Problem, bins: int) -> tuple[Sequence[Any], Sequence[str]]:
    """The list of actions and their names.

    Raises:
        EnvironmentRefused: there is none, or it is too long.
    """
    space = problem.action_space
    name = "it" if problem.spec is None else problem.spec.id
    if isinstance(space, Discrete):
        actions: list[Any] = list(range(int(space.start), int(space.start + space.n)))
        meanings = getattr(problem.unwrapped, "get_action_meanings", None)
        names = getattr(problem.unwrapped, "action_names", ()) or (meanings and meanings())
        return actions, list(names or map(str, actions))
    if not isinstance(space, Box) or space.dtype.kind != "f":
        raise EnvironmentRefused(
            "env_name", f"a planner needs a finite list of actions, but those of {name} are {space}"
        )
    if not space.is_bounded():
        raise EnvironmentRefused(
            "env_name", f"a planner needs bounded actions, but those of {name} are {space}"
        )
    count = bins ** int(np.prod(space.shape))
    if bins < 2 or count > MOST_ACTIONS:
        raise EnvironmentRefused(
            "env_name",
            f"{bins} values for each dimension of {name}'s actions make {count} actions; "
            f"a planner takes from 2 values up to {MOST_ACTIONS} actions",
        )
    values = np.linspace(space.low.ravel(), space.high.ravel(), bins)  # [bins, dimensions]
    grid = [np.array(one).reshape(space.shape) for one in itertools.product(*values.T)]
    actions = [frozen(one.astype(space.dtype)) for one in grid]
    return actions, [" ".join(f"{value:g}" for value in one.ravel()) for one in actions]
