"""The environment file: its defaults, and what its schema and its types refuse."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from envs.settings import AtariSettings, EnvironmentSettings

SMALLEST = {"env_name": "Pendulum-v1", "total_timesteps": 10}


def read(**fields: Any) -> EnvironmentSettings:
    return msgspec.convert(SMALLEST | fields, EnvironmentSettings)


def test_only_name_and_length_are_required() -> None:
    settings = read()
    assert settings.steps_per_episode is msgspec.UNSET
    assert (settings.eval_interval_timesteps, settings.eval_episodes) == (10_000, 10)
    assert settings.gamma == 0.99
    for field in SMALLEST:
        with pytest.raises(msgspec.ValidationError, match=field):
            msgspec.convert({k: v for k, v in SMALLEST.items() if k != field}, EnvironmentSettings)


def test_left_out_and_null_limits_are_told_apart() -> None:
    assert read(steps_per_episode=None).steps_per_episode is None
    assert read(steps_per_episode=7).steps_per_episode == 7
    assert "steps_per_episode" not in msgspec.to_builtins(read())
    assert msgspec.to_builtins(read(steps_per_episode=None))["steps_per_episode"] is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total_timesteps", 0),
        ("steps_per_episode", 0),
        ("eval_interval_timesteps", 0),
        ("eval_episodes", -1),
        ("eval_steps_per_episode", 0),
        ("gamma", 1.1),
        ("gamma", -0.1),
        ("continuous", "yes"),
        ("rewards", {"goal": "high"}),
        ("observation_ranges", [[0, 1, 2]]),
        ("atari", {"frame_skip": 0}),
        ("atari", {"frameskip": 4}),
        ("steps_per_epsiode", 5),
    ],
)
def test_a_value_out_of_range_or_an_unknown_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(**{field: value})


def test_atari_defaults_are_those_of_machado_et_al() -> None:
    settings = AtariSettings()
    assert settings.repeat_action_probability == 0.25
    assert not settings.terminal_on_life_loss
    assert (settings.frame_skip, settings.frame_stack, settings.screen_size) == (4, 4, 84)


def test_every_field_is_described_in_the_json_schema() -> None:
    schema = msgspec.json.schema(EnvironmentSettings)["$defs"]["EnvironmentSettings"]
    assert schema["required"] == ["env_name", "total_timesteps"]
    assert schema["additionalProperties"] is False
    for field in schema["properties"].values():
        assert "description" in str(field)


def test_evaluation_fields_are_fields() -> None:
    assert set(EnvironmentSettings.__struct_fields__) >= EnvironmentSettings.EVALUATION_FIELDS


def test_importing_the_package_is_cheap() -> None:
    heavy = "gymnasium mujoco ale_py Box2D pygame torch cv2"
    code = f"import sys, envs; print([m for m in '{heavy}'.split() if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
