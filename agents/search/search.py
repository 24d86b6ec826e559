"""Searches from batches of latent states."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agents.search import plain
from agents.search.mlp import MLPModel
from agents.search.model import Model
from agents.search.sampling import SampledModel
from agents.search.settings import SearchSettings
from agents.search.trees import Floats, Integers, new_trees

Engine = Literal["numba", "numpy", "fused"]


class Noise(NamedTuple):
    """The random numbers of a search from B roots; with none of them it is deterministic.

    Attributes:
        dirichlet: [B, A] shares of the legal actions, mixed into the priors (pUCT, q_ucb).
        gumbel: [B, A] added to the logits (gumbel).
        ties: [B, N, A] in [0, 1): at a node, which of equally good actions is taken; N is
            simulations + 1. None: the first.
    """

    dirichlet: Floats | None = None
    gumbel: Floats | None = None
    ties: Floats | None = None


class SearchResult(NamedTuple):
    """What B searches found; arrays of the caller's own.

    Attributes:
        visits: [B, A] of the root's actions; their sum is the number of simulations.
        q: [B, A] searched action values; -inf where not taken, or illegal.
        values: [B] mean of the root's own value and of all returns; "q_ucb": the greatest Q.
        policy: [B, A] to train towards: shares of visits, or of "gumbel" softmax(logits +
            σ(completed q)).
        action: [B] the most visited; "gumbel": that of highest g + logit + σ(q) among these;
            "q_ucb": of the greatest Q.
    """

    visits: Integers
    q: Floats
    values: Floats
    policy: Floats
    action: Integers


def draw_noise(
    settings: SearchSettings,
    batch: int,
    actions: int,
    rng: np.random.Generator,
    *,
    explore: bool,
    legal: NDArray[np.bool_] | None = None,
) -> Noise:
    """What the settings ask for; with `explore` false, as in evaluation, ties alone."""
    dirichlet = gumbel = ties = None
    if explore and settings.kind == "gumbel":
        gumbel = rng.gumbel(size=(batch, actions))
    elif explore and settings.root_noise_fraction > 0:
        # an action's share may be 0 in double precision, but not everybody's
        share = rng.standard_gamma(settings.root_dirichlet_alpha, (batch, actions)) + 1e-300
        if legal is not None:
            share *= legal
        dirichlet = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
    if settings.ties == "random":
        ties = rng.random((batch, settings.simulations + 1, actions))
    return Noise(dirichlet, gumbel, ties)


def sample_actions(
    visits: Integers | Floats, temperature: float | Floats, rng: np.random.Generator
) -> Integers:
    """Actions [B] with probabilities ∝ n^(1 / temperature); the most visited one at 0.

    Args:
        visits: [B, A] n, or probabilities.
        temperature: of all, or [B] of each.
    """
    action: Integers
    drawn = np.greater(temperature, 0)
    if not drawn.any():
        action = visits.argmax(axis=1)
        return action
    most = visits.max(axis=1, keepdims=True)
    powers = 1 / np.where(drawn, temperature, 1.0)
    share = (visits / np.where(most > 0, most, 1)) ** (powers[:, None] if powers.ndim else powers)
    below = share.cumsum(axis=1)
    u = rng.random((len(visits), 1)) * below[:, -1:]
    action = (below <= u).sum(axis=1).clip(max=visits.shape[1] - 1)
    return action if drawn.all() else np.where(drawn, action, visits.argmax(axis=1))


class Search:
    """Searches of one kind, in memory allocated once; one call at a time.

    Attributes:
        trees: of the last call.
        found: by it; None before the first.

    Args:
        settings: what to do.
        actions: A.
        capacity: the most roots of a call.
        engine: "numba" runs compiled loops over the trees around the model's calls; "numpy" is
            the same without a compiler; "fused" compiles trees and an `MLPModel`, or a
            `SampledModel` of one, into one call, which is for small networks and releases Python's
            lock. Equal random numbers lead all to the same visit counts, as far as rounding in the
            network decides none.
    """

    def __init__(
        self,
        settings: SearchSettings,
        actions: int,
        capacity: int,
        *,
        engine: Engine = "numba",
    ) -> None:
        self.settings, self.actions, self.capacity = settings, actions, capacity
        self.engine: Engine = engine
        self.trees = new_trees(settings, capacity, actions)
        self.found: SearchResult | None = None
        self._latents: NDArray[Any] = np.zeros((0, 0))
        self._room: NDArray[Any] = np.zeros((0, 0))
        nodes = settings.simulations + 1
        self._none: Floats = np.zeros((capacity, 0))
        self._no_ties: Floats = np.zeros((capacity, nodes, 0))
        self._parents, self._chosen, self._rows = np.zeros((3, capacity), np.int64)
        self._kernels: Any = plain
        if engine != "numpy":
            from agents.search import kernels

            self._kernels = kernels

    def run(
        self,
        latents: NDArray[Any],
        logits: ArrayLike,
        values: ArrayLike,
        model: Model,
        *,
        legal: NDArray[np.bool_] | None = None,
        noise: Noise | None = None,
    ) -> SearchResult:
        """Searches from B roots.

        Args:
            latents: [B, ...] their latent states, B at most `capacity`.
            logits: [B, A] of the policy there; for "q_ucb", Q.
            values: [B].
            model: what follows; an `MLPModel` for the engine "fused", or a `SampledModel` of one.
            legal: [B, A] which actions are; None: all.
            noise: see `draw_noise`.

        Raises:
            ValueError: shapes do not fit, a root has no legal action, or the engine cannot run
                this model.
        """
        logits = np.array(logits, np.float64)
        values = _readable(values)
        batch = len(logits)
        if batch > self.capacity or logits.shape[1:] != (self.actions,) or len(values) != batch:
            raise ValueError(
                f"logits of shape {logits.shape} and {len(values)} values, where there is room "
                f"for {self.capacity} roots of {self.actions} actions"
            )
        if legal is not None:
            if not legal.any(axis=1).all():
                raise ValueError("a root has no legal action: its episode is over")
            logits[~legal] = -np.inf
        dirichlet, gumbel, ties = self._arrays(noise, batch)
        result = self.found = SearchResult(
            np.empty((batch, self.actions), np.int64),
            np.empty((batch, self.actions)),
            np.empty(batch),
            np.empty((batch, self.actions)),
            np.empty(batch, np.int64),
        )
        if self.engine == "fused":
            self._run_fused(latents, logits, values, model, (dirichlet, gumbel, ties), result)
            return result
        kernels, trees = self._kernels, self.trees
        room, flat = self._latents_of(latents)
        parents, actions = self._parents[:batch], self._chosen[:batch]
        rows = self._rows[:batch]
        room[:batch, 0] = latents
        kernels.begin(trees, logits, values, dirichlet, gumbel)
        for simulation in range(self.settings.simulations):
            kernels.select(trees, simulation, ties, parents, actions, rows)
            steps = model.recurrent(flat[rows], actions)
            room[:batch, simulation + 1] = steps.latents
            kernels.grow(
                trees,
                simulation,
                parents,
                actions,
                _readable(steps.rewards),
                _readable(steps.logits),
                _readable(steps.values),
            )
        kernels.finish(trees, ties, *result)
        return result

    def _arrays(self, noise: Noise | None, batch: int) -> tuple[Floats, Floats, Floats]:
        """Noise as kernels read it: without columns where there is none."""
        dirichlet, gumbel, ties = noise or Noise()
        return (
            self._none[:batch] if dirichlet is None else _readable(dirichlet),
            self._none[:batch] if gumbel is None else _readable(gumbel),
            self._no_ties[:batch] if ties is None else _readable(ties),
        )

    def _latents_of(self, latents: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Room for [capacity, N, ...] latent states like these, and the same as [capacity * N]."""
        shape = (self.capacity, self.settings.simulations + 1, *latents.shape[1:])
        if self._latents.shape != shape or self._latents.dtype != latents.dtype:
            self._latents = np.zeros(shape, latents.dtype)
        return self._latents, self._latents.reshape(-1, *latents.shape[1:])

    def _run_fused(
        self,
        latents: NDArray[Any],
        logits: Floats,
        values: Floats,
        model: Model,
        noise: tuple[Floats, Floats, Floats],
        result: SearchResult,
    ) -> None:
        sampled = model if isinstance(model, SampledModel) else None
        if sampled is not None:
            model, (latents, outputs) = sampled.model, sampled.roots()
        if not isinstance(model, MLPModel):
            raise ValueError(
                f"the engine fused runs an MLPModel, not {type(model).__name__}: take numba"
            )
        nodes = self.settings.simulations + 1
        if self._latents.shape != (nodes, model.latent_size) or self._latents.dtype != model.dtype:
            self._latents = np.zeros((nodes, model.latent_size), model.dtype)
        if self._room.shape[1] != model.widest or self._room.dtype != model.dtype:
            self._room = np.zeros((3, model.widest), model.dtype)
        roots = np.ascontiguousarray(latents, model.dtype)
        both = self._latents, self._room, logits, values, noise, result
        if sampled is None:
            self._kernels.search_mlp(self.trees, model.network, roots, *both)
        else:
            draws = _readable(sampled.draws)
            self._kernels.search_sampled(
                self.trees, model.network, sampled.sampling, draws, roots, outputs, *both
            )


def _readable(x: ArrayLike) -> Floats:
    """In the one type and layout that kernels are compiled for."""
    array = np.ascontiguousarray(x, np.float64)
    return array if array.flags.writeable else array.copy()
