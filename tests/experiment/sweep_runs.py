"""Small experiments, real runs of main.py, and what of a record must be equal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiment import record
from experiment.configuration import Experiment, build_experiment
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.replay import NOT_COMPARED

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "main.py"

#: The 36 settings of the documentation.
LINEAR_AC: dict[str, Any] = {
    "agent_name": "linearAC",
    "parameters": {
        "decay": [0.5],
        "critic_lr": [0.005, 0.1, 0.3],
        "actor_lr": [0.005, 0.1, 0.3],
        "avg_reward_lr": [0.1, 0.3, 0.5, 0.9],
        "scaled": [True],
        "clip_stddev": [1000],
    },
}
#: An agent that costs next to nothing.
RANDOM: dict[str, Any] = {"agent_name": "random", "parameters": {}}


def environment(**fields: Any) -> dict[str, Any]:
    """An environment file of a short run."""
    return {
        "env_name": "sweep/PendulumContinuous-v1",
        "total_timesteps": 600,
        "steps_per_episode": 70,
        "eval_interval_timesteps": 250,
        "eval_episodes": 2,
    } | fields


def build(agent: Mapping[str, Any], **fields: Any) -> Experiment:
    """The experiment of an agent file and the fields of an environment file."""
    return build_experiment(environment(**fields), agent, "environment.json", "agent.json")


def new_folder(path: Path, experiment: Experiment, seed_offset: int = 0) -> ResultFolder:
    """A results folder that was begun."""
    folder = ResultFolder(path, Manifest.of(experiment, seed_offset))
    folder.create()
    return folder


def write_files(
    folder: Path, agent: Mapping[str, Any] = LINEAR_AC, **fields: Any
) -> tuple[str, ...]:
    """Writes both files into `folder`; returns the arguments that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "environment.json").write_text(json.dumps(environment(**fields)))
    (folder / "agent.json").write_text(json.dumps(agent))
    return (
        "--env-json",
        str(folder / "environment.json"),
        "--agent-json",
        str(folder / "agent.json"),
    )


def command(*arguments: object) -> list[str]:
    """main.py, as a process of its own."""
    return [sys.executable, str(MAIN), *map(str, arguments)]


def run_main(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs main.py to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env={**os.environ, "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def the_record(folder: Path, index: int = 0) -> Path:
    """The only record of `index` anywhere below `folder`."""
    (path,) = folder.rglob(f"*_data_{index}.json")
    return path


def read_run(path: Path) -> dict[str, Any]:
    """The run of a record."""
    return record.load(path.read_bytes())[2]


def comparable(run: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs of the same have in common, to the last bit."""
    return {name: value for name, value in run.items() if name not in NOT_COMPARED}


def without_evaluation(run: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of a run that was never looked at."""
    evaluated = {"eval_interval_timesteps", "episodes_per_eval", "timesteps_at_eval"}
    evaluated |= {"eval_episode_rewards", "eval_episode_steps"}
    return {name: value for name, value in comparable(run).items() if name not in evaluated}
