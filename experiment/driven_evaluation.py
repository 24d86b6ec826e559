"""Evaluation of an agent that acts in many environments at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.base import Diverged, Driver
from envs.masks import mask_of, stacked
from experiment.course import Course, Evaluation

if TYPE_CHECKING:
    from envs.wrappers import Problem

#: Environments at most that are evaluated in at once.
MOST = 32


class SideBySide:
    """The episodes of an evaluation, several at once, each begun from a seed of its own: every
    evaluation meets the same initial states, whichever environment plays which episode."""

    def __init__(self, run: Course, make_environment: Callable[[], Problem]) -> None:
        self._run, self._episodes = run, run.settings.eval_episodes
        stream = run.streams.evaluation_environment
        self._seeds: list[int] = stream.generate_state(self._episodes, np.uint32).tolist()
        count = min(self._episodes, MOST)
        self._problems = [make_environment() for _ in range(count)]
        self._observations: list[Any] = [None] * count
        self._masks: list[Any] = [None] * count
        self._keeps_states = "eval_states" in run.step_arrays.names

    def evaluate(self, driver: Driver, stop: Callable[[], bool]) -> Evaluation | None:
        """The evaluation that is due; None if `stop` says so meanwhile.

        Raises:
            Diverged: an action or a return is not finite.
        """
        driver.begin_evaluation(self._run.evaluation_rng())
        waiting = iter(range(self._episodes))
        playing: dict[int, int] = {}  # slot -> episode
        returns = np.zeros(self._episodes)
        steps = np.zeros(self._episodes, dtype=np.int64)
        states: list[list[Any]] = [[] for _ in range(self._episodes)]
        begun = self._begin(range(len(self._problems)), waiting, playing)
        while playing:
            if stop():
                return None
            slots = sorted(playing)
            observations = [self._observations[slot] for slot in slots]
            legal = stacked([self._masks[slot] for slot in slots])
            actions = driver.act_many(observations, slots, begun=begun, legal=legal)
            free = []
            for slot, observation, action in zip(slots, observations, actions, strict=True):
                episode = playing[slot]
                if self._keeps_states:
                    states[episode].append(np.array(observation))
                reward, over = self._step(slot, action)
                returns[episode] += reward
                steps[episode] += 1
                if over:
                    del playing[slot]
                    free.append(slot)
            begun = self._begin(free, waiting, playing)
        evaluation = Evaluation(self._episodes)
        for episode in range(self._episodes):
            evaluation.end_episode(float(returns[episode]), int(steps[episode]))
            evaluation.states += states[episode]
        return evaluation

    def _begin(self, slots: Any, waiting: Any, playing: dict[int, int]) -> list[int]:
        """Begins the episodes that wait at the slots that are free; returns which of them."""
        begun = []
        for slot, episode in zip(slots, waiting, strict=False):
            observation, info = self._problems[slot].reset(seed=self._seeds[episode])
            self._observations[slot], self._masks[slot] = observation, mask_of(info)
            playing[slot] = episode
            begun.append(slot)
        return begun

    def _step(self, slot: int, action: Any) -> tuple[float, bool]:
        """The reward, and whether the episode is over."""
        if isinstance(action, np.ndarray) and not np.isfinite(action).all():
            raise Diverged("the action in evaluation")
        observation, reward, terminated, truncated, info = self._problems[slot].step(action)
        self._observations[slot], self._masks[slot] = observation, mask_of(info)
        return float(reward), terminated or truncated

    def close(self) -> None:
        """Closes the environments."""
        for problem in self._problems:
            problem.close()
