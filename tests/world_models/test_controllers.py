"""Controllers are the equations that their module states, many at once."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from agents.base import AgentRefused
from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller.settings import ControllerSettings

CAR = gymnasium.spaces.Box(np.array([-1, 0, 0], np.float32), np.array([1, 1, 1], np.float32))
THREE = gymnasium.spaces.Discrete(3, start=5)


def built(space: Any = CAR, latents: int = 2, features: int = 3, **fields: Any) -> Controllers:
    return Controllers(ControllerSettings(**fields), latents, features, space)


def outputs(controllers: Controllers, weights: Any, seen: Any) -> np.ndarray:
    given = torch.tensor(weights)[:, None], torch.tensor(seen)[:, None]
    return controllers.outputs(given[0][:, 0], given[1])[:, 0].numpy()


@pytest.mark.parametrize(
    ("fields", "size"),
    [({}, 867), ({"controller_inputs": "z"}, 99), ({"controller_inputs": "h"}, 771),
     ({"controller": "mlp"}, 288 * 40 + 40 + 40 * 3 + 3)],
)  # fmt: skip
def test_they_have_the_papers_number_of_weights(fields: dict[str, Any], size: int) -> None:
    assert built(latents=32, features=256, **fields).size == size


def test_each_of_many_multiplies_what_it_sees_by_its_own_weights() -> None:
    rng = np.random.default_rng(0)
    linear, mlp = built(), built(controller="mlp", controller_hidden=4)
    seen = rng.normal(size=(6, 5)).astype(np.float32)
    weights = rng.normal(size=(6, linear.size)).astype(np.float32)
    expected = [w[:15].reshape(3, 5) @ x + w[15:] for w, x in zip(weights, seen, strict=True)]
    assert outputs(linear, weights, seen) == pytest.approx(np.array(expected), abs=1e-5)
    weights = rng.normal(size=(6, mlp.size)).astype(np.float32)
    expected = [
        w[24:36].reshape(3, 4) @ np.tanh(w[:20].reshape(4, 5) @ x + w[20:24]) + w[36:]
        for w, x in zip(weights, seen, strict=True)
    ]
    assert outputs(mlp, weights, seen) == pytest.approx(np.array(expected), abs=1e-5)


def test_the_car_steers_scales_its_gas_and_cuts_its_brake_as_published() -> None:
    car = built(controller_ranges=("scale", "scale", "cut"))
    u = torch.tensor([[0.3, -0.4, -2.0], [-5.0, 1.0, 0.7]])
    a = np.tanh(u.numpy())
    expected = np.stack([a[:, 0], (a[:, 1] + 1) / 2, np.clip(a[:, 2], 0, 1)], axis=1)
    assert car.actions(car.codes(u).numpy()) == pytest.approx(expected, abs=1e-6)


def test_zeros_do_the_middle_of_a_box_and_the_first_action() -> None:
    zeros = torch.zeros(1, 3)
    assert built().actions(built().codes(zeros).numpy()).tolist() == [[0.0, 0.5, 0.5]]
    assert built(THREE).actions(built(THREE).codes(zeros).numpy()).tolist() == [5]


def test_drawn_actions_follow_the_softmax() -> None:
    controllers = built(THREE, controller_choice="sampled")
    u = torch.tensor([0.0, 1.0, 2.0]).expand(20_000, 3)
    codes = controllers.codes(u, controllers.gumbel(np.random.default_rng(0), 20_000)).numpy()
    shares = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    assert codes.mean(axis=0) == pytest.approx(shares, abs=0.012)
    assert set(controllers.actions(codes)) == {5, 6, 7}
    assert built(THREE).gumbel(np.random.default_rng(0), 1) is None


def test_ranges_of_another_number_of_dimensions_are_refused() -> None:
    with pytest.raises(AgentRefused, match="2 entries, and actions 3 dimensions"):
        built(controller_ranges=("scale", "cut"))
    with pytest.raises(AgentRefused, match="discrete actions or a box with bounds"):
        built(gymnasium.spaces.Box(-np.inf, np.inf, (2,)))
