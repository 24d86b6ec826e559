"""What a planner asks about a state that the simulator has just stepped to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from envs.simulator import Simulator

Atoms = NDArray[np.int32]
"""Ids of the atoms that hold in a state: distinct; ascending where a table of width 2 or more, or
of whole tuples, reads them."""


class Evaluation(NamedTuple):
    """Of one state.

    Attributes:
        atoms: what novelty is about.
        prior: [A] the guiding policy's probabilities; None: uniform, or not known yet where the
            evaluator is lazy.
        value: the return expected from here on, where a search is cut off; 0 without a network.
    """

    atoms: Atoms
    prior: NDArray[np.float64] | None = None
    value: float = 0.0


class Evaluator(Protocol):
    """Features, and a guiding policy and a value where there is a network.

    Attributes:
        atom_count: atoms are 0, ..., atom_count - 1.
    """

    @property
    def atom_count(self) -> int: ...

    def __call__(self, simulator: Simulator, parent: Atoms | None = None) -> Evaluation:
        """Of the state that the simulator is in, right after a step, a reset or an adoption.

        Args:
            parent: the atoms of the state before; None at a root.
        """
        ...


@runtime_checkable
class LazyEvaluator(Evaluator, Protocol):
    """An evaluator whose guiding policy is asked for once an action has to be chosen in a state:
    never where a search is cut off. Its evaluations have the prior None.

    Attributes:
        lazy_prior: whether it is one.
    """

    lazy_prior: bool

    def prior(self, observation: Any) -> NDArray[np.float64]:
        """[A] the guiding policy's probabilities."""
        ...
