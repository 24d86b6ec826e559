"""What a trained IRIS does in Catch, and knows of it. See `catch.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import envs
from agents.fleet import Fleet
from agents.iris.collecting import Manner, Player
from agents.iris.episodes import Episodes
from agents.iris.evaluation import (
    Rollouts,
    correlation,
    exact_shares,
    exactly_reconstructed,
    prediction,
    rolled_out,
    token_perplexity,
    with_shifted_actions,
    with_shuffled_actions,
)
from agents.iris.networks import Networks
from agents.iris.opened import Run
from agents.iris.tokenizer.interface import Tokenizer
from agents.iris.world_models.interface import Segments, WorldModel
from envs.own.catch import PIXELS
from envs.settings import EnvironmentSettings
from envs.state import restore_state, save_state
from envs.wrappers import Problem

BALLS = 3
ENVIRONMENTS = 10
STARTS = 300
#: Steps of a ball: one lands in so many, and only one.
FALL = 7


class Environments:
    """See `agents.base.EnvironmentMaker`: those of a run's evaluations, from other seeds."""

    def __init__(self, settings: EnvironmentSettings, seed: int) -> None:
        self.settings, self._seed = settings, seed

    def __call__(self, number: int) -> Problem:
        return envs.make(self.settings, evaluation=True)

    def seed(self, number: int) -> int:
        """By both numbers."""
        return int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])


def played(
    networks: Networks, environments: Environments, manner: Manner, steps: int, seed: int
) -> tuple[Episodes, list[float]]:
    """Episodes of fresh environments, and the returns of those that ended."""
    returns: list[float] = []
    fleet = Fleet(
        environments,
        range(ENVIRONMENTS),
        steps=None,
        report=lambda episode: returns.append(episode.total),
    )
    player = Player(lambda: (networks.tokenizer, networks.actor_critic), ENVIRONMENTS)
    episodes, generator = Episodes(keeps_snapshots=True), torch.Generator().manual_seed(seed)
    while fleet.timestep < steps:
        slots = list(fleet.begin_round())
        for slot in fleet.begun:
            snapshot = save_state(fleet.problems[slot])
            episodes.begin(slot, fleet.observations[slot], snapshot)
        actions = player.act(fleet.observations, slots, fleet.begun, manner, generator)
        fleet.choose(actions.tolist())
        for slot, transition in fleet.step(fleet.timestep + len(slots)).items():
            episodes.add(slot, transition, save_state(fleet.problems[slot]))
    fleet.close()
    return episodes, returns


def really(
    problem: Problem, snapshots: list[Any], actions: torch.Tensor, tokenizer: Tokenizer
) -> Rollouts:
    """What the environment makes of actions [B, T] from snapshots [B] on."""
    frames = []
    rewards, going = torch.zeros(actions.shape), torch.zeros(actions.shape, dtype=torch.bool)
    for number, snapshot in enumerate(snapshots):
        restore_state(problem, snapshot)
        over = False
        for step, action in enumerate(actions[number].tolist()):
            if not over:
                observation, reward, over, _, _ = problem.step(action)
                rewards[number, step], going[number, step] = float(reward), True
            frames.append(observation)
    pictures = tokenizer.frames.prepare(torch.as_tensor(np.stack(frames)))
    return Rollouts(pictures.view(*actions.shape, *pictures.shape[1:]), rewards, going)


def figures(run: Run, seed: int = 1000) -> dict[str, Any]:
    """Everything that the gates are about; shares are of episodes that nothing was learned from."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    settings = run.settings
    problem = run.problem()
    networks = run.networks(problem)
    problem.close()
    tokenizer, model, _ = networks

    def episodes_of(manner: Manner, steps: int, number: int) -> tuple[Episodes, list[float]]:
        environments = Environments(run.environment, seed + number)
        return played(networks, environments, manner, steps, seed + number)

    _, returns = episodes_of(Manner(0.0, True, settings.evaluation_temperature), 2110, 0)
    found: dict[str, Any] = {"return per ball": float(np.mean(returns)) / BALLS}
    found["episodes"] = len(returns)
    by_agent, _ = episodes_of(Manner(0.01, True, 1.0), 1260, 1)
    by_chance, _ = episodes_of(Manner(1.0, True, 1.0), 2110, 2)
    device = torch.device("cpu")

    def tokens(episodes: Episodes, rows: NDArray[np.int64]) -> torch.Tensor:
        return episodes.tokens(rows, tokenizer, 0, device)

    rows = by_agent.draw_frames(rng, 500)
    observed = torch.as_tensor(by_agent.frames(rows))
    before = by_agent.before(rows, tokenizer, device)
    exact = exactly_reconstructed(tokenizer, observed, PIXELS, before)
    found["frames reconstructed"] = float(exact.float().mean())
    found["perplexity"] = token_perplexity(tokens(by_agent, rows), tokenizer.vocabulary)
    starts = by_chance.draw_starts(rng, STARTS, 1)
    drawn = torch.as_tensor(rng.integers(3, size=(STARTS, FALL)))
    snapshots = by_chance.snapshots(starts.rows[:, 0])
    first = tokens(by_chance, starts.rows[:, 0])
    real = really(Environments(run.environment, seed)(0), snapshots, drawn, tokenizer)
    if not isinstance(model, WorldModel):
        return found
    for name, episodes in {"agent": by_agent, "chance": by_chance}.items():
        span = episodes.draw_segments(rng, 300, settings.sequence_length)
        actions, rewards, ends = (
            torch.as_tensor(episodes.column(column, span.rows))
            for column in ("actions", "rewards", "ends")
        )
        segments = Segments(
            tokens(episodes, span.rows),
            actions,
            rewards,
            ends,
            torch.as_tensor(span.mask),
            episodes.seen(span.rows, tokenizer, device),
        )
        found[name] = prediction(model, segments)._asdict()
        found[f"{name} changed, shuffled actions"] = prediction(
            model, with_shuffled_actions(segments, rng)
        ).changed
        found[f"{name} changed, shifted actions"] = prediction(
            model, with_shifted_actions(segments)
        ).changed
    shown = by_chance.seen(starts.rows, tokenizer, device)
    begun = None if shown is None else shown[:, 0]
    imagined = rolled_out(model, tokenizer, first, drawn, generator, first=begun)
    found["imagined and real returns"] = correlation(imagined, real)
    # where the next ball appears nobody can know
    same_ball = real.rewards.abs().cumsum(1) == 0
    found["open loop"] = exact_shares(imagined, real._replace(going=real.going & same_ball), PIXELS)
    return found
