"""GPT-2's blocks and last norm, from Hugging Face's `transformers`, as the trunk of a transformer.

Their weights are copied into blocks of our own, which have the same cache and speed; embeddings,
positions and heads are new ones. So GPT-2's own positions are never added.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor

from agents.base import AgentRefused
from agents.iris.world_model_settings import WorldModelSettings
from agents.iris.world_models.interface import small_weights
from agents.iris.world_models.trunk import Trunk


def gpt2_trunk(settings: WorldModelSettings, generator: torch.Generator) -> Trunk:
    """Of `gpt2_path`, or a new one.

    Raises:
        AgentRefused: `transformers` is not installed, or finds no GPT-2 there.
    """
    if settings.gpt2_path is None:
        trunk = Trunk(
            settings.world_model_embed_dim,
            settings.world_model_heads,
            settings.world_model_layers,
            settings.world_model_dropout,
            tanh=True,
        )
        small_weights(trunk, generator)
        return trunk
    model = _loaded(settings.gpt2_path)
    config = model.config
    trunk = Trunk(
        config.n_embd, config.n_head, config.n_layer, settings.world_model_dropout, tanh=True
    )
    copy_blocks(model, trunk)
    return trunk


@torch.no_grad()
def copy_blocks(model: Any, trunk: Trunk) -> None:
    """Copies a `GPT2Model`. Its Conv1D has weights [inputs, outputs], nn.Linear [outputs, inputs].

    Raises:
        AgentRefused: it computes something else than the trunk does.
    """
    config = model.config
    for name, wanted in {
        "activation_function": "gelu_new",
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "n_inner": None,
    }.items():
        found = getattr(config, name)
        if found != wanted and not (name == "n_inner" and found == 4 * config.n_embd):
            raise AgentRefused(f"gpt2_path: its {name} is {found}, and is to be {wanted}")
    for theirs, ours in zip(model.h, trunk.layers(), strict=True):
        pairs = (
            (theirs.attn.c_attn, ours.qkv),
            (theirs.attn.c_proj, ours.projection),
            (theirs.mlp.c_fc, ours.widen),
            (theirs.mlp.c_proj, ours.narrow),
        )
        for conv, linear in pairs:
            _copy(conv.weight.T, linear.weight)
            _copy(conv.bias, linear.bias)
        for norm, our_norm in ((theirs.ln_1, ours.attention_norm), (theirs.ln_2, ours.dense_norm)):
            _copy_norm(norm, our_norm)
    _copy_norm(model.ln_f, trunk.norm)


def _copy_norm(theirs: Any, ours: torch.nn.LayerNorm) -> None:
    ours.eps = theirs.eps
    _copy(theirs.weight, ours.weight)
    _copy(theirs.bias, ours.bias)


def _copy(theirs: Tensor, ours: Tensor) -> None:
    ours.copy_(theirs)


def _loaded(path: str) -> Any:
    try:
        model_class = importlib.import_module("transformers").GPT2Model
    except ImportError:
        raise AgentRefused(
            'world_model "gpt2" with gpt2_path needs the package transformers: pip install '
            "transformers"
        ) from None
    try:
        return model_class.from_pretrained(path, dtype=torch.float32)
    except (OSError, ValueError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise AgentRefused(
            f"gpt2_path: no GPT-2 could be had from {path} ({said[0]}); without a network give a "
            "local folder, as save_pretrained writes it"
        ) from None
