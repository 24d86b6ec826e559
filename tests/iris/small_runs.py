"""IRIS in the loop, with next to nothing to compute."""

from __future__ import annotations

from typing import Any

from sweep_runs import build

from experiment.configuration import Experiment

#: Every phase, in each of a few epochs.
QUICK: dict[str, Any] = {
    "tokenizer_vocab_size": [16],
    "tokenizer_frame_size": [None],
    "tokenizer_network": ["plain"],
    "tokenizer_channels": [8],
    "tokenizer_downsamplings": [3],
    "tokenizer_z_channels": [8],
    "tokenizer_embed_dim": [8],
    "tokenizer_batch_size": [8],
    "tokenizer_perplexity_alarm": [0.0],
    "tokenizer_revive_after": [2],
    "tokenizer_start_epoch": [0],
    "tokenizer_steps": [2],
    "sequence_length": [4],
    "world_model_embed_dim": [8],
    "world_model_layers": [1],
    "world_model_heads": [2],
    "world_model_batch_size": [4],
    "world_model_start_epoch": [1],
    "world_model_steps": [2],
    "actor_critic_channels": [[4, 4]],
    "actor_critic_hidden": [[8]],
    "actor_critic_lstm": [8],
    "actor_critic_imagine_horizon": [4],
    "actor_critic_burn_in": [2],
    "actor_critic_batch_size": [4],
    "actor_critic_start_epoch": [1],
    "actor_critic_steps": [2],
    "collection_num_envs": [2],
    "collection_num_steps": [30],
    "save_every": [2],
    "num_episodes_to_save": [2],
}
TOTAL = 90
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "transformer": ({"actor_critic_target_rate": [0.1]}, {}),
    "delta": ({"tokenizer_delta": [True], "world_model_frame_channels": [[4]]}, {}),
    "few episodes": ({"dataset_capacity": [45], "world_model": ["dummy"]}, {}),
    "ncp_single_step": ({"world_model": ["ncp_single_step"], "world_model_embed_dim": [2]}, {}),
    "ncp_multi_step": ({"world_model": ["ncp_multi_step"], "world_model_embed_dim": [4]}, {}),
    "gpt2": ({"world_model": ["gpt2"]}, {}),
    "vectors": ({}, {"env_name": "CartPole-v1"}),
}
FIELDS: dict[str, Any] = {
    "env_name": "sweep/Catch-v1",
    "total_timesteps": TOTAL,
    "steps_per_episode": 100,
    "eval_interval_timesteps": 50,
    "eval_episodes": 1,
}


def agent_file(parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"agent_name": "IRIS", "parameters": QUICK | (parameters or {})}


def short(case: str, parameters: dict[str, Any] | None = None, **fields: Any) -> Experiment:
    """Three epochs."""
    more, environment = CASES[case]
    return build(agent_file(more | (parameters or {})), **(FIELDS | environment | fields))
