"""Watch IRIS, or play in its world model. See `python -m agents.iris.play --help`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiment import processor
from experiment.looking import refusals

if TYPE_CHECKING:
    from agents.player.world import World

processor.settle()
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

HELP = """Watch what a run of IRIS has learned, or play in what its world model imagines.

RUN is the folder that the run keeps its files in, files/SETTING-SEED below a results folder, or a
results folder with one run; also before the run is over, once it has saved its networks.

--in environment shows the agent there, as three pictures: the environment's own, what the tokenizer
is given of it, and what it makes of that. --in imagination shows the agent in the world model
alone. --in episodes looks through those that the run has kept. --person gives you the keys.

\b
Keys:
  ,              begin or end a recording           .        pause
  e              one step                           Enter    a new episode
  m              a person acts, or the agent        h        this line
  - =            slower, faster                     Esc      leave
  0 1 2 arrows   actions of a person
  arrows, PgUp, PgDn   in episodes: step, ten steps; up and down: another one

With --headless there is no window: it plays one episode and writes it.

\b
Exit codes: 0 done, 2 the input cannot be used.
"""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--in",
    "where",
    type=click.Choice(["environment", "imagination", "episodes"]),
    default="environment",
    show_default=True,
    help="What is shown.",
)
@click.option(
    "--set",
    "name",
    type=click.Choice(["train", "test", "imagination", "dataset"]),
    default="train",
    show_default=True,
    help="Which episodes.",
)
@click.option("--networks", "file", type=_FILE, help="Another file than the run's own.")
@click.option("--person", is_flag=True, help="Keys act.")
@click.option("--temperature", type=click.FloatRange(min=0.001), help="Of imagination.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the first episode.")
@click.option("--steps", type=click.IntRange(min=1), help="Leave after so many.")
@click.option("--video", type=_FILE, help="Record to this .mp4 or .gif from the beginning on.")
@click.option("--npz", type=_FILE, help="Record arrays and pictures, too.")
@click.option("--headless", is_flag=True, help="Without a window.")
@click.option("--rate", type=click.FloatRange(min=0.1), default=15.0, show_default=True)
@click.option("--side", type=click.IntRange(min=32), default=256, help="Height of pictures.")
def main(
    run: Path,
    where: str,
    name: str,
    file: Path | None,
    person: bool,
    temperature: float | None,
    seed: int,
    steps: int | None,
    video: Path | None,
    npz: Path | None,
    headless: bool,
    rate: float,
    side: int,
) -> None:
    with refusals(run):
        if headless:
            os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
            os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
        world = _world(run, where, name, file, temperature, seed)
        from agents.player.player import Player
        from agents.player.window import NoScreen, Screen, Window

        try:
            screen: Screen = NoScreen() if headless else Window(f"IRIS: {where}")
            player = Player(
                world,
                screen,
                human=person,
                rate=rate,
                side=side,
                video=video,
                arrays=npz,
                alone=headless,
                most=steps,
                say=click.echo,
            )
            player.play()
            moment = player.moment
            end = "over" if moment.over else "left"
            click.echo(f"steps: {moment.steps}, return: {moment.total:g} ({end})")
        finally:
            world.close()


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
