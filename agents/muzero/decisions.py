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
        actions: [B] done, from 0 on.
        policies: [B, A].
        values: [B] of the search.
        network_values: [B].
    """

    stored: NDArray[Any]
    legal: NDArray[np.bool_] | None
    actions: NDArray[np.int64]
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
        self._choice = settings.engine
        evaluated = settings.eval_simulations or settings.num_simulations
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
        temperature: float,
        rng: np.random.Generator,
    ) -> Advice:
        """What to do in training."""
        result, network_values = self.search(network, observations, legal, rng)
        actions = result.action
        if not self._gumbel:
            actions = sample_actions(result.visits, temperature, rng)
        return Advice(
            stored,
            legal,
            actions,
            result.policy.astype(np.float32),
            result.values.astype(np.float32),
            network_values,
        )

    def greedy(
        self,
        network: Inference,
        observations: Floats,
        legal: NDArray[np.bool_] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """What to do in evaluation."""
        return self.search(network, observations, legal, rng, explore=False)[0].action

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
        B = len(observations)
        noise = draw_noise(settings, B, self._actions, rng, explore=explore, legal=legal)
        search = self._search(network, explore, B)
        found = search.run(latents, logits, values, network.model, legal=legal, noise=noise)
        return found, values

    def _search(self, network: Inference, explore: bool, batch: int) -> Search:
        """One with room for a batch."""
        key = (explore, 1 << (batch - 1).bit_length())
        search = self._searches.get(key)
        if search is None:
            engine: Engine = "numba" if self._choice == "auto" else self._choice
            if self._choice == "auto" and isinstance(network.model, MLPModel):
                engine = "fused"
            search = Search(self._settings[explore], self._actions, key[1], engine=engine)
            self._searches[key] = search
        return search


def search_settings(
    settings: MuZeroSettings, simulations: int, discount: float, *, two_player: bool
) -> SearchSettings:
    """As the agent's settings say."""
    return SearchSettings(
        kind=settings.search,
        simulations=simulations,
        discount=discount,
        two_player=two_player,
        c1=settings.c1,
        c2=settings.c2,
        root_dirichlet_alpha=settings.dirichlet_alpha,
        root_noise_fraction=settings.dirichlet_fraction,
        q_normalisation=settings.q_normalisation,
        unvisited_q=settings.unvisited_q,
        max_considered=settings.max_considered,
        c_visit=settings.c_visit,
        c_scale=settings.c_scale,
    )
