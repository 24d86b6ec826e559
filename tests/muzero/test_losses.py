"""Cross-entropies, and where scalars lie among bins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.muzero.losses import PolicyLoss, ScalarLoss
from agents.search.scalars import Support

SUPPORTS = [Support.symmetric(4), Support.symmetric(3, compressed=False), Support(-1.0, 2.0, 7)]


@pytest.mark.parametrize("support", SUPPORTS)
def test_a_scalars_loss_is_its_cross_entropy(support: Support) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, support.bins)).astype(np.float32)
    targets = (8 * rng.normal(size=40)).astype(np.float32)
    targets[:4] = (0.0, 1.0, 1e6, -1e6)
    scales = rng.uniform(size=40).astype(np.float32)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    hot = support.encode(targets)
    expected = support.decode_logits(logits)
    gradient = logits.copy()
    loss = ScalarLoss(support, 40)(gradient, targets, scales)
    assert loss.losses == pytest.approx(-(hot * log_p).sum(axis=1), rel=1e-4)
    assert loss.scalars == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert gradient == pytest.approx((np.exp(log_p) - hot) * scales[:, None], abs=1e-5)


@given(st.floats(-1e5, 1e5, width=32))
def test_a_prediction_that_is_its_target_has_no_gradient(x: float) -> None:
    support = SUPPORTS[0]
    hot = support.encode(np.array([x], np.float32))
    logits = np.log(np.maximum(hot, 1e-30)).astype(np.float32)
    ScalarLoss(support, 1)(logits, np.array([x], np.float32), np.ones(1, np.float32))
    assert logits == pytest.approx(0.0, abs=1e-5)


def test_decoding_reads_as_many_rows_as_there_are() -> None:
    support = SUPPORTS[0]
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3, support.bins)).astype(np.float32)
    expected = support.decode_logits(logits)
    assert ScalarLoss(support, 8).decode(logits) == pytest.approx(expected, rel=1e-4)


def test_a_policys_loss_is_its_cross_entropy_less_its_entropy() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(20, 4)).astype(np.float32)
    targets = rng.dirichlet(np.ones(4), 20).astype(np.float32)
    targets[0] = 0
    scales = rng.uniform(size=20).astype(np.float32)

    def total(z: np.ndarray) -> float:
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        losses = -(2.0 * targets * log_p).sum(axis=1) + (0.5 * np.exp(log_p) * log_p).sum(axis=1)
        return float((losses * scales).sum())

    gradient = logits.copy()
    loss = PolicyLoss(20, 4, weight=2.0, entropy_weight=0.5)(gradient, targets, scales)
    z = logits.astype(np.float64)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    assert loss.losses == pytest.approx(-(targets * log_p).sum(axis=1), abs=1e-5)
    assert loss.scalars == pytest.approx(-(np.exp(log_p) * log_p).sum(axis=1), abs=1e-5)
    for i, j in ((0, 0), (1, 2), (19, 3)):
        step = np.zeros_like(z)
        step[i, j] = 1e-5
        slope = (total(z + step) - total(z - step)) / 2e-5
        assert gradient[i, j] == pytest.approx(slope, abs=1e-4)
