"""What a run's own process and its actors say to each other."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agents.base import EnvironmentMaker, Episode
from agents.muzero.decisions import Advice
from agents.muzero.settings import MuZeroSettings


class Round(NamedTuple):
    """What B environments did in a round.

    Attributes:
        advice: that they followed.
        rewards, terminated, truncated: [B].
        last_seen: environment -> the observation and the mask that a cut episode ended with.
        episodes: that ended, by environment.
        version: of the weights that were searched with.
        anew: whether the environments began anew before it, as what they had been at was lost.
    """

    advice: Advice
    rewards: list[float]
    terminated: list[bool]
    truncated: list[bool]
    last_seen: dict[int, tuple[Any, NDArray[np.bool_] | None]]
    episodes: list[Episode]
    version: int
    anew: bool


class Rounds(NamedTuple):
    """Several, and what they took.

    Attributes:
        acting, waiting: seconds since the last ones were sent.
    """

    rounds: list[Round]
    acting: float
    waiting: float


class Fault(NamedTuple):
    """A number stopped being finite; there are no further rounds."""

    what: str


class State(NamedTuple):
    """What an actor goes on from; None where it cannot."""

    content: dict[str, Any] | None


class Save(NamedTuple):
    """Asks an actor for its state, which comes after all rounds before it."""


class Part(NamedTuple):
    """What an actor has to know.

    Attributes:
        settings: of the run.
        gamma, make_environment: see `agents.base.Driver`.
        first, environments: number of its first one, and how many it has.
        rounds: after which training is over.
        begun: rounds that were made of these environments before.
        state: what to go on from; None: from the beginning.
        seed: of its random numbers.
        block: rounds that it sends at once.
    """

    settings: MuZeroSettings
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    gamma: float
    device: str
    make_environment: EnvironmentMaker
    first: int
    environments: int
    rounds: int
    begun: int
    state: dict[str, Any] | None
    seed: np.random.SeedSequence
    block: int
