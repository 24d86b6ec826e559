"""Windows of encoded rollouts, and losses on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from drifting import Encoded, Plain, rollout, rollouts

from agents.world_models.sequence.building import build_for
from agents.world_models.sequence.infilling import Discriminator, Filled, hide_spans
from agents.world_models.sequence.interface import LatentSlices
from agents.world_models.sequence.model import LearnedModel
from agents.world_models.sequence.settings import SequenceSettings
from agents.world_models.sequence.table import LatentTable

INFILLING: dict[str, Any] = {
    "sequence_model": "transformer",
    "sequence_hidden": 16,
    "sequence_infilling_weight": 1.0,
    "sequence_context": 6,
}


def learned(**values: Any) -> LearnedModel:
    model = build_for(SequenceSettings(**({"sequence_hidden": 12} | values)), 2, 2, 0)
    assert isinstance(model, LearnedModel)
    return model


def test_a_window_is_what_happened_there() -> None:
    some = rollouts(0, 3, 20)
    table = LatentTable(some, Plain(2))
    slices = table.windows(np.array([2, 0]), np.array([5, 11]), 4)
    for row, (number, start) in enumerate(((2, 5), (0, 11))):
        there = some[number]
        assert np.array_equal(slices.means[row], there.means[start : start + 5])
        assert np.array_equal(slices.actions[row], there.actions[start : start + 4])
        assert np.array_equal(slices.rewards[row], there.rewards[start : start + 4])
    assert slices.mask.all()
    assert not slices.terminated.any()


def test_windows_come_from_anywhere_and_from_long_rollouts_more_often() -> None:
    rng = np.random.default_rng(0)
    table = LatentTable([rollout(rng, 10), rollout(rng, 90)], Plain(2))
    slices = table.draw(rng, 2000, 5)
    assert float((slices.rollouts == 1).float().mean()) == pytest.approx(0.9, abs=0.03)
    assert set(slices.starts[slices.rollouts == 0].tolist()) == set(range(6))
    assert slices.mask.all()


def test_only_a_terminated_last_step_is_a_target_of_ends() -> None:
    rng = np.random.default_rng(0)
    table = LatentTable([rollout(rng, 6, terminated=True), rollout(rng, 6)], Plain(2))
    slices = table.windows(np.array([0, 1]), np.array([0, 0]), 8)
    assert slices.terminated.tolist() == [[False] * 5 + [True] + [False] * 2, [False] * 8]
    assert slices.mask.tolist() == [[True] * 6 + [False] * 2] * 2


def after_the_end(slices: LatentSlices, value: float) -> LatentSlices:
    """The same windows, with something else where the mask is False."""
    gone = ~slices.mask
    latents_gone = torch.cat((torch.zeros_like(gone[:, :1]), gone), 1).unsqueeze(-1)
    return slices._replace(
        means=slices.means.masked_fill(latents_gone, value),
        log_variances=slices.log_variances.masked_fill(latents_gone, value),
        actions=slices.actions.masked_fill(gone.unsqueeze(-1), value),
        rewards=slices.rewards.masked_fill(gone, value),
        terminated=slices.terminated | gone,
    )


@pytest.mark.parametrize("kind", [{}, INFILLING, {"sequence_output": "deterministic"}])
def test_what_follows_an_end_changes_no_loss(kind: dict[str, Any]) -> None:
    model = learned(**kind)
    rng = np.random.default_rng(0)
    table = LatentTable([rollout(rng, 5, terminated=True), rollout(rng, 9)], Plain(2))
    slices = table.windows(np.array([0, 1]), np.array([0, 0]), 9)
    losses = []
    for changed in (slices, after_the_end(slices, 2.5)):
        generator = torch.Generator().manual_seed(0)
        latents = model.draw(changed, generator)
        loss, _ = model.loss_along(changed, latents, generator)
        if model.infilling is not None:
            loss = loss + model.fill(changed, latents, generator).loss
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_a_loss_is_the_mean_over_the_steps_that_there_are() -> None:
    model = learned(sequence_sample_latents=False)
    rng = np.random.default_rng(0)
    short, long = rollout(rng, 3), rollout(rng, 9)
    generator = torch.Generator()
    parts = []
    for rollouts_of in ([short], [long], [short, long]):
        table = LatentTable(rollouts_of, Plain(2))
        numbers = np.arange(len(rollouts_of))
        slices = table.windows(numbers, np.zeros_like(numbers), 9)
        parts.append(float(model.loss(slices, generator)[1]["latent"]))
    assert parts[2] == pytest.approx((3 * parts[0] + 9 * parts[1]) / 12, rel=1e-5)


def test_latents_are_drawn_anew_and_have_their_mean_and_variance() -> None:
    model = learned()
    means = np.tile(np.array([1.0, -2.0], np.float32), (41, 1))
    log_variances = np.tile(np.log(np.array([0.25, 4.0], np.float32)), (41, 1))
    encoded = Encoded(
        means, log_variances, np.zeros((40, 2), np.float32), np.zeros(40, np.float32), False
    )
    slices = LatentTable([encoded], Plain(2)).windows(np.zeros(500, int), np.zeros(500, int), 40)
    generator = torch.Generator().manual_seed(0)
    one, other = model.draw(slices, generator), model.draw(slices, generator)
    assert not torch.equal(one, other)
    assert torch.allclose(one.mean((0, 1)), torch.tensor([1.0, -2.0]), atol=0.05)
    assert torch.allclose(one.var((0, 1)), torch.tensor([0.25, 4.0]), rtol=0.05)


@pytest.mark.parametrize("difference", [False, True])
def test_units_of_the_training_data_do_not_change_what_a_likelihood_is_of(difference: bool) -> None:
    """log p(z) = log p(y) - log scale."""
    model = learned(sequence_normalize=True, sequence_difference=difference)
    model.prepare(LatentTable(rollouts(0, 4, 30), Plain(2)), np.random.default_rng(0))
    latents, actions = torch.randn(1, 4, 2), torch.randn(1, 4, 2)
    said = model.unroll(latents, actions)
    target = torch.randn(1, 4, 2)
    logits, means, log_stds = said.latent.chunk(3, -1)
    assert (model.said_scale != 1).all()
    means = model.said_shift.unsqueeze(-1) + model.said_scale.unsqueeze(-1) * means
    means = means + said.base.unsqueeze(-1)
    log_stds = log_stds + model.said_scale.log().unsqueeze(-1)
    in_z = said._replace(latent=torch.cat((logits, means, log_stds), -1)).latent
    expected = model.output.nll(in_z, target)
    assert torch.allclose(model.nll(said, target), expected, atol=1e-5)


# -- infilling


def test_about_the_asked_share_of_steps_is_hidden_in_spans_and_never_after_an_end() -> None:
    present = torch.ones(200, 100, dtype=torch.bool)
    present[:, 60:] = False
    hidden = hide_spans(present, 4, 0.25, torch.Generator().manual_seed(0))
    assert float(hidden[:, :60].float().mean()) == pytest.approx(0.25, abs=0.03)
    assert not hidden[:, 60:].any()
    runs = torch.diff(hidden[:, 4:56].int(), dim=1)
    # spans of 4 and more: most hidden steps have a hidden neighbour
    assert int((runs == 1).sum()) < hidden[:, 4:56].sum() / 3.5


def test_filling_in_sees_both_sides_and_not_what_is_hidden() -> None:
    model = learned(**INFILLING)
    table = LatentTable(rollouts(0, 2, 12), Plain(2))
    slices = table.windows(np.array([0, 1]), np.array([0, 0]), 12)
    latents = slices.means

    def filled(latents: torch.Tensor) -> Filled:
        return model.fill(slices, latents, torch.Generator().manual_seed(4))

    before = filled(latents)
    hidden = before.hidden
    assert hidden.any()
    shown = torch.logical_not(hidden)
    assert before.latents[shown].equal(latents[:, :-1][shown])
    there = torch.cat((hidden, torch.zeros_like(hidden[:, :1])), 1)
    elsewhere = filled(torch.where(there.unsqueeze(-1), latents + 5, latents))
    assert torch.allclose(elsewhere.latents[hidden], before.latents[hidden], atol=1e-5)
    row, last = [int(x) for x in hidden.nonzero()[0]]
    after = latents.clone()
    visible = [t for t in range(12) if not hidden[row, t] and last < t < last + 6]
    after[row, visible[-1]] += 3
    assert not torch.allclose(filled(after).latents[row, last], before.latents[row, last])


def test_deceiving_teaches_the_model_and_telling_teaches_the_discriminator() -> None:
    model, judge = learned(**INFILLING), Discriminator(2, 8)
    table = LatentTable(rollouts(0, 2, 12), Plain(2))
    slices = table.windows(np.array([0, 1]), np.array([0, 0]), 12)
    filled = model.fill(slices, slices.means, torch.Generator().manual_seed(4))
    assert model.infilling is not None
    torch.autograd.backward(judge.deceived(filled), retain_graph=True)
    assert all(p.grad is None for p in judge.parameters())
    gradient = model.infilling.output.linear.weight.grad
    assert gradient is not None and gradient.any()
    gradient.zero_()
    torch.autograd.backward(judge.loss(filled, slices.means[:, :-1]))
    assert not gradient.any()
    assert all(p.grad is not None for p in judge.parameters())
