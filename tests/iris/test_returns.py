"""Returns against sums written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.iris.returns import discounted_returns, lambda_returns


def by_hand(
    rewards: list[float], values: list[float], ends: list[bool], gamma: float, lambda_: float
) -> list[float]:
    """(1 − λ) Σ λ^(n−1) G^(n), the last of which has all that is left of λ (Sutton and Barto,
    equation 12.3); nothing follows an end."""
    steps = len(rewards)
    found = []
    for start in range(steps):
        n_step = []
        for n in range(1, steps - start + 1):
            total, discount = 0.0, 1.0
            for step in range(start, start + n):
                total += discount * rewards[step]
                discount *= gamma * (not ends[step])
            n_step.append(total + discount * values[start + n])
        weights = [(1 - lambda_) * lambda_ ** (n - 1) for n in range(1, len(n_step))]
        weights.append(lambda_ ** (len(n_step) - 1))
        found.append(sum(w * g for w, g in zip(weights, n_step, strict=True)))
    return found


numbers = st.floats(-2, 2, width=32)


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(1, 6), st.floats(0, 1), st.floats(0, 1))
def test_lambda_returns_are_the_weighted_sum_of_n_step_returns(
    data: st.DataObject, steps: int, gamma: float, lambda_: float
) -> None:
    rewards = data.draw(st.lists(numbers, min_size=steps, max_size=steps))
    ends = data.draw(st.lists(st.booleans(), min_size=steps, max_size=steps))
    values = data.draw(st.lists(numbers, min_size=steps + 1, max_size=steps + 1))
    returns = lambda_returns(
        torch.tensor([rewards]), torch.tensor([values]), torch.tensor([ends]), gamma, lambda_
    )
    expected = by_hand(rewards, values, ends, gamma, lambda_)
    np.testing.assert_allclose(returns[0].numpy(), expected, rtol=1e-4, atol=1e-4)


def test_discounted_returns_go_to_the_end_of_the_episode() -> None:
    returns = discounted_returns(np.array([1, 0, 2], np.float32), 0.5)
    assert returns.tolist() == pytest.approx([1.5, 1.0, 2.0])
