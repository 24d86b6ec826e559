"""A small sweep in a folder for `scheduling.py`, and what a command costs."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

ENVIRONMENT = {
    "env_name": "sweep/PendulumContinuous-v1",
    "total_timesteps": 1,
    "steps_per_episode": 200,
    "eval_interval_timesteps": 1,
    "eval_episodes": 0,
}
AGENT = {"agent_name": "linearAC", "parameters": {}}


@dataclass(frozen=True)
class Cost:
    """Of a command and its children."""

    cpu: float
    wall: float


def cost_of(command: list[Any], **options: Any) -> Cost:
    """Runs a command to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    wall = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall)


class Project:
    """A folder with the files of a sweep, and the call of schedule.py for it."""

    def __init__(self, folder: Path, cluster: Mapping[str, Any], **environment: Any) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (
            ("cluster", cluster),
            ("environment", {**ENVIRONMENT, **environment}),
            ("agent", AGENT),
        ):
            (folder / f"{name}.json").write_text(json.dumps(content))

    def set_agent(self, parameters: Mapping[str, Any]) -> None:
        """Gives the agent file other lists."""
        agent = {"agent_name": "linearAC", "parameters": parameters}
        (self.folder / "agent.json").write_text(json.dumps(agent))

    def schedule(self, *options: Any) -> list[Any]:
        """The command."""
        return [
            *(sys.executable, ROOT / "schedule.py", self.folder / "cluster.json"),
            *(ROOT / "main.py", self.folder, self.folder / "environment.json", "sweep"),
            *(self.folder / "agent.json", "--yes", *options),
        ]

    @property
    def results(self) -> Path:
        """The folder of the records."""
        return self.folder / "results" / "sweep" / "sweep-PendulumContinuous-v1_linearAC"


def best(measure: Callable[[], Cost], repeats: int) -> tuple[Cost, Cost]:
    """(the least, the median) of each."""
    costs = [measure() for _ in range(repeats)]
    cpus, walls = [cost.cpu for cost in costs], [cost.wall for cost in costs]
    return (
        Cost(min(cpus), min(walls)),
        Cost(statistics.median(cpus), statistics.median(walls)),
    )
