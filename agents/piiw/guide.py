"""The evaluator of π-IW: what the network says of a state, and which atoms hold there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.piiw.learner import Learner
from agents.planning.evaluation import Atoms, Evaluation
from agents.planning.features import Features
from agents.planning.features.dynamic import (
    dynamic_atom_count,
    dynamic_atom_name,
    dynamic_atoms,
)

if TYPE_CHECKING:
    from envs.simulator import Simulator


class Guide:
    """Asks the network only where its answer is needed, and once for one observation.

    With features that are not its own and no value head, that is where a search has to choose
    among actions: not at states that are pruned, or the last of a budget.

    Args:
        features: None for dynamic ones.
        two_sided: whether a unit that is off is an atom too.

    Attributes:
        temperature: the guiding policy is softmax(logits / temperature); None: uniform.
        lazy_prior: whether `prior` is to be asked where it is needed.
        passes: of the network so far.
    """

    def __init__(
        self,
        learner: Learner,
        features: Features | None,
        *,
        units: int,
        two_sided: bool,
        temperature: float | None,
    ) -> None:
        self.temperature = temperature
        self.passes = 0
        self._learner, self._features, self._two_sided = learner, features, two_sided
        if features is None:
            self.atom_count = dynamic_atom_count(units, two_sided=two_sided)
        else:
            self.atom_count = features.atom_count
        has_value = learner.head is not None
        self.lazy_prior = features is not None and not has_value and temperature is not None
        self._needs_pass = features is None or has_value
        # by the identity of an observation, which grids have one of for each state
        self._known: dict[int, tuple[Any, Evaluation]] = {}

    def forget(self) -> None:
        """To be called when the network or the temperature has changed."""
        self._known.clear()

    def __call__(self, simulator: Simulator, parent: Atoms | None = None) -> Evaluation:
        if self._features is None:
            return self._asked(simulator.observation())
        atoms = self._features.atoms(simulator, parent)
        if not self._needs_pass:
            return Evaluation(atoms)
        return self._asked(simulator.observation())._replace(atoms=atoms)

    def prior(self, observation: Any) -> NDArray[np.float64]:
        """The guiding policy [A]."""
        prior = self._asked(observation).prior
        assert prior is not None  # nobody asks an evaluator that does not guide
        return prior

    def name(self, atom: int) -> str:
        """An atom in words."""
        if self._features is None:
            return dynamic_atom_name(atom, two_sided=self._two_sided)
        return self._features.name(atom)

    def _asked(self, observation: Any) -> Evaluation:
        """What the network says; atoms are dynamic ones, or none."""
        known = self._known.get(id(observation))
        if known is not None:
            return known[1]
        outputs = self._learner.evaluate(observation)
        self.passes += 1
        atoms: Atoms = np.empty(0, np.int32)
        if self._features is None:
            atoms = dynamic_atoms(outputs.hidden, two_sided=self._two_sided)
        prior = None
        if self.temperature is not None:
            prior = softmax(outputs.logits, self.temperature)
        said = Evaluation(atoms, prior, self._learner.value(outputs))
        self._known[id(observation)] = (observation, said)
        return said


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """softmax(logits / temperature) [A]."""
    scaled = logits.astype(np.float64) / temperature
    weights: NDArray[np.float64] = np.exp(scaled - scaled.max())
    weights /= weights.sum()
    return weights
