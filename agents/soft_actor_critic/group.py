"""Soft actor-critic as the run loop knows it: a group agent, observations and rewards by slot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch

from agents.soft_actor_critic.agent import SoftActorCritic
from agents.soft_actor_critic.settings import SoftSettings


class SoftActorCriticGroup:
    """See `agents.group.GroupAgent`. Slot i is member i of a `SoftActorCritic`."""

    GROUPS = True

    def __init__(
        self,
        settings: Sequence[SoftSettings],
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rngs: Sequence[np.random.Generator],
        device: str,
    ) -> None:
        torch.set_num_threads(1)  # small networks: more threads only wait for one another
        self._agent = SoftActorCritic(
            settings, observation_space, action_space, gamma=gamma, rngs=rngs, device=device
        )
        self._listeners: dict[int, Callable[[str, Any], None]] = {}
        self._reported: set[int] = set()
        self.diverged: dict[int, str] = {}

    def act(self, observations: Sequence[Any], slots: Sequence[int], *, explore: bool) -> Any:
        # a slot that is not asked for may have no observation yet
        anything = observations[slots[0]]
        stacked = np.stack([anything if one is None else one for one in observations])
        with _denormals_flushed():
            actions = self._agent.act(stacked, explore=explore)
        self._find_diverged()
        return actions

    def observe(
        self,
        observations: Sequence[Any],
        actions: Any,
        rewards: Sequence[float],
        next_observations: Sequence[Any],
        terminated: Sequence[bool],
        truncated: Sequence[bool],
        slots: Sequence[int],
    ) -> None:
        self.freeze([slot for slot in self._agent.live if slot not in slots])
        with _denormals_flushed():
            self._agent.observe(
                np.stack(observations),
                np.asarray(actions),
                np.array(rewards),
                np.stack(next_observations),
                np.array(terminated),
                np.array(truncated),
            )
        self._find_diverged()

    def _find_diverged(self) -> None:
        for slot, reason in self._agent.reasons.items():
            if slot not in self._reported:
                self._reported.add(slot)
                self.diverged[slot] = reason

    def freeze(self, slots: Sequence[int]) -> None:
        for slot in slots:
            self._agent.freeze(slot)

    def begin_evaluation(self, slot: int, rng: np.random.Generator) -> None:
        """Evaluation takes the mode of the policy: nothing is drawn."""

    def report_updates(self, slot: int, listener: Callable[[str, Any], None]) -> None:
        self._listeners[slot] = listener
        self._agent.on_update = self._report

    def _report(self, name: str, values: np.ndarray) -> None:
        for value, slot in zip(values, self._agent.live, strict=True):
            if slot in self._listeners:
                self._listeners[slot](name, value)

    def state_dict(self, slot: int) -> dict[str, Any]:
        return self._agent.state_dict(slot)

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        self._agent.load_state_dict(slot, state)

    def metrics(self, slot: int) -> dict[str, float]:
        return self._agent.metrics(slot)

    def learned_params(self, slot: int) -> dict[str, np.ndarray]:
        return self._agent.learned_params(slot)


@contextlib.contextmanager
def _denormals_flushed() -> Iterator[None]:
    """The moments of dead units decay into numbers that are slow to compute with: take 0.

    A mode of the processor, not of torch, so it is left again for everything else.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
