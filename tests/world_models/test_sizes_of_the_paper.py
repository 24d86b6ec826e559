"""config/agent/WorldModel_CarRacing_paper.json is the paper's, to the number of parameters."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
from gymnasium.spaces import Box

from agents.encoders.building import build_encoder
from agents.world_models.controller.controllers import Controllers
from agents.world_models.sequence.building import build_sequence_model
from agents.world_models.settings import WorldModelSettings

ROOT = Path(__file__).resolve().parents[2]
PICTURES = Box(0, 255, (96, 96, 3), np.uint8)
ACTIONS = Box(np.array([-1, 0, 0], np.float32), np.array([1, 1, 1], np.float32))


def test_all_three_have_as_many_parameters_as_published() -> None:
    file = json.loads((ROOT / "config/agent/WorldModel_CarRacing_paper.json").read_text())
    chosen = {name: values[0] for name, values in file["parameters"].items()}
    settings = msgspec.convert(chosen, WorldModelSettings)
    encoder = build_encoder(settings, PICTURES, 0)
    model = build_sequence_model(settings, encoder.representation_size, ACTIONS, 0)
    controllers = Controllers(settings, encoder.representation_size, model.feature_size, ACTIONS)
    second_bias = 4 * 256  # that torch's LSTM has beside the published one
    assert sum(weights.numel() for weights in encoder.parameters()) == 4_348_547
    assert sum(weights.numel() for weights in model.parameters()) - second_bias == 422_368
    assert controllers.size == 867
