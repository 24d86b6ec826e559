"""This project's SAC for `actor_critic.py`, by the training loop that main.py runs."""

# ruff: noqa: E402 - paths and threads come before what is imported

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from sac_task import Stopwatch, Task

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from experiment import processor

processor.settle()

from experiment.configuration import Experiment, build_experiment
from experiment.files import read_json_object
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training


def experiment_of(task: Task) -> Experiment:
    """One setting; members are its seeds."""
    environment = read_json_object(Path(task.environment_file))
    parameters = {
        "hidden_dim": task.width,
        "batch_size": task.batch,
        "replay_capacity": task.capacity,
        "steps_before_learning": task.warm_up,
        "uniform_exploration_steps": task.warm_up,
        "critic_lr": task.lr,
        "actor_lr": task.lr,
        "alpha_lr": task.lr,
        "alpha": 1.0,
        "automatic_entropy_tuning": True,
        "tau": task.tau,
        "clip_stddev": -1.0,
        "weight_init": "kaiming_uniform",
    }
    return build_experiment(
        {**environment, "eval_episodes": 0, "gamma": task.gamma},
        {"agent_name": "SAC", "parameters": {name: [one] for name, one in parameters.items()}},
        "environment",
        "agent",
    )


def main() -> None:
    task = Task.from_arguments()
    experiment = experiment_of(task)
    # nothing is written: the folder only says which run an index is
    folder = ResultFolder(Path("results"), Manifest.of(experiment, task.seed))
    runs = [folder.run(index) for index in range(task.members)]
    training: Any = build_training(experiment, runs, Options(batch=task.members))
    stopwatch = Stopwatch(task)

    def on_step() -> None:
        training.stop = not stopwatch.goes_on()

    training.on_step = on_step
    training.advance(math.inf)
    stopwatch.print_result(updates=training.agent.state_dict(0)["updates"])
    training.close()


if __name__ == "__main__":
    main()
