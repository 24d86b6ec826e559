"""What the commands have in common that look at one agent apart from its runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from experiment.configuration import Experiment


@contextmanager
def refusals(env_json: Path) -> Iterator[None]:
    """Ends the command with one sentence and exit code 2 where its input cannot be used."""
    from agents.base import AgentRefused
    from envs.errors import EnvironmentRefused
    from experiment.errors import SweepError

    message = ""
    try:
        yield
    except EnvironmentRefused as refused:
        message = f"{env_json}: {refused.field} {refused.problem}"
    except (SweepError, AgentRefused, OSError) as error:
        message = str(error)
    if message:
        click.echo(f"error: {message}", err=True)
        sys.exit(2)


class Looked(NamedTuple):
    """An agent in an environment.

    Attributes:
        agent_type: its class.
        setting: its hyperparameters, all of them.
    """

    experiment: Experiment
    agent_type: Any
    setting: dict[str, Any]

    def settings(self, **changed: Any) -> Any:
        """Typed, with those that are given in place of the file's.

        Raises:
            ConfigError: they break a law of the agent.
        """
        import msgspec

        import agents
        from experiment.agent_file import check_rules

        settings_type = agents.settings_type(self.experiment.agent_name)
        setting = {**self.setting, **changed}
        check_rules(settings_type, setting)
        return msgspec.convert(setting, settings_type)


def look_at(env_json: Path, agent_file: dict[str, Any], name: str, index: int) -> Looked:
    """The setting `index` of an agent file, of that name, in an environment.

    Raises:
        SweepError: a file cannot be used, or there is no such setting.
    """
    import agents
    from experiment.configuration import build_experiment
    from experiment.errors import ConfigError
    from experiment.files import read_json_object

    experiment = build_experiment(read_json_object(env_json), agent_file, str(env_json), name)
    if index >= experiment.grid.size:
        raise ConfigError(f"{name} has no setting {index}: {experiment.grid.size} in all")
    agent_type = agents.agent_type(experiment.agent_name)
    return Looked(experiment, agent_type, experiment.grid.setting(index))


def read_learned(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays that a run learned (main.py --record learned_params), by name.

    Raises:
        ConfigError: it is no such file.
        OSError: it cannot be read.
    """
    import zipfile

    import numpy as np

    from experiment.errors import ConfigError

    try:
        with np.load(path) as arrays:
            return {name.removeprefix("learned_params."): arrays[name] for name in arrays}
    except (ValueError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} is no .npz of learned parameters: {error}") from None
