"""Simulators and evaluators small enough to be searched by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from agents.planning.evaluation import Atoms, Evaluation
from envs.simulator import Outcome


@dataclass
class Graph:
    """A deterministic world of numbered states.

    Attributes:
        successors: [S][A] the state that an action leads to.
        rewards: [S][A].
        terminal: states that end the episode.
        atoms: [S] what holds there.
        lives: [S].
    """

    successors: list[list[int]]
    rewards: list[list[float]]
    terminal: frozenset[int] = frozenset()
    atoms: list[list[int]] = field(default_factory=list)
    lives: list[int] = field(default_factory=list)


def random_graph(
    rng: np.random.Generator,
    states: int = 30,
    actions: int = 3,
    atom_count: int = 12,
    *,
    negative: bool = False,
) -> Graph:
    """States of some random atoms, a few of them terminal, with lives that get fewer."""
    rewards = rng.integers(-2 if negative else 0, 4, (states, actions)) * rng.integers(
        0, 2, (states, actions)
    )
    return Graph(
        successors=rng.integers(states, size=(states, actions)).tolist(),
        rewards=rewards.astype(float).tolist(),
        terminal=frozenset(rng.choice(np.arange(1, states), size=states // 10).tolist()),
        atoms=[
            sorted(rng.choice(atom_count, size=rng.integers(1, 5), replace=False).tolist())
            for _ in range(states)
        ],
        lives=rng.integers(1, 4, states).tolist(),
    )


class GraphSimulator:
    """`envs.simulator.Simulator` of a graph; counts what it is asked for."""

    frames_per_step = 1
    observation_space: gymnasium.Space[Any] = gymnasium.spaces.Discrete(10_000)

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.actions: Sequence[Any] = range(len(graph.successors[0]))
        self.action_names: Sequence[str] = [str(action) for action in self.actions]
        self.state = 0
        self.steps = self.restores = 0

    @property
    def in_episode(self) -> bool:
        return self.state not in self.graph.terminal

    def reset(self, seed: int | None = None) -> None:
        self.state = 0

    def save(self) -> int:
        return self.state

    def restore(self, snapshot: int) -> None:
        self.state = snapshot
        self.restores += 1

    def step(self, action: int) -> Outcome:
        assert self.in_episode
        reward = self.graph.rewards[self.state][action]
        self.state = self.graph.successors[self.state][action]
        self.steps += 1
        return Outcome(reward, self.state in self.graph.terminal, False)

    def observation(self) -> int:
        return self.state

    def lives(self) -> int:
        return self.graph.lives[self.state] if self.graph.lives else 0

    def adopt(self, problem: Any) -> int:
        self.state = problem.state
        return self.state

    def screen(self) -> Any:
        raise RuntimeError

    def ram(self) -> Any:
        raise RuntimeError

    def picture(self) -> Any:
        raise RuntimeError

    def close(self) -> None: ...


class GraphEvaluator:
    """Atoms of a graph's states, and where asked for random priors and values."""

    def __init__(
        self, graph: Graph, atom_count: int, rng: np.random.Generator | None = None
    ) -> None:
        self.graph, self.atom_count = graph, atom_count
        self._atoms: list[Atoms] = [np.array(atoms, dtype=np.int32) for atoms in graph.atoms]
        self.priors: list[np.ndarray] | None = None
        self.values = [0.0] * len(graph.atoms)
        if rng is not None:
            actions = len(graph.successors[0])
            self.priors = list(rng.dirichlet(np.full(actions, 0.5), len(graph.atoms)))
            self.values = rng.random(len(graph.atoms)).tolist()

    def __call__(self, simulator: Any, parent: Atoms | None = None) -> Evaluation:
        state = simulator.state
        prior = None if self.priors is None else self.priors[state]
        return Evaluation(self._atoms[state], prior, self.values[state])


class LazyGraphEvaluator(GraphEvaluator):
    """Knows its priors, but says them only when asked."""

    lazy_prior = True

    def __init__(self, graph: Graph, atom_count: int, rng: np.random.Generator) -> None:
        super().__init__(graph, atom_count, rng)
        self.asked: list[int] = []

    def __call__(self, simulator: Any, parent: Atoms | None = None) -> Evaluation:
        return super().__call__(simulator, parent)._replace(prior=None)

    def prior(self, observation: int) -> np.ndarray:
        assert self.priors is not None
        self.asked.append(observation)
        return self.priors[observation]
