"""Networks' forward passes, compiled by torch.

Methods are replaced, not modules: names of weights stay as they are, and so do files of networks.
What has loops over time, neural circuits and the LSTM, and passes that follow a cache of keys and
values, is left as it is.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

import torch
from torch import nn

from agents.base import AgentRefused
from agents.iris.actor_critic import ActorCritic
from agents.iris.tokenizer.interface import Tokenizer
from agents.iris.tokenizer.vqvae import VQVAE
from agents.iris.world_models.interface import Dynamics
from agents.iris.world_models.transformer import Transformer

_COMPILERS = ("g++", "clang++")


def compile_networks(
    tokenizer: Tokenizer, world_model: Dynamics, actor_critic: ActorCritic, device: torch.device
) -> None:
    """Encoder, decoder, the transformer over whole segments, and the actor-critic before its LSTM.

    Raises:
        AgentRefused: no compiler is found.
    """
    check_compiler(device)
    parts: list[tuple[nn.Module, str]] = [(actor_critic, "features")]
    if isinstance(tokenizer, VQVAE):
        parts += [(tokenizer, "latents"), (tokenizer, "pictures")]
    if isinstance(world_model, Transformer):
        parts.append((world_model.trunk, "forward"))
    for module, name in parts:
        setattr(module, name, torch.compile(getattr(module, name)))


def check_compiler(device: torch.device) -> None:
    """
    Raises:
        AgentRefused: torch.compile needs one that is not there.
    """
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else _COMPILERS)):
        looked_for = named or " or ".join(_COMPILERS)
        raise AgentRefused(
            f"compile true needs a compiler of C++, and {looked_for} is not found: install one, or "
            "leave compile false"
        )
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise AgentRefused(
            "compile true needs the package triton on a GPU: pip install triton, or leave compile "
            "false"
        )
