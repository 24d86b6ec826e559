"""The settings of soft actor-critic: names, laws, and what may differ in a batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import agents
from agents.neural.policies.factory import CONTINUOUS, DISCRETE
from agents.soft_actor_critic.settings import SACDiscreteSettings, SACSettings
from experiment.agent_file import build_grid, check_rules
from experiment.errors import ConfigError
from experiment.values import default_values, hyperparameters, literal_choices

#: A setting whose likelihood gradient is weighed by an estimate of the entropy.
ESTIMATED: dict[str, Any] = {
    "policy_type": "GaussianMixture",
    "reparameterized": False,
    "lmbda": -2.0,
}
CONFIG = Path(__file__).parents[2] / "config" / "agent"


def test_every_policy_can_be_named() -> None:
    for settings, policies in ((SACSettings, CONTINUOUS), (SACDiscreteSettings, DISCRETE)):
        assert literal_choices(hyperparameters(settings)["policy_type"].type) == policies


def test_what_must_be_equal_exists() -> None:
    for settings in (SACSettings, SACDiscreteSettings):
        assert set(settings.STATIC) <= set(settings.__struct_fields__)


@pytest.mark.parametrize(
    "setting",
    [
        {"batch_size": 64, "replay_capacity": 32},
        {"actor_lr": 1e-3, "actor_lr_scale": 1.0},
        {"automatic_entropy_tuning": True, "alpha": 0.0},
        {"clip_stddev": 0.5},
        {"num_samples": 2},
        {"reparam_baseline": [False, 3], "reparameterized": False},
        {"clip_min": 2.0, "clip_max": 1.0},
        {"reparameterized": "mixed"},
        {"policy_type": "GaussianMixture", "hard": False, "impl": "default"},
        {"policy_type": "GaussianMixture", "hard": False, "impl": "straight_through"},
        {"policy_type": "SquashedGaussian", "repulsive_coef": 0.1},
        {"policy_type": "BetaMixture", "repulsive_coef": 0.1},
        {**ESTIMATED, "lmbda": -4.0},
        {**ESTIMATED, "lmbda": 1.1},
        {**ESTIMATED, "lmbda": -0.5},
        {**ESTIMATED, "policy_type": "SquashedGaussianMixture"},
        {**ESTIMATED, "reparameterized": True},
        {**ESTIMATED, "reparameterized": "mixed"},
        {**ESTIMATED, "reparameterized": True, "reparam_baseline": [True, 0]},
        {**ESTIMATED, "lmbda": -1.0, "eta": 0.5},
    ],
    ids=str,
)
def test_laws(setting: dict[str, Any]) -> None:
    check_rules(SACSettings, default_values(SACSettings))
    with pytest.raises(ConfigError):
        check_rules(SACSettings, default_values(SACSettings) | setting)


@pytest.mark.parametrize(
    "setting",
    [
        {"policy_type": "GaussianMixture", "hard": False},
        {"policy_type": "GaussianMixture", "hard": False, "impl": "torch"},
        {"policy_type": "BetaMixture", "impl": "straight_through"},
        {"policy_type": "GaussianMixture", "repulsive_coef": 0.1},
        {"policy_type": "SquashedGaussianMixture", "repulsive_coef": 0.1},
        *({**ESTIMATED, "lmbda": lmbda} for lmbda in (-1.0, -2.0, -3.0, 0.0, 0.5, 1.0)),
        {**ESTIMATED, "reparameterized": True, "reparam_baseline": [False, 3]},
        {**ESTIMATED, "eta": 0.5},
    ],
    ids=str,
)
def test_what_mixtures_accept(setting: dict[str, Any]) -> None:
    check_rules(SACSettings, default_values(SACSettings) | setting)


def test_step_size_of_the_policy() -> None:
    assert SACSettings(critic_lr=0.1).actor_step_size == 0.1
    assert SACSettings(critic_lr=0.1, actor_lr_scale=0.5).actor_step_size == 0.05
    assert SACSettings(critic_lr=0.1, actor_lr=0.3).actor_step_size == 0.3


def test_joined_fields() -> None:
    settings = SACSettings(reparam_baseline=(False, 30))
    assert settings.gradient is False and settings.baseline == 30
    assert SACSettings().gradient is True and SACSettings(baseline_actions=-1).baseline == 0


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.json")), ids=lambda file: file.stem)
def test_agent_files_are_grids(file: Path) -> None:
    content = msgspec.json.decode(file.read_bytes())
    settings = agents.settings_type(content["agent_name"])
    for note in ("$schema", "$comment"):
        content.pop(note, None)
    assert build_grid(content, settings, file.name).size >= 1


#: Lists that every file of the published code has, and those of one agent; an index means there
#: the setting that it means here.
PUBLISHED: dict[str, Any] = {
    "replay_capacity": [100000],
    "batch_size": [32],
    "tau": [0.01],
    "betas": [[0.9, 0.999]],
    "target_update_interval": [1],
    "hidden_dim": [64],
    "weight_init": ["xavier_uniform"],
    "clip_stddev": [1000],
    "cuda": [False],
}
SWEPT: dict[str, Any] = {
    "critic_lr": [1e-1, 1e-2, 1e-3, 1e-4, 1e-5],
    "actor_lr_scale": [1e-3, 1e-2, 1e-1, 1.0, 2.0, 10.0],
}
ALPHA: dict[str, Any] = {"alpha": [0.001, 0.01, 0.1, 1.0, 10.0]}
TUNED: dict[str, Any] = {"alpha_lr": [0.0], "automatic_entropy_tuning": [False]}
SOFT: dict[str, Any] = {"num_hidden": [3], "soft_q": [True], "double_q": [True]}
CHOSEN: dict[str, Any] = {
    "clip_actions": [True],
    "reparam_baseline": [[True, 0]],
    "num_samples": [1],
    "soft_q": [True],
    "double_q": [True],
    "policy_type": ["SquashedGaussian"],
    "uniform_exploration_steps": [0],
    "steps_before_learning": [1000],
}


@pytest.mark.parametrize(
    ("agent", "size", "parameters"),
    [
        (
            "GreedyAC",
            150,
            ALPHA | {"policy_type": ["Gaussian"]} | SWEPT | {"n_rho": [[30, 0.1]]},
        ),
        ("GreedyACDiscrete", 30, {"policy_type": ["Softmax"]} | SWEPT),
        (
            "SAC",
            150,
            SOFT
            | {"reparameterized": [True], "num_samples": [1], "baseline_actions": [0]}
            | ALPHA
            | {"policy_type": ["SquashedGaussian"]}
            | SWEPT
            | TUNED,
        ),
        ("SACDiscrete", 150, SOFT | ALPHA | {"policy_type": ["Softmax"]} | SWEPT | TUNED),
        (
            "VAC",
            150,
            {"reparameterized": [False]}
            | ALPHA
            | {"policy_type": ["Gaussian"]}
            | SWEPT
            | {"num_samples": [30]},
        ),
        ("VACDiscrete", 150, ALPHA | {"policy_type": ["Softmax"]} | SWEPT | {"num_samples": [30]}),
        (
            "FKL",
            150,
            ALPHA | {"policy_type": ["Gaussian"]} | SWEPT | {"num_samples": [30]},
        ),
        (
            "SAC",
            1,
            CHOSEN | {"alpha": [0.1], "critic_lr": [1e-2], "actor_lr_scale": [0.1]} | TUNED,
        ),
        (
            "SAC",
            80,
            CHOSEN
            | {
                "alpha": [0.001, 0.01, 0.1, 1.0],
                "critic_lr": [1e-1, 1e-2, 1e-3, 1e-4, 1e-5],
                "actor_lr_scale": [1e-2, 1e-1, 1.0, 10.0],
            }
            | TUNED,
        ),
    ],
)
def test_published_files_are_accepted(agent: str, size: int, parameters: dict[str, Any]) -> None:
    content = {"agent_name": agent, "parameters": PUBLISHED | parameters}
    grid = build_grid(content, agents.settings_type(agent), "published.json")
    assert grid.size == size
    for name, values in parameters.items():
        assert grid.setting(size - 1)[name] == values[-1]


@pytest.mark.parametrize(
    "agent", ["GreedyAC", "GreedyACDiscrete", "SAC", "SACDiscrete", "VAC", "VACDiscrete"]
)
def test_the_shipped_sweeps_are_the_published_ones(agent: str) -> None:
    content = msgspec.json.decode((CONFIG / f"{agent}_sweep.json").read_bytes())
    axes = {name: values for name, values in content["parameters"].items() if len(values) > 1}
    published = SWEPT if agent == "GreedyACDiscrete" else ALPHA | SWEPT
    assert list(axes.items()) == list(published.items())


def test_settings_need_no_torch() -> None:
    code = "import sys, agents.soft_actor_critic.settings; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CONFIG.parents[1])
