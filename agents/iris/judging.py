"""Many episodes of what was learned, several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from agents.iris.collecting import Manner, Player
from agents.iris.networks import Networks
from envs.wrappers import Problem

#: Steps of an episode whose frames are held in memory; of a longer one there are none.
MOST = 5_000


class Judged(NamedTuple):
    """An episode that is over.

    Attributes:
        number: from 0 on.
        episode: see `agents.iris.episode_files`; without frames if it is longer than `MOST`.
    """

    number: int
    episode: dict[str, NDArray[Any]]

    @property
    def total(self) -> float:
        """Its return."""
        return float(self.episode["rewards"].sum(dtype=np.float64))


def judge(
    networks: Networks,
    make: Callable[[], Problem],
    manner: Manner,
    count: int,
    environments: int,
    seed: int,
) -> Iterator[Judged]:
    """Plays `count` episodes, episode n begun from `seed` + n, and yields them as they end."""
    waiting = iter(range(count))
    problems = [make() for _ in range(min(environments, count))]
    pair = networks.tokenizer, networks.actor_critic
    player = Player(lambda: pair, len(problems))
    generator = torch.Generator().manual_seed(seed)
    playing: dict[int, _Episode] = {}
    try:
        begun = _begin(range(len(problems)), waiting, problems, playing, seed)
        while playing:
            slots = sorted(playing)
            observations = [playing[slot].observation for slot in slots]
            actions = player.act(observations, slots, begun, manner, generator)
            free = []
            for slot, action in zip(slots, actions.tolist(), strict=True):
                over = playing[slot].step(problems[slot], action)
                if over:
                    one = playing.pop(slot)
                    free.append(slot)
                    yield Judged(one.number, one.arrays())
            begun = _begin(free, waiting, problems, playing, seed)
    finally:
        for problem in problems:
            problem.close()


class _Episode:
    """
    Attributes:
        observation: what was seen last.
    """

    def __init__(self, number: int, first: Any) -> None:
        self.number, self.observation = number, first
        self._frames = [first]
        self._steps: list[tuple[int, float, bool]] = []

    def step(self, problem: Problem, action: int) -> bool:
        observation, reward, terminated, truncated, _ = problem.step(action)
        self.observation = observation
        if len(self._steps) < MOST:
            self._frames.append(observation)
        else:
            self._frames.clear()
        self._steps.append((action, float(reward), terminated))
        return terminated or truncated

    def arrays(self) -> dict[str, NDArray[Any]]:
        actions, rewards, ends = zip(*self._steps, strict=True)
        frames = {"frames": np.stack(self._frames)} if self._frames else {}
        return frames | {
            "actions": np.array(actions, np.int64),
            "rewards": np.array(rewards, np.float32),
            "ends": np.array(ends, np.bool_),
        }


def _begin(
    slots: Any,
    waiting: Iterator[int],
    problems: list[Problem],
    playing: dict[int, _Episode],
    seed: int,
) -> list[int]:
    """Begins the episodes that wait at slots that are free; returns which of these."""
    begun = []
    for slot, number in zip(slots, waiting, strict=False):
        playing[slot] = _Episode(number, problems[slot].reset(seed=seed + number)[0])
        begun.append(slot)
    return begun
