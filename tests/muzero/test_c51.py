"""C51: distributions of Q, and what they are learned towards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from batches import some_batch
from hypothesis import given
from hypothesis import strategies as st
from q_runs import ACTIONS, C51, INPUTS, MODES, driver_of, learner_for, short

from agents.muzero.q_targets import project
from agents.muzero.torch_q_inference import QInference
from agents.search.scalars import Support


@given(
    sums=st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=4),
    factor=st.floats(-1, 1, width=32),
    low=st.floats(-20, 0, width=32),
    width=st.floats(0.5, 30, width=32),
    bins=st.integers(2, 9),
    seed=st.integers(0, 1000),
)
def test_a_projection_is_that_of_its_definition(
    sums: list[float], factor: float, low: float, width: float, bins: int, seed: int
) -> None:
    """(Φ p)_i = Σ_j p_j [1 - |clip(R + γ z_j) - z_i| / Δ] where that is above 0."""
    support = Support(low, low + width, bins, compressed=False)
    p = np.random.default_rng(seed).dirichlet(np.ones(bins), len(sums)).astype(np.float32)
    totals = np.array(sums, np.float32)
    factors = np.full(len(sums), factor, np.float32)
    projected = project(totals, factors, p, support)
    z = support.atoms
    moved = np.clip(totals[:, None].astype(float) + factors[:, None] * z, z[0], z[-1])
    near = np.clip(1 - np.abs(moved[:, :, None] - z) * (bins - 1) / width, 0, None)
    assert projected == pytest.approx((p[:, :, None] * near).sum(axis=1), abs=1e-4)
    assert projected.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_projection_keeps_the_mean_where_nothing_is_cut_off() -> None:
    support = Support(-10.0, 10.0, 51, compressed=False)
    p = np.random.default_rng(0).dirichlet(np.ones(51), 8).astype(np.float32)
    sums = np.linspace(-2, 2, 8).astype(np.float32)
    projected = project(sums, np.full(8, 0.7, np.float32), p, support)
    assert projected @ support.atoms == pytest.approx(sums + 0.7 * (p @ support.atoms), abs=1e-4)


def test_targets_of_c51_are_of_the_target_networks_greatest_action() -> None:
    driver = driver_of(short(MODES["distributions"], eval_episodes=0))
    driver.advance(150, lambda: False)
    training = driver.training
    batch = training.replay.sample(6, np.random.default_rng(0), horizon=2)
    found = training._values(batch)
    target = training.learner.target
    assert isinstance(target, QInference)
    support = Support(0.0, 300.0, 16, compressed=False)
    assert found.sum(axis=-1) == pytest.approx(1.0, abs=1e-5)
    for b in range(6):
        for k in range(3):
            place = batch.targets.bootstraps[b, k]
            total, factor = batch.targets.sums[b, k], batch.targets.factors[b, k]
            row = training.replay.rows("observations", np.array([place]))
            logits = target.network.predict(target.network.represent(torch.from_numpy(row)))[0]
            p = logits.view(2, 16).softmax(-1).detach().numpy()
            best = p[(p @ support.atoms).argmax()]
            expected = project(total[None], factor[None], best[None], support)[0]
            assert found[b, k] == pytest.approx(expected, abs=1e-5)


def test_c51s_priority_is_the_divergence_from_the_target() -> None:
    learner = learner_for(**C51, jumps=0)
    rng = np.random.default_rng(0)
    observations, batch, _ = some_batch(rng, learner.settings, inputs=INPUTS, actions=ACTIONS)
    batch.targets.policy_mask[:] = 1
    batch.targets.rows[:] = 1
    batch.targets.bootstraps[:] = 2
    batch.policies[:] = np.eye(ACTIONS)[0]
    z = rng.dirichlet(np.ones(11), (6, 1)).astype(np.float32)
    z[0] = np.eye(11)[3]
    network = learner.online.network
    logits = network.predict(network.represent(torch.from_numpy(observations[0])))[0]
    log_p = logits.view(6, ACTIONS, 11)[:, 0].log_softmax(-1).detach().numpy()
    expected = (z[:, 0] * (np.log(np.maximum(z[:, 0], 1e-30)) - log_p)).sum(axis=1)
    errors = learner.update(observations, batch, z, 0.0).errors
    assert errors == pytest.approx(expected, abs=1e-5)
    assert (errors > 0).all()
