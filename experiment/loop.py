"""The interaction of agents with environments, counted in timesteps: a group in lockstep.

A group is runs of equal length that one process trains together; a single run is a group of one.
Training can be left between any two steps and taken up again exactly. Evaluation changes nothing
that training reads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from agents.group import GroupAgent, Planners
from envs.lockstep import BySlot, in_lockstep
from experiment.course import next_border, window_end
from experiment.evaluation import Evaluator, not_finite
from experiment.member import Member


class Training:
    """A group under way. Members share their counters; slot i of the agent is member i.

    Attributes:
        stop: set it (a signal handler may) to leave `advance` between two steps.
        lost: why it cannot go on in this process, though it can be saved; None: it can.
        on_step: called after every training step (to draw the scene, say).
        on_savable: called with a slot of `to_save` as soon as its member can be saved.
        to_save: the slots that wait for that.
    """

    def __init__(self, members: Sequence[Member], agent: GroupAgent) -> None:
        self.members = list(members)
        self.agent = agent
        self.settings = members[0].settings
        self.stop = False
        self.lost: str | None = None
        self.on_step: Callable[[], None] | None = None
        self.on_savable: Callable[[int], None] | None = None
        self.to_save: set[int] = set()
        self._counters = members[0].counters
        self._planners = agent if isinstance(agent, Planners) else None
        self._environments = in_lockstep(
            [member.environment for member in members], looked_into=self._planners is not None
        )
        self._entered: set[int] = set()  # slots of planners that know where they act
        self._evaluator: Evaluator | None = None
        self._records_steps = bool(members[0].step_arrays.names_of_steps)
        action_space = members[0].environment.action_space
        self._continuous = isinstance(action_space, gymnasium.spaces.Box)
        for slot, member in enumerate(self.members):
            if member.step_arrays.names_of_updates:
                agent.report_updates(slot, member.step_arrays.add)

    # -- the course of a group

    @property
    def device(self) -> str:
        """Where the agent computes."""
        return self.agent.device

    @property
    def live(self) -> list[int]:
        """The slots that still train: those that have not diverged."""
        return [slot for slot, member in enumerate(self.members) if member.diverged is None]

    @property
    def timestep(self) -> int:
        """Where the live members stand."""
        return self._counters.timestep if self.live else self.settings.total_timesteps

    @property
    def finished(self) -> bool:
        """Whether every timestep and every evaluation is done."""
        return self.timestep >= self.settings.total_timesteps and not self.evaluation_is_due

    @property
    def evaluation_is_due(self) -> bool:
        """Whether a member has an evaluation to do before it trains on."""
        return any(member.evaluation_is_due for member in self.members)

    def advance(self, deadline: float, *, patience: float = 0.0) -> None:
        """Trains until an evaluation is due or the group ends, or leaves early: when `stop` is set
        or the monotonic clock has passed `deadline`, once no slot waits to be saved or the clock
        has passed `patience`."""
        started = time.perf_counter()
        left_early = False
        while not (left_early or self.evaluation_is_due or self.finished):
            border = next_border(self.settings, self.timestep)
            left_early = self._train_until(border, deadline, patience)
        spent = (time.perf_counter() - started) / len(self.members)
        for member in self.members:
            member.history["train_time"] += spent

    def _train_until(self, until: int, deadline: float, patience: float) -> bool:
        """The inner loop. Returns whether it was left early."""
        clock, counters = time.monotonic, self._counters
        live = self.live
        begin = [slot for slot in live if self.members[slot].reset_is_due]
        end_of_window = window_end(self.settings, counters.timestep + 1)
        while counters.timestep < until:
            begin = self._step(live, begin)
            if self.agent.diverged:
                live = self._part_with_diverged()
                begin = [slot for slot in begin if slot in live]
                if not live:
                    return True
            if counters.timestep == end_of_window:
                for slot in live:
                    self.members[slot].close_window(self.agent.metrics(slot))
                    self._count(slot)
            if self.on_step is not None:
                self.on_step()
            if self.to_save:
                self._save_those_that_can_be()
            now = clock()
            if (self.stop or now >= deadline) and (not self.to_save or now >= patience):
                return True
        return False

    def _step(self, live: list[int], begin: list[int]) -> list[int]:
        """One timestep of the slots `live`, beginning episodes at `begin`; returns the slots whose
        episode is over. What diverges is entered in the agent's `diverged`."""
        agent, environments = self.agent, self._environments
        if begin:
            environments.reset({slot: self.members[slot].begin_episode() for slot in begin})
        if self._planners is not None:
            for slot in {*begin, *live} - (self._entered - {*begin}):
                self._planners.act_in(slot, self.members[slot].environment)
            self._entered.update(live)
        observations = environments.observations
        actions = agent.act(observations, live, explore=True)
        counted = live
        if self._continuous and (unfit := not_finite(actions, live)):
            counted = self._without(live, unfit, "the action")
        environments.step(actions, counted)
        rewards, ended = environments.rewards, environments.ended
        if not environments.finite:
            unfit = [slot for slot in counted if not math.isfinite(rewards[slot])]
            counted = self._without(counted, unfit, "the reward")
            rewards[unfit] = 0.0
            ended = [slot for slot in ended if slot not in unfit]
        self._counters.add(rewards)
        if self._records_steps:
            self._record(counted, observations, actions, rewards)
        for slot in ended:
            self.members[slot].end_episode(terminated=bool(environments.terminated[slot]))
            self._count(slot)
        learning = counted
        if agent.diverged:
            learning = [slot for slot in counted if slot not in agent.diverged]
        agent.observe(
            observations,
            actions,
            rewards,
            environments.observations,
            environments.terminated,
            environments.truncated,
            learning,
        )
        return ended

    def _count(self, slot: int) -> None:
        if self._planners is not None:
            self.members[slot].count(self._planners.counts(slot))

    def _without(self, slots: list[int], unfit: list[int], reason: str) -> list[int]:
        """Ends members before the step under way, which is not counted; returns the others."""
        for slot in unfit:
            self.members[slot].diverged = {"timestep": self._counters.timestep, "what": reason}
            self.agent.diverged[slot] = reason
        return [slot for slot in slots if slot not in unfit]

    def _record(
        self, slots: list[int], observations: BySlot, actions: BySlot, rewards: np.ndarray
    ) -> None:
        for slot in slots:
            arrays = self.members[slot].step_arrays
            arrays.add("train_states", observations[slot])
            arrays.add("train_actions", actions[slot])
            arrays.add("train_rewards", rewards[slot])

    def _part_with_diverged(self) -> list[int]:
        """Ends the members that the agent or the loop found to diverge; returns those left."""
        for slot, reason in self.agent.diverged.items():
            member = self.members[slot]
            if member.diverged is None:
                member.diverged = {"timestep": member.timestep, "what": reason}
        self.agent.freeze(list(self.agent.diverged))
        self.agent.diverged.clear()
        return self.live

    def _save_those_that_can_be(self) -> None:
        for slot in sorted(self.to_save):
            if self.members[slot].can_be_saved:
                self.to_save.discard(slot)
                if self.on_savable is not None:
                    self.on_savable(slot)

    # -- evaluation

    def evaluate(self, *, patience: float = 0.0) -> None:
        """Runs the evaluations that are due, in lockstep; leaves them undone when `stop` is set
        meanwhile and the monotonic clock has passed `patience`."""
        if self._evaluator is None:
            self._evaluator = Evaluator(self.members, self.agent)
        due = [slot for slot, member in enumerate(self.members) if member.evaluation_is_due]
        for slot in due:
            self._count(slot)
        self._evaluator.evaluate(due, stop=lambda: self.stop and time.monotonic() >= patience)
        self._entered.difference_update(due)
        self._part_with_diverged()

    # -- leaving and coming back

    def state_dict(self, slot: int) -> dict[str, Any]:
        """Everything that the rest of one run depends on. Exact where its member can be saved."""
        self._environments.settle(slot)
        return {
            "member": self.members[slot].state_dict(self._environments.observations[slot]),
            "agent": self.agent.state_dict(slot),
        }

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        """Continues one run where `state_dict` was taken, which must be at one timestep for all."""
        observation = self.members[slot].load_state_dict(state["member"])
        self._environments.take_up(slot, observation)
        self.agent.load_state_dict(slot, state["agent"])

    def learned_params(self, slot: int) -> Mapping[str, np.ndarray]:
        """What the agent has learned."""
        return self.agent.learned_params(slot)

    def provenance(self, slot: int) -> dict[str, Any]:
        """What the record says of how a run was trained, beside its results."""
        return {}

    def close(self) -> None:
        """Closes all environments."""
        for member in self.members:
            member.environment.close()
        if self._evaluator is not None:
            self._evaluator.close()
        if self._planners is not None:
            self._planners.close()
