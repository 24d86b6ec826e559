"""Synthetic results in the tree of data.json, small enough to check by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Tree = dict[str, Any]


def make_run(
    number: int,
    *,
    returns: Sequence[Any] = (),
    steps: Sequence[int] = (),
    unfinished: bool = False,
    evaluations: dict[int, list[Any]] | None = None,
    rewards: dict[int, Any] | None = None,
    status: str = "completed",
    total_timesteps: int = 100,
    counts: dict[str, list[int]] | None = None,
) -> Tree:
    """A run; `evaluations` and `rewards` by timestep."""
    evaluations, rewards = evaluations or {}, rewards or {}
    return {
        "run_number": number,
        "index": number,
        "setting_id": "0123456789abcdef",
        "random_seed": 1000 + number,
        "status": status,
        "total_timesteps": total_timesteps,
        "eval_interval_timesteps": 10,
        "eval_episode_rewards": list(evaluations.values()),
        "eval_episode_steps": [[1] * len(episodes) for episodes in evaluations.values()],
        "timesteps_at_eval": list(evaluations),
        "train_episode_rewards": list(returns),
        "train_episode_steps": list(steps),
        "last_episode_unfinished": unfinished,
        "metrics": {
            "mean_reward": {"timestep": list(rewards), "value": list(rewards.values())},
            "loss": {"timestep": [1], "value": ["nan"]},
        },
        "provenance": {"host": "here"},
        **({} if counts is None else {"counts": counts}),
    }


def flat_run(number: int, value: float, **more: Any) -> Tree:
    """A run of 100 timesteps: training return, evaluations and reward are all `value`."""
    return make_run(
        number,
        returns=[value] * 10,
        steps=[10] * 10,
        evaluations={at: [value] for at in range(10, 101, 10)},
        rewards=dict.fromkeys(range(1, 101), value),
        **more,
    )


def make_tree(
    settings: dict[int, list[Tree]],
    *,
    env_name: str = "Pendulum-v1",
    agent_name: str = "linearAC",
    params: dict[int, Tree] | None = None,
) -> Tree:
    """A data.json tree from the runs of each setting."""
    return {
        "experiment": {
            "environment": {"env_name": env_name, "total_timesteps": 100},
            "agent": {"agent_name": agent_name, "parameters": {}},
        },
        "experiment_data": {
            str(number): {
                "agent_params": (params or {}).get(number, {"lr": 0.1 * number, "decay": 0.5}),
                "runs": runs,
            }
            for number, runs in settings.items()
        },
    }


def write_tree(folder: Path, tree: Tree) -> Path:
    """Writes folder/data.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data.json"
    path.write_text(json.dumps(tree))
    return path
