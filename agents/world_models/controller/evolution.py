"""CMA-ES of a controller's weights, by the library `cma`, with all of its random numbers given.

A generation: `ask` for candidates, let each play the same episodes, `tell` their returns. What is
kept is the distribution, so that an evolution that was saved goes on with the same bits.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.world_models.controller.settings import ControllerSettings

if TYPE_CHECKING:
    import cma


class _Normals:
    """What `cma` draws from in place of NumPy's global generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def __call__(self, *size: int) -> NDArray[np.float64]:
        return self.rng.standard_normal(size)


class Evolution:
    """A distribution over weights, and what its last generation was worth.

    Args:
        size: n, weights of a candidate.
        rng: draws all candidates.

    Attributes:
        generation: how many were told.
        restarts: how often it began again.
        noise: of the last generation: the standard error of a candidate's mean return, over the
            standard deviation of these means; nan where each played one episode, or all were equal.
    """

    def __init__(self, settings: ControllerSettings, size: int, rng: np.random.Generator) -> None:
        self._settings, self._rng = settings, rng
        self.generation = self.restarts = 0
        self.noise = float("nan")
        self._strategy = self._begun(np.zeros(size))

    def _begun(self, mean: NDArray[np.float64]) -> cma.CMAEvolutionStrategy:
        import cma

        settings = self._settings
        options = {
            "popsize": settings.cma_population,
            "CMA_diagonal": settings.cma_covariance == "diagonal",
            "seed": float("nan"),  # leaves NumPy's global generator alone
            "randn": _Normals(self._rng),
            "verbose": -9,
            "verb_log": 0,
            "verb_disp": 0,
        }
        return cma.CMAEvolutionStrategy(mean, settings.cma_sigma, options)

    @property
    def mean(self) -> NDArray[np.float64]:
        """[n] of the distribution."""
        return np.array(self._strategy.mean)

    @property
    def sigma(self) -> float:
        """Its step size."""
        return float(self._strategy.sigma)

    def ask(self) -> NDArray[np.float64]:
        """[P, n] the candidates of a generation."""
        return np.array(self._strategy.ask())

    def tell(self, candidates: NDArray[np.float64], returns: NDArray[np.float64]) -> None:
        """
        Args:
            candidates: [P, n] as asked for.
            returns: [P, E] of E episodes each, an episode the same for all.
        """
        fitness = fitnesses(self._settings, candidates, returns)
        self._strategy.tell(list(candidates), (-fitness).tolist())
        self.generation += 1
        self.noise = noise_of(returns)

    def restart(self, mean: NDArray[np.float64]) -> None:
        """Begins again around these weights [n], with σ₀."""
        self._strategy = self._begun(mean)
        self.restarts += 1

    def state_dict(self) -> dict[str, Any]:
        """Everything that later generations depend on."""
        kept = (self._strategy, self.generation, self.restarts, self.noise)
        return {"evolution": pickle.dumps(kept, protocol=5)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken."""
        kept = pickle.load(io.BytesIO(state["evolution"]))
        self._strategy, self.generation, self.restarts, self.noise = kept
        self._rng = self._strategy.opts["randn"].rng


def fitnesses(
    settings: ControllerSettings, candidates: NDArray[np.float64], returns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[P] what is maximised: mean return or mean rank, less the penalty of large weights."""
    if settings.cma_fitness == "ranks":
        returns = _ranks(returns) / max(len(returns) - 1, 1) - 0.5
    fitness: NDArray[np.float64] = returns.mean(axis=1)
    fitness -= settings.cma_l2 * (candidates**2).mean(axis=1)
    return fitness


def _ranks(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """[P, E] how many candidates did worse in that episode, and half of those that did as well."""
    above = returns[:, None, :] > returns[None, :, :]
    equal = returns[:, None, :] == returns[None, :, :]
    ranks: NDArray[np.float64] = above.sum(axis=1) + (equal.sum(axis=1) - 1) / 2
    return ranks


def noise_of(returns: NDArray[np.float64]) -> float:
    """See `Evolution.noise`; of differences between episodes that all share nothing is noise."""
    episodes = returns.shape[1]
    spread = float(returns.mean(axis=1).std())
    if episodes < 2 or spread == 0:
        return float("nan")
    shared = returns - returns.mean(axis=0, keepdims=True)
    error = shared.std(axis=1, ddof=1) / np.sqrt(episodes)
    return float(np.sqrt((error**2).mean()) / spread)
