"""Steps of the optimizers are those of their definitions, written out in numpy and by torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.piiw.optimizers import Adam, Optimizer, RMSProp

LR, DECAY = 7e-4, 0.99


def walk(optimizer: Optimizer, start: torch.Tensor, gradients: list[np.ndarray]) -> np.ndarray:
    values = start.clone()
    for gradient in gradients:
        optimizer.step(values, torch.from_numpy(gradient.copy()))
    return values.numpy()


def drawn(steps: int = 30, size: int = 50) -> tuple[torch.Tensor, list[np.ndarray]]:
    rng = np.random.default_rng(2)
    scales = 10.0 ** rng.uniform(-5, 2, size)
    return torch.from_numpy(rng.normal(size=size)), list(rng.normal(size=(steps, size)) * scales)


@pytest.mark.parametrize("initial", [0.0, 1.0])
@pytest.mark.parametrize("inside", [True, False])
def test_rmsprop_is_its_definition(inside: bool, initial: float) -> None:
    start, gradients = drawn()
    optimizer = RMSProp(start, LR, DECAY, 0.1, epsilon_inside=inside, initial=initial)
    theta, ms = start.numpy().copy(), np.full(len(start), initial)
    for g in gradients:
        ms = DECAY * ms + (1 - DECAY) * g**2
        theta -= LR * g / (np.sqrt(ms + 0.1) if inside else np.sqrt(ms) + 0.1)
    np.testing.assert_allclose(walk(optimizer, start, gradients), theta, rtol=1e-12)


def test_outside_from_zero_is_torchs_rmsprop() -> None:
    start, gradients = drawn()
    parameter = torch.nn.Parameter(start.clone())
    theirs = torch.optim.RMSprop([parameter], LR, alpha=DECAY, eps=0.1)
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient.copy())
        theirs.step()
    mine = RMSProp(start, LR, DECAY, 0.1, epsilon_inside=False, initial=0.0)
    np.testing.assert_allclose(walk(mine, start, gradients), parameter.detach().numpy(), rtol=1e-12)


def test_adam_is_torchs() -> None:
    start, gradients = drawn()
    parameter = torch.nn.Parameter(start.clone())
    theirs = torch.optim.Adam([parameter], LR, betas=(0.8, 0.99), eps=1e-6)
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient.copy())
        theirs.step()
    np.testing.assert_allclose(
        walk(Adam(start, LR, (0.8, 0.99), 1e-6), start, gradients),
        parameter.detach().numpy(),
        rtol=1e-12,
    )


@given(st.floats(1e-9, 1e6))
def test_where_epsilon_stands_matters_for_small_gradients(gradient: float) -> None:
    start, once = torch.zeros(1, dtype=torch.float64), [np.array([gradient])]
    steps = {
        inside: -walk(
            RMSProp(start, 1.0, DECAY, 0.1, epsilon_inside=inside, initial=0.0), start, once
        )[0]
        for inside in (True, False)
    }
    ratio = steps[False] / steps[True]
    assert ratio <= 1 / np.sqrt(0.1) + 1e-9
    if gradient < 1e-4:
        assert ratio > 3.1


def test_optimizers_go_on_where_they_were() -> None:
    start, gradients = drawn()
    for make in (
        lambda: RMSProp(start, LR, DECAY, 0.1, epsilon_inside=True, initial=1.0),
        lambda: Adam(start, LR, (0.9, 0.999), 1e-8),
    ):
        whole, first, second = make(), make(), make()
        expected = walk(whole, start, gradients)
        halfway = walk(first, start, gradients[:10])
        second.load_state_dict(first.state_dict())
        assert np.array_equal(walk(second, torch.from_numpy(halfway), gradients[10:]), expected)
