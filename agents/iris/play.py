"""Watch IRIS, or play in its world model. See `python -m agents.iris.play --help`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agents.player.command import FILE, Showing, help_of, show, showing_options, shown_in
from experiment import processor
from experiment.looking import refusals

if TYPE_CHECKING:
    from agents.player.world import World

processor.settle()

HELP = """Watch what a run of IRIS has learned, or play in what its world model imagines.

RUN is the folder that the run keeps its files in, files/SETTING-SEED below a results folder, or a
results folder with one run; also before the run is over, once it has saved its networks.

--in environment shows the agent there, as three pictures: the environment's own, what the tokenizer
is given of it, and what it makes of that. --in imagination shows the agent in the world model
alone. --in episodes looks through those that the run has kept. --person gives you the keys.
"""


@click.command(help=help_of(HELP, "episodes"), context_settings={"max_content_width": 100})
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@shown_in("environment", "imagination", "episodes")
@click.option(
    "--set",
    "name",
    type=click.Choice(["train", "test", "imagination", "dataset"]),
    default="train",
    show_default=True,
    help="Which episodes.",
)
@click.option("--networks", "file", type=FILE, help="Another file than the run's own.")
@click.option("--temperature", type=click.FloatRange(min=0.001), help="Of imagination.")
@showing_options
def main(
    run: Path,
    where: str,
    name: str,
    file: Path | None,
    temperature: float | None,
    **options: Any,
) -> None:
    showing = Showing(**options)
    with refusals(run):
        show(
            lambda: _world(run, where, name, file, temperature, showing.seed),
            f"IRIS: {where}",
            showing,
        )


def _world(
    path: Path, where: str, name: str, file: Path | None, temperature: float | None, seed: int
) -> World:
    """What is to be shown."""
    from agents.iris.collecting import Manner
    from agents.iris.opened import open_run
    from agents.iris.worlds import InEnvironment, InImagination, Kept

    run = open_run(path)
    settings = run.settings
    problem = run.problem()
    networks = run.networks(problem, file)
    if where == "episodes":
        problem.close()
        return Kept(run.episodes(name), None if name == "imagination" else networks)
    manner = Manner(0.0, settings.evaluation_should_sample, settings.evaluation_temperature)
    if where == "imagination":
        if temperature is None:
            temperature = settings.imagination_temperature
        return InImagination(networks, problem, manner, temperature, seed)
    if "rgb_array" in problem.metadata.get("render_modes", ()):
        problem.close()
        problem = run.problem("rgb_array")
    return InEnvironment(networks, problem, manner, settings.sequence_length, seed)


if __name__ == "__main__":
    main()
