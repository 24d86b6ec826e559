"""Encoded rollouts in memory, one after another, of which windows are drawn.

10,000 rollouts of 1000 steps and 32 latents are 1.3 GB where they are stored in float16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from agents.world_models.sequence.interface import LatentSlices

_ROWS_AT_ONCE = 2**16


class EncodedRollout(Protocol):
    """What a table reads of a rollout of T steps; see `agents.rollouts`."""

    @property
    def means(self) -> NDArray[Any]: ...
    @property
    def log_variances(self) -> NDArray[Any]: ...
    @property
    def actions(self) -> NDArray[Any]: ...
    @property
    def rewards(self) -> NDArray[Any]: ...
    @property
    def terminated(self) -> bool: ...


class Coder(Protocol):
    """See `agents.encoders.actions.ActionCode`."""

    size: int

    def encode(self, actions: NDArray[Any]) -> NDArray[np.float32]: ...


class Steps(NamedTuple):
    """W steps up to some moment: latents [N, W, D], actions [N, W, A], present [N, W] bool, False
    before the beginning, where both are 0."""

    latents: NDArray[np.float32]
    actions: NDArray[np.float32]
    present: NDArray[np.bool_]


class LatentTable:
    """N rollouts, of T_i steps and T_i + 1 latents.

    Attributes:
        lengths: [N] T_i.
        latent_size: D.
        action_size: A.
    """

    def __init__(self, rollouts: Sequence[EncodedRollout], code: Coder) -> None:
        """
        Raises:
            ValueError: there is no step in them.
        """
        rollouts = [rollout for rollout in rollouts if len(rollout.actions)]
        if not rollouts:
            raise ValueError("there is no step in these rollouts")
        self.lengths = np.array([len(rollout.actions) for rollout in rollouts])
        self.action_size = code.size
        self._means = np.concatenate([rollout.means for rollout in rollouts])
        self._log_variances = np.concatenate([rollout.log_variances for rollout in rollouts])
        # a rollout has a latent more than steps: with one empty step, places are the same
        self._actions = np.zeros((len(self._means), code.size), np.float32)
        self._rewards = np.zeros(len(self._means), np.float32)
        self._terminated = np.zeros(len(self._means), np.bool_)
        self._begins = np.concatenate(([0], np.cumsum(self.lengths + 1)[:-1]))
        for rollout, begin, length in zip(rollouts, self._begins, self.lengths, strict=True):
            self._actions[begin : begin + length] = code.encode(rollout.actions)
            self._rewards[begin : begin + length] = rollout.rewards
            self._terminated[begin + length - 1] = rollout.terminated
        self.latent_size = int(self._means.shape[1])

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def frames(self) -> int:
        """Steps of all rollouts together."""
        return int(self.lengths.sum())

    def draw(
        self, rng: np.random.Generator, count: int, length: int, device: str = "cpu"
    ) -> LatentSlices:
        """Windows of L steps: of rollouts by their length, from anywhere where they fit; a
        shorter rollout from its beginning, and its mask says where it ends."""
        steps = np.cumsum(self.lengths)
        rollouts = np.searchsorted(steps, rng.integers(steps[-1], size=count), side="right")
        starts = rng.integers(np.maximum(self.lengths[rollouts] - length, 0) + 1)
        return self.windows(rollouts, starts, length, device)

    def windows(
        self,
        rollouts: NDArray[np.int64],
        starts: NDArray[np.int64],
        length: int,
        device: str = "cpu",
    ) -> LatentSlices:
        """The windows of L steps that begin there. What is beyond a rollout's end is 0."""
        steps = starts[:, None] + np.arange(length + 1)
        ends = self.lengths[rollouts][:, None]
        places = self._begins[rollouts][:, None] + np.minimum(steps, ends)
        mask = steps[:, :-1] < ends
        latents_there = (steps <= ends)[..., None]

        def tensor(array: NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(array).to(device)

        return LatentSlices(
            tensor(self._means[places].astype(np.float32) * latents_there),
            tensor(self._log_variances[places].astype(np.float32) * latents_there),
            tensor(self._actions[places[:, :-1]] * mask[..., None]),
            tensor(self._rewards[places[:, :-1]] * mask),
            tensor(self._terminated[places[:, :-1]] & mask),
            tensor(mask),
            tensor(np.asarray(rollouts, np.int64)),
            tensor(np.asarray(starts, np.int64)),
        )

    def histories(
        self, rollouts: NDArray[np.int64], ends: NDArray[np.int64], window: int
    ) -> tuple[Steps, NDArray[np.float32]]:
        """The W steps up to and with `ends`, by their means, and what followed, [N, D]."""
        steps = ends[:, None] + np.arange(1 - window, 1)
        present = steps >= 0
        places = self._begins[rollouts][:, None] + np.maximum(steps, 0)
        there = present[..., None]
        latents = self._means[places].astype(np.float32) * there
        following = self._means[self._begins[rollouts] + ends + 1].astype(np.float32)
        return Steps(latents, self._actions[places] * there, present), following

    def beginnings(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and ln σ² [N, D] of each rollout's first latent: where dreams start."""
        first = self._begins
        return self._means[first].astype(np.float32), self._log_variances[first].astype(np.float32)

    def moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation [D] of latents as they are drawn; where one does not vary,
        its deviation is 1."""
        rows = range(0, len(self._means), _ROWS_AT_ONCE)
        parts = [slice(first, first + _ROWS_AT_ONCE) for first in rows]
        mean = self._means.mean(0, dtype=np.float64)
        squares = np.zeros_like(mean)
        for part in parts:
            variances = np.exp(self._log_variances[part].astype(np.float64))
            squares += (np.square(self._means[part] - mean) + variances).sum(0)
        deviation = np.sqrt(squares / len(self._means))
        deviation[deviation < 1e-6] = 1.0
        return mean.astype(np.float32), deviation.astype(np.float32)

    def latents(
        self, rng: np.random.Generator, count: int, *, sampled: bool
    ) -> NDArray[np.float32]:
        """[count, D] of any steps: drawn from their distributions, or means."""
        places = rng.integers(len(self._means), size=count)
        means = self._means[places].astype(np.float32)
        if not sampled:
            return means
        noise = rng.standard_normal(means.shape, dtype=np.float32)
        means += noise * np.exp(0.5 * self._log_variances[places].astype(np.float32))
        return means

    def changes(
        self, rng: np.random.Generator, count: int, *, sampled: bool
    ) -> NDArray[np.float32]:
        """[count, D] of any steps: by how much latents change, drawn, or their means."""
        last = self._begins + self.lengths
        places = np.setdiff1d(np.arange(len(self._means)), last)
        places = places[rng.integers(len(places), size=count)]
        after: NDArray[np.float32] = self._means[places + 1].astype(np.float32)
        after -= self._means[places]
        if sampled:
            variances = np.exp(self._log_variances[places].astype(np.float32))
            variances += np.exp(self._log_variances[places + 1].astype(np.float32))
            after += rng.standard_normal(after.shape, dtype=np.float32) * np.sqrt(variances)
        return after

    def reward_moments(self) -> tuple[float, float]:
        """Mean and standard deviation of rewards; 1 where they do not vary."""
        steps = np.ones(len(self._rewards), np.bool_)
        steps[self._begins + self.lengths] = False
        rewards = self._rewards[steps].astype(np.float64)
        deviation = float(rewards.std())
        return float(rewards.mean()), deviation if deviation > 1e-6 else 1.0
