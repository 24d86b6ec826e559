"""SAC of stable-baselines3 or of sbx for `actor_critic.py`, as their documentation has it.

Run by the Python of a virtual environment that has the library.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from sac_task import Stopwatch, Task


def model_type(library: str) -> Any:
    """Both have the same interface."""
    if library == "sbx":
        import sbx

        return sbx.SAC
    import stable_baselines3

    return stable_baselines3.SAC


def main() -> None:
    task = Task.from_arguments()
    torch.set_num_threads(1)
    model = model_type(sys.argv[2])(
        "MlpPolicy",
        task.environment,
        learning_rate=task.lr,
        buffer_size=task.capacity,
        learning_starts=task.warm_up,
        batch_size=task.batch,
        tau=task.tau,
        gamma=task.gamma,
        train_freq=1,
        gradient_steps=1,
        ent_coef="auto",
        policy_kwargs={"net_arch": [task.width, task.width]},
        seed=task.seed,
        device="cpu",
    )
    stopwatch = Stopwatch(task)
    model.learn(10**9, callback=lambda *_: stopwatch.goes_on())
    stopwatch.print_result(updates=model._n_updates)


if __name__ == "__main__":
    main()
