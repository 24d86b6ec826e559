"""Greedy actor-critic: what is imitated, and where the proposal begins."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from members import World, batch, mixed
from textbook import module
from torch import Tensor

from agents.greedy_ac.settings import GreedyACSettings
from agents.neural.parameters import Shape


@pytest.mark.parametrize(
    ("n_rho", "kept"),
    [((30, 0.1), 3), ((7, 0.3), 2), ((3, 0.1), 1), ((4, 1.0), 4), ((90, 0.7), 63)],
)
def test_the_share_is_rounded_down_to_one_action_at_least(
    n_rho: tuple[int, float], kept: int
) -> None:
    """0.7 · 90 is 62.99999999999999 to a computer."""
    assert GreedyACSettings(n_rho=n_rho).kept == kept


def test_the_actions_of_highest_value_are_imitated() -> None:
    M, B, N, kept = 3, 6, 9, 2
    base = GreedyACSettings(n_rho=(N, 0.3), batch_size=B, hidden_dim=12)
    agent = batch(mixed(base, M), range(M), dtype=torch.float64)
    learner: Any = agent._learner
    World(range(M)).run(agent, B - 1)
    proposed, imitated = watched(learner._policy)
    learner.update()

    for m in range(M):
        row = torch.from_numpy(learner.state_dict(m)["critics"]["values"][0])
        critic = module(Shape(5, (12, 12), (1,)), row)
        for b, s in enumerate(learner.last_batch.states[m]):
            actions = proposed[0][m].view(B, N, 2)[b]
            values = critic(torch.cat((s.expand(N, -1), actions), -1))[:, 0]
            best = actions[values.argsort(descending=True)[:kept]]
            chosen = imitated[0][m].view(B, kept, 2)[b]
            assert sorted(chosen.tolist()) == sorted(best.tolist())


def test_the_proposal_begins_as_the_policy_and_goes_its_own_way() -> None:
    agent = batch([GreedyACSettings(batch_size=4)] * 2, [0, 1])
    world = World([0, 1])
    world.run(agent, 3)
    for updated in (False, True):
        for m in range(2):
            learned = agent.learned_params(m)
            names = [name for name in learned if name.startswith("proposal_")]
            same = [
                (learned[name] == learned[name.replace("proposal", "actor")]).all()
                for name in names
            ]
            assert len(names) == 6 and all(same) is not updated
        world.run(agent, 1)


def watched(policy: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Lists that the next actions drawn with a score, and those imitated, are added to."""
    proposed: list[Tensor] = []
    imitated: list[Tensor] = []
    scored, likelihood = policy.scored, policy.likelihood

    def watched_scored(*given: Any) -> Any:
        drawn = scored(*given)
        proposed.append(drawn[0].clone())
        return drawn

    def watched_likelihood(h: Tensor, action: Tensor) -> Any:
        imitated.append(action.clone())
        return likelihood(h, action)

    policy.scored, policy.likelihood = watched_scored, watched_likelihood
    return proposed, imitated
