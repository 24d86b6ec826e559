"""World models that are made within a second."""

from __future__ import annotations

from typing import Any

from sweep_runs import build

from experiment.configuration import Experiment

#: Every stage, with little work.
QUICK: dict[str, Any] = {
    "encoder": ["mlp"],
    "representation_size": [4],
    "encoder_hidden": [8],
    "encoder_updates": [12],
    "encoder_batch_size": [16],
    "encoder_report_updates": [6],
    "sequence_hidden": [8],
    "sequence_updates": [12],
    "sequence_batch_size": [8],
    "sequence_length": [8],
    "sequence_evaluate_every": [6],
    "rollouts": [6],
    "controller_envs": [3],
    "controller_evaluation_interval": [2],
    "controller_evaluation_episodes": [2],
    "cma_population": [4],
    "cma_episodes": [2],
    "cma_sigma": [0.5],
}
PICTURES: dict[str, Any] = {
    "encoder": ["vae"],
    "encoder_width": [2],
    "encoder_picture_size": [64],
    "encoder_batch_size": [4],
    "encoder_updates": [3],
    "rollouts": [3],
}
DREAM: dict[str, Any] = {
    "controller_world": ["dream"],
    "controller_generations": [3],
    "dream_max_steps": [20],
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "environment": ({}, {"env_name": "CartPole-v1"}),
    "boxes": ({"controller": ["mlp"], "controller_hidden": [3]}, {}),
    "dream": (DREAM, {"env_name": "CartPole-v1"}),
    "policy gradient": (
        DREAM | {"controller_trainer": ["policy_gradient"], "gradient_batch": [5]},
        {"env_name": "CartPole-v1"},
    ),
    "iterations": (
        {"iterations": [2], "iteration_rollouts": [4], "iteration_sigma": [0.1]},
        {"env_name": "CartPole-v1"},
    ),
    "drawn actions, ranks": (
        {
            "controller_choice": ["sampled"],
            "cma_fitness": ["ranks"],
            "cma_restarts": [True],
            "controller_patience": [1],
            "cma_covariance": ["diagonal"],
            "cma_centred": [True],
        },
        {"env_name": "CartPole-v1"},
    ),
    "pictures": (
        PICTURES,
        {"env_name": "MinAtar/Breakout-v1", "steps_per_episode": 10, "total_timesteps": 90},
    ),
}


def short(case: str, parameters: dict[str, Any] | None = None, **fields: Any) -> Experiment:
    """A few generations of controllers."""
    more, environment = CASES[case]
    common = {"total_timesteps": 700, "steps_per_episode": 30, "eval_interval_timesteps": 350}
    agent = {"agent_name": "WorldModel", "parameters": QUICK | more | (parameters or {})}
    return build(agent, **(common | environment | fields))
