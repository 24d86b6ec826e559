"""Controllers in the dream: returns by the same luck for all, and policy gradients."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.world_models.controller.controllers import Controllers
from agents.world_models.controller.imagining import Starts, dream_returns
from agents.world_models.controller.policy_gradient import PolicyGradient
from agents.world_models.dream import DreamStep
from agents.world_models.settings import WorldModelSettings

STARTS = Starts(
    np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2), np.full((5, 2), -20.0, np.float32)
)


class Line:
    """A dream whose dynamics are known: z' = z + a/2 for two actions -1, +1; the reward is -|z_0|.
    It ends beyond 3."""

    device = torch.device("cpu")

    def __init__(self, max_steps: int = 12) -> None:
        self.max_steps = max_steps

    def reset(self, latents: Any, seeds: Any) -> None:
        self.latents = torch.as_tensor(latents, dtype=torch.float32)
        self.features = torch.zeros(len(self.latents), 1)
        self.seeds, self.over = np.asarray(seeds), torch.zeros(len(self.latents), dtype=torch.bool)

    def step(self, actions: Any) -> DreamStep:
        moved = (actions[:, 1] - actions[:, 0])[:, None] / 2
        before = self.over
        self.latents = torch.where(before[:, None], self.latents, self.latents + moved)
        rewards = -self.latents[:, 0].abs().masked_fill(before, 0.0)
        self.over = before | (self.latents[:, 0].abs() > 3)
        return DreamStep(self.latents, rewards, self.over, torch.zeros_like(self.over))


def built(**fields: Any) -> tuple[WorldModelSettings, Controllers]:
    chosen = WorldModelSettings(controller_world="dream", controller_inputs="z", **fields)
    return chosen, Controllers(chosen, 2, 1, gymnasium.spaces.Discrete(2))


def test_each_candidate_has_the_same_starts_and_its_own_return() -> None:
    _, controllers = built()
    weights = np.zeros((3, controllers.size))
    weights[0, -2:] = [1, 0]  # always down
    weights[1, -2:] = [0, 1]  # always up
    weights[2, :4] = [5, 0, -5, 0]  # back to the middle
    seeds = np.array([3, 4, 5], np.int64)
    line: Any = Line()
    found = dream_returns(line, controllers, STARTS, weights, seeds, lambda: False)
    assert found is not None
    returns, lengths = found
    z = STARTS.of(seeds)[:, 0]
    for place, step in ((0, -0.5), (1, 0.5)):
        for episode, start in enumerate(z):
            path = start + step * np.arange(1, 13)
            length = min(12, int(np.argmax(np.abs(path) > 3)) + 1 or 12)
            assert lengths[place, episode] == length
            assert returns[place, episode] == pytest.approx(-np.abs(path[:length]).sum(), abs=1e-4)
    assert (returns[2] > returns[:2].max(axis=0)).all()
    assert dream_returns(line, controllers, STARTS, weights, seeds, lambda: True) is None
    assert np.array_equal(STARTS.of(seeds[1:]), STARTS.of(seeds)[1:])


def gradient(line: Any, **fields: Any) -> PolicyGradient:
    chosen, controllers = built(controller_trainer="policy_gradient", **fields)
    return PolicyGradient(
        chosen,
        controllers,
        line,
        STARTS,
        gamma=0.9,
        rng=np.random.default_rng(0),
        seed=np.random.SeedSequence(1),
    )


@pytest.mark.parametrize("method", ["actor_critic", "reinforce"])
def test_it_learns_in_a_dream_that_can_be_learned(method: str) -> None:
    one = gradient(Line(), gradient_method=method, gradient_learning_rate=0.05)
    returns = []
    for _ in range(40):
        assert one.update(lambda: False)
        returns.append(one.metrics()["dream_return"])
    assert np.mean(returns[-5:]) > np.mean(returns[:5]) + 4


def test_what_was_left_goes_on_to_the_bit_and_nothing_is_done_when_it_is_to_stop() -> None:
    whole, left, other = (gradient(Line()) for _ in range(3))
    for _ in range(6):
        whole.update(lambda: False)
    for _ in range(2):
        left.update(lambda: False)
    assert not left.update(lambda: True)
    other.load_state_dict(left.state_dict())
    for _ in range(4):
        other.update(lambda: False)
    assert np.array_equal(other.weights, whole.weights)
    assert other.metrics() == whole.metrics()


@settings(max_examples=20)
@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_returns_are_the_weighted_sums_that_they_stand_for(share: float, seed: int) -> None:
    """G^λ = (1 - λ) Σ λ^{n-1} G^{(n)} + λ^{N-1} G^{(N)}, n-step returns cut off at an end."""
    line = Line(max_steps=8)
    one = gradient(line, gradient_lambda=share)
    dreamt = one._dreamt(lambda: False)
    assert dreamt is not None
    values = torch.randn(dreamt.seen.shape[:2], generator=torch.Generator().manual_seed(seed))
    got = one._returns(dreamt, values)
    steps = len(dreamt.rewards)
    for member in range(3):
        rewards, ended = dreamt.rewards[:, member], dreamt.ended[:, member]
        for t in range(steps):
            if not dreamt.alive[t, member]:
                break
            n_step, total, discount = [], 0.0, 1.0
            for k in range(t, steps):
                total += discount * float(rewards[k])
                discount *= 0.9
                going = not bool(ended[k])
                n_step.append(total + discount * float(values[k + 1, member]) * going)
                if not going:
                    break
            expected = n_step[-1] * share ** (len(n_step) - 1)
            expected += (1 - share) * sum(share**k * g for k, g in enumerate(n_step[:-1]))
            assert float(got[t, member]) == pytest.approx(expected, abs=1e-4)
