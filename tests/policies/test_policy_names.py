"""Policies by name, and what is refused."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from agents.base import AgentRefused
from agents.neural.policies.factory import COLUMNS, CONTINUOUS, DISCRETE, policy_for
from agents.neural.policies.softmax import Softmax

BOX = gymnasium.spaces.Box(-1, 1, (2,), dtype=np.float32)
THREE = gymnasium.spaces.Discrete(3)
VALUES = {
    "clip_stddev": 1000.0,
    "epsilon": 1.0,
    "clip_min": 1e-6,
    "clip_max": 1e6,
    "temperature": 0.1,
    "eps": 1e-20,
    "repulsive_coef": 0.0,
    "eta": 1.0,
}


def columns(**values: float) -> dict[str, torch.Tensor]:
    return {name: torch.full((3, 1, 1), v) for name, v in (VALUES | values).items()}


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("SquashedGaussian", 4),
        ("Gaussian", 4),
        ("Beta", 4),
        ("BetaV2", 4),
        ("StudentT", 6),
        ("SquashedGaussianMixture", 3 + 3 * 4),
        ("GaussianMixture", 3 + 3 * 4),
        ("BetaMixture", 3 + 3 * 4),
    ],
)
def test_the_linear_outputs_of_each(name: str, outputs: int) -> None:
    assert policy_for(name, BOX, columns(), num_components=3).outputs == outputs


def test_softmax_has_an_output_for_each_action() -> None:
    policy = policy_for("Softmax", THREE, {})
    assert isinstance(policy, Softmax) and policy.outputs == 3


def test_every_policy_says_what_columns_it_reads() -> None:
    assert set(COLUMNS) == {*CONTINUOUS, *DISCRETE}
    for name in CONTINUOUS:
        policy_for(name, BOX, {column: columns()[column] for column in COLUMNS[name]})


def unbounded(low: float, high: float) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(low, high, (1,), dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "space", "options", "sentence"),
    [
        ("Softmax", BOX, {}, "Softmax is a policy of discrete actions, not of Box"),
        ("Beta", THREE, {}, "a continuous policy needs a vector of actions, not Discrete"),
        ("Gaussian", unbounded(-np.inf, np.inf), {}, "needs bounded actions"),
        ("SquashedGaussian", unbounded(0, np.inf), {}, "needs bounded actions"),
        ("StudentT", unbounded(1, 1), {}, "needs low < high"),
        ("Gaussian", gymnasium.spaces.Box(-1, 1, (2, 2)), {}, "needs a vector of actions"),
        ("Cauchy", BOX, {}, "want the policy SquashedGaussian, .* or BetaMixture, not Cauchy"),
        ("GaussianMixture", BOX, {"num_components": 0}, "a component at least, not 0"),
        ("BetaMixture", BOX, {"share_std": True}, "no standard deviation to share"),
        ("BetaMixture", BOX, {"columns": columns(temperature=0.0)}, "a temperature above 0"),
        (
            "GaussianMixture",
            BOX,
            {"hard": False, "impl": "straight_through"},
            'hard false needs impl "torch", not "straight_through"',
        ),
        ("Gaussian", BOX, {"columns": columns(clip_stddev=0.5)}, "clip_stddev is at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    name: str, space: gymnasium.Space[Any], options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AgentRefused, match=sentence):
        policy_for(name, space, **({"columns": columns()} | options))
