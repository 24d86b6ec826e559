"""The two JSON files as one checked experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import agents
from envs.errors import EnvironmentRefused
from envs.settings import AtariSettings, EnvironmentSettings
from experiment.agent_file import build_grid
from experiment.canonical import setting_id
from experiment.errors import ConfigError, nearest
from experiment.fields import convert_fields
from experiment.files import json_kind, read_json_object
from experiment.grid import Grid
from experiment.values import default_values


class Experiment(msgspec.Struct, frozen=True):
    """An environment, an agent, and the grid of the agent's settings.

    Attributes:
        files: {"environment": the file's content, "agent": the file's content}, as read.
    """

    files: Mapping[str, Any]
    environment: EnvironmentSettings
    agent_name: str
    grid: Grid

    @property
    def problem(self) -> dict[str, Any]:
        """The fields of the environment file that change what is trained, defaults left out.

        So a field that a later version adds, with a default that changes nothing, leaves every
        identity as it was.
        """
        evaluation = EnvironmentSettings.EVALUATION_FIELDS
        defaults = default_values(EnvironmentSettings)
        fields: dict[str, Any] = msgspec.to_builtins(self.environment)
        if fields["atari"] is not None:
            later, atari = AtariSettings.LATER_FIELDS, default_values(AtariSettings)
            fields["atari"] = {
                name: value
                for name, value in fields["atari"].items()
                if name not in later or value != atari[name]
            }
        return {
            name: value
            for name, value in fields.items()
            if name not in evaluation and (name not in defaults or value != defaults[name])
        }

    @property
    def evaluation(self) -> dict[str, Any]:
        """The fields of the environment file that only say how training is looked at."""
        fields: dict[str, Any] = msgspec.to_builtins(self.environment)
        later, defaults = EnvironmentSettings.LATER_FIELDS, default_values(EnvironmentSettings)
        return {
            name: value
            for name, value in fields.items()
            if name in EnvironmentSettings.EVALUATION_FIELDS
            and (name not in later or value != defaults[name])
        }

    def setting_id(self, setting: int) -> str:
        """Who setting number `setting` is."""
        return setting_id(self.agent_name, self.grid.setting(setting), self.problem)


def read_experiment(environment_file: Path, agent_file: Path) -> Experiment:
    """Reads and checks both files.

    Raises:
        ConfigError: one sentence with file, path inside it, value, and nearest valid choice.
    """
    environment = read_json_object(environment_file)
    agent = read_json_object(agent_file)
    return build_experiment(environment, agent, str(environment_file), str(agent_file))


def build_experiment(
    environment: Mapping[str, Any],
    agent: Mapping[str, Any],
    environment_file: str,
    agent_file: str,
) -> Experiment:
    """The same from the contents of both files; the names are for messages."""
    checked = check_environment(environment, environment_file)
    name = check_agent_name(agent.get("agent_name"), agent_file)
    grid = build_grid(agent, agents.settings_type(name), agent_file)
    files = {"environment": dict(environment), "agent": dict(agent)}
    return Experiment(files, checked, name, grid)


def check_agent_name(name: Any, file: str) -> str:
    """`name` if it is an agent's."""
    if name is None:
        raise ConfigError(f'{file}: lacks "agent_name"; known: {", ".join(agents.AGENTS)}')
    if not isinstance(name, str):
        raise ConfigError(f"{file}: agent_name is {json_kind(name)}, not a string")
    if name not in agents.AGENTS:
        raise ConfigError(f"{file}: agent_name {name!r} is unknown; {nearest(name, agents.AGENTS)}")
    return name


def check_environment(content: Mapping[str, Any], file: str) -> EnvironmentSettings:
    """The environment file's fields, typed."""
    try:
        return convert_fields(content, EnvironmentSettings, file, "an environment")
    except EnvironmentRefused as refused:
        raise ConfigError(f"{file}: {refused.field} {refused.problem}") from None
