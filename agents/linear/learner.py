"""What the linear agents share: groups of members, features, traced weights, random numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np

from agents.base import AgentRefused
from agents.group import BySlot, check_alike
from agents.linear.draws import Draws, Law, uniform
from agents.linear.features import activate, tiles_for
from agents.linear.kernels import form_for, kernel
from agents.linear.settings import LinearSettings
from agents.linear.traces import FIELDS, TracedWeights


class LinearGroup(ABC):
    """M members, one TD error a step each, several linear functions that learn from it.

    See `agents.group.GroupAgent`. A subclass hands all arrays to its kernels, which go through the
    members one after another.

    Attributes:
        records: [M] of each member its hyperparameters, and the numbers that change.
    """

    GROUPS = True
    COUNTS_ON_STEPS = True
    #: Fields of `records` that every agent has.
    COMMON = (("gamma", "f8"), ("clears_traces", "?"), ("td_error", "f8"))
    #: Fields of `records` that change.
    CHANGING: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        settings: Sequence[LinearSettings],
        observation_space: gymnasium.Space[Any],
        *,
        functions: int,
        gammas: np.ndarray,
        fields: Sequence[tuple[str, str]],
        law: Law,
        width: int,
        rngs: Sequence[np.random.Generator],
        device: str,
        steps: float,
    ) -> None:
        """
        Args:
            functions: linear functions of the features.
            gammas: [M] discounts.
            fields: further fields of `records`, and their types.
            law, width: of the random numbers of a step.
            steps: that all members together are going to take; no result depends on it.

        Raises:
            AgentRefused: another device, an observation space without tiles, or settings that
                cannot train together.
        """
        if device != "cpu":
            raise AgentRefused(f"{name} runs on the CPU only, not on {device!r}")
        check_alike(settings)
        self.device = device
        M = len(settings)
        self.tiles = tiles_for(observation_space, settings[0], agent=name)
        decay = gammas * np.array([one.decay for one in settings])
        self.records = np.zeros(M, dtype=[*self.COMMON, *FIELDS, *fields])
        self.memory = TracedWeights(
            self.tiles.size, self.tiles.active, functions, decay, self.records
        )
        self.records["gamma"] = gammas
        self.records["clears_traces"] = [not one.accumulate_trace for one in settings]
        touched = 1500 + self.memory.traces[0].size  # a step's fixed cost, in numbers
        self._form = form_for(steps * touched)
        self._enter = self._form(_enter)
        self._all = np.arange(M)
        # the active features of s, and of s', which is s in the next step
        self._features = np.zeros((M, 2, self.tiles.active), dtype=np.int64)
        self._successors: BySlot = None  # as what s' was handed over; it mostly comes back as s
        self._draws = Draws(law, rngs, width)
        self._evaluation_draws = Draws(uniform, [np.random.default_rng(0)] * M, 1)
        self._listeners: dict[int, Callable[[str, Any], None]] = {}
        self.diverged: dict[int, str] = {}

    @abstractmethod
    def _sample(self, slots: np.ndarray) -> BySlot:
        """The behaviour policy's actions where the features are `_features[:, 1]`, which become
        those of s."""

    @abstractmethod
    def _best(self, slots: np.ndarray, observations: np.ndarray) -> BySlot:
        """The actions of evaluation; observations are [M, D]."""

    @abstractmethod
    def _learn(
        self,
        slots: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        successors: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
    ) -> bool:
        """Takes in a step, with actions [M, A]; returns whether every TD error is finite. A member
        whose error is not learns nothing."""

    def act(self, observations: BySlot, slots: Sequence[int], *, explore: bool) -> BySlot:
        chosen = self._chosen(slots)
        if explore:
            if observations is not self._successors:
                array = self._by_slot(observations, slots)
                self._enter(chosen, array, self.tiles.bounds, self.tiles.layout, self._features)
            self._draws.provide()
            return self._sample(chosen)
        self._evaluation_draws.provide()
        return self._best(chosen, self._by_slot(observations, slots))

    def observe(
        self,
        observations: BySlot,
        actions: BySlot,
        rewards: BySlot,
        next_observations: BySlot,
        terminated: BySlot,
        truncated: BySlot,
        slots: Sequence[int],
    ) -> None:
        self._successors = next_observations
        finite = self._learn(
            self._chosen(slots),
            self._by_slot(actions, slots),
            np.asarray(rewards),
            self._by_slot(next_observations, slots),
            np.asarray(terminated),
            np.asarray(truncated),
        )
        if not finite:
            bad = [slot for slot in slots if not math.isfinite(self.records["td_error"][slot])]
            self.diverged |= dict.fromkeys(bad, "the TD error")
        for slot, listener in self._listeners.items():
            if slot in slots and slot not in self.diverged:
                listener("update_states", observations[slot])
                listener("update_actions", actions[slot])
                listener("update_rewards", rewards[slot])
                listener("update_next_states", next_observations[slot])

    def _chosen(self, slots: Sequence[int]) -> np.ndarray:
        return self._all if len(slots) == len(self._all) else np.array(slots, dtype=np.int64)

    def _by_slot(self, values: BySlot, slots: Sequence[int]) -> np.ndarray:
        """[M, ...] float64, from a list or array by slot."""
        if not isinstance(values, np.ndarray) and len(slots) < len(self._all):
            anything = values[slots[0]]  # a slot that is not asked for may have none yet
            values = [anything if value is None else value for value in values]
        array = np.asarray(values, dtype=np.float64)
        return array if array.ndim == 2 else array.reshape(len(array), -1)

    def freeze(self, slots: Sequence[int]) -> None:
        # who acts no more must not look short of random numbers
        self._draws.used[list(slots)] = 0

    def begin_evaluation(self, slot: int, rng: np.random.Generator) -> None:
        self._evaluation_draws.replace(slot, rng)

    def report_updates(self, slot: int, listener: Callable[[str, Any], None]) -> None:
        self._listeners[slot] = listener

    def state_dict(self, slot: int) -> dict[str, Any]:
        return {
            "memory": self.memory.state_dict(slot),
            "draws": self._draws.state_dict(slot),
            "records": {name: self.records[name][slot].item() for name in self.CHANGING},
        }

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        self.memory.load_state_dict(slot, state["memory"])
        self._draws.load_state_dict(slot, state["draws"])
        for name, number in state["records"].items():
            self.records[name][slot] = number
        self._successors = None

    @abstractmethod
    def metrics(self, slot: int) -> dict[str, float]: ...

    @abstractmethod
    def learned_params(self, slot: int) -> dict[str, np.ndarray]: ...


@kernel
def _enter(
    slots: np.ndarray,
    observations: np.ndarray,
    bounds: np.ndarray,
    layout: np.ndarray,
    features: np.ndarray,
) -> None:
    """Writes the active features of each observation into `features[m, 1]`."""
    for m in slots:
        activate(observations[m], bounds, layout, features[m, 1])
