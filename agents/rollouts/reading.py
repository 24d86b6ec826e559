"""Reading a folder of rollouts as a data set."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.rollouts import sampling
from agents.rollouts.errors import BadShard, FolderRefused
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.open_shards import OnDamage, OpenShards
from agents.rollouts.rollout import LatentRollout, LatentSlices, Rollout, Slices
from agents.rollouts.spec import FolderSpec


class Rollouts:
    """The rollouts of a folder, in the order of their numbers; a number held twice counts once.

    What is read is checked: side file and size of each shard at once, what is decompressed by its
    checksum, whole rollouts also by their hash. No method returns what failed a check. A shard
    found damaged while sampling is set aside, where `bad` allows it, and others are drawn.

    A data set may be used after a fork and be pickled; files are opened anew.

    Args:
        path: of the folder.
        bad: what to do about a damaged shard: "raise" a `BadShard`, "skip" it, or skip it and
            "warn".

    Attributes:
        spec: what the folder is of.
        numbers: [N] of the rollouts.
        lengths: [N]; T of each.
        is_latent: whether they are latent rollouts.
        observation_shape, observation_dtype: of one observation, or of one mean.
        action_shape, action_dtype: of one action.
        shards: open as needed; shared with the data sets that are split off.
        shard_of, row_of: [N]; where each rollout lies.

    Raises:
        FolderRefused: there is no rollout in it, or not all are of one shape.
        BadShard: one is damaged and `bad` is "raise".
    """

    def __init__(self, path: Path | str, *, bad: OnDamage = "raise") -> None:
        folder = RolloutFolder(path)
        self.path = folder.path
        self.spec: FolderSpec = folder.spec
        self.shards = OpenShards(folder, bad)
        where: dict[int, tuple[int, int, int, str]] = {}
        for shard, contents in enumerate(self.shards.contents):
            entries = zip(contents.numbers, contents.lengths, contents.hashes, strict=True)
            for row, (number, length, content_hash) in enumerate(entries):
                if 0 <= number < self.spec.rollouts:
                    where.setdefault(number, (shard, row, length, content_hash))
        if not where:
            raise FolderRefused(f"{path} holds no rollout")
        rows = [where[number] for number in sorted(where)]
        self.numbers = np.array(sorted(where))
        self.lengths = np.array([length for _, _, length, _ in rows])
        self.shard_of = np.array([shard for shard, _, _, _ in rows])
        self.row_of = np.array([row for _, row, _, _ in rows])
        self._hashes = [content_hash for _, _, _, content_hash in rows]
        kinds = {
            (tuple(c.frame_shape), c.frame_dtype, tuple(c.action_shape), c.action_dtype)
            for c in self.shards.contents
        }
        if len(kinds) > 1:
            raise FolderRefused(f"{path} holds rollouts of several shapes: {sorted(kinds)}")
        ((frame_shape, frame_dtype, action_shape, action_dtype),) = kinds
        self.is_latent = self.spec.kind == "latent"
        self.observation_shape: tuple[int, ...] = frame_shape
        self.observation_dtype = np.dtype(np.float32 if self.is_latent else frame_dtype)
        self.action_shape: tuple[int, ...] = action_shape
        self.action_dtype = np.dtype(action_dtype)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def frames(self) -> int:
        """Observations of all rollouts together."""
        return int(self.lengths.sum()) + len(self)

    @property
    def content_hash(self) -> str:
        """Of what it holds: the same for the same rollouts, however they lie in shards."""
        digest = hashlib.sha256(f"{self.spec.kind}\n".encode())
        for number, content_hash in zip(self.numbers, self._hashes, strict=True):
            digest.update(f"{number} {content_hash}\n".encode())
        return digest.hexdigest()

    def rollout(self, i: int) -> Rollout | LatentRollout:
        """The whole of one.

        Raises:
            BadShard: it is damaged, whatever `bad` says: there is no other in its place.
            IndexError: there is no such rollout.
        """
        return self.shards[int(self.shard_of[i])].rollout(int(self.row_of[i]))

    def __getitem__(self, i: int) -> Rollout | LatentRollout:
        return self.rollout(i)

    def __iter__(self) -> Iterator[Rollout | LatentRollout]:
        """Each rollout, but those that turn out to be damaged and may be skipped."""
        for _, rollout in self.good():
            yield rollout

    def good(self) -> Iterator[tuple[int, Rollout | LatentRollout]]:
        """As iterating, with the number of each rollout."""
        for i in range(len(self)):
            if int(self.shard_of[i]) in self.shards.bad:
                continue
            try:
                rollout = self.rollout(i)
            except BadShard as damaged:
                self.shards.set_aside(int(self.shard_of[i]), damaged)
                continue
            yield int(self.numbers[i]), rollout

    def observations(self, i: int, start: int, stop: int) -> NDArray[Any]:
        """Observations `start` to `stop` of one rollout, [stop - start, ...]; means, where they are
        latent.

        Raises:
            BadShard: they are damaged.
            IndexError: the rollout has no such observations.
        """
        if not 0 <= start <= stop <= self.lengths[i] + 1:
            raise IndexError(
                f"rollout {i} has observations 0 to {self.lengths[i]}, not {start} to {stop}"
            )
        shard = self.shards[int(self.shard_of[i])]
        return shard.read(int(self.row_of[i]), start, stop)[0].astype(
            self.observation_dtype, copy=False
        )

    def sample_observations(
        self, rng: np.random.Generator, count: int, *, per_rollout: int
    ) -> NDArray[Any]:
        """Observations drawn evenly from all, with replacement, [count, ...]; `per_rollout` of each
        rollout that is drawn, which takes fewer reads than one of each."""
        return sampling.sample_observations(self, rng, count, per_rollout)

    def sample_slices(
        self, rng: np.random.Generator, count: int, length: int
    ) -> Slices | LatentSlices:
        """Windows of `length` steps, drawn evenly from all that there are, with replacement; a
        shorter rollout is one window, padded."""
        return sampling.sample_slices(self, rng, count, length)

    def split(self, share: float, seed: int) -> tuple[Rollouts, Rollouts]:
        """Two data sets of the same files: for training, and `share` of the rollouts held out.

        Raises:
            ValueError: one of them would be empty.
        """
        held_out = round(share * len(self))
        if not 0 < held_out < len(self):
            raise ValueError(f"{share} of {len(self)} rollouts cannot be held out")
        order = np.random.default_rng(seed).permutation(len(self))
        return self.subset(np.sort(order[held_out:])), self.subset(np.sort(order[:held_out]))

    def subset(self, chosen: NDArray[np.integer[Any]]) -> Rollouts:
        """The data set of these rollouts, of the same files."""
        part = copy.copy(self)
        for name in ("numbers", "lengths", "shard_of", "row_of"):
            setattr(part, name, getattr(self, name)[chosen])
        part._hashes = [self._hashes[i] for i in chosen]
        return part
