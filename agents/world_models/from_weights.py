"""A world model from the arrays that a run recorded (`main.py --record learned_params`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.base import AgentRefused
from agents.encoders.building import build_encoder
from agents.world_models.controller_stage import Models
from agents.world_models.sequence.building import build_sequence_model
from agents.world_models.settings import WorldModelSettings
from envs.wrappers import Problem


def models_of(
    settings: WorldModelSettings, problem: Problem, path: Path
) -> tuple[Models, NDArray[np.float64] | None]:
    """The models, and the controller's weights where there are any.

    Raises:
        AgentRefused: the arrays are not of such a model.
    """
    with np.load(path) as file:
        arrays = {name.removeprefix("learned_params."): file[name] for name in file}
    encoder = build_encoder(settings, problem.observation_space, 0)
    size = encoder.representation_size
    sequence = build_sequence_model(settings, size, problem.action_space, 0)
    for name, model in (("encoder", encoder), ("sequence", sequence)):
        own = {k.partition(".")[2]: v for k, v in arrays.items() if k.startswith(f"{name}.")}
        try:
            model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in own.items()})
        except RuntimeError as error:
            problem_there = str(error).splitlines()[-1].strip()
            raise AgentRefused(f"{path}: {name} of another setting: {problem_there}") from None
    starts = _starts(problem, encoder)
    models = Models.of(settings, encoder.eval(), sequence.eval(), starts, problem.action_space)
    weights: Any = arrays.get("controller")
    if weights is not None and weights.shape != (models.controllers.size,):
        raise AgentRefused(f"{path}: the controller is of another setting")
    return models, weights


@torch.inference_mode()
def _starts(problem: Problem, encoder: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where dreams begin: what some first observations are encoded to."""
    first = np.stack([problem.reset(seed=seed)[0] for seed in range(8)])
    means, log_variances = encoder.encode(first)
    return means.numpy(), log_variances.numpy()
