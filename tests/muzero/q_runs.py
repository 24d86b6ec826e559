"""Learners of Q, and short runs of the modes without a searched policy, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from batches import small
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray
from sweep_runs import build

from agents.muzero.actions import DiscreteActions
from agents.muzero.agent import MuZero
from agents.muzero.building import build_learner
from agents.muzero.decisions import Decisions
from agents.muzero.observations import Observations
from agents.muzero.settings import MuZeroSettings
from agents.muzero.torch_q_learner import QLearner
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining
from experiment.folder import ResultFolder
from experiment.manifest import Manifest
from experiment.run import Options, build_training

INPUTS, ACTIONS = 5, 3
C51 = {"value_distribution": "c51", "c51_atoms": 11, "c51_bounds": (-2.0, 3.0)}


def learner_for(**options: Any) -> QLearner:
    """Of Q whose head does not begin with zeros."""
    settings = small(q_learning=True, **options)
    learner = build_learner(
        settings,
        Observations(Box(-1, 1, (INPUTS,))),
        DiscreteActions(Discrete(ACTIONS)),
        np.random.default_rng(0),
        "cpu",
        8,
    )
    assert isinstance(learner, QLearner)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in learner.online.network.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator))
    learner.renew_target()
    learner.online.refresh()
    return learner


def decisions_for(settings: MuZeroSettings, discount: float = 0.9) -> Decisions:
    return Decisions(settings, ACTIONS, discount, two_player=False)


def seen(rows: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(rows, INPUTS)).astype(np.float32)


QUICK: dict[str, Any] = {
    "q_learning": [True],
    "num_envs": [3],
    "batch_size_per_worker": [8],
    "hidden_size": [8],
    "hidden_dim": [8],
    "num_simulations": [4],
    "multistep": [5],
    "jumps": [2],
    "steps_before_learning": [30],
    "buffer_size": [200],
    "target_update_interval": [5],
    "num_reanalyze_envs": [8],
    "epsilon": [0.2],
}
WIDE = {"value_distribution": ["c51"], "c51_atoms": [16], "c51_bounds": [[0.0, 300.0]]}
MODES: dict[str, dict[str, Any]] = {
    "without a search": {"num_simulations": [0], "jumps": [0]},
    "with a search": {"q_dirichlet": [True], "clip_rewards": [0.5]},
    "what was stored": {
        "local_target_net": [False],
        "search_value_targets": [False],
        "reanalyze": [0.5],
    },
    "distributions": {**WIDE, "discount": [0.9], "prioritized": [True]},
    "a policy without a search": {"q_learning": [False], "num_simulations": [0]},
}


def short(mode: dict[str, Any], **fields: Any) -> Experiment:
    common = {
        "env_name": "CartPole-v1",
        "total_timesteps": 161,
        "steps_per_episode": 23,
        "eval_interval_timesteps": 80,
    }
    agent = {"agent_name": "MuZero", "parameters": QUICK | mode}
    experiment: Experiment = build(agent, **(common | fields))
    return experiment


def driver_of(experiment: Experiment) -> MuZero:
    folder = ResultFolder(Path(), Manifest.of(experiment, 0))
    training = build_training(experiment, [folder.run(0)], Options())
    assert isinstance(training, DrivenTraining)
    assert isinstance(training.driver, MuZero)
    return training.driver
