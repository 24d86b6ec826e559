"""π is a density on the box, draws follow it, and nothing leaves the box or stops being finite."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from policy_cases import (
    ALL,
    MIXTURES,
    UNCLAMPED_DENSITY,
    Integral,
    Streams,
    box,
    build,
    random_h,
)

BOXES = [box(), gymnasium.spaces.Box(-0.1, 0.3, (1,), dtype=np.float32)]
DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("space", BOXES, ids=["wide", "narrow"])
def test_density_and_edge_masses_together_are_1(name: str, space: gymnasium.spaces.Box) -> None:
    policy = build(name, space=space)
    for h in random_h(policy, 5, scale=0.4)[0]:
        total = Integral(name, space).mean(policy, h, torch.ones_like)
        assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_draws_follow_the_density(name: str, dtype: torch.dtype) -> None:
    """Kolmogorov and Smirnov's distance, of which 2/√N is the 0.1 % point."""
    N, space = 20_000, BOXES[0]
    policy, exact = build(name, dtype=dtype, space=space), build(name, space=space)
    integral = Integral(name, space)
    for place, h in enumerate(random_h(policy, 2)[0]):
        noise = Streams(dtype=dtype, seed=place)
        drawn = policy.draw(h.to(dtype).expand(1, N, -1), noise).flatten().double().sort().values
        mass = integral.weights * integral.log_density(exact, h).exp()
        grid = torch.linspace(-0.99, 1.99, 200, dtype=torch.float64)
        law = torch.stack([mass[integral.actions <= a].sum() for a in grid])
        empirical = torch.searchsorted(drawn, grid, right=True) / N
        assert (law - empirical).abs().max() < 2 / N**0.5 + 2e-3  # the step of the integral


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_way_to_draw_is_the_same_law(name: str, dtype: torch.dtype) -> None:
    """From the same stream: the same actions, and the log-probability of just those actions."""
    policy = build(name, dimensions=2, dtype=dtype)
    h = random_h(policy, 500, dtype=dtype)
    plain = policy.draw(h, Streams(dtype=dtype))
    scored, score_log_prob, _ = policy.scored(h, Streams(dtype=dtype))
    path, path_log_prob, _ = policy.reparameterised(h, Streams(dtype=dtype))
    torch.testing.assert_close(scored, plain)
    torch.testing.assert_close(path, plain)
    torch.testing.assert_close(path_log_prob, score_log_prob, rtol=1e-4, atol=2e-4)
    safe = ((plain > -0.99) & (plain < 1.99)).all(-1)  # nearer, float32 actions lose the tanh
    log_prob, _ = policy.likelihood(h, plain)
    torch.testing.assert_close(log_prob[safe], path_log_prob[safe], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in ALL if name not in MIXTURES])
def test_log_densities_of_dimensions_add_up(name: str) -> None:
    whole, single = build(name, dimensions=3), build(name)
    h = random_h(whole, 20)
    action = whole.draw(h, Streams())
    log_prob, _ = whole.likelihood(h, action)
    parts = h.reshape(1, 20, -1, 3)
    sums = sum(single.likelihood(parts[..., d], action[..., d : d + 1])[0] for d in range(3))
    torch.testing.assert_close(log_prob, sums)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_nothing_leaves_the_box_or_the_numbers(name: str, dtype: torch.dtype, scale: float) -> None:
    """Outputs of ± 50 as well, and a box whose centre and width are no binary fractions."""
    space = gymnasium.spaces.Box(
        np.array([-0.1, 0.7, -3.0], np.float32), np.array([0.3, 0.9, 3.0], np.float32)
    )
    members = range(6)
    policy = build(name, members=members, dtype=dtype, space=space)
    h = random_h(policy, 200, members, dtype)
    h = scale * h if scale == 1 else scale * h.sign()
    low, high = (torch.from_numpy(bound).to(dtype) for bound in (space.low, space.high))

    def check(action: torch.Tensor, *numbers: torch.Tensor) -> None:
        assert ((low <= action) & (action <= high)).all()
        assert all(number.isfinite().all() for number in numbers)
        assert all(number.dtype == dtype for number in (action, *numbers))

    check(policy.mode(h))
    check(policy.draw(h, Streams(members, dtype)))
    action, log_prob, path = policy.reparameterised(h, Streams(members, dtype))
    ones = torch.ones_like(log_prob)
    check(action, log_prob, path(torch.ones_like(action), ones))
    action, log_prob, score = policy.scored(h, Streams(members, dtype))
    check(action, log_prob, score(ones))
    for edge in (low, high):
        log_prob, score = policy.likelihood(h, edge.expand_as(action))
        check(action, log_prob, score(ones))


@pytest.mark.parametrize("name", ALL)
def test_the_action_of_evaluation_is_near_the_densest_of_a_narrow_law(name: str) -> None:
    """Log-stddevs, last in h, at -3; shapes of Betas at 40."""
    policy = build(name)
    h = random_h(policy, 1)[0, 0]
    if "Beta" in name:
        h[-4:] = torch.tensor([40.0, 30.0, 40.0, 30.0])[-len(h[-4:]) :]
        if name == "BetaV2":
            h = -h / 10
    else:
        h[-2 if name in MIXTURES else -1 :] = -3.0
    integral = Integral(name, BOXES[0])
    inside = integral.log_density(policy, h)[:6001]
    densest = integral.actions[inside.argmax()]
    assert float(policy.mode(h[None, None])) == pytest.approx(float(densest), abs=0.06)


def test_the_edge_masses_of_the_gaussian_are_those_of_its_draws() -> None:
    policy, N = build("Gaussian"), 50_000
    h = torch.tensor([0.8, 0.3], dtype=torch.float64)
    drawn = policy.draw(h.expand(1, N, -1), Streams())
    edges = torch.tensor([[[-1.0], [2.0]]], dtype=torch.float64)
    masses = policy.likelihood(h.expand(1, 2, -1), edges)[0].exp()[0]
    for edge, mass in zip(edges.flatten(), masses, strict=True):
        frequency = float((drawn == edge).double().mean())
        assert frequency == pytest.approx(float(mass), abs=4.5 * (0.25 / N) ** 0.5)


def test_the_density_of_student_t_is_that_before_the_clamp() -> None:
    policy = build(*UNCLAMPED_DENSITY)
    h = torch.tensor([-1.0, 2.0, 0.3], dtype=torch.float64).expand(1, 1000, -1)
    action, log_prob, _ = policy.scored(h, Streams())
    at_edge = action.flatten() == 2.0
    assert at_edge.sum() > 100
    log_prob_of_edge, _ = policy.likelihood(h[:, :1], torch.full((1, 1, 1), 2.0))
    assert (log_prob[0, at_edge] < log_prob_of_edge).all()
