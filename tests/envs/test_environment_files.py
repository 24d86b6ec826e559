"""Every shipped environment file builds, and its environment keeps to its spaces."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from gymnasium.spaces import Box

from envs.factory import make
from envs.settings import EnvironmentSettings

FOLDER = Path(__file__).parents[2] / "config" / "environment"
FILES = sorted(FOLDER.glob("*.json"))


def read(path: Path) -> EnvironmentSettings:
    content = json.loads(path.read_text())
    content.pop("$comment", None)
    assert content.pop("$schema") == "../schema/environment.json"
    return msgspec.convert(content, EnvironmentSettings)


def test_there_is_a_file_for_each_family() -> None:
    names = {read(path).env_name for path in FILES}
    assert {"sweep/GridWorld-v1", "Pendulum-v1", "Ant-v5", "CarRacing-v3", "ALE/Pong-v5"} <= names
    assert "MinAtar/Breakout-v1" in names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_file_builds_and_steps(path: Path) -> None:
    settings = read(path)
    env = make(settings)
    space = env.observation_space
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    for step in range(20):
        assert observation in space, (step, observation)
        if isinstance(space, Box):
            assert (observation.shape, observation.dtype) == (space.shape, space.dtype)
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert np.isfinite(reward)
        assert type(terminated) is bool and type(truncated) is bool
        if terminated or truncated:
            observation, _ = env.reset()
    env.close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_file_is_named_after_its_environment(path: Path) -> None:
    name = read(path).env_name.removeprefix("sweep/").replace("/", "-")
    assert path.stem in (name, "template") or path.stem.startswith(f"{name}-")


def test_the_template_spells_out_and_explains_every_field() -> None:
    content = json.loads((FOLDER / "template.json").read_text())
    explained = "\n".join(content.pop("$comment"))
    content.pop("$schema")
    assert tuple(content) == EnvironmentSettings.__struct_fields__
    for field in content:
        assert f"{field}:" in explained
