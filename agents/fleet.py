"""The environments of a driver: stepped side by side in rounds, left and taken up anywhere.

A round is one step of each environment. The last round of a run has only as many as steps are
left. A round can be left in the middle, its actions chosen, and gone on with: where that happens
changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.base import Diverged, Episode, Transition
from envs.masks import mask_of, stacked
from envs.state import restore_anywhere, resumes_mid_episode, save_anywhere

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agents.base import EnvironmentMaker
    from envs.wrappers import Problem


class Fleet:
    """E environments. A driver's `advance` is

        while fleet.timestep < until and not stop():
            if fleet.between_rounds:
                slots = fleet.begin_round()
                fleet.choose(actions for fleet.observations of slots, fleet.legal(slots))
            for slot, transition in fleet.step(until).items():
                store it
            if fleet.between_rounds:
                learn

    Attributes:
        problems: the environments.
        observations: [E] what each showed last; of an episode that is over, its last one.
        masks: [E] the actions allowed there, bool [A] each; None where the environment says none.
        begun: the slots whose episode began with this round.
        timestep, reward_sum: of all of them.

    Args:
        make_environment: of the run.
        numbers: which of its environments these are.
        steps: after which the last round ends; None: there is no last one.
        report: is called with each episode that ends.
    """

    def __init__(
        self,
        make_environment: EnvironmentMaker,
        numbers: Sequence[int],
        *,
        steps: int | None,
        report: Callable[[Episode], None],
    ) -> None:
        self.problems: list[Problem] = [make_environment(number) for number in numbers]
        self._seeds: list[int | None] = [make_environment.seed(number) for number in numbers]
        for problem in self.problems:
            if not resumes_mid_episode(problem):
                problem.remember()
        count = len(self.problems)
        self.observations: list[Any] = [None] * count
        self.masks: list[NDArray[np.bool_] | None] = [None] * count
        self.begun: list[int] = []
        self.timestep, self.reward_sum = 0, 0.0
        self._last_step, self._report = steps, report
        self._returns = [0.0] * count
        self._actions: list[Any] = []  # of the round, a slot each
        self._next = 0  # the slot to step next

    @property
    def between_rounds(self) -> bool:
        """Whether every environment of the round has taken its step."""
        return self._next == len(self._actions)

    def begin_round(self) -> range:
        """Begins the episodes that are due; returns the slots that take part, from 0 on."""
        slots = range(len(self.problems))
        if self._last_step is not None:
            slots = slots[: self._last_step - self.timestep]
        self.begun = [slot for slot in slots if not self.problems[slot].in_episode]
        for slot in self.begun:
            observation, info = self.problems[slot].reset(seed=self._seeds[slot])
            self._seeds[slot] = None
            self._returns[slot] = 0.0
            self._see(slot, observation, info)
        return slots

    def legal(self, slots: Sequence[int]) -> NDArray[np.bool_] | None:
        """bool [B, A], the actions that are allowed; None: the environments do not say."""
        return stacked([self.masks[slot] for slot in slots])

    def choose(self, actions: Sequence[Any]) -> None:
        """The actions of the round that was begun, one for each of its slots."""
        self._actions, self._next = list(actions), 0

    def step(self, until: int) -> dict[int, Transition]:
        """Steps the slots of the round that have not been yet, as many as `timestep` allows up to
        `until`; returns what happened at each, in ascending order.

        Raises:
            Diverged: an action or a reward is not finite; that step is not counted.
        """
        last = min(len(self._actions), self._next + until - self.timestep)
        moved = {slot: self._step(slot) for slot in range(self._next, last)}
        self._next = last
        return moved

    def _step(self, slot: int) -> Transition:
        before, action, problem = self.observations[slot], self._actions[slot], self.problems[slot]
        if isinstance(action, np.ndarray) and not np.isfinite(action).all():
            raise Diverged("the action")
        observation, reward, terminated, truncated, info = problem.step(action)
        reward = float(reward)
        if not math.isfinite(reward):
            raise Diverged("the reward")
        self.timestep += 1
        self.reward_sum += reward
        self._returns[slot] += reward
        self._see(slot, observation, info)
        if terminated or truncated:
            self._report(Episode(self.timestep, self._returns[slot], problem.steps, terminated))
        return Transition(before, action, reward, observation, terminated, truncated)

    def _see(self, slot: int, observation: Any, info: dict[str, Any]) -> None:
        self.observations[slot], self.masks[slot] = observation, mask_of(info)

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on, in the middle of a round or not."""
        return {
            "problems": [save_anywhere(problem) for problem in self.problems],
            "seeds": list(self._seeds),
            "observations": list(self.observations),
            "masks": list(self.masks),
            "begun": list(self.begun),
            "counters": (self.timestep, self.reward_sum, list(self._returns)),
            "round": (list(self._actions), self._next),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues where `state_dict` was taken.

        Raises:
            EnvironmentRefused: an environment that has to be played again does not repeat itself.
        """
        for problem, saved in zip(self.problems, state["problems"], strict=True):
            restore_anywhere(problem, saved)
        self._seeds, self.masks = list(state["seeds"]), list(state["masks"])
        self.observations, self.begun = list(state["observations"]), list(state["begun"])
        self.timestep, self.reward_sum, returns = state["counters"]
        self._returns = list(returns)
        actions, self._next = state["round"]
        self._actions = list(actions)

    def close(self) -> None:
        """Closes the environments."""
        for problem in self.problems:
            problem.close()
