"""The agent: acts by searching, keeps what the search advised, and learns it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.base import EnvironmentMaker, Episode, Transition
from agents.fleet import Fleet
from agents.muzero.actions import actions_of
from agents.muzero.building import build_learner
from agents.muzero.checks import (
    check_engine,
    check_spaces,
    check_support,
    warn_of_untrained_heads,
)
from agents.muzero.decisions import Advice, Decisions
from agents.muzero.observations import Observations
from agents.muzero.parallel.actors import Actors
from agents.muzero.parallel.devices import chosen_device
from agents.muzero.sampled.decisions import SampledDecisions
from agents.muzero.schedules import epsilon, temperatures
from agents.muzero.settings import MuZeroSettings
from agents.muzero.targets import CUT, STEP, TERMINAL
from agents.muzero.training import Training
from agents.search.search import Search

#: Observations at most that it decides on at once in evaluation.
MOST = 32


class MuZero:
    """See `agents.base.Driver`.

    Raises:
        AgentRefused: spaces, or returns, that it cannot deal with.
    """

    DRIVES: ClassVar[bool] = True
    PLAYS_BOTH_SIDES: ClassVar[bool] = True

    def __init__(
        self,
        settings: MuZeroSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        rng: np.random.Generator,
        device: str,
        make_environment: EnvironmentMaker,
        total_timesteps: int,
        report: Callable[[Episode], None],
    ) -> None:
        space = check_spaces(settings, observation_space, action_space)
        device = chosen_device(settings, device)
        warn_of_untrained_heads(settings)
        self.settings, self.device = settings, device
        self._observations = Observations(observation_space, settings.image_channels)
        self._actions = actions = actions_of(settings, space)
        self._total = total_timesteps
        weights, self._acting, learning = rng.spawn(3)
        self._actors: Actors | None = None
        if settings.actors:
            self.fleet: Fleet = Actors(
                settings,
                observation_space,
                action_space,
                gamma=gamma,
                seed=_seed_of(self._acting),
                make_environment=make_environment,
                steps=total_timesteps,
                report=report,
            )
            self._actors = self.fleet
        else:
            self.fleet = Fleet(
                make_environment, range(settings.num_envs), steps=total_timesteps, report=report
            )
        two_player = getattr(self.fleet.problems[0].unwrapped, "players", 1) == 2
        discount = gamma if settings.discount is None else settings.discount
        check_support(settings, self.fleet.problems[0], discount)
        learner = build_learner(
            settings,
            self._observations,
            actions,
            weights,
            device,
            max(settings.num_envs, settings.num_reanalyze_envs, MOST),
        )
        check_engine(settings, learner.online.model)
        if actions.sampling is None:
            self._decisions = Decisions(settings, actions.width, discount, two_player=two_player)
        else:
            self._decisions = SampledDecisions(
                settings, actions.sampling, discount, two_player=two_player
            )
        self.training = Training(
            settings,
            learner,
            self._decisions,
            self._observations,
            actions=actions,
            discount=-discount if two_player else discount,
            total_timesteps=total_timesteps,
            rng=learning,
        )
        self._advice: Advice | None = None  # of the round under way
        self._evaluation_rng = np.random.default_rng(0)
        self._seconds = {"acting": 0.0, "learning": 0.0}

    @property
    def timestep(self) -> int:
        """See `agents.base.Driver`."""
        return self.fleet.timestep

    @property
    def reward_sum(self) -> float:
        """See `agents.base.Driver`."""
        return self.fleet.reward_sum

    # -- training

    def advance(self, until: int, stop: Callable[[], bool]) -> None:
        fleet, seconds = self.fleet, self._seconds
        while fleet.timestep < until and not stop():
            started = time.perf_counter()
            if fleet.between_rounds:
                if self._actors is None:
                    self._choose(fleet.begin_round())
                elif not self._take_round(self._actors, stop):
                    return
            for slot, transition in fleet.step(until).items():
                self._keep(slot, transition)
            acted = time.perf_counter()
            if fleet.between_rounds:
                self.training.learn(fleet.timestep)
                if self._actors is not None:
                    self._actors.show(self.training.learner)
            seconds["acting"] += acted - started
            seconds["learning"] += time.perf_counter() - acted

    def _choose(self, slots: Sequence[int]) -> None:
        """Decides what the environments of a round do."""
        fleet = self.fleet
        stored = self._observations.stored([fleet.observations[slot] for slot in slots])
        share = fleet.timestep / self._total
        self._advice = advice = self._decisions.explore(
            self.training.learner.online,
            stored,
            self._observations.read(stored),
            fleet.legal(slots),
            temperatures(self.settings, share, [fleet.problems[slot].steps for slot in slots]),
            self._acting,
            epsilon(self.settings, share),
        )
        fleet.choose(self._actions.sent(advice.actions))

    def _take_round(self, actors: Actors, stop: Callable[[], bool]) -> bool:
        """Begins a round that other processes have done; False: `stop` said so before."""
        if not actors.wait(self.training.learner, stop):
            return False
        actors.begin_round()
        self._advice = actors.advice
        for slot in actors.begun_anew:
            self.training.replay.cut(slot)
        return True

    def _keep(self, slot: int, step: Transition) -> None:
        """Puts a step into the replay, and what was seen last of an episode that was cut."""
        assert self._advice is not None
        kind = TERMINAL if step.terminated else CUT if step.truncated else STEP
        self.training.add(slot, self._advice, kind, step.reward)
        if kind == CUT:
            last = self._observations.stored([step.next_observation])
            self.training.add_last(slot, last, self.fleet.masks[slot])

    # -- evaluation

    def begin_evaluation(self, rng: np.random.Generator) -> None:
        """See `agents.base.Driver`."""
        self._evaluation_rng = rng

    def act_many(
        self,
        observations: Sequence[Any],
        slots: Sequence[int],
        *,
        begun: Sequence[int],
        legal: NDArray[np.bool_] | None,
    ) -> Sequence[Any]:
        """See `agents.base.Driver`."""
        chosen: list[Any] = []
        for first in range(0, len(observations), MOST):
            part = slice(first, first + MOST)
            read = self._observations.read(self._observations.stored(observations[part]))
            actions = self._decisions.greedy(
                self.training.learner.online,
                read,
                None if legal is None else legal[part],
                self._evaluation_rng,
                epsilon(self.settings, self.fleet.timestep / self._total) / 10,
            )
            chosen += self._actions.sent(actions)
        return chosen

    @property
    def looked_at(self) -> Search | None:
        """See `Decisions`."""
        return self._decisions.looked_at

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        return {
            "fleet": self.fleet.state_dict(),
            "training": self.training.state_dict(),
            "advice": None if self._advice is None else self._advice.copied(),
            "acting": self._acting.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.fleet.load_state_dict(state["fleet"])
        self.training.load_state_dict(state["training"])
        self._advice = state["advice"]
        self._acting.bit_generator.state = state["acting"]

    def metrics(self) -> Mapping[str, float]:
        """Of the last update; empty before the first."""
        return self.training.metrics()

    def learned_params(self) -> Mapping[str, np.ndarray]:
        """See `agents.base.Driver`."""
        return self.training.learner.learned_params()

    def provenance(self) -> Mapping[str, Any]:
        """How fast it was since it was taken up last, and in how many processes."""
        seconds, training = self._seconds, self.training
        found = {
            "engine": self._decisions.engine,
            "actors": 0,
            "trainers": self.settings.num_trainers,
            "steps_per_second_of_acting": _rate(training.steps_here, seconds["acting"]),
            "updates_per_second_of_learning": _rate(training.updates_here, seconds["learning"]),
        }
        if self._actors is not None:
            # when rounds come is nobody's choice: no two such runs are equal
            found |= self._actors.provenance() | {"equal_in_any_group": "statistically"}
        return found

    def close(self) -> None:
        """See `agents.base.Driver`."""
        self.fleet.close()
        self.training.learner.close()


def _seed_of(rng: np.random.Generator) -> np.random.SeedSequence:
    seed = rng.bit_generator.seed_seq
    assert isinstance(seed, np.random.SeedSequence)
    return seed


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds > 0 else 0.0
