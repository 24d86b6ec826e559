"""What an agent is: the interface that the run loop knows, and what agents share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from envs.settings import EnvironmentSettings
    from envs.simulator import Simulator
    from envs.wrappers import Problem


class Transition(NamedTuple):
    """One step of experience.

    `next_observation` is the true successor also at the end of an episode. A terminated step has
    no future (do not bootstrap); a truncated one has (bootstrap from `next_observation`).
    """

    observation: Any
    action: Any
    reward: float
    next_observation: Any
    terminated: bool
    truncated: bool


class Agent(Protocol):
    """A learner. Constructed as `Agent(settings, observation_space, action_space, gamma=, rng=,
    device=)`; every random number that it uses comes from `rng` or from children of it.

    Attributes:
        on_update: when set, called with what each update used: (name, value) for the names
            update_states, update_actions, update_rewards, update_next_states.
        evaluation_rng: set before each evaluation; what `act(explore=False)` draws from. It is
            no part of the agent's state.
    """

    on_update: Callable[[str, Any], None] | None
    evaluation_rng: np.random.Generator

    def act(self, observation: Any, *, explore: bool) -> Any:
        """An action of the action space. `explore=False` is evaluation: it changes nothing that
        training reads."""
        ...

    def observe(self, transition: Transition) -> None:
        """Takes in one step, and learns when the agent sees fit.

        Raises:
            Diverged: a loss, a weight or an action stopped being finite.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the future depends on: weights, optimizers, buffers, generators."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues exactly where `state_dict` was taken."""
        ...

    def metrics(self) -> Mapping[str, float]:
        """Scalars worth a curve, as they stand now."""
        ...

    def learned_params(self) -> Mapping[str, np.ndarray]:
        """The learned arrays, for `--record learned_params`."""
        ...


class Planner(Agent, Protocol):
    """An agent that tries out what its actions would lead to: its class has `PLANS = True`.

    It is constructed with one more keyword, `simulator`: an environment of its own that can go back
    to any state, `envs.simulator.Simulator`, made from the environment file and seen to be exact.
    Where the settings have a field `bins`, that many values stand for each dimension of a
    continuous action. The state of a simulator is no part of `state_dict`; snapshots may be.

    A planner reads the state that it plans from with `simulator.adopt(environment)`, and returns an
    entry of `simulator.actions`.

    What training has cost, evaluations aside, a method `counts() -> Mapping[str, int]` may say:
    interactions (nodes generated) and frames. Curves can then be drawn over these.

    Attributes:
        simulator: the one it was given.
    """

    simulator: Simulator

    def act_in(self, environment: Problem) -> None:
        """From now on `act` is about this environment, which is not to be stepped by the planner.

        Called before the first `act` in it: after each reset (`environment.steps` is 0), when an
        evaluation was begun or is over, and when an interrupted run is taken up again. Training
        and evaluation have an environment each. As a run may be interrupted anywhere, only a
        reset may make a difference to what is planned.
        """
        ...


class Episode(NamedTuple):
    """A training episode that is over.

    Attributes:
        timestep: steps that all environments had taken together when it ended.
        total: its undiscounted return.
        steps: its length.
    """

    timestep: int
    total: float
    steps: int
    terminated: bool


class EnvironmentMaker(Protocol):
    """Makes environments of a run, each with random numbers of its own. It can be pickled.

    Attributes:
        settings: the environment file.
    """

    settings: EnvironmentSettings

    def __call__(self, number: int) -> Problem:
        """A new environment number `number`, from 0 on, as the environment file describes it."""
        ...

    def seed(self, number: int) -> int:
        """What its first reset is to be seeded with; none of the others is."""
        ...


class Files(Protocol):
    """Folders of an agent that keeps files: its class has `KEEPS_FILES = True`, and it is
    constructed with one more keyword, `files`. So far drivers may.

    They lie in the results folder, and are no part of who a run is. The agent makes them when it
    first writes; it writes hidden names and renames what is whole, as it may be killed anywhere.

    Attributes:
        run: of this run alone: checkpoints of its own, pictures, episodes. It stays when the run is
            over; a run that begins from its beginning finds nothing there.
        shared: of all runs of the results folder, in this process and in others, on this host and
            on others: what is the same for several and made once. It may be deleted between runs.
    """

    run: Path
    shared: Path

    def lock(self, name: str) -> AbstractContextManager[Any]:
        """Something of `shared`, for one process at a time. One that dies holds nothing; what it
        left half made is then the next holder's.

        Raises:
            InUse: another process has it; the message says which.
        """
        ...


class InUse(RuntimeError):  # noqa: N818
    """Another process holds something that is shared."""


