"""Compiled networks: what they compute, their names, and what there has to be to compile them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
from small_iris import catch_trainer

from agents.base import AgentRefused
from agents.iris.compiling import check_compiler
from agents.iris.training import Trainer

TINY: dict[str, Any] = {
    "tokenizer_channels": 4,
    "tokenizer_z_channels": 4,
    "tokenizer_embed_dim": 4,
    "tokenizer_batch_size": 8,
    "tokenizer_steps": 2,
    "world_model_embed_dim": 8,
    "world_model_layers": 1,
    "world_model_heads": 2,
    "world_model_dropout": 0.0,
    "world_model_batch_size": 4,
    "world_model_start_epoch": 0,
    "world_model_steps": 2,
    "actor_critic_channels": [4],
    "actor_critic_lstm": 4,
    "actor_critic_imagine_horizon": 3,
    "actor_critic_burn_in": 2,
    "actor_critic_batch_size": 4,
    "actor_critic_start_epoch": 0,
    "actor_critic_steps": 2,
    "collection_num_steps": 30,
}


def trainer(compiled: bool, **changes: Any) -> Trainer:
    return catch_trainer(steps=30, **TINY | changes, compile=compiled)


def test_no_compiler_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(
        AgentRefused, match=r"compile true needs .* g\+\+ or clang\+\+ is not found"
    ):
        check_compiler(torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile has many of its own
def test_compiled_networks_take_the_steps_of_others() -> None:
    ran, others = trainer(True), trainer(False)
    for one in (ran, others):
        one.run()
    mine, its = ran.state_dict(), others.state_dict()
    for name, tensors in its["modules"].items():
        assert tensors.keys() == mine["modules"][name].keys()
        for key, value in tensors.items():
            torch.testing.assert_close(mine["modules"][name][key], value, rtol=1e-2, atol=1e-4)
    trainer(False).load_state_dict(pickle.loads(pickle.dumps(mine)))
