"""A centre of what controllers see is its mean, and weights around it are weights again."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from agents.rollouts.rollout import LatentRollout
from agents.world_models.controller.centre import mean_seen
from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller.settings import ControllerSettings
from agents.world_models.sequence.building import build_sequence_model
from agents.world_models.sequence.memory import NullMemory
from agents.world_models.sequence.settings import SequenceSettings

D, H = 3, 8
BOX = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
SETTINGS = SequenceSettings(sequence_hidden=H)


def controllers(features: int = H, **fields: Any) -> Controllers:
    return Controllers(ControllerSettings(**fields), D, features, BOX)


def rollouts(*lengths: int) -> list[LatentRollout]:
    rng = np.random.default_rng(0)

    def one(length: int) -> LatentRollout:
        means = rng.normal(1, 1, (length + 1, D)).astype(np.float32)
        actions = rng.uniform(-1, 1, (length, 2)).astype(np.float32)
        rewards = np.zeros(length, np.float32)
        return LatentRollout(means, np.zeros_like(means), actions, rewards, False, True, 0)

    return [one(length) for length in lengths]


@pytest.mark.parametrize("kind", ["linear", "mlp"])
@pytest.mark.parametrize("inputs", ["zh", "z", "h"])
def test_outputs_are_those_of_inputs_less_the_centre(kind: str, inputs: str) -> None:
    some = controllers(controller=kind, controller_inputs=inputs)
    rng = np.random.default_rng(1)
    weights, centre = rng.normal(size=(4, some.size)), rng.normal(size=some.inputs)
    seen = torch.from_numpy(rng.normal(size=(4, 5, some.inputs)))
    moved = torch.from_numpy(some.uncentred(weights, centre))
    expected = some.outputs(torch.from_numpy(weights), seen - torch.from_numpy(centre))
    assert torch.allclose(some.outputs(moved, seen), expected)
    assert np.array_equal(some.uncentred(weights[2], centre), moved[2].numpy())


def test_the_centre_is_the_mean_over_all_steps_whatever_their_rollouts_lengths() -> None:
    model = build_sequence_model(SETTINGS, D, BOX, 2)
    some = rollouts(5, 9, 2)
    alone = [
        (mean_seen(controllers(), model.export(), [rollout]), rollout.length) for rollout in some
    ]
    expected = sum(mean * length for mean, length in alone) / 16
    found = mean_seen(controllers(), model.export(), some)
    assert found == pytest.approx(expected, abs=1e-6)
    assert np.abs(found[D:]).max() > 1e-3
    latents = np.concatenate([rollout.means[:-1] for rollout in some])
    assert found[:D] == pytest.approx(latents.mean(axis=0), abs=1e-6)


def test_of_latents_alone_nothing_is_remembered() -> None:
    some = rollouts(4)
    found = mean_seen(controllers(features=0), NullMemory(), some)
    assert found == pytest.approx(some[0].means[:-1].mean(axis=0), abs=1e-6)
