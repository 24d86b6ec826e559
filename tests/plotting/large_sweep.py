"""A synthetic data.json of 500 settings x 20 seeds, of the size and form that runs have."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson

PARAMETERS: dict[str, list[Any]] = {
    "critic_lr": [0.001, 0.003, 0.01, 0.03, 0.1],
    "actor_lr": [0.001, 0.003, 0.01, 0.03, 0.1],
    "decay": [0.0, 0.5, 0.8, 0.9, 0.95],
    "policy_type": ["squashed_gaussian", "beta", "gaussian", "laplace"],
}
SEEDS = 20
TIMESTEPS = 50_000
EPISODE = 500
EVALUATIONS = 51
DIVERGED = {"timestep": 12_345, "what": "the critic's loss"}
PROVENANCE = {
    "code": {"commit": "0123456789abcdef0123", "changed": False, "source_digest": "0123"},
    "packages": {"numpy": "2.4.6"},
    "python": "3.11.7",
    "host": "node1",
    "device": "cpu",
    "started": "2026-01-01T00:00:00+00:00",
    "ended": "2026-01-01T00:10:00+00:00",
    "resumed": 0,
}


def write_large_sweep(path: Path, seeds: int = SEEDS) -> Path:
    """Returns of learning curves that saturate at a height that the setting decides, and noise."""
    rng = np.random.default_rng(0)
    product = itertools.product(*reversed(list(PARAMETERS.values())))
    settings = [dict(zip(PARAMETERS, reversed(each), strict=True)) for each in product]
    environment = {"env_name": "sweep/PendulumContinuous-v1", "total_timesteps": TIMESTEPS}
    agent = {"agent_name": "linearAC", "parameters": PARAMETERS}
    files = orjson.dumps({"environment": environment, "agent": agent})
    with path.open("wb") as file:
        file.write(b'{"experiment":%b,"experiment_data":{' % files)
        for number, params in enumerate(settings):
            runs = [_run(rng, params, number, run, len(settings)) for run in range(seeds)]
            comma = b"," if number else b""
            head = b'%b"%d":{"agent_params":%b,"runs":' % (comma, number, orjson.dumps(params))
            file.write(head + orjson.dumps(runs, option=orjson.OPT_SERIALIZE_NUMPY) + b"}")
        file.write(b"}}\n")
    return path


def _run(
    rng: np.random.Generator, params: dict[str, Any], setting: int, run: int, grid_size: int
) -> dict[str, object]:
    rate = math.log10(params["actor_lr"] / 0.01) ** 2 + math.log10(params["critic_lr"] / 0.03) ** 2
    height = -150 - 60 * rate - 80 * abs(params["decay"] - 0.8) + rng.normal(0, 15)
    episodes = TIMESTEPS // EPISODE
    at = np.linspace(0, 1, episodes)
    returns = height - 1000 * np.exp(-6 * at) + rng.normal(0, 40, episodes)
    evaluated = np.linspace(0, TIMESTEPS, EVALUATIONS).astype(int)
    of_evaluation = height - 1000 * np.exp(-6 * evaluated / TIMESTEPS)
    ends = np.arange(1, 101) * (TIMESTEPS // 100)
    diverged = params["critic_lr"] == 0.1 and run % 7 == 3
    return {
        "run_number": run,
        "index": run * grid_size + setting,
        "setting_id": f"{setting:016x}",
        "random_seed": run,
        "status": "diverged" if diverged else "completed",
        "diverged": DIVERGED if diverged else None,
        "total_timesteps": TIMESTEPS,
        "eval_interval_timesteps": TIMESTEPS // (EVALUATIONS - 1),
        "episodes_per_eval": 3,
        "eval_episode_rewards": of_evaluation[:, None] + rng.normal(0, 30, (EVALUATIONS, 3)),
        "eval_episode_steps": np.full((EVALUATIONS, 3), EPISODE),
        "timesteps_at_eval": evaluated,
        "train_episode_rewards": returns,
        "train_episode_steps": np.full(episodes, EPISODE),
        "train_episode_terminated": np.zeros(episodes, bool),
        "train_time": 60.0,
        "eval_time": 5.0,
        "metrics": {
            "mean_reward": {"timestep": ends, "value": returns / EPISODE},
            "critic_loss": {"timestep": ends, "value": rng.random(100)},
        },
        "last_episode_unfinished": False,
        "total_train_episodes": episodes,
        "provenance": PROVENANCE,
    }
