"""Agents of a group of runs that one process trains together.

An agent class with `GROUPS = True` is a group agent by itself: all its arrays have a leading axis
of members. Any other agent joins a group through `Ensemble`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from agents.base import Agent, AgentRefused, AgentSettings, Diverged, Planner, Transition

if TYPE_CHECKING:
    from envs.wrappers import Problem

BySlot = Any
"""An entry for each slot: a list, or an array with a leading axis of slots. Entries of slots that
a call does not name mean nothing."""


class GroupAgent(Protocol):
    """M learners, one a slot. What happens in one slot never depends on the others.

    The slots that a call names are in ascending order.

    Attributes:
        device: where they compute.
        diverged: slot -> which number stopped being finite; the loop takes entries out.
    """

    device: str
    diverged: dict[int, str]

    def act(self, observations: BySlot, slots: Sequence[int], *, explore: bool) -> BySlot:
        """An action at each of `slots`."""
        ...

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
        """Takes in one step of each of `slots`, and learns when the agents see fit. Rewards and
        flags are valid during the call; observations and actions may be kept."""
        ...

    def freeze(self, slots: Sequence[int]) -> None:
        """These learn no more."""
        ...

    def begin_evaluation(self, slot: int, rng: np.random.Generator) -> None:
        """`act(explore=False)` at the slot draws from `rng` from now on."""
        ...

    def report_updates(self, slot: int, listener: Callable[[str, Any], None]) -> None:
        """Calls `listener` with what each update of the slot uses, as `Agent.on_update`."""
        ...

    def state_dict(self, slot: int) -> dict[str, Any]:
        """As `Agent.state_dict`, of one slot: it loads into any slot of any group."""
        ...

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None: ...

    def metrics(self, slot: int) -> Mapping[str, float]: ...

    def learned_params(self, slot: int) -> Mapping[str, np.ndarray]: ...


def check_alike(settings: Sequence[AgentSettings]) -> None:
    """
    Raises:
        AgentRefused: settings that cannot train together, as they differ in `STATIC`.
    """
    for name in settings[0].STATIC:
        values = [getattr(one, name) for one in settings]
        if any(value != values[0] for value in values):
            raise AgentRefused(f"members that train together need one {name}, not {values}")


class Ensemble:
    """Ordinary agents as a group, one after another."""

    def __init__(self, agents: Sequence[Agent], device: str) -> None:
        self.agents, self.device = list(agents), device
        self.diverged: dict[int, str] = {}

    def act(self, observations: BySlot, slots: Sequence[int], *, explore: bool) -> BySlot:
        actions: list[Any] = [None] * len(self.agents)
        for slot in slots:
            actions[slot] = self.agents[slot].act(observations[slot], explore=explore)
        return actions

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
        for slot in slots:
            try:
                self.agents[slot].observe(
                    Transition(
                        observations[slot],
                        actions[slot],
                        float(rewards[slot]),
                        next_observations[slot],
                        bool(terminated[slot]),
                        bool(truncated[slot]),
                    )
                )
            except Diverged as reason:
                self.diverged[slot] = str(reason)

    def freeze(self, slots: Sequence[int]) -> None:
        """Nothing to do: an agent that is not asked does not learn."""

    def begin_evaluation(self, slot: int, rng: np.random.Generator) -> None:
        self.agents[slot].evaluation_rng = rng

    def report_updates(self, slot: int, listener: Callable[[str, Any], None]) -> None:
        self.agents[slot].on_update = listener

    def state_dict(self, slot: int) -> dict[str, Any]:
        return self.agents[slot].state_dict()

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        self.agents[slot].load_state_dict(state)

    def metrics(self, slot: int) -> Mapping[str, float]:
        return self.agents[slot].metrics()

    def learned_params(self, slot: int) -> Mapping[str, np.ndarray]:
        return self.agents[slot].learned_params()


class Planners(Ensemble):
    """Planners as a group: they are told where they act."""

    def __init__(self, agents: Sequence[Planner], device: str) -> None:
        super().__init__(agents, device)
        self._planners = list(agents)

    def counts(self, slot: int) -> Mapping[str, int]:
        """What training has cost so far, evaluations aside, if the planner's method `counts` says
        it: interactions (nodes generated) and frames."""
        counts: Callable[[], Mapping[str, int]] | None
        counts = getattr(self._planners[slot], "counts", None)
        return {} if counts is None else counts()

    def act_in(self, slot: int, environment: Problem) -> None:
        """As `Planner.act_in`, of one slot."""
        self._planners[slot].act_in(environment)

    def close(self) -> None:
        """Closes their simulators."""
        for planner in self._planners:
            planner.simulator.close()
