"""IRIS on Catch: settings that learn it in minutes, and environments of a run."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

import envs
from agents.iris.settings import IrisSettings
from agents.iris.training import Trainer
from envs.settings import EnvironmentSettings
from envs.wrappers import Problem

CATCH: dict[str, Any] = {
    "tokenizer_vocab_size": 128,
    "tokenizer_frame_size": None,
    "tokenizer_network": "plain",
    "tokenizer_channels": 48,
    "tokenizer_downsamplings": 3,
    "tokenizer_z_channels": 64,
    "tokenizer_embed_dim": 32,
    "tokenizer_commitment_weight": 0.25,
    "tokenizer_revive_after": 50,
    "tokenizer_l1_weight": 0.5,
    "tokenizer_mse_weight": 10.0,
    "tokenizer_worst_pixel_weight": 0.3,
    "tokenizer_batch_size": 64,
    "tokenizer_learning_rate": 3e-3,
    "tokenizer_start_epoch": 0,
    "tokenizer_stop_epoch": 12,
    "tokenizer_steps": 120,
    "sequence_length": 10,
    "world_model_embed_dim": 64,
    "world_model_layers": 3,
    "world_model_heads": 4,
    "world_model_dropout": 0.0,
    "world_model_batch_size": 32,
    "world_model_learning_rate": 1e-3,
    "world_model_start_epoch": 8,
    "world_model_steps": 100,
    "actor_critic_channels": [16, 32],
    "actor_critic_lstm": 128,
    "actor_critic_imagine_horizon": 10,
    "actor_critic_burn_in": 4,
    "actor_critic_gamma": 0.95,
    "actor_critic_lambda": 0.95,
    "actor_critic_entropy_weight": 0.01,
    "actor_critic_batch_size": 48,
    "actor_critic_learning_rate": 1e-3,
    "actor_critic_start_epoch": 16,
    "actor_critic_steps": 40,
    "collection_num_envs": 4,
    "collection_num_steps": 216,
}


def catch_settings(**changes: Any) -> IrisSettings:
    return msgspec.convert(CATCH | changes, IrisSettings)


class Environments:
    """See `agents.base.EnvironmentMaker`."""

    def __init__(self, name: str = "sweep/Catch-v1", seed: int = 0, **more: Any) -> None:
        content = {"env_name": name, "total_timesteps": 9072} | more
        self.settings = msgspec.convert(content, EnvironmentSettings)
        self._seed = seed

    def __call__(self, number: int) -> Problem:
        return envs.make(self.settings)

    def seed(self, number: int) -> int:
        return int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])


def catch_trainer(
    seed: int = 0, steps: int = 9072, makers: Environments | None = None, **changes: Any
) -> Trainer:
    makers = makers or Environments(seed=seed)
    problem = makers(0)
    return Trainer(
        catch_settings(**changes),
        problem.observation_space,
        problem.action_space,
        make_environment=makers,
        total_timesteps=steps,
        rng=np.random.default_rng(seed),
    )
