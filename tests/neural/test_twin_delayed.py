"""TD3: its delay, its noise, and its box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from members import BOX, World, batch
from textbook import ACTION, CENTRE, HIGH, LOW, SCALE, STATE, module
from torch import Tensor

from agents.neural.parameters import Shape
from agents.td3.settings import TD3Settings


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_the_policy_and_all_targets_move_every_so_many_updates(delay: int) -> None:
    agent = batch([TD3Settings(batch_size=4, policy_delay=delay)], [0])
    world = World([0])
    world.run(agent, 3)
    before = agent.state_dict(0)
    moves: dict[tuple[str, str], list[bool]] = {}
    for _ in range(6):
        world.run(agent, 1)
        after = agent.state_dict(0)
        for part, name in [
            ("critics", "values"),
            ("critics", "targets"),
            ("actor", "values"),
            ("actor", "target"),
        ]:
            moved = bool((after[part][name] != before[part][name]).any())
            moves.setdefault((part, name), []).append(moved)
        before = after
    delayed = [update % delay == 0 for update in range(1, 7)]
    assert moves.pop(("critics", "values")) == [True] * 6
    assert list(moves.values()) == [delayed] * 3


def next_actions(target_noise: float, clip: float) -> tuple[Tensor, Tensor]:
    """μ_T(s') and ã [B, A] of a first update, before which targets do not move."""
    settings = TD3Settings(
        batch_size=500, hidden_dim=12, target_noise=target_noise, target_noise_clip=clip
    )
    agent = batch([settings], [0], dtype=torch.float64)
    World([0]).run(agent, 40)
    learner: Any = agent._learner
    seen: list[Tensor] = []
    target_values = learner._critics.target_values

    def watched(x: Any) -> Tensor:
        seen.append(x.actions[0, 0].clone())
        values: Tensor = target_values(x)
        return values

    learner._critics.target_values = watched
    learner.update()
    row = torch.from_numpy(agent.state_dict(0)["actor"]["target"][0])
    net = module(Shape(STATE, (12, 12), (ACTION,)), row)
    mu = CENTRE + SCALE * torch.tanh(net(learner.last_batch.next_states[0]))
    return mu.detach(), seen[0]


def test_the_targets_noise_is_clipped_in_units_of_half_the_range() -> None:
    mu, action = next_actions(target_noise=2.0, clip=0.1)
    noise = (action - mu) / SCALE
    assert float(noise.abs().max()) == pytest.approx(0.1)
    inside = (action > LOW) & (action < HIGH)
    clipped = ((noise.abs() - 0.1).abs() < 1e-9)[inside].double().mean()
    assert 0.9 < clipped < 1  # of N(0, 2²), 96 % is beyond 0.1


def test_the_targets_noise_has_its_standard_deviation() -> None:
    mu, action = next_actions(target_noise=0.02, clip=10.0)
    noise = ((action - mu) / SCALE)[(action > LOW) & (action < HIGH)]
    assert float(noise.std()) == pytest.approx(0.02, rel=0.15)


def test_target_actions_stay_in_the_box() -> None:
    _, action = next_actions(target_noise=3.0, clip=5.0)
    assert ((action >= LOW) & (action <= HIGH)).all()
    assert (action == LOW).any(0).all() and (action == HIGH).any(0).all()


def test_exploring_actions_stay_in_the_box_and_evaluation_has_no_noise() -> None:
    agent = batch([TD3Settings(exploration_noise=2.0), TD3Settings(exploration_noise=0.0)], [0, 1])
    states = World([0, 1]).states
    still = agent.act(states, [0, 1], explore=False)
    taken = np.stack([agent.act(states, [0, 1], explore=True) for _ in range(200)])
    assert ((taken >= BOX.low) & (taken <= BOX.high)).all()
    assert (taken[:, 0] == BOX.low).any() and (taken[:, 0] == BOX.high).any()
    assert (taken[:, 1] == still[1]).all()
