"""Builds environments from the fields of a file, and closes them after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from simulated import file_of

from envs.factory import make
from envs.settings import EnvironmentSettings
from envs.simulator import Simulator, make_simulator
from envs.wrappers import Problem

Build = Callable[..., Problem]
BuildBoth = Callable[..., tuple[Simulator, Problem]]


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")


@pytest.fixture
def build() -> Iterator[Build]:
    """``build("Pendulum-v1", steps_per_episode=10)``; no evaluation unless the fields ask."""
    built: list[Problem] = []

    def from_fields(
        env_name: str, *, evaluation: bool = False, render_mode: str | None = None, **fields: Any
    ) -> Problem:
        file = {"env_name": env_name, "total_timesteps": 1000, "eval_episodes": 0} | fields
        settings = msgspec.convert(file, EnvironmentSettings)
        built.append(make(settings, evaluation=evaluation, render_mode=render_mode))
        return built[-1]

    yield from_fields
    for env in built:
        env.close()


@pytest.fixture
def both() -> Iterator[BuildBoth]:
    """A simulator, and a problem of the same file."""
    built: list[Any] = []

    def pair(env_name: str, bins: int = 3, **fields: Any) -> tuple[Simulator, Problem]:
        file = file_of(env_name, **fields)
        simulator, problem = make_simulator(file, bins=bins), make(file)
        problem.remember()
        built.extend([simulator, problem])
        return simulator, problem

    yield pair
    for one in built:
        one.close()
