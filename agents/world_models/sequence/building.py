"""Sequence models made from settings, and their files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import gymnasium
import msgspec
import numpy as np
import torch

from agents.encoders.actions import ActionCode
from agents.rollouts.files import Temporary
from agents.world_models.sequence.interface import SequenceModel
from agents.world_models.sequence.model import LearnedModel, NullModel
from agents.world_models.sequence.settings import SequenceSettings, as_builtins

_FORMAT = 1


def build_sequence_model(
    settings: SequenceSettings, latent_size: int, action_space: gymnasium.Space[Any], seed: int
) -> SequenceModel:
    """An untrained model on the processor, with weights drawn from `seed`.

    Raises:
        AgentRefused: actions of this space have no code.
    """
    return build_for(settings, latent_size, ActionCode(action_space).size, seed)


def build_for(
    settings: SequenceSettings, latent_size: int, action_size: int, seed: int
) -> SequenceModel:
    """An untrained model for D latents and coded actions of A numbers."""
    own = msgspec.convert(as_builtins(settings), SequenceSettings)
    if own.sequence_model == "null":
        return NullModel(own, latent_size, action_size)
    # layers draw their first weights from torch's own generator, which is left as it was
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        return LearnedModel(own, latent_size, action_size, generator)


def content_hash(model: SequenceModel) -> str:
    """Of settings, sizes and weights: equal models, equal hashes."""
    digest = hashlib.sha256(msgspec.json.encode(_facts(model)))
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
    return digest.hexdigest()


def save_sequence_model(path: Path, model: SequenceModel) -> None:
    """Writes the model, the whole or nothing.

    Raises:
        OSError: it cannot be written; `path` is as it was.
    """
    state = {
        "format": _FORMAT,
        "facts": _facts(model),
        "weights": {name: value.cpu() for name, value in model.state_dict().items()},
        "hash": content_hash(model),
    }
    temporary = Temporary(path)
    try:
        torch.save(state, temporary.path)
        temporary.publish()
    except BaseException:
        temporary.discard()
        raise


def load_sequence_model(path: Path) -> SequenceModel:
    """The model of that file, on the processor.

    Raises:
        ValueError: it is no such file, or damaged.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        facts = state["facts"]
        settings = msgspec.convert(facts["settings"], SequenceSettings)
        model = build_for(settings, facts["latent_size"], facts["action_size"], 0)
        model.load_state_dict(state["weights"])
    except OSError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(f"{path} is no sequence model, or damaged: {error}") from error
    if content_hash(model) != state["hash"]:
        raise ValueError(f"{path} is damaged: its weights are not those that were saved")
    return model.eval()


def _facts(model: SequenceModel) -> dict[str, Any]:
    assert isinstance(model, LearnedModel | NullModel)
    return {
        "settings": as_builtins(model.settings),
        "latent_size": model.latent_size,
        "action_size": model.action_size,
    }
