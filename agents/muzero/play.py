"""Play an episode without learning. See `python -m agents.muzero.play --help`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click

from agents.muzero.episode import Episode
from experiment import processor
from experiment.looking import refusals

processor.settle()
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

HELP = """Play an episode as in evaluation, decision after decision, and learn nothing.

The agent is MuZero as an agent file says (the setting of --index), with what a run of it has
learned in --weights (main.py --record learned_params); without, as it begins.

A line a decision: its number, the action, the reward that came of it, what the state is worth by
the search and by the network alone, and how often the search visited each action. In a game of two
values are those of the side that moves, and the return is that of the side that began.

\b
Exit codes: 0 done, 2 the input cannot be used.
"""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(help=HELP, context_settings={"max_content_width": 100})
@click.option("--env-json", type=_FILE, required=True, help="Environment file.")
@click.option("--agent-json", type=_FILE, required=True, help="Agent file of MuZero.")
@click.option("--index", type=click.IntRange(min=0), default=0, help="Setting of the agent file.")
@click.option("--weights", type=_FILE, help="What its network has learned, as .npz.")
@click.option("--simulations", type=click.IntRange(min=1), help="Of a decision.")
@click.option("--opponent", help="In a game of two: against whom.  [default: as in evaluation]")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the episode.")
@click.option("--decisions", type=click.IntRange(min=1), help="Stop after so many.")
@click.option("-o", "--output", type=_FILE, help="Write the search of a decision as JSON.")
@click.option(
    "--decision",
    "wanted",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which one -o writes; plotting/search_tree.py draws it.",
)
def main(
    env_json: Path,
    agent_json: Path,
    index: int,
    weights: Path | None,
    simulations: int | None,
    opponent: str | None,
    seed: int,
    decisions: int | None,
    output: Path | None,
    wanted: int,
) -> None:
    with refusals(env_json), contextlib.ExitStack() as stack:
        episode = Episode(env_json, agent_json, index, simulations, opponent, seed)
        stack.callback(episode.close)
        if weights is not None:
            episode.take_weights(weights)
        episode.play(decisions, wanted if output else None)
        if output is not None:
            episode.write_search(output, wanted)


if __name__ == "__main__":
    main()
