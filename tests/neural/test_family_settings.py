"""The settings of VAC, Greedy AC, FKL, TD3 and DQN: ranges, laws, and what a batch shares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from members import batch

import agents
from agents.base import AgentRefused, AgentSettings
from agents.greedy_ac.settings import GreedyACSettings
from agents.td3.settings import TD3Settings
from agents.vac.settings import VACSettings
from experiment.agent_file import build_grid
from experiment.errors import ConfigError

FAMILY = ("VAC", "VACDiscrete", "GreedyAC", "GreedyACDiscrete", "FKL", "TD3", "DQN")


def grid_of(agent: str, setting: dict[str, Any]) -> int:
    """The size of a grid of one setting."""
    parameters = {name: [value] for name, value in setting.items()}
    content = {"agent_name": agent, "parameters": parameters}
    return build_grid(content, agents.settings_type(agent), "agent.json").size


@pytest.mark.parametrize("agent", FAMILY)
def test_the_defaults_are_a_setting(agent: str) -> None:
    assert grid_of(agent, {}) == 1


@pytest.mark.parametrize("agent", FAMILY)
def test_what_must_be_equal_exists(agent: str) -> None:
    settings: type[AgentSettings] = agents.settings_type(agent)
    assert set(settings.STATIC) <= set(settings.__struct_fields__)
    assert {"batch_size", "update_interval", "gradient_steps"} <= set(settings.STATIC)


@pytest.mark.parametrize("agent", FAMILY)
@pytest.mark.parametrize(
    "setting",
    [
        {"batch_size": 64, "replay_capacity": 32},
        {"update_interval": 0},
        {"gradient_steps": 0},
        {"tau": 1.5},
        {"unheard_of": 1},
    ],
    ids=str,
)
def test_what_all_refuse(agent: str, setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        grid_of(agent, setting)


@pytest.mark.parametrize("agent", [name for name in FAMILY if name != "DQN"])
def test_one_step_size_of_the_policy(agent: str) -> None:
    assert grid_of(agent, {"actor_lr": 1e-3}) == grid_of(agent, {"actor_lr_scale": 1.0}) == 1
    with pytest.raises(ConfigError, match="actor_lr or actor_lr_scale"):
        grid_of(agent, {"actor_lr": 1e-3, "actor_lr_scale": 1.0})


@pytest.mark.parametrize("agent", ["VAC", "GreedyAC", "FKL"])
@pytest.mark.parametrize(
    "setting",
    [
        {"policy_type": "GaussianMixture", "repulsive_coef": 0.1},
        {"policy_type": "GaussianMixture", "lmbda": -2.0},
        {"policy_type": "GaussianMixture", "hard": False, "impl": "default"},
        {"policy_type": "Softmax"},
        {"clip_stddev": 0.5},
        {"clip_min": 2.0, "clip_max": 1.0},
    ],
    ids=str,
)
def test_policies_of_vectors_keep_their_laws(agent: str, setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        grid_of(agent, setting)


@pytest.mark.parametrize(
    ("agent", "refused", "accepted"),
    [
        ("VAC", {"num_samples": 1}, {"num_samples": 2}),
        ("VAC", {"reparameterized": True}, {"reparameterized": False}),
        ("VAC", {"alpha": -0.1}, {"alpha": 0.0}),
        ("VACDiscrete", {"policy_type": "Gaussian"}, {"policy_type": "Softmax"}),
        ("GreedyAC", {"n_rho": [0, 0.1]}, {"n_rho": [1, 0.1]}),
        ("GreedyAC", {"n_rho": [30, 0.0]}, {"n_rho": [30, 0.01]}),
        ("GreedyAC", {"n_rho": [30, 1.1]}, {"n_rho": [30, 1.0]}),
        ("GreedyACDiscrete", {"alpha": 0.1}, {}),
        ("FKL", {"num_samples": 1}, {"num_samples": 2}),
        ("FKL", {"alpha": 0.0}, {"alpha": 1e-3}),
        ("TD3", {"policy_delay": 0}, {"policy_delay": 1}),
        ("TD3", {"target_update_interval": 2}, {"target_update_interval": 1}),
        ("TD3", {"target_noise": -0.1}, {"target_noise": 0.0}),
        ("TD3", {"policy_type": "Gaussian"}, {}),
        ("DQN", {"epsilon": 0.1, "epsilon_min": 0.2}, {"epsilon": 0.2, "epsilon_min": 0.2}),
        ("DQN", {"epsilon": 1.1}, {"epsilon": 1.0}),
        ("DQN", {"epsilon_steps": 0}, {"epsilon_steps": 1}),
        ("DQN", {"actor_lr": 1e-3}, {}),
    ],
    ids=str,
)
def test_laws(agent: str, refused: dict[str, Any], accepted: dict[str, Any]) -> None:
    assert grid_of(agent, accepted) == 1
    with pytest.raises(ConfigError):
        grid_of(agent, refused)


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (VACSettings(num_samples=3), VACSettings(num_samples=4), "num_samples"),
        (GreedyACSettings(n_rho=(5, 0.2)), GreedyACSettings(n_rho=(5, 0.4)), "n_rho"),
        (TD3Settings(policy_delay=1), TD3Settings(policy_delay=2), "policy_delay"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_members_must_agree_on_what_shapes_an_update(one: Any, other: Any, name: str) -> None:
    with pytest.raises(AgentRefused, match=f"one {name}"):
        batch([one, other], [0, 1])


def test_settings_need_no_torch() -> None:
    modules = ("vac", "greedy_ac", "forward_kl", "td3", "dqn")
    code = "import sys, " + ", ".join(f"agents.{name}.settings" for name in modules)
    code += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
