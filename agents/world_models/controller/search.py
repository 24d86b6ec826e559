"""What is tried next of a controller, and what is kept: generations, and evaluations in between.

Returns within a generation flatter its best: every so many generations the mean of the
distribution and the best candidate since the last time play fresh seeds, and the controller is the
best of those evaluations so far. Before the first it is the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.world_models.controller.evolution import Evolution
from agents.world_models.controller.settings import ControllerSettings

Weights = NDArray[np.float64]


class Trial(NamedTuple):
    """Controllers that are to play the same episodes.

    Attributes:
        searched: [P, n] as the search has them.
        weights: [P, n] of these controllers.
        seeds: [E] of the episodes.
    """

    kind: Literal["generation", "evaluation"]
    searched: Weights
    weights: Weights
    seeds: NDArray[np.int64]


class Search:
    """CMA-ES with its evaluations.

    Args:
        size: n, weights of a controller.
        seed: of the episodes.
        generations: after which it is over, with an evaluation; None: it has no end of its own.
        express: from weights [..., n] as the search has them to those of controllers.

    Attributes:
        stuck: whether evaluations have found nothing better for long.
        score: mean return of the controller in its evaluation; nan before the first.
    """

    def __init__(
        self,
        settings: ControllerSettings,
        size: int,
        rng: np.random.Generator,
        seed: np.random.SeedSequence,
        generations: int | None,
        express: Callable[[Weights], Weights],
    ) -> None:
        self._settings, self._seed, self._generations = settings, seed, generations
        self._express = express
        self._evolution = Evolution(settings, size, rng)
        self._evaluated_at = self._evaluations = self._since_best = 0
        self._candidate: Weights | None = None  # best of the generations since
        self._candidate_return = -np.inf
        self._best: Weights | None = None
        self.score = float("nan")
        self._latest: dict[str, float] = {}

    @property
    def generation(self) -> int:
        """How many are over."""
        return self._evolution.generation

    @property
    def stuck(self) -> bool:
        """See above."""
        return self._since_best >= self._settings.controller_patience

    @property
    def weights(self) -> Weights:
        """[n] the controller so far."""
        return self._express(self._evolution.mean if self._best is None else self._best)

    def trial(self, room: float = np.inf) -> Trial | None:
        """What is to be played now; None: it is over.

        Args:
            room: episodes that can still be played. No generation is begun that could not be
                evaluated, but for the first.
        """
        settings, done = self._settings, self.generation
        generation = settings.cma_population * settings.cma_episodes
        another = generation + 2 * settings.controller_evaluation_episodes
        over = self._generations is not None and done >= self._generations
        over = over or (done > 0 and room < another)
        interval = settings.controller_evaluation_interval
        if done > self._evaluated_at and (over or done - self._evaluated_at >= interval):
            weights = [self._evolution.mean]
            if self._candidate is not None:
                weights.append(self._candidate)
            seeds = self._seeds(1, self._evaluations, settings.controller_evaluation_episodes)
            return self._trial("evaluation", np.stack(weights), seeds)
        if over:
            return None
        seeds = self._seeds(0, done, settings.cma_episodes)
        return self._trial("generation", self._evolution.ask(), seeds)

    def _trial(
        self,
        kind: Literal["generation", "evaluation"],
        searched: Weights,
        seeds: NDArray[np.int64],
    ) -> Trial:
        return Trial(kind, searched, self._express(searched), seeds)

    def _seeds(self, kind: int, number: int, count: int) -> NDArray[np.int64]:
        key = (*self._seed.spawn_key, kind, number)
        child = np.random.SeedSequence(self._seed.entropy, spawn_key=key)
        return child.generate_state(count, np.uint32).astype(np.int64)

    def tell(self, trial: Trial, returns: NDArray[np.float64]) -> str | None:
        """What came of a trial, returns [P, E].

        Returns:
            a sentence for people, of an evaluation.
        """
        means = returns.mean(axis=1)
        if trial.kind == "evaluation":
            return self._judge(trial, means)
        self._evolution.tell(trial.searched, returns)
        first = int(np.argmax(means))
        if means[first] > self._candidate_return:
            self._candidate_return = float(means[first])
            self._candidate = trial.searched[first].copy()
        self._latest |= {
            "generation": float(self.generation),
            "generation_mean_return": float(means.mean()),
            "generation_best_return": float(means.max()),
            "generation_noise": self._evolution.noise,
            "cma_sigma": self._evolution.sigma,
            "cma_restarts": float(self._evolution.restarts),
        }
        return None

    def _judge(self, trial: Trial, means: NDArray[np.float64]) -> str:
        self._evaluations += 1
        self._evaluated_at = self.generation
        first = int(np.argmax(means))
        flattered, self._candidate_return = self._candidate_return, -np.inf
        self._candidate = None
        if not means[first] <= self.score:  # also where there is no score yet
            self._best, self.score = trial.searched[first].copy(), float(means[first])
            self._since_best = 0
        else:
            self._since_best += 1
        self._latest |= {
            "mean_return_on_fresh_seeds": float(means[0]),
            "best_return_on_fresh_seeds": self.score,
        }
        said = (
            f"generation {self.generation:,}: on {len(trial.seeds)} fresh seeds the mean returns "
            f"{means[0]:.4g}"
        )
        if len(means) > 1:
            said += f", the best candidate {means[1]:.4g} (in its generation {flattered:.4g})"
        said += f"; best so far {self.score:.4g}, noise/spread {self._evolution.noise:.2f}"
        if self.stuck:
            said += f"; stuck: nothing better in {self._since_best} evaluations"
            if self._settings.cma_restarts:
                assert self._best is not None
                self._evolution.restart(self._best)
                self._since_best = 0
                said += "; begins again around the best"
            elif self._evolution.noise > 1:
                said += ", and chance decides more than candidates do: raise cma_episodes"
        return said

    def metrics(self) -> dict[str, float]:
        """Of what was told last."""
        return {name: value for name, value in self._latest.items() if np.isfinite(value)}

    def state_dict(self) -> dict[str, Any]:
        """Everything that it depends on, between `tell` and `trial`."""
        kept = {name: value for name, value in vars(self).items() if name in _KEPT}
        return {**kept, **self._evolution.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken."""
        self._evolution.load_state_dict(state)
        vars(self).update({name: state[name] for name in _KEPT})


_KEPT = (
    "_evaluated_at",
    "_evaluations",
    "_since_best",
    "_candidate",
    "_candidate_return",
    "_best",
    "score",
    "_latest",
)
