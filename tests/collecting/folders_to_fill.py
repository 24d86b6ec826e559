"""Folders of rollouts of cheap environments, and a program that fills one.

python folders_to_fill.py DIR WORKERS
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import envs
from agents.collecting import collect, describe_policy
from agents.collecting.noise import Uniform
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.spec import FolderSpec
from envs.settings import EnvironmentSettings


def environment(content: dict[str, Any]) -> tuple[EnvironmentSettings, Any]:
    """An environment of a file's content, and its settings."""
    settings = msgspec.convert(content, EnvironmentSettings)
    return settings, envs.make(settings)


def new_folder(
    path: Path,
    rollouts: int,
    policy: dict[str, Any] | None = None,
    name: str = "CartPole-v1",
    **more: Any,
) -> RolloutFolder:
    """An empty folder."""
    content = {"env_name": name, "total_timesteps": 1000}
    _, env = environment(content)
    spec = FolderSpec(
        environment=content,
        observation_space=env.observation_space,
        action_space=env.action_space,
        policy=policy or describe_policy("random"),
        rollouts=rollouts,
        **more,
    )
    return RolloutFolder.create(path, spec)


class Slow(Uniform):
    """Waits a little before each episode."""

    def begin(self, rng: np.random.Generator) -> None:
        time.sleep(0.015)
        super().begin(rng)


def slow(description: Any, settings: EnvironmentSettings, env: Any) -> Slow:
    """A policy of which there is time to kill its process."""
    return Slow(env.action_space)


class Heard:
    """Keeps what a `Watcher` is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.rollouts = 0

    def show(self, rollouts: int, total: int, steps: int) -> None:
        self.rollouts = rollouts

    def say(self, text: str) -> None:
        self.said.append(text)


if __name__ == "__main__":
    to_fill = RolloutFolder(Path(sys.argv[1]))
    # small shards, so that a kill meets every moment of their lives
    collect(to_fill.spec, to_fill, workers=int(sys.argv[2]), shard_seconds=0.3)
