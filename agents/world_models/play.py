"""Watch a world model, or play in it. See `python -m agents.world_models.play --help`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.player.command import FILE, Showing, help_of, show, showing_options, shown_in
from experiment import processor
from experiment.looking import look_at, refusals

if TYPE_CHECKING:
    from agents.player.world import World
    from agents.world_models.controller_stage import Models

processor.settle()

HELP = """Watch what a run has learned, or play in what its sequence model makes up.

--in environment shows the agent there, as three pictures: the environment's own, what the encoder
is given of it, and what it makes of that. --in dream shows the agent in the dream alone, --person
gives you the keys. --in recordings looks through files that were recorded before.

The run is a results folder (--run) with the index that is trained, also before it is over, as soon
as its sequence model is there; or what it learned, --weights (main.py --record learned_params).
"""


@click.command(help=help_of(HELP, "recordings"), context_settings={"max_content_width": 100})
@click.argument("recordings", nargs=-1, type=FILE)
@click.option("--env-json", type=FILE, help="Environment file.")
@click.option("--agent-json", type=FILE, help="Agent file of WorldModel.")
@click.option("--index", type=click.IntRange(min=0), default=0, help="Of the run.")
@click.option(
    "--run", "folder", type=click.Path(path_type=Path, file_okay=False), help="Results folder."
)
@click.option("--weights", type=FILE, help="What a run has learned, as .npz.")
@shown_in("environment", "dream", "recordings")
@click.option("--temperature", type=click.FloatRange(min=0), help="Of the dream.")
@showing_options
def main(
    recordings: tuple[Path, ...],
    env_json: Path | None,
    agent_json: Path | None,
    index: int,
    folder: Path | None,
    weights: Path | None,
    where: str,
    temperature: float | None,
    **options: Any,
) -> None:
    showing = Showing(**options)

    def world() -> World:
        if where == "recordings":
            return _recorded(recordings)
        if env_json is None or agent_json is None:
            raise click.UsageError(f"--in {where} needs --env-json and --agent-json.")
        opened = _Opened(env_json, agent_json, index, folder, weights)
        return opened.world(where, showing.person, temperature, showing.seed)

    with refusals(env_json or Path("environment file")):
        show(world, f"World model: {where}", showing)


def _recorded(paths: tuple[Path, ...]) -> World:
    from agents.player.recording import Recorded

    if not paths:
        raise click.UsageError("--in recordings needs files: .npz that --npz or , have written.")
    return Recorded(list(paths))


class _Opened:
    """A run's models and controller.

    Raises:
        SweepError, EnvironmentRefused, AgentRefused: the input cannot be used.
    """

    def __init__(
        self,
        env_json: Path,
        agent_json: Path,
        index: int,
        folder: Path | None,
        weights: Path | None,
    ) -> None:
        from agents.world_models.agent import WorldModel
        from experiment.errors import ConfigError
        from experiment.files import read_json_object

        experiment_file = read_json_object(agent_json)
        looked = look_at(env_json, experiment_file, str(agent_json), 0)
        if looked.agent_type is not WorldModel:
            raise ConfigError(f"{agent_json}: {looked.experiment.agent_name} is not WorldModel")
        experiment = looked.experiment
        setting = index % experiment.grid.size
        self._looked = look_at(env_json, experiment_file, str(agent_json), setting)
        self._environment = experiment.environment
        self._folder, self._file, self._index = folder, weights, index
        if (folder is None) == (weights is None):
            raise click.UsageError("Either --run or --weights says what was learned.")

    def world(self, where: str, person: bool, temperature: float | None, seed: int) -> World:
        """What is to be shown."""
        import envs
        from agents.world_models.worlds import InDream, InEnvironment, draws

        changed: dict[str, Any] = {}
        if temperature is not None:
            changed["dream_temperature"] = temperature
        settings = self._looked.settings(**changed)
        problem = envs.make(self._environment, evaluation=True)
        models, controller = self._learned(settings, problem)
        if where == "dream":
            dream, starts = models.dream(problem.steps_per_episode or 1000, "cpu")
            problem.close()
            return InDream(models, dream, starts, controller, seed)
        if draws(problem):
            problem.close()
            problem = envs.make(self._environment, evaluation=True, render_mode="rgb_array")
        return InEnvironment(models, problem, controller, seed)

    def _learned(self, settings: Any, problem: Any) -> tuple[Models, Any]:
        import numpy as np

        from agents.world_models.cache import read_result
        from agents.world_models.controller_stage import Models

        if self._file is not None:
            from agents.world_models.from_weights import models_of

            return models_of(settings, problem, self._file)
        summary = self._summary()
        results = {}
        for stage in ("encoder", "latents", "sequence"):
            key = summary["results"].get(stage)
            found = None if key is None else read_result(self._shared / key)
            if found is None:
                raise _refused(f"{self._folder}: index {self._index} has no {stage} yet")
            results[stage] = found
        models = Models(
            settings,
            results["encoder"],
            results["sequence"],
            results["latents"],
            problem.action_space,
        )
        weights = summary.get("controller")
        return models, None if weights is None else np.array(weights)

    @property
    def _shared(self) -> Path:
        assert self._folder is not None
        return self._folder / "files" / "shared"

    def _summary(self) -> dict[str, Any]:
        from agents.world_models.agent import SUMMARY
        from experiment.folder import ResultFolder, read_manifest

        assert self._folder is not None
        manifest = read_manifest(self._folder)
        if manifest is None:
            raise _refused(f"{self._folder} is no results folder: it has no experiment.json")
        folder = ResultFolder(self._folder, manifest)
        path = folder.files(folder.run(self._index)).run / SUMMARY
        try:
            summary: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            raise _refused(f"{self._folder}: index {self._index} has made nothing yet") from None
        return summary


def _refused(text: str) -> Exception:
    from experiment.errors import ConfigError

    return ConfigError(text)


if __name__ == "__main__":
    main()
