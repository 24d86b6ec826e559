"""Searches, and what is done for them: in training, in evaluation, and of what was stored."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.muzero.interfaces import Inference
from agents.muzero.settings import MuZeroSettings
from agents.search.mlp import MLPModel
from agents.search.search import Engine, Search, SearchResult, draw_noise, sample_actions
from agents.search.settings import SearchSettings

Floats = NDArray[np.float32]


class Advice(NamedTuple):
    """What was seen in a round of B environments, and what a search said to it.

    Attributes:
        stored: [B, width] the observations, as a replay keeps them.
        legal: [B, A] the actions that were allowed; None: all.
        actions: [B] done, from 0 on; of a box [B, D] in [-1, 1].
        policies: [B, A] to be learned: the search's, or where none advises what is done, one-hot;
            of a box see `agents.muzero.sampled.box`.
        values: [B] of the search.
        network_values: [B].
    """

    stored: NDArray[Any]
    legal: NDArray[np.bool_] | None
    actions: NDArray[Any]
    policies: Floats
    values: Floats
    network_values: Floats

    def copied(self) -> Advice:
        """Arrays of its own."""
        return copy.deepcopy(self)


class Decisions:
    """Searches of one kind, with as many simulations as training and evaluation have."""

    def __init__(
        self, settings: MuZeroSettings, actions: int, discount: float, *, two_player: bool
    ) -> None:
        self._actions, self._gumbel = actions, settings.search == "gumbel"
        self._q, self._as_done = settings.q_learning, settings.learns_from_actions
        self._choice = settings.engine
        evaluated = settings.eval_simulations
        if evaluated is None:
            evaluated = settings.num_simulations
        self._settings = {
            explore: search_settings(settings, simulations, discount, two_player=two_player)
            for explore, simulations in ((True, settings.num_simulations), (False, evaluated))
        }
        self._searches: dict[tuple[bool, int], Search] = {}

    @property
    def engine(self) -> str:
        """What searches run on; "" before the first one."""
        return next((search.engine for search in self._searches.values()), "")

    @property
    def looked_at(self) -> Search | None:
        """The search of a single observation in evaluation, as it was left by the last; None before
        the first."""
        return self._searches.get((False, 1))

    def explore(
        self,
        network: Inference,
        stored: NDArray[Any],
        observations: Floats,
        legal: NDArray[np.bool_] | None,
        temperature: float | NDArray[np.float64],
        rng: np.random.Generator,
        epsilon: float = 0.0,
    ) -> Advice:
        """What to do in training."""
        result, network_values = self.search(network, observations, legal, rng)
        actions, policies = result.action, result.policy
        if self._q:
            actions = self._astray(actions, legal, epsilon, rng)
        elif self._as_done:
            actions = sample_actions(policies, 1.0, rng)
        elif not self._gumbel:
            actions = sample_actions(result.visits, temperature, rng)
        if self._as_done:
            policies = np.eye(self._actions)[actions]
        return Advice(
            stored,
            legal,
            actions,
            policies.astype(np.float32),
            result.values.astype(np.float32),
            network_values,
        )

    def greedy(
        self,
        network: Inference,
        observations: Floats,
        legal: NDArray[np.bool_] | None,
        rng: np.random.Generator,
        epsilon: float = 0.0,
    ) -> NDArray[Any]:
        """What to do in evaluation."""
        result, _ = self.search(network, observations, legal, rng, explore=False)
        return self._astray(result.action, legal, epsilon, rng) if self._q else result.action

    def _astray(
        self,
        actions: NDArray[np.int64],
        legal: NDArray[np.bool_] | None,
        epsilon: float,
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Actions [B], with probability ε any."""
        any_of = rng.random((len(actions), self._actions))
        if legal is not None:
            any_of[~legal] = -1
        return np.where(rng.random(len(actions)) < epsilon, any_of.argmax(axis=1), actions)

    def search(
        self,
        network: Inference,
        observations: Floats,
        legal: NDArray[np.bool_] | None,
        rng: np.random.Generator,
        *,
        explore: bool = True,
    ) -> tuple[SearchResult, Floats]:
        """What searches find from observations [B, inputs], and the network's values there."""
        settings = self._settings[explore]
        latents, logits, values = network.roots(observations)
        values = values.copy()
        if self._q and legal is not None:
            values = np.where(legal, logits, -np.inf).max(axis=1)
        B = len(observations)
        noise = draw_noise(settings, B, self._actions, rng, explore=explore, legal=legal)
        search = self._search(explore, B, fused=isinstance(network.model, MLPModel))
        found = search.run(latents, logits, values, network.model, legal=legal, noise=noise)
        return found, values

    def _search(self, explore: bool, batch: int, *, fused: bool) -> Search:
        """One with room for a batch, by the engine `fused` where this can be and is not chosen."""
        key = (explore, 1 << (batch - 1).bit_length())
        search = self._searches.get(key)
        if search is None:
            engine: Engine = "numba" if self._choice == "auto" else self._choice
            if self._choice == "auto" and fused:
                engine = "fused"
            search = Search(self._settings[explore], self._actions, key[1], engine=engine)
            self._searches[key] = search
        return search


def search_settings(
    settings: MuZeroSettings, simulations: int, discount: float, *, two_player: bool
) -> SearchSettings:
    """As the agent's settings say."""
    q_learning, c1 = settings.q_learning, settings.c1
    if c1 is None:
        c1 = 0.25 if q_learning else 1.25
    disturbed = simulations > 0 and (settings.q_dirichlet or not q_learning)
    return SearchSettings(
        kind="q_ucb" if q_learning else settings.search,
        simulations=simulations,
        discount=discount,
        two_player=two_player,
        c1=c1,
        c2=settings.c2,
        root_dirichlet_alpha=settings.dirichlet_alpha,
        root_noise_fraction=settings.dirichlet_fraction if disturbed else 0.0,
        q_normalisation=settings.q_normalisation,
        unvisited_q=settings.unvisited_q,
        max_considered=settings.max_considered,
        c_visit=settings.c_visit,
        c_scale=settings.c_scale,
    )
