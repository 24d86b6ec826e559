"""What commands that show a world have in common: options, texts of keys, and the showing.

Imports no player before it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from agents.player.world import World

FILE = click.Path(path_type=Path, dir_okay=False)

_KEYS = """\b
Keys:
  ,              begin or end a recording           .        pause
  e              one step                           Enter    a new episode
  m              a person acts, or the agent        h        this line
  - =            slower, faster                     Esc      leave
  0 1 2 arrows   actions of a person
  arrows, PgUp, PgDn   in {kept}: step, ten steps; up and down: another one

With --headless there is no window: it plays one episode and writes it.

\b
Exit codes: 0 done, 2 the input cannot be used.
"""


class Showing(NamedTuple):
    """What `showing_options` say.

    Attributes:
        steps: after which it ends; None: it has no such end.
        video, npz: what is recorded from the beginning on.
    """

    person: bool
    seed: int
    steps: int | None
    video: Path | None
    npz: Path | None
    headless: bool
    rate: float
    side: int


def help_of(text: str, kept: str) -> str:
    """Of a command, that of keys and exit codes included.

    Args:
        kept: what episodes in files are called.
    """
    return f"{text}\n{_KEYS.format(kept=kept)}"


def shown_in(*places: str) -> Callable[[Any], Any]:
    """The option --in, `where`; the first place is the default."""
    return click.option(
        "--in",
        "where",
        type=click.Choice(places),
        default=places[0],
        show_default=True,
        help="What is shown.",
    )


def showing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the fields of `Showing` as options."""
    options = (
        click.option("--person", is_flag=True, help="Keys act."),
        click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the first episode."),
        click.option("--steps", type=click.IntRange(min=1), help="Leave after so many."),
        click.option(
            "--video", type=FILE, help="Record to this .mp4 or .gif from the beginning on."
        ),
        click.option("--npz", type=FILE, help="Record arrays and pictures, too."),
        click.option("--headless", is_flag=True, help="Without a window."),
        click.option("--rate", type=click.FloatRange(min=0.1), default=15.0, show_default=True),
        click.option(
            "--side", type=click.IntRange(min=32), default=256, help="Height of pictures."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def show(make: Callable[[], World], title: str, showing: Showing) -> None:
    """Plays a world to the end, closes it, and says how it went.

    Args:
        make: the world.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    if showing.headless:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    world = make()
    from agents.player.player import Player
    from agents.player.window import NoScreen, Screen, Window

    try:
        screen: Screen = NoScreen() if showing.headless else Window(title)
        player = Player(
            world,
            screen,
            human=showing.person or not world.has_agent,
            rate=showing.rate,
            side=showing.side,
            video=showing.video,
            arrays=showing.npz,
            alone=showing.headless,
            most=showing.steps,
            say=click.echo,
        )
        player.play()
        moment = player.moment
        end = "over" if moment.over else "left"
        click.echo(f"steps: {moment.steps}, return: {moment.total:g} ({end})")
    finally:
        world.close()
