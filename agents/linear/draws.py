"""Random numbers of a group: each member's from a generator of its own, drawn in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

#: Steps that a member's generator is asked for at once. No result depends on it.
BLOCK = 256

Law = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers."""
    return rng.standard_normal(shape)


def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform numbers in [0, 1)."""
    return rng.random(shape)


class Draws:
    """For M members, W numbers a step.

    Attributes:
        values: [M, BLOCK, W]; those of member m's next step are values[m, used[m]].
        used: [M] counted up by whoever uses them.
    """

    def __init__(self, law: Law, rngs: Sequence[np.random.Generator], width: int) -> None:
        self._law, self._rngs = law, list(rngs)
        self.values = np.zeros((len(rngs), BLOCK, width))
        self.used = np.full(len(rngs), BLOCK)
        self._steps_left = 0  # at least so many for every member

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Both attributes."""
        return self.values, self.used

    def provide(self) -> None:
        """To be called before every step: there are numbers for it."""
        if self._steps_left == 0:
            for member in np.flatnonzero(self.used == BLOCK):
                self.values[member] = self._law(self._rngs[member], self.values.shape[1:])
                self.used[member] = 0
            self._steps_left = BLOCK - int(self.used.max())
        self._steps_left -= 1

    def replace(self, member: int, rng: np.random.Generator) -> None:
        """The member's numbers come from `rng` from now on."""
        self._rngs[member] = rng
        self.used[member] = BLOCK
        self._steps_left = 0

    def state_dict(self, member: int) -> dict[str, Any]:
        return {
            "rng": self._rngs[member].bit_generator.state,
            "drawn": self.values[member, self.used[member] :].copy(),
        }

    def load_state_dict(self, member: int, state: dict[str, Any]) -> None:
        self._rngs[member].bit_generator.state = state["rng"]
        self.used[member] = BLOCK - len(state["drawn"])
        self.values[member, self.used[member] :] = state["drawn"]
        self._steps_left = 0
