"""A run that is looked at: its settings, its environments and what it has saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

import envs
from agents.base import AgentRefused
from agents.iris.episode_files import BEST, numbered
from agents.iris.networks import Networks, load_networks
from agents.iris.run_folder import CONFIGURATION
from agents.iris.settings import IrisSettings
from envs.settings import EnvironmentSettings
from envs.wrappers import Problem

#: Names of sets of episodes, and where they lie in the folder of a run.
SETS = {
    "train": "episodes/train",
    "test": "episodes/test",
    "imagination": "episodes/imagination",
    "dataset": "dataset",
}


class Run(NamedTuple):
    """
    Attributes:
        path: its folder.
    """

    path: Path
    settings: IrisSettings
    environment: EnvironmentSettings

    def problem(self, render_mode: str | None = None) -> Problem:
        """An environment as it is evaluated in."""
        return envs.make(self.environment, evaluation=True, render_mode=render_mode)

    def networks(self, problem: Problem, file: Path | None = None) -> Networks:
        """What it saved last, or what is in a file.

        Raises:
            AgentRefused: it has saved nothing yet, or something else.
        """
        return load_networks(
            self.settings,
            problem.observation_space,
            int(problem.action_space.n),  # type: ignore[attr-defined]
            EvaluationEnvironments(self.environment),
            file or self.path,
        )

    def episodes(self, name: str) -> list[Path]:
        """Files of a set, the latest first, the best last.

        Raises:
            AgentRefused: there are none.
        """
        folder = self.path / SETS[name]
        found = list(numbered(folder).values())[::-1]
        found += [folder / BEST] if (folder / BEST).exists() else []
        if not found:
            raise AgentRefused(f"{folder} has no episodes")
        return found


class EvaluationEnvironments:
    """See `agents.base.EnvironmentMaker`."""

    def __init__(self, settings: EnvironmentSettings) -> None:
        self.settings = settings

    def __call__(self, number: int) -> Problem:
        return envs.make(self.settings, evaluation=True)

    def seed(self, number: int) -> int:
        """By the number alone."""
        return int(np.random.SeedSequence(number).generate_state(1)[0])


def open_run(path: Path) -> Run:
    """
    Args:
        path: the folder that a run keeps its files in, or the results folder of one run.

    Raises:
        AgentRefused: it is neither.
    """
    folder = path
    if not (path / CONFIGURATION).is_file():
        runs = sorted(file.parent for file in path.glob(f"**/{CONFIGURATION}"))
        if not runs:
            raise AgentRefused(f"{path} has no run of IRIS: there is no {CONFIGURATION}")
        if len(runs) > 1:
            names = ", ".join(str(run) for run in runs[:4])
            raise AgentRefused(f"{path} has {len(runs)} runs; say which: {names} ...")
        folder = runs[0]
    try:
        content = json.loads((folder / CONFIGURATION).read_bytes())
        settings = msgspec.convert(content["agent"], IrisSettings)
        environment = msgspec.convert(content["environment"], EnvironmentSettings)
    except (ValueError, KeyError) as error:
        raise AgentRefused(f"{folder / CONFIGURATION} cannot be read ({error})") from None
    return Run(folder, settings, environment)
