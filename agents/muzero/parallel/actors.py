"""Environments that other processes act in, as the run's own process sees them: a fleet.

All environments take as many rounds: a round is here when every actor has sent its part. Actors may
be `max_policy_lag` rounds ahead of what was learned from, no more, and where there is no round to
learn from this process waits. So the ratio of updates and timesteps holds both ways, to the round.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from agents.base import Diverged, EnvironmentMaker, Episode, Transition, WorkerLost
from agents.fleet import Fleet
from agents.muzero.decisions import Advice
from agents.muzero.interfaces import Learner
from agents.muzero.parallel.messages import Fault, Part, Round, Rounds, Save
from agents.muzero.parallel.weights import SharedWeights
from agents.muzero.settings import MuZeroSettings
from agents.processes import Worker, heard

#: Seconds after which a wait asks whether to go on.
_LOOK_UP = 0.1


class _Move(NamedTuple):
    """What an environment did in a round."""

    reward: float
    terminated: bool
    truncated: bool
    last_seen: tuple[Any, Any]
    episode: Episode | None


class _Crew:
    """An actor and its environments.

    Attributes:
        slots: its environments.
        rounds: that were sent and not begun here.
        received: how many were sent, ever.
        state: what it goes on from, if it were to begin now.
        fault: why there will be no more rounds.
        allowed: up to which round it may go, as it was told last.
        acting, waiting: seconds.
        made: rounds, by this process.
    """

    def __init__(self, slots: range) -> None:
        self.slots = slots
        self.rounds: deque[Round] = deque()
        self.received = self.allowed = self.made = 0
        self.state: dict[str, Any] | None = None
        self.fault: str | None = None
        self.acting = self.waiting = 0.0
        self.worker: Worker | None = None

    def saved(self) -> dict[str, Any]:
        return {"rounds": list(self.rounds), "received": self.received, "state": self.state}

    def load(self, saved: Mapping[str, Any]) -> None:
        self.rounds = deque(saved["rounds"])
        self.received, self.state = saved["received"], saved["state"]


class Actors(Fleet):
    """See `agents.fleet.Fleet`; what to do, its processes choose.

    Args:
        seed: of what they draw.

    Attributes:
        problems: an environment to look at, in which nobody plays.
        advice: that the round followed.
        begun_anew: environments that began anew with this round, in the middle of an episode.
        greatest_lag: updates at most between the weights that a round was searched with and those
            that first learned from it.
    """

    def __init__(
        self,
        settings: MuZeroSettings,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        gamma: float,
        seed: np.random.SeedSequence,
        make_environment: EnvironmentMaker,
        steps: int,
        report: Callable[[Episode], None],
    ) -> None:
        super().__init__(make_environment, (), steps=steps, report=report)
        self.problems = [make_environment(1)]
        self.masks = [None] * settings.num_envs
        self.advice: Advice | None = None
        self.begun_anew: list[int] = []
        self.greatest_lag = 0
        self._settings, self._steps = settings, steps
        self._spaces, self._gamma = (observation_space, action_space), gamma
        self._seed, self._make_environment = seed, make_environment
        ends = np.linspace(0, settings.num_envs, settings.actors + 1).astype(int).tolist()
        self._crews = [_Crew(range(*ends[i : i + 2])) for i in range(settings.actors)]
        self._weights: SharedWeights | None = None
        self._shown = 0  # updates of the weights that were shown last
        self._moves: list[_Move] = []
        self._consumed = 0  # rounds begun here
        self.seconds_waited = 0.0

    # -- rounds

    def wait(self, learner: Learner, stop: Callable[[], bool]) -> bool:
        """Until the next round is there; False: `stop` said so before. The first call starts the
        processes.

        Raises:
            WorkerLost: one of them has ended.
            Diverged: an action or a reward stopped being finite in one.
        """
        self._start(learner)
        self._allow()
        started = time.perf_counter()
        try:
            while missing := [crew for crew in self._crews if not crew.rounds]:
                for crew in missing:
                    if crew.fault is not None:
                        raise Diverged(crew.fault)
                self._listen(_LOOK_UP)
                if stop():
                    return False
        finally:
            self.seconds_waited += time.perf_counter() - started
        self._listen(0.0)
        return True

    def begin_round(self) -> range:
        rounds = [crew.rounds.popleft() for crew in self._crews]
        self._consumed += 1
        self.advice = _together([one.advice for one in rounds])
        self.greatest_lag = max(
            self.greatest_lag, *(self._shown - (one.version - 1) for one in rounds)
        )
        self._moves, self.begun_anew = [], []
        for crew, one in zip(self._crews, rounds, strict=True):
            self.begun_anew += crew.slots if one.anew else []
            episodes = iter(one.episodes)
            for place, reward in enumerate(one.rewards):
                terminated, truncated = one.terminated[place], one.truncated[place]
                self._moves.append(
                    _Move(
                        reward,
                        terminated,
                        truncated,
                        one.last_seen.get(place, (None, None)),
                        next(episodes) if terminated or truncated else None,
                    )
                )
        slots = range(min(len(self._moves), self._steps - self.timestep))
        self.choose([None] * len(slots))
        return slots

    def _step(self, slot: int) -> Transition:
        move = self._moves[slot]
        self.timestep += 1
        self.reward_sum += move.reward
        last, self.masks[slot] = move.last_seen
        if move.episode is not None:
            self._report(move.episode._replace(timestep=self.timestep))
        return Transition(None, None, move.reward, last, move.terminated, move.truncated)

    def show(self, learner: Learner) -> None:
        """Lets actors search with what was learned."""
        if self._weights is not None and learner.updates != self._shown:
            self._write(self._weights, learner)

    def _write(self, weights: SharedWeights, learner: Learner) -> None:
        self._shown = learner.updates
        weights.write(learner.updates + 1, learner.learned_params())

    # -- processes

    def _start(self, learner: Learner) -> None:
        if self._weights is not None:
            return
        # it imports the agent, which imports this
        from agents.muzero.parallel.actor import act

        settings = self._settings
        self._weights = SharedWeights(learner.learned_params())
        self._write(self._weights, learner)
        count = len(self._crews)
        for number, (crew, seed) in enumerate(
            zip(self._crews, self._seed.spawn(count), strict=True)
        ):
            part = Part(
                settings,
                *self._spaces,
                self._gamma,
                settings.actor_device,
                self._make_environment,
                crew.slots.start,
                len(crew.slots),
                -(-self._steps // settings.num_envs),
                crew.received,
                crew.state,
                seed,
                max(1, settings.max_policy_lag // 4),
            )
            crew.worker = Worker(f"actor {number + 1} of {count}", act, part, self._weights)

    def _allow(self) -> None:
        """Tells actors how far they may go, not for every single round."""
        lag = self._settings.max_policy_lag
        upto = self._consumed + lag
        for crew in self._crews:
            if crew.worker is not None and upto - crew.allowed >= max(1, lag // 4):
                crew.allowed = upto
                crew.worker.send(upto)

    def _listen(self, seconds: float) -> None:
        """Takes what actors have sent."""
        by_worker = {crew.worker: crew for crew in self._crews if crew.worker is not None}
        for worker in heard(list(by_worker), seconds):
            self._take(by_worker[worker], worker.receive())

    def _take(self, crew: _Crew, message: Any) -> bool:
        """Returns whether it was the actor's state."""
        if isinstance(message, Rounds):
            crew.rounds.extend(message.rounds)
            crew.received += len(message.rounds)
            crew.made += len(message.rounds)
            crew.acting += message.acting
            crew.waiting += message.waiting
        elif isinstance(message, Fault):
            crew.fault = message.what
        else:
            crew.state = message.content
            return True
        return False

    def _ask_for_state(self, crew: _Crew) -> None:
        """What the actor could go on from now, after the rounds that it has sent; None when it is
        gone. Of one that has sent nothing yet it is what it began from."""
        worker = crew.worker
        if worker is None or crew.made == 0:
            return
        try:
            worker.send(Save())
            while not self._take(crew, worker.receive()):
                pass
        except WorkerLost:
            crew.state = None

    # -- leaving and coming back

    def state_dict(self) -> dict[str, Any]:
        """All but what an actor took along that has died."""
        for crew in self._crews:
            self._ask_for_state(crew)
        return {
            "crews": [crew.saved() for crew in self._crews],
            "counters": (self.timestep, self.reward_sum, self._consumed, self.greatest_lag),
            "round": (list(self._moves), len(self._actions), self._next),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for crew, saved in zip(self._crews, state["crews"], strict=True):
            crew.load(saved)
        self.timestep, self.reward_sum, self._consumed, self.greatest_lag = state["counters"]
        self._moves, slots, self._next = state["round"]
        self._actions = [None] * slots

    def provenance(self) -> dict[str, Any]:
        """How fast actors were in this process's time, and how long everybody waited."""
        rates = [
            crew.made * len(crew.slots) / crew.acting for crew in self._crews if crew.acting > 0
        ]
        return {
            "actors": len(self._crews),
            "steps_per_second_of_acting": round(sum(rates), 1),
            "seconds_actors_waited": [round(crew.waiting, 2) for crew in self._crews],
            "seconds_waited_for_actors": round(self.seconds_waited, 2),
            "updates_of_policy_lag_at_most": self.greatest_lag,
        }

    def close(self) -> None:
        super().close()
        for crew in self._crews:
            if crew.worker is not None:
                crew.worker.connection.close()
        for crew in self._crews:
            if crew.worker is not None:
                crew.worker.close()
                crew.worker = None


def _together(parts: Sequence[Advice]) -> Advice:
    """Of all environments."""
    fields: list[Any] = [
        None if field[0] is None else np.concatenate(field) for field in zip(*parts, strict=True)
    ]
    return Advice(*fields)
