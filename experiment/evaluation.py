"""Evaluation: a group's members act without learning. Nothing that training reads changes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import gymnasium
import numpy as np

from agents.base import Diverged
from agents.group import GroupAgent, Planners
from envs.lockstep import BySlot, Lockstep, in_lockstep
from envs.state import resumes_mid_episode
from experiment.course import Evaluation
from experiment.member import Member


class Evaluator:
    """Evaluates members in lockstep, in environments of their own."""

    def __init__(self, members: Sequence[Member], agent: GroupAgent) -> None:
        self._members, self._agent = members, agent
        self._problems = [member.make_evaluation_environment() for member in members]
        self._planners = agent if isinstance(agent, Planners) else None
        if self._planners is not None:
            for problem in self._problems:
                if not resumes_mid_episode(problem):
                    problem.remember()
        self._environments: Lockstep = in_lockstep(
            self._problems, looked_into=self._planners is not None
        )
        self._continuous = isinstance(members[0].environment.action_space, gymnasium.spaces.Box)
        self._keeps_states = "eval_states" in members[0].step_arrays.names
        self._returns = np.zeros(len(members))  # of the episodes under way
        self._steps = np.zeros(len(members), dtype=np.int64)

    def evaluate(self, slots: Sequence[int], *, stop: Callable[[], bool]) -> None:
        """Runs the evaluation that is due at each of `slots`; those that diverge are entered in
        the agent's `diverged`. Leaves all of them undone when `stop` says so meanwhile."""
        started = time.perf_counter()
        evaluations = {}
        for slot in slots:
            self._agent.begin_evaluation(slot, self._members[slot].evaluation_rng())
            evaluations[slot] = Evaluation(self._members[slot].settings.eval_episodes)
        self._begin_episodes({slot: self._members[slot].evaluation_seed for slot in slots})
        running = list(slots)
        while running:
            if stop():
                return
            running = self._step(running, evaluations)
        seconds = (time.perf_counter() - started) / len(slots)
        for slot, evaluation in evaluations.items():
            if slot not in self._agent.diverged:
                self._members[slot].end_evaluation(evaluation, seconds)

    def _step(self, running: list[int], evaluations: Mapping[int, Evaluation]) -> list[int]:
        """One step of each of `running`; returns those with a step to come."""
        diverged = self._agent.diverged
        observations = self._environments.observations
        actions = self._agent.act(observations, running, explore=False)
        unfit = not_finite(actions, running) if self._continuous else []
        if unfit:
            diverged |= dict.fromkeys(unfit, "the action in evaluation")
            running = [slot for slot in running if slot not in unfit]
        if self._keeps_states:
            for slot in running:
                evaluations[slot].states.append(np.array(observations[slot]))
        self._environments.step(actions, running)
        ended = self._environments.ended
        self._returns += self._environments.rewards
        self._steps += 1
        if not ended:
            return running
        again: dict[int, int | None] = {}
        for slot in ended:
            try:
                evaluations[slot].end_episode(float(self._returns[slot]), int(self._steps[slot]))
            except Diverged as reason:
                diverged[slot] = str(reason)
                continue
            if not evaluations[slot].over:
                again[slot] = None
        self._begin_episodes(again)
        return [slot for slot in running if slot in again or slot not in ended]

    def _begin_episodes(self, seeds: Mapping[int, int | None]) -> None:
        self._environments.reset(seeds)
        if self._planners is not None:
            for slot in seeds:
                self._planners.act_in(slot, self._problems[slot])
        self._returns[list(seeds)] = 0.0
        self._steps[list(seeds)] = 0

    def close(self) -> None:
        """Closes the environments."""
        for problem in self._problems:
            problem.close()


def not_finite(actions: BySlot, slots: Sequence[int]) -> list[int]:
    """Those of `slots` whose action, a vector, holds a number that is not finite."""
    if isinstance(actions, np.ndarray):
        # quick ways to see that all are
        total = actions.item() if actions.size == 1 else np.vdot(actions, actions)
        if math.isfinite(total):
            return []
    return [slot for slot in slots if not np.isfinite(actions[slot]).all()]
