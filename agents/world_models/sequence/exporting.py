"""Weights of a trained model as numpy reads them; what can be folded into them is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from agents.world_models.sequence.lstm import LstmCore
from agents.world_models.sequence.memory import (
    Experience,
    Floats,
    HiddenMemory,
    LstmMemory,
    TransformerMemory,
)
from agents.world_models.sequence.model import LearnedModel
from agents.world_models.sequence.transformer import Block, TransformerCore


class Heads(NamedTuple):
    """All that is said of the next step, in one product: weights [H, D * K * n + 2], bias, of the
    output's parameters, then the reward in its units, then the logit of an end.

    Attributes:
        kind: of the output.
        choices: K.
        centres: [D, K] of a discrete output; else empty.
        difference: whether it says changes.
        shift, scale: [D] of z_{t+1}, or its change, = shift + scale * y.
        has_reward, has_end: which of the heads the model has; else its column is 0.
    """

    weights: Floats
    bias: Floats
    kind: str
    choices: int
    centres: Floats
    difference: bool
    shift: Floats
    scale: Floats
    has_reward: bool
    has_end: bool


def memory_of(model: LearnedModel) -> HiddenMemory:
    """A copy of what the model remembers with."""
    experience = _experience(model)
    if isinstance(model.core, LstmCore):
        return _lstm(model, model.core, experience)
    return _transformer(model, model.core, experience)


def heads_of(model: LearnedModel) -> Heads:
    """A copy of what it says by what it remembers."""
    hidden = model.output.linear.weight.shape[1]
    weights, bias = [_numpy(model.output.linear.weight).T], [_numpy(model.output.linear.bias)]
    for head in (model.reward_head, model.end_head):
        column = np.zeros((hidden, 1), np.float32), np.zeros(1, np.float32)
        if head is not None:
            column = _numpy(head.weight).T, _numpy(head.bias)
        if head is model.reward_head and head is not None:
            scale, mean = _numpy(model.reward_scale), _numpy(model.reward_mean)
            column = column[0] * scale, column[1] * scale + mean
        weights.append(column[0])
        bias.append(column[1])
    centres = getattr(model.output, "centres", None)
    return Heads(
        np.ascontiguousarray(np.concatenate(weights, 1)),
        np.concatenate(bias),
        model.output.kind,
        model.output.choices,
        np.zeros((0, 0), np.float32) if centres is None else _numpy(centres),
        model.settings.sequence_difference,
        _numpy(model.said_shift),
        _numpy(model.said_scale),
        model.reward_head is not None,
        model.end_head is not None,
    )


def _numpy(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().cpu().float().numpy().copy()
    return array


def _inputs(model: LearnedModel, weight: Tensor, bias: Tensor) -> tuple[Floats, Floats]:
    """Weights [I', n] and bias [n] that read z itself; infilling's flag is always 0."""
    rows = _numpy(weight).T
    if model.infilling is not None:
        rows = rows[:-1]
    shift, scale = _numpy(model.shift), _numpy(model.scale)
    size = model.latent_size
    latents = rows[:size] / scale[:, None]
    return np.concatenate((latents, rows[size:])), _numpy(bias) - shift @ latents


def _lstm(model: LearnedModel, core: LstmCore, experience: Experience | None) -> LstmMemory:
    lstm, size = core.lstm, core.hidden_size
    weight, recurrent, first = lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0
    assert (
        isinstance(weight, Tensor) and isinstance(recurrent, Tensor) and isinstance(first, Tensor)
    )
    rows, bias = _inputs(model, weight, first)
    joined = np.concatenate((rows, _numpy(recurrent).T))
    # torch has i, f, g, o
    order = np.concatenate([np.arange(size) + size * gate for gate in (0, 1, 3, 2)])
    joined, bias = joined[:, order], bias[order]
    joined[:, : 3 * size] *= 0.5
    bias[: 3 * size] *= 0.5
    weights = {"joined": np.ascontiguousarray(joined), "bias": bias}
    return LstmMemory(weights, experience, cell_is_seen=core.cell_is_seen)


def _transformer(
    model: LearnedModel, core: TransformerCore, experience: Experience | None
) -> TransformerMemory:
    embed, embed_bias = _inputs(model, core.embed.weight, core.embed.bias)
    weights = {
        "embed": np.ascontiguousarray(embed),
        "embed_bias": embed_bias,
        "norm": _numpy(core.norm.weight),
        "norm_bias": _numpy(core.norm.bias),
    }
    return TransformerMemory(
        weights, [_block(block, core.context) for block in core.layers()], experience
    )


def _block(block: Block, context: int) -> dict[str, Floats]:
    folded: dict[str, Floats] = {"distance": _numpy(block.bias)[:, :context]}
    for name, norm in (
        ("qkv", block.attention_norm),
        ("projection", None),
        ("widen", block.dense_norm),
        ("narrow", None),
    ):
        linear = getattr(block, name)
        rows, bias = _numpy(linear.weight).T, _numpy(linear.bias)
        if norm is not None:
            bias = bias + _numpy(norm.bias) @ rows
            rows = rows * _numpy(norm.weight)[:, None]
        folded[name], folded[f"{name}_bias"] = rows, bias
    width = len(folded["qkv"])
    scale = np.float32((width // block.heads) ** -0.5)
    folded["qkv"][:, :width] *= scale
    folded["qkv_bias"][:width] *= scale
    return {name: np.ascontiguousarray(value) for name, value in folded.items()}


def _experience(model: LearnedModel) -> Experience | None:
    retrieval = model.retrieval
    if retrieval is None:
        return None
    held = _numpy(retrieval.owners) >= 0
    projection = _numpy(retrieval.projection)  # [K, D + A, W]
    flat = projection.transpose(2, 1, 0).reshape(-1, len(projection))
    weights = {
        "keys": _numpy(retrieval.keys)[held],
        "values": _numpy(retrieval.values)[held],
        "projection": np.ascontiguousarray(flat),
        "shift": _numpy(retrieval.shift),
        "scale": _numpy(retrieval.scale),
    }
    return Experience(weights, retrieval.neighbours, retrieval.temperature)
