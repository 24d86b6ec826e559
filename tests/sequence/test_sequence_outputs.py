"""What is said of the next latent."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from agents.world_models.sequence.interface import Noise, draw_noise
from agents.world_models.sequence.likelihood import LEAST_LOG_STD, mixture_nll
from agents.world_models.sequence.outputs import Deterministic, Discrete, Mixture


def drawn(seed: int, rows: int, latents: int, components: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (rows, latents, 3 * components)
    parameters = torch.randn(shape, generator=generator, dtype=torch.float64)
    return parameters, torch.randn((rows, latents), generator=generator, dtype=torch.float64)


def test_a_mixtures_likelihood_is_the_sum_over_its_components() -> None:
    parameters, target = drawn(0, 3, 2, 4)
    nll = mixture_nll(parameters, target)
    for row in range(3):
        for d in range(2):
            logits, means, log_stds = parameters[row, d].numpy().reshape(3, 4)
            weights = np.exp(logits) / np.exp(logits).sum()
            stds = np.exp(log_stds)
            normal = np.exp(-0.5 * ((float(target[row, d]) - means) / stds) ** 2)
            density = (weights * normal / (stds * math.sqrt(2 * math.pi))).sum()
            assert float(nll[row, d]) == pytest.approx(-math.log(density))


@given(st.integers(0, 2**16), st.integers(1, 40), st.integers(1, 6))
def test_a_mixtures_gradient_is_that_of_autograd(seed: int, rows: int, components: int) -> None:
    parameters, target = drawn(seed, rows, 2, components)
    # some deviations are below the least
    parameters[..., -1] *= 10
    parameters.requires_grad_(True)
    outer = torch.linspace(-1, 2, rows * 2, dtype=torch.float64).view(rows, 2)
    (ours,) = torch.autograd.grad((mixture_nll(parameters, target) * outer).sum(), parameters)
    logits, means, log_stds = parameters.chunk(3, -1)
    components_of = torch.distributions.Normal(means, log_stds.clamp(min=LEAST_LOG_STD).exp())
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=logits), components_of
    )
    nll = -mixture.log_prob(target)  # type: ignore[no-untyped-call]
    (theirs,) = torch.autograd.grad((nll * outer).sum(), parameters)
    # those of very narrow components are large
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-6 * float(theirs.abs().max()))


def mixture() -> tuple[Mixture, Tensor]:
    """One latent, of logits 0 and 1, means -1 and 2, standard deviations 0.5 and 0.1."""
    parameters = torch.tensor([[0.0, 1.0, -1.0, 2.0, math.log(0.5), math.log(0.1)]])
    return Mixture(4, 1, 2), parameters


def many(parameters: Tensor, count: int, seed: int = 0) -> tuple[Tensor, Noise]:
    noise = draw_noise((count,), 1, torch.Generator().manual_seed(seed))
    return parameters.expand(count, -1, -1), noise


@pytest.mark.parametrize("temperature", [0.25, 1.0, 2.0])
def test_temperature_divides_logits_and_its_root_scales_noise(temperature: float) -> None:
    output, parameters = mixture()
    repeated, noise = many(parameters.unsqueeze(0)[0], 40_000)
    sample = output.sample(repeated, temperature, noise).squeeze(1)
    second = sample > 1
    share = 1 / (1 + math.exp(-1 / temperature))
    assert float(second.float().mean()) == pytest.approx(share, abs=0.01)
    for chosen, mean, std in ((second, 2.0, 0.1), (~second, -1.0, 0.5)):
        expected = std * math.sqrt(temperature)
        assert float(sample[chosen].mean()) == pytest.approx(mean, abs=0.03)
        assert float(sample[chosen].std()) == pytest.approx(expected, rel=0.06)


def test_at_temperature_0_a_sample_is_the_likeliest_components_mean() -> None:
    output, parameters = mixture()
    repeated, noise = many(parameters, 50)
    assert output.sample(repeated, 0.0, noise).eq(2.0).all()


def test_a_mixtures_mean_is_that_of_its_samples() -> None:
    output, parameters = mixture()
    repeated, noise = many(parameters, 40_000)
    mean = float(output.sample(repeated, 1.0, noise).mean())
    assert mean == pytest.approx(float(output.mean(parameters)), abs=0.03)


def test_a_deterministic_output_is_its_mean_and_its_sample() -> None:
    output = Deterministic(4, 3)
    said = output(torch.randn(5, 4))
    target = torch.randn(5, 3)
    _, noise = many(torch.zeros(1, 1), 5)
    assert output.nll(said, target).allclose((output.mean(said) - target) ** 2)
    assert output.sample(said, 1.0, noise).equal(output.mean(said))


def test_bins_are_the_values_of_a_latent_that_has_few() -> None:
    output = Discrete(4, 2, 4)
    rng = np.random.default_rng(0)
    values = np.stack((rng.choice([-1.0, 0.0, 5.0], 200), rng.normal(size=200)), 1)
    output.fit(values.astype(np.float32))
    assert output.centres[0].tolist() == [-1.0, 0.0, 5.0, 5.0]
    # what is above the last value is still that value, not its repetition
    target = torch.tensor([[-1.1, 0.0], [0.1, 9.0], [5.1, -9.0]])
    assert output.bins(target)[:, 0].tolist() == [0, 1, 2]
    assert output.bins(target)[1:, 1].tolist() == [3, 0]


def test_bins_are_met_equally_often() -> None:
    output = Discrete(4, 1, 8)
    values = np.random.default_rng(0).exponential(size=(8000, 1)).astype(np.float32)
    output.fit(values)
    counts = torch.bincount(output.bins(torch.from_numpy(values)).flatten(), minlength=8)
    assert counts.min() > 700
    assert counts.max() < 1400


def test_a_discrete_loss_is_the_bins_cross_entropy() -> None:
    output = Discrete(4, 2, 3)
    parameters = torch.randn(6, 2, 3)
    target = torch.randn(6, 2)
    nll = output.nll(parameters, target)
    for row in range(6):
        for d in range(2):
            chosen = int((output.centres[d] - target[row, d]).abs().argmin())
            expected = -torch.log_softmax(parameters[row, d], 0)[chosen]
            assert float(nll[row, d]) == pytest.approx(float(expected), abs=1e-6)


def test_a_discrete_sample_is_a_centre_and_has_its_probability() -> None:
    output = Discrete(4, 1, 3)
    parameters = torch.tensor([[0.0, 1.0, -0.5]])
    repeated, noise = many(parameters, 40_000)
    sample = output.sample(repeated, 2.0, noise)
    shares = torch.softmax(parameters[0] / 2, 0)
    for centre, share in zip(output.centres[0], shares, strict=True):
        assert float((sample == centre).float().mean()) == pytest.approx(float(share), abs=0.01)
