"""Simulators of this project's own environments, whose state is a tuple of numbers."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.drawing import Canvas
from envs.own.base import OwnEnvironment
from envs.simulators.base import ProblemSimulator, frozen
from envs.wrappers import Problem, Step

#: Observations that are remembered at most: 85 MB of pictures.
MOST_REMEMBERED = 4096


class Own(ProblemSimulator):
    """The state, and the generator where a step draws from it."""

    _keep = staticmethod(frozen)

    def __init__(self, problem: Problem, bins: int) -> None:
        super().__init__(problem, bins)
        env: Any = problem.unwrapped
        self._env = env
        self._canvas: Canvas | None = None
        if env.few_states:
            problem.env = Remembering(env)

    def _read(self, problem: Problem) -> Any:
        env: Any = self._env if problem is self.problem else problem.unwrapped
        if env.draws_in_step:
            return env._state, env.np_random.bit_generator.state
        return env._state

    def _write(self, inside: Any) -> None:
        env = self._env
        if env.draws_in_step:
            env._state, env.np_random.bit_generator.state = inside
        else:
            env._state = inside

    def picture(self) -> NDArray[np.uint8]:
        if self._canvas is None:
            self._canvas = Canvas(*self._env.picture, window=False)
        self._canvas.clear()
        self._env._draw(self._canvas)
        drawn = self._canvas.show(0)
        assert drawn is not None  # nothing goes to a window here
        return drawn


class Grid(Own):
    """A grid world that has BASIC features: which kind of thing each cell holds.

    Attributes:
        atom_count: cells times kinds.
    """

    def __init__(self, problem: Problem, bins: int) -> None:
        super().__init__(problem, bins)
        self.atom_count: int = self._env.atom_count
        self._atoms: dict[Any, NDArray[np.int32]] = {}

    def basic_atoms(self) -> NDArray[np.int32]:
        """int32 [cells], cell * kinds + kind, of the present state; not to be written to."""
        state = self._env._state
        atoms = self._atoms.get(state)
        if atoms is None:
            if len(self._atoms) >= MOST_REMEMBERED:
                self._atoms.clear()
            atoms = self._atoms[state] = self._env.basic_atoms()
            atoms.setflags(write=False)
        return atoms


class Remembering(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Steps an environment with few states, each (state, action) once."""

    def __init__(self, env: OwnEnvironment) -> None:
        super().__init__(env)
        self._own = env
        self._seen: dict[tuple[Any, Any], tuple[Any, Step]] = {}
        self._observations: dict[Any, Any] = {}

    def step(self, action: Any) -> Step:
        env = self._own
        key = (env._state, action)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = self._stepped(action)
        env._state, step = seen
        return step

    def _stepped(self, action: Any) -> tuple[Any, Step]:
        """The state that an action leads to, and what the step returns."""
        if len(self._observations) >= MOST_REMEMBERED:
            self._observations.clear()
            self._seen.clear()
        observation, *rest = self._own.step(action)
        state = self._own._state
        # one observation for all ways into a state
        observation = self._observations.setdefault(state, frozen(observation))
        return state, (observation, *rest)
