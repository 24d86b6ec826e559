"""The encoders compute what the papers say."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from encoder_cases import PICTURES, VECTORS, pictures, settings, vectors
from torch import nn

from agents.encoders.adversary import Adversary
from agents.encoders.building import build_encoder
from agents.encoders.codebook import Codebook
from agents.encoders.convolutional import ConvolutionalVAE
from agents.encoders.interface import CERTAIN
from agents.encoders.layers import Decoder, OfOnePixel, decoder_kernels, encoder_layers
from agents.encoders.settings import EncoderSettings
from agents.encoders.vq_vae import VQVAE


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_papers_vae_has_4_348_547_parameters() -> None:
    space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    vae = build_encoder(EncoderSettings(), space, 0)
    assert sum(p.numel() for p in vae.parameters()) == 4_348_547
    shapes = [tuple(p.shape) for name, p in vae.named_parameters() if "weight" in name]
    assert shapes == [
        (32, 3, 4, 4), (64, 32, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (32, 1024),
        (1024, 32), (1024, 128, 5, 5), (128, 64, 5, 5), (64, 32, 6, 6), (32, 3, 6, 6), (32, 1024),
    ]  # fmt: skip


@pytest.mark.parametrize("side", [8, 11, 16, 32, 64, 84, 96, 128, 210])
def test_pictures_of_any_size_come_back_at_their_size(side: int) -> None:
    layers, features = encoder_layers(1, side, 2)
    assert layers(torch.zeros(2, 1, side, side)).shape == (2, features)
    assert Decoder(3, 1, side, 2)(torch.zeros(2, 3)).shape == (2, 1, side, side)


def test_kernels_of_the_decoder_are_the_papers_at_64_pixels() -> None:
    assert decoder_kernels(64) == [5, 5, 6, 6]


def test_a_transposed_convolution_of_one_pixel_is_its_product() -> None:
    fast = OfOnePixel(6, 4, 5, 2)
    plain = nn.ConvTranspose2d(6, 4, 5, 2)
    plain.load_state_dict(fast.state_dict())
    pixels = torch.randn(3, 6, 1, 1, generator=generator())
    torch.testing.assert_close(fast(pixels), plain(pixels))


@pytest.mark.parametrize("name", ["vae", "beta_vae"])
@pytest.mark.parametrize(("weight", "free"), [(1.0, 0.5), (3.0, 0.01), (2.0, 0.0)])
def test_the_loss_of_a_vae_is_its_equation(name: str, weight: float, free: float) -> None:
    chosen = settings(encoder=name, encoder_kl_weight=weight, encoder_free_bits=free)
    vae = build_encoder(chosen, PICTURES, 0)
    assert isinstance(vae, ConvolutionalVAE)
    nn.init.normal_(vae.log_variance.bias, 0, 0.3, generator=generator(1))
    nn.init.normal_(vae.mean.bias, 0, 0.5, generator=generator(2))
    observations = pictures(np.random.default_rng(0), 5)
    loss, parts = vae.loss(observations, generator(7))

    mean, log_variance = (one.detach().numpy() for one in vae.encode(observations))
    noise = torch.randn(mean.shape, generator=generator(7)).numpy()
    latents = torch.from_numpy(mean + np.exp(log_variance / 2) * noise)
    decoded = vae.decode(latents).detach().numpy()
    error, nats = 0.0, np.zeros((5, 8))
    for b in range(5):
        error += float(((decoded[b] - observations[b] / 255) ** 2).sum()) / 5
        for d in range(8):
            variance = np.exp(log_variance[b, d])
            nats[b, d] = (mean[b, d] ** 2 + variance - log_variance[b, d] - 1) / 2
    if name == "vae":
        divergence = np.mean([max(row.sum(), free * 8) for row in nats])
    else:
        divergence = sum(max(column.mean(), free) for column in nats.T)
    assert float(loss.detach()) == pytest.approx(error + weight * divergence, rel=1e-5)
    assert float(parts["kl"]) == pytest.approx(nats.sum(1).mean(), rel=1e-5)


def test_divergence_below_the_floor_is_not_learned_from() -> None:
    vae = build_encoder(settings(encoder="vae"), PICTURES, 0)
    assert isinstance(vae, ConvolutionalVAE)
    observations = pictures(np.random.default_rng(0), 5)
    loss, parts = vae.loss(observations, generator())
    assert float(parts["kl"]) < 0.5 * 8
    assert float((loss - parts["error"]).detach()) == pytest.approx(0.5 * 8, rel=1e-4)
    (of_divergence,) = torch.autograd.grad(loss, [vae.log_variance.bias])
    free = build_encoder(settings(encoder="vae", encoder_kl_weight=0.0), PICTURES, 0)
    assert isinstance(free, ConvolutionalVAE)
    (without,) = torch.autograd.grad(
        free.loss(observations, generator())[0], [free.log_variance.bias]
    )
    torch.testing.assert_close(of_divergence, without)


@pytest.mark.parametrize("name", ["autoencoder", "vq_vae", "mlp"])
def test_encoders_without_doubt_say_so(name: str) -> None:
    space = VECTORS if name == "mlp" else PICTURES
    make = vectors if name == "mlp" else pictures
    encoder = build_encoder(settings(encoder=name), space, 0)
    _, log_variance = encoder.encode(make(np.random.default_rng(0), 3))
    assert log_variance.shape == (3, 8)
    assert (log_variance == CERTAIN).all()


def test_vectors_are_normalised_and_decoded_in_their_own_units() -> None:
    encoder = build_encoder(settings(encoder="mlp_vae"), VECTORS, 0)
    sample = vectors(np.random.default_rng(0), 400)
    encoder.begin(sample)
    seen = encoder.read(sample)
    torch.testing.assert_close(seen.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.std(0, correction=0), torch.ones(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(encoder.target(sample), torch.from_numpy(sample))


class TestCodebook:
    def test_gradient_goes_straight_through(self) -> None:
        book = Codebook(5, 3, moving=True, decay=0.9, revival=0.0)
        vectors = torch.randn(7, 3, generator=generator(), requires_grad=True)
        quantised = book(vectors)
        given = torch.randn(7, 3, generator=generator(1))
        (quantised.vectors * given).sum().backward()
        assert vectors.grad is not None
        assert torch.equal(vectors.grad, given)
        torch.testing.assert_close(quantised.vectors.detach(), book.codes[quantised.tokens])

    def test_each_vector_has_the_nearest_code(self) -> None:
        book = Codebook(9, 4, moving=True, decay=0.9, revival=0.0)
        vectors = torch.randn(50, 4, generator=generator())
        nearest = torch.cdist(vectors, book.codes).argmin(1)
        assert torch.equal(book.nearest(vectors), nearest)

    def test_losses_move_codes_and_vectors_towards_each_other(self) -> None:
        book = Codebook(5, 3, moving=False, decay=0.9, revival=0.0)
        vectors = torch.randn(7, 3, generator=generator(), requires_grad=True)
        quantised = book(vectors)
        codes = book.codes[quantised.tokens].detach()
        distance = ((vectors.detach() - codes) ** 2).sum(1).mean()
        torch.testing.assert_close(quantised.codebook_loss.detach(), distance)
        torch.testing.assert_close(quantised.commitment.detach(), distance)
        (of_codes,) = torch.autograd.grad(quantised.codebook_loss, [book.codes], retain_graph=True)
        (of_vectors,) = torch.autograd.grad(quantised.commitment, [vectors])
        torch.testing.assert_close(of_vectors, 2 * (vectors.detach() - codes) / 7)
        assert of_codes.abs().sum() > 0

    def test_codes_become_the_moving_means_of_what_they_stand_for(self) -> None:
        book = Codebook(2, 1, moving=True, decay=0.75, revival=0.0)
        book.start_at(torch.tensor([[0.0], [10.0]]))
        book.train()
        book(torch.tensor([[1.0], [2.0], [3.0], [14.0]]))
        book.settle(generator())
        usage = [0.75 * 0.5 + 0.25 * 0.75, 0.75 * 0.5 + 0.25 * 0.25]
        sums = [0.25 * (1 + 2 + 3) / 4, 0.75 * 10 / 2 + 0.25 * 14 / 4]
        assert book.usage.tolist() == pytest.approx(usage)
        assert book.codes[:, 0].tolist() == pytest.approx(
            [s / n for s, n in zip(sums, usage, strict=True)]
        )

    def test_dead_codes_come_back_as_vectors_of_the_batch(self) -> None:
        book = Codebook(4, 2, moving=True, decay=0.5, revival=0.5)
        far = torch.tensor([[0.0, 0.0], [50.0, 50.0], [60.0, 60.0], [70.0, 70.0]])
        book.start_at(far)
        book.train()
        batch = torch.randn(8, 2, generator=generator())
        for _ in range(2):
            book(batch)
            book.settle(generator(1))
        alive = {tuple(row) for row in batch.tolist()}
        assert all(tuple(row) in alive for row in book.codes[1:].tolist())

    def test_without_revival_dead_codes_stay(self) -> None:
        book = Codebook(2, 1, moving=True, decay=0.5, revival=0.0)
        book.start_at(torch.tensor([[0.0], [50.0]]))
        book.train()
        for _ in range(300):
            book(torch.zeros(4, 1))
            book.settle(generator())
        assert book.codes[1].tolist() == [50.0]

    def test_perplexity_counts_codes_in_even_use(self) -> None:
        book = Codebook(8, 1, moving=True, decay=0.5, revival=0.0)
        assert float(book.perplexity(torch.tensor([0, 1, 2, 3]))) == pytest.approx(4)
        assert float(book.perplexity(torch.tensor([5, 5]))) == pytest.approx(1)


@pytest.mark.parametrize("codebook", ["ema", "gradient"])
def test_the_loss_of_a_vq_vae_is_its_equation(codebook: str) -> None:
    chosen = settings(encoder="vq_vae", encoder_codebook=codebook, encoder_commitment=0.3)
    encoder = build_encoder(chosen, PICTURES, 0)
    assert isinstance(encoder, VQVAE)
    observations = pictures(np.random.default_rng(0), 4)
    encoder.begin(observations[:2])
    loss, _ = encoder.loss(observations, generator())
    tokens, latents = encoder.tokens(observations), encoder.encode(observations)[0]
    torch.testing.assert_close(encoder.embed(tokens), latents)
    before = encoder._vectors(encoder.read(observations)).reshape(4, -1)
    error = ((encoder.decode(latents) - encoder.target(observations)) ** 2).sum() / 4
    distance = ((before - latents) ** 2).sum() / 4
    expected = error + (0.3 if codebook == "ema" else 1.3) * distance
    torch.testing.assert_close(loss, expected)


def test_a_decoder_is_drawn_to_deceive_and_a_discriminator_not_to_be() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        adversary = Adversary(3, 16, 4)
    adversary.start(1e-2)
    rng = np.random.default_rng(0)
    real = torch.from_numpy(pictures(rng, 8)).permute(0, 3, 1, 2) / 255
    made = torch.rand(8, 3, 16, 16, generator=generator()).requires_grad_()
    logits = adversary.layers(made)
    expected = torch.log1p(torch.exp(-logits)).mean()
    deception = adversary.deception(made)
    torch.testing.assert_close(deception, expected)
    (of_made,) = torch.autograd.grad(deception, [made], retain_graph=True)
    assert of_made.abs().sum() > 0
    torch.autograd.backward([deception])
    assert all(p.grad is None for p in adversary.parameters())
    losses = [float(adversary.learn(real, made)) for _ in range(30)]
    assert losses[0] == pytest.approx(2 * np.log(2), abs=0.2)
    assert losses[-1] < losses[0] / 2
