"""Games of two between what MuZero has learned and players that learn nothing.

    python benchmarks/board_games.py --env-json config/environment/Connect4-v1.json
        --agent-json config/agent/MuZero_connect4.json --weights learned_params.npz
        --against rule --against mcts:1000 --simulations 200 --games 100

A line for each opponent: games won, drawn and lost, the share won with a 95% interval (Wilson), and
CPU seconds a game. Each side begins about half of them, by chance. "mcts:N" is the tree search of
the environment with N random games a move.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import click
import msgspec
import numpy as np

import envs
from agents.muzero.agent import MuZero
from agents.muzero.episode import Episode
from envs.masks import mask_of, stacked
from envs.settings import EnvironmentSettings
from envs.wrappers import Problem
from experiment.looking import refusals

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(help=__doc__.split("\n", 1)[0])
@click.option("--env-json", type=_FILE, required=True, help="Environment file.")
@click.option("--agent-json", type=_FILE, required=True, help="Agent file of MuZero.")
@click.option("--weights", type=_FILE, multiple=True, help="Of a run; repeatable.")
@click.option("--against", multiple=True, default=("rule",), help="rule, random, mcts:1000...")
@click.option("--simulations", type=click.IntRange(min=1), help="Of a decision of MuZero.")
@click.option("--games", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of the games.")
def main(
    env_json: Path,
    agent_json: Path,
    weights: tuple[Path, ...],
    against: tuple[str, ...],
    simulations: int | None,
    games: int,
    seed: int,
) -> None:
    with refusals(env_json):
        episode = Episode(env_json, agent_json, 0, simulations, None, seed)
        for path in weights or (None,):
            if path is not None:
                episode.take_weights(path)
            for opponent in against:
                environment = envs.make(_versus(episode.drawn, opponent), evaluation=True)
                started = time.process_time()
                ends = Counter(_game(episode.agent, environment, seed + n) for n in range(games))
                seconds = (time.process_time() - started) / games
                environment.close()
                low, high = wilson(ends[1], games)
                click.echo(
                    f"{path or 'as it begins'}, against {opponent}: {ends[1]} won, {ends[0]} "
                    f"drawn, {ends[-1]} lost, {ends[1] / games:.0%} [{low:.0%}, {high:.0%}], "
                    f"{seconds:.2f} CPU-s a game"
                )
        episode.close()


def _versus(drawn: EnvironmentSettings, opponent: str) -> EnvironmentSettings:
    """The environment with this opponent in evaluations."""
    name, _, rollouts = opponent.partition(":")
    kwargs = {**drawn.eval_kwargs, "opponent": name}
    if rollouts:
        kwargs["rollouts"] = int(rollouts)
    return msgspec.structs.replace(drawn, eval_kwargs=kwargs)


def _game(agent: MuZero, environment: Problem, seed: int) -> int:
    """How one ends: 1, 0 or -1."""
    observation, info = environment.reset(seed=seed)
    agent.begin_evaluation(np.random.default_rng(seed))
    begun = [0]
    while True:
        legal = stacked([mask_of(info)])
        (action,) = agent.act_many([observation], [0], begun=begun, legal=legal)
        observation, reward, terminated, truncated, info = environment.step(action)
        begun = []
        if terminated or truncated:
            return int(np.sign(float(reward)))


def wilson(won: int, games: int, z: float = 1.96) -> tuple[float, float]:
    """Bounds of a share that was observed."""
    share, scale = won / games, 1 + z * z / games
    middle = share + z * z / (2 * games)
    half = z * math.sqrt(share * (1 - share) / games + z * z / (4 * games * games))
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


if __name__ == "__main__":
    main()
