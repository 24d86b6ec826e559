"""A process that acts: MuZero in a share of the environments, without a replay or learning."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from agents.base import Diverged, Episode
from agents.muzero.agent import MuZero
from agents.muzero.parallel.messages import Fault, Part, Round, Rounds, Save, State
from agents.muzero.parallel.weights import SharedWeights

if TYPE_CHECKING:
    from envs.wrappers import Problem

#: Seconds after which what was done is sent, however little it is.
FLUSH_AFTER = 0.05


class _Share:
    """The environments from a number on; see `EnvironmentMaker`."""

    def __init__(self, part: Part) -> None:
        self._make, self._first, self._begun = part.make_environment, part.first, part.begun
        self.settings = self._make.settings

    def __call__(self, number: int) -> Problem:
        return self._make(self._first + number)

    def seed(self, number: int) -> int:
        seed = self._make.seed(self._first + number)
        if self._begun == 0:
            return seed
        # not what the run began with once more
        return int(np.random.SeedSequence([seed, self._begun]).generate_state(1)[0])


class Actor(MuZero):
    """MuZero as far as a round of some environments goes."""

    def __init__(self, part: Part, weights: SharedWeights) -> None:
        own = msgspec.structs.replace(
            part.settings,
            actors=0,
            num_trainers=1,
            # these say where others compute
            actor_device="cpu",
            cuda=False,
            no_gpu_0_train=False,
            num_envs=part.environments,
            num_reanalyze_envs=1,
            batch_size_per_worker=1,
            # room for nothing: no step is kept here
            buffer_size=part.environments,
        )
        self._episodes: list[Episode] = []
        seed = part.seed
        with warnings.catch_warnings(action="ignore"):  # the run's own process has warned
            super().__init__(
                own,
                part.observation_space,
                part.action_space,
                gamma=part.gamma,
                rng=np.random.default_rng(
                    np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, part.begun))
                ),
                device=part.device,
                make_environment=_Share(part),
                total_timesteps=part.rounds * part.environments,
                report=self._episodes.append,
            )
        self._weights, self._version = weights, 0
        self._anew = part.state is None and part.begun > 0
        self.fleet.timestep = part.begun * part.environments
        if part.state is not None:
            self.fleet.load_state_dict(part.state["fleet"])
            self._acting.bit_generator.state = part.state["acting"]

    @property
    def rounds(self) -> int:
        """Made so far."""
        return self.timestep // self.settings.num_envs

    def play(self) -> Round:
        """A round, with the newest weights.

        Raises:
            Diverged: an action or a reward is not finite.
        """
        if self._weights.version != self._version:
            self._version, arrays = self._weights.read()
            self.training.learner.adopt(arrays)
        fleet = self.fleet
        self._choose(fleet.begin_round())
        moved = fleet.step(fleet.timestep + self.settings.num_envs)
        assert self._advice is not None
        made = Round(
            self._advice.copied(),
            [step.reward for step in moved.values()],
            [step.terminated for step in moved.values()],
            [step.truncated for step in moved.values()],
            {
                slot: (step.next_observation, fleet.masks[slot])
                for slot, step in moved.items()
                if step.truncated and not step.terminated
            },
            list(self._episodes),
            self._version,
            self._anew,
        )
        self._episodes.clear()
        self._anew = False
        return made

    def state(self) -> dict[str, Any]:
        """See `Part`."""
        return {"fleet": self.fleet.state_dict(), "acting": self._acting.bit_generator.state}


def act(pipe: Connection, part: Part, weights: SharedWeights) -> None:
    """What the process does: rounds, up to the number that the run's own process said last."""
    actor = Actor(part, weights)
    block = _Block(pipe, part.block)
    allowed, broken = 0, False
    while True:
        waits = broken or actor.rounds >= min(allowed, part.rounds)
        if waits:
            block.send()
        if waits or pipe.poll():
            word = block.wait(pipe.recv)
            if isinstance(word, Save):
                block.send()
                pipe.send(State(None if broken else actor.state()))
            else:
                allowed = word
            continue
        try:
            block.make(actor.play)
        except Diverged as reason:
            block.send()
            pipe.send(Fault(str(reason)))
            broken = True


class _Block:
    """Rounds that are to be sent together."""

    def __init__(self, pipe: Connection, size: int) -> None:
        self._pipe, self._size = pipe, size
        self._rounds: list[Round] = []
        self._acting = self._waiting = 0.0
        self._sent = time.perf_counter()

    def make(self, play: Callable[[], Round]) -> None:
        """One more; sends them if these are enough."""
        started = time.perf_counter()
        self._rounds.append(play())
        now = time.perf_counter()
        self._acting += now - started
        if len(self._rounds) >= self._size or now - self._sent > FLUSH_AFTER:
            self.send()

    def wait(self, what: Callable[[], Any]) -> Any:
        """What somebody else gives, the time for it counted."""
        started = time.perf_counter()
        given = what()
        self._waiting += time.perf_counter() - started
        return given

    def send(self) -> None:
        """What there is."""
        self._sent = time.perf_counter()
        if self._rounds:
            self._pipe.send(Rounds(self._rounds, self._acting, self._waiting))
            self._rounds = []
            self._acting = 0.0
            self._waiting = time.perf_counter() - self._sent
