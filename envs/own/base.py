"""What the project's own environments share: start states, snapshots, pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.drawing import Canvas, Point
from envs.generators import generator_state, restored_generator

State = tuple[float, ...]
States = NDArray[np.float64]
"""[S, M], the states of M environments, an entry of the state a row."""
Moved = tuple[States, NDArray[np.float64], NDArray[np.bool_]]
"""Of M environments after a step: states [S, M], rewards [M], terminated [M]."""


class OwnEnvironment(gymnasium.Env[Any, Any], ABC):
    """An environment whose whole state is one tuple of Python floats (or ints).

    The dynamics are written with +, -, *, /, min, max, sqrt, sin and cos of Python floats, which
    is faster than NumPy on single numbers, and equal to it to the last bit.

    A subclass has ``step``, and ``_start_state``, ``_observation`` and ``_draw`` below.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array"], "render_fps": 30}  # noqa: RUF012
    clips_actions: ClassVar[bool] = True
    """A continuous action is clipped in ``step``: no wrapper need do it."""
    state_bounds: ClassVar[dict[str, tuple[float, float]]] = {}
    """Name -> (low, high) of each entry of a start state; empty: the start cannot be chosen."""
    draws_in_step: ClassVar[bool] = True
    """A step draws random numbers, or may."""
    few_states: ClassVar[bool] = False
    """A step draws none, and there are so few states that a planner may remember all it saw."""
    action_names: tuple[str, ...] = ()
    """The actions in words, where they are discrete."""
    has_basic_features: ClassVar[bool] = False
    """It has ``atom_count`` and ``basic_atoms``: see `envs.own.grids`."""
    picture: ClassVar[tuple[Point, Point]] = ((0.0, 0.0), (1.0, 1.0))
    """Low and high corner of the drawn part of the world."""

    def __init__(self, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode is one of {self.metadata['render_modes']} or None")
        self.render_mode = render_mode
        self._state: State = ()
        self._canvas: Canvas | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts an episode; ``options={"start_state": [...]}`` chooses where.

        Raises:
            ValueError: a start state of the wrong length or outside ``state_bounds``.
        """
        super().reset(seed=seed)
        if options and "start_state" in options:
            return self.start_at(options["start_state"]), self._info()
        self._state = self._start_state()
        if self.render_mode == "human":
            self.render()
        return self._observation(), self._info()

    def start_at(self, values: Sequence[float]) -> Any:
        """Puts the environment into a start state and returns its observation.

        Raises:
            ValueError: as in ``checked_start``.
        """
        self._state = self.checked_start(values)
        if self.render_mode == "human":
            self.render()
        return self._observation()

    def checked_start(self, values: Sequence[float]) -> State:
        """The start state as the environment keeps it.

        Raises:
            ValueError: it has the wrong length, or an entry is out of bounds.
        """
        bounds = self._start_bounds()
        if len(values) != len(bounds):
            names = f" ({', '.join(bounds)})" if bounds else ""
            raise ValueError(f"a start state has {len(bounds)} numbers{names}, not {len(values)}")
        for value, (name, (low, high)) in zip(values, bounds.items(), strict=True):
            if not low <= value <= high:
                raise ValueError(f"{name} = {value} is outside [{low:g}, {high:g}]")
        return tuple(float(value) for value in values)

    def save(self) -> dict[str, Any]:
        """Everything that decides the future, as plain picklable data."""
        return {"state": self._state, "generator": generator_state(self._np_random)}

    def restore(self, saved: dict[str, Any]) -> None:
        """Puts back what ``save`` returned, here or in another process."""
        self._state = saved["state"]
        self._np_random = restored_generator(saved["generator"])

    def render(self) -> NDArray[np.uint8] | None:
        """The state as uint8 [400, 400, 3] ("rgb_array") or in a window ("human")."""
        if self.render_mode is None:
            raise gymnasium.error.Error("nothing to render: make it with a render_mode")
        if self._canvas is None:
            self._canvas = Canvas(*self.picture, window=self.render_mode == "human")
        self._canvas.clear()
        self._draw(self._canvas)
        return self._canvas.show(self.metadata["render_fps"])

    def close(self) -> None:
        if self._canvas is not None:
            self._canvas.close()
            self._canvas = None

    def _info(self) -> dict[str, Any]:
        """What ``reset`` says beside the observation."""
        return {}

    def _start_bounds(self) -> dict[str, tuple[float, float]]:
        return self.state_bounds

    @abstractmethod
    def _start_state(self) -> State:
        """The state in which an episode starts, drawn from ``np_random`` alone."""

    @abstractmethod
    def _observation(self) -> Any:
        """A new observation of ``_state``."""

    @abstractmethod
    def _draw(self, canvas: Canvas) -> None:
        """Draws ``_state``."""


class SteppedAtOnce(OwnEnvironment):
    """One whose observation is its state, and whose step NumPy can do for many at once."""

    @classmethod
    @abstractmethod
    def step_many(cls, states: States, actions: NDArray[Any]) -> Moved:
        """One step of M environments, each with the bits that ``step`` gives it.

        Args:
            states: left as they are.
            actions: [M, 1] where they are continuous, else [M].
        """