class Driver(Protocol):
    """An agent that plays in environments of its own, several at once: its class has
    `DRIVES = True`.

    Constructed as `Agent(settings, observation_space, action_space, gamma=, rng=, device=,
    make_environment=, total_timesteps=, report=)`: an `EnvironmentMaker`; the steps, of all
    environments together, after which training is over; and what is to be called with each
    `Episode`, in the order in which they end. `agents.fleet.Fleet` has what drivers share.
    `group_size` of its settings is 1: a group of drivers trains one after another. Constructing it
    is to be cheap: what is slow or starts processes comes with the first `advance`.

    In an environment with `players` 2 (an attribute of `Problem.unwrapped`) it moves for both sides
    in turn: observations are those of the side to move, a reward is that of the side that moved.
    Only classes with `PLAYS_BOTH_SIDES = True` are put there.

    The loop asks it to go on up to a border, looks (evaluates it, saves it), and asks again. Where
    the borders are may change nothing that it learns: one in the middle of a round of its
    environments leaves the rest of that round to be done. Saved anywhere between two calls of
    `advance`, it goes on exactly.
    """

    @property
    def timestep(self) -> int:
        """Steps taken by all environments together."""
        ...

    @property
    def reward_sum(self) -> float:
        """What all of them have earned."""
        ...

    @property
    def device(self) -> str:
        """Where it computes."""
        ...

    def advance(self, until: int, stop: Callable[[], bool]) -> None:
        """Interacts and learns until `timestep` is `until`, exactly, or `stop()`, which is asked
        before each round, says so: the loop wants to look at it, or the run is to be left. What
        takes long and is slow to leave asks `leaving(stop)` instead.

        Raises:
            AgentRefused: it turns out only now that it cannot work here.
            Diverged: a loss, a weight, an action or a reward stopped being finite.
            WorkerLost: a process of its own has ended; what the agent still has can be saved.
        """
        ...

    def begin_evaluation(self, rng: np.random.Generator) -> None:
        """What comes now from `act_many` draws from `rng`, which is no part of its state."""
        ...

    def act_many(
        self,
        observations: Sequence[Any],
        slots: Sequence[int],
        *,
        begun: Sequence[int],
        legal: NDArray[np.bool_] | None,
    ) -> Sequence[Any]:
        """What it does in evaluation, which changes nothing that training reads.

        Args:
            observations: of B environments.
            slots: [B] which they are of those that evaluation runs side by side, ascending.
            begun: those of `slots` that are at the first step of an episode.
            legal: [B, A] the actions that are allowed; None: all are.

        Returns:
            [B] actions of the action space.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the future depends on, environments included."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues exactly where `state_dict` was taken."""
        ...

    def metrics(self) -> Mapping[str, float]:
        """Scalars worth a curve, as they stand now; equal in equal runs."""
        ...

    def learned_params(self) -> Mapping[str, np.ndarray]:
        """The learned arrays, for `--record learned_params`."""
        ...

    def provenance(self) -> Mapping[str, Any]:
        """What the clock measured, such as updates a second: for the record's `provenance`."""
        ...

    def close(self) -> None:
        """Closes its environments, and whatever else it opened."""
        ...


def leaving(stop: Callable[[], bool]) -> Callable[[], bool]:
    """Of what `Driver.advance` was given: whether the run is to be left for good, not only to be
    looked at."""
    return getattr(stop, "leaving", stop)


class Diverged(ArithmeticError):  # noqa: N818 - a result of a run, recorded as such
    """A number that training depends on stopped being finite; the message names it."""


class WorkerLost(RuntimeError):  # noqa: N818
    """A process that works for an agent has ended unasked; the message says which, and how.

    Attributes:
        exit_code: of the process, negative of the signal that killed it; 0: not known.
    """

    def __init__(self, message: str, exit_code: int = 0) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class AgentRefused(ValueError):  # noqa: N818
    """This agent cannot work in this environment or on this device; the message says why."""


class Rule(msgspec.Struct, frozen=True):
    """A law between hyperparameters of one agent, checked for every combination in a grid."""

    names: tuple[str, ...]
    holds: Callable[..., bool]
    law: str


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every agent's hyperparameters: type, range, default and one line of help each."""

    RULES: ClassVar[tuple[Rule, ...]] = ()
    #: Hyperparameters in which the members of one group must agree; the others may differ.
    STATIC: ClassVar[tuple[str, ...]] = ()

    @property
    def stores_for(self) -> int:
        """Timesteps during which the memory of a run grows by what it stores."""
        return 0

    @classmethod
    def group_size(cls, device: str) -> int:
        """How many runs train best together on a device: what `--batch auto` means."""
        # small networks keep a core busy from about eight members on
        return 8 if device == "cpu" else 256
