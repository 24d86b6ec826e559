"""An update is one step down the loss of the module's text, and happens when it should."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from torch.nn import functional

from agents.base import AgentRefused, Diverged
from agents.piiw.learner import Learner
from agents.piiw.settings import PiIWSettings
from agents.piiw.values import CategoricalValue

PICTURES = Box(0, 255, (24, 24, 3), np.uint8)
STACKS = Box(0, 255, (4, 24, 24), np.uint8)
ACTIONS, BATCH = 4, 6


def learner(space: Any = PICTURES, **settings: Any) -> Learner:
    chosen = {"hidden_dim": 10, "batch_size": BATCH, "replay_min_transitions": BATCH} | settings
    return Learner(
        msgspec.convert(chosen, PiIWSettings),
        space,
        ACTIONS,
        rng=np.random.default_rng(0),
        device="cpu",
        agent="piIW",
    )


def drawn(space: Box, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    observations = rng.integers(256, size=(BATCH, *space.shape)).astype(np.uint8)
    policies = rng.dirichlet(np.ones(ACTIONS), BATCH).astype(np.float32)
    return observations, policies, rng.normal(0, 20, BATCH).astype(np.float32)


@pytest.mark.parametrize("space", [PICTURES, STACKS], ids=["picture", "stack"])
@pytest.mark.parametrize("head", ["none", "scalar", "categorical"])
@pytest.mark.parametrize("clip", [None, 0.01])
def test_an_update_is_one_step_down_the_loss(space: Box, head: str, clip: float | None) -> None:
    factors = {"regularization_factor": 0.02, "value_factor": 0.3}
    one = learner(space, value_head=head, max_grad_norm=clip, input_scale=1 / 255, **factors)
    observations, policies, returns = drawn(space, np.random.default_rng(1))
    values = one.network.values.clone()
    # the loss by autograd alone
    read = torch.from_numpy(one.reader.batch(observations).copy())
    out = one.network.forward(read, training=True)
    loss = -(torch.from_numpy(policies) * functional.log_softmax(out.logits, 1)).sum(1).mean()
    target = torch.from_numpy(returns)
    if head != "none":
        assert out.value is not None
        if head == "scalar":
            of_value = 0.5 * ((target - out.value[:, 0]) ** 2).mean()
        else:
            of_value = CategoricalValue(301, -300, 300).loss(out.value, target)
        loss = loss + 0.3 * of_value
    parameters = list(one.network.parameters.values())
    loss = loss + 0.02 * 0.5 * sum((p**2).sum() for p in parameters)
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
    if clip is not None:
        assert gradient.norm() > clip
        gradient *= clip / gradient.norm()
    # the published RMSProp: ε under the root, mean square from 1
    expected = values - 5e-4 * gradient / torch.sqrt(0.99 + 0.01 * gradient**2 + 0.1)
    one.step(observations, policies, returns)
    torch.testing.assert_close(one.network.values, expected, rtol=1e-5, atol=1e-8)
    assert one.losses["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert ("value_loss" in one.losses) == (head != "none")


def test_it_learns_what_it_is_told() -> None:
    one = learner(optimizer="adam", learning_rate=0.01, input_scale=1 / 255)
    observations, _, returns = drawn(PICTURES, np.random.default_rng(1))
    policies = np.eye(ACTIONS, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]
    for _ in range(200):
        one.step(observations, policies, returns)
    for observation, policy in zip(observations, policies, strict=True):
        assert one.evaluate(observation).logits.argmax() == policy.argmax()


def test_it_waits_for_a_batch_and_for_the_least_that_is_asked_for() -> None:
    for settings, least in (({}, BATCH), ({"replay_min_transitions": 9}, 9)):
        one = learner(**settings)
        observations, policies, _ = drawn(PICTURES, np.random.default_rng(1))
        for number in range(12):
            one.replay.add(observations[number % BATCH], policies[0].astype(float), 0.0)
            assert (one.update() is not None) == (number + 1 >= least)


def test_a_loss_that_is_not_finite_is_named() -> None:
    one = learner()
    observations, policies, returns = drawn(PICTURES, np.random.default_rng(1))
    one.network.values[:] = torch.nan
    with pytest.raises(Diverged, match="the loss"):
        one.step(observations, policies, returns)


@pytest.mark.parametrize("normalised", [False, True])
def test_it_goes_on_to_the_bit(normalised: bool) -> None:
    settings = {"batch_normalization": normalised, "value_head": "categorical"}
    batches = [drawn(STACKS, np.random.default_rng(seed)) for seed in range(6)]
    one, other = learner(STACKS, **settings), learner(STACKS, **settings)
    for batch in batches[:3]:
        one.step(*batch)
    other.load_state_dict(one.state_dict())
    for batch in batches[3:]:
        one.step(*batch)
        other.step(*batch)
    assert torch.equal(one.network.values, other.network.values)
    assert one.losses == other.losses


def test_vectors_and_numbers_are_read_too() -> None:
    box, few = Box(-1, 1, (5,), np.float32), Discrete(7, start=2)
    assert learner(box).evaluate(np.zeros(5, np.float32)).logits.shape == (ACTIONS,)
    outputs = [learner(few).evaluate(np.int64(n)).logits.tolist() for n in (2, 3, 8)]
    assert len({tuple(output) for output in outputs}) == 3


def test_what_it_cannot_read_is_refused() -> None:
    with pytest.raises(AgentRefused, match="needs a box or a discrete observation"):
        learner(Dict({}))
    with pytest.raises(
        AgentRefused, match=r"pictures of 20 pixels a side or more, not \[10, 10, 4\]"
    ):
        learner(Box(0, 255, (10, 10, 4), np.uint8), encoder="mnih2013")
