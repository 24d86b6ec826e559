"""The run record of an index that collected its part of the rollouts."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import agents
from experiment.adoption import open_folder
from experiment.folder import ResultFolder, Run, folder_of
from experiment.manifest import Manifest
from experiment.provenance import Origin, keep_difference
from experiment.shard_writer import ShardWriter
from experiment.values import default_values

if TYPE_CHECKING:
    from agents.collecting.collection import Collection as Collected
    from agents.rollouts.folder import RolloutFolder
    from experiment.configuration import Experiment


class Recorder:
    """The results folder of a sweep whose runs are parts of rollouts.

    Raises:
        SweepError: the folder cannot be used, or its indices mean something else.
    """

    def __init__(
        self, experiment: Experiment, save_dir: Path | None, seed_offset: int, *, shard: bool
    ) -> None:
        manifest = Manifest.of(experiment, seed_offset)
        defaults = default_values(agents.settings_type(experiment.agent_name))
        path = folder_of(experiment, save_dir)
        self._folder: ResultFolder = open_folder(path, manifest, defaults, adopt=False)[0]
        if shard:
            self._folder.writer = ShardWriter(self._folder.path)
        self._evaluation = manifest.evaluation

    def run(self, index: int) -> Run:
        """What an index is."""
        return self._folder.run(index)

    @contextlib.contextmanager
    def at_work(self, run: Run) -> Iterator[None]:
        """Shows others that the index is being run.

        Raises:
            Locked: another process does.
        """
        with self._folder.lock(run):
            yield

    def has(self, run: Run) -> bool:
        """Whether its record is there."""
        return self._folder.has(run)

    def write(
        self,
        run: Run,
        rollouts: RolloutFolder,
        numbers: Collection[int],
        collected: Collected,
        action_repeat: int,
    ) -> Path:
        """Writes the record: the rollouts of `numbers` as training episodes.

        Args:
            collected: by this process, for the rate.
            action_repeat: frames of a step.
        """
        keep_difference(self._folder.path)
        episodes = _episodes(rollouts, numbers)
        seconds = max(collected.seconds, 1e-9)
        steps = sum(episodes["train_episode_steps"])
        content = {
            **run.address(),
            "status": "completed",
            "diverged": None,
            "total_timesteps": steps,
            "eval_interval_timesteps": self._evaluation["eval_interval_timesteps"],
            "episodes_per_eval": 0,
            "eval_episode_rewards": [],
            "eval_episode_steps": [],
            "timesteps_at_eval": [],
            **episodes,
            "train_time": collected.seconds,
            "eval_time": 0.0,
            "metrics": {},
            "last_episode_unfinished": False,
            "total_train_episodes": len(numbers),
            "provenance": Origin("cpu", None).provenance()
            | {
                "batch_size": 1,
                "rollouts": str(rollouts.path.absolute()),
                "policy": dict(rollouts.spec.policy),
                "frames_per_second": collected.steps * action_repeat / seconds,
                "processes_lost": collected.lost,
            },
        }
        return self._folder.write(run, content, None).path


def _episodes(rollouts: RolloutFolder, numbers: Collection[int]) -> dict[str, list[Any]]:
    """Return, length and kind of end of each, in the order of the numbers."""
    from agents.rollouts.open_shard import OpenShard
    from agents.rollouts.shard import TERMINATED

    found: dict[int, tuple[float, int, bool]] = {}
    wanted = set(numbers)
    for path, contents in rollouts.good_shards():
        if wanted.isdisjoint(contents.numbers):
            continue
        with contextlib.closing(OpenShard(path, contents)) as shard:
            for row, number in enumerate(contents.numbers):
                start, length = int(shard.starts[row]), int(shard.lengths[row])
                total = float(shard.rewards[start : start + length].sum(dtype=float))
                found.setdefault(number, (total, length, bool(shard.ends[row] & TERMINATED)))
    returns, lengths, ends = zip(*(found[number] for number in sorted(wanted)), strict=True)
    return {
        "train_episode_rewards": list(returns),
        "train_episode_steps": list(lengths),
        "train_episode_terminated": list(ends),
    }
