"""Tokenizers: sizes, losses, codebooks, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from small_iris import catch_settings
from torch import Tensor

from agents.base import AgentRefused
from agents.iris.settings import IrisSettings
from agents.iris.tokenizer.building import FILE, build_tokenizer, save_tokenizer
from agents.iris.tokenizer.codebook import Codebook, perplexity
from agents.iris.tokenizer.interface import Tokenizer
from agents.iris.tokenizer.losses import focal_frequency_loss, ssim_loss, worst_pixel
from agents.iris.tokenizer.perceptual import STAGES, Perceptual
from agents.iris.tokenizer.vqvae import VQVAE

SMALL = gymnasium.spaces.Box(0, 255, (16, 16, 3), np.uint8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def frames(count: int, seed: int = 0) -> Tensor:
    return torch.randint(256, (count, 16, 16, 3), generator=generator(seed), dtype=torch.uint8)


def small(**changes: Any) -> VQVAE:
    tokenizer = build_tokenizer(catch_settings(**changes), SMALL, 3, generator())
    assert isinstance(tokenizer, VQVAE)
    return tokenizer


# sizes ----------------------------------------------------------------------------------------


def test_the_published_one_has_its_parameters_and_sixteen_tokens() -> None:
    space = gymnasium.spaces.Box(0, 255, (210, 160, 3), np.uint8)
    tokenizer = build_tokenizer(IrisSettings(), space, 3, generator())
    assert sum(p.numel() for p in tokenizer.parameters()) == 4_027_523
    observed = torch.zeros(1, 210, 160, 3, dtype=torch.uint8)
    with torch.no_grad():
        tokens = tokenizer.encode(observed)
        assert tokens.shape == (1, 16) and tokens.dtype == torch.int64
        assert tokenizer.decode(tokens).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("shape", [(10, 10, 4), (3, 9, 9)])
def test_pictures_of_any_size_come_back_at_their_size(shape: tuple[int, ...]) -> None:
    space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
    tokenizer = build_tokenizer(catch_settings(), space, 3, generator())
    tokens = tokenizer.encode(torch.zeros(2, *shape, dtype=torch.uint8))
    assert tokens.shape == (2, tokenizer.tokens_per_frame)
    channels_last = shape[2] < shape[0]
    expected = (shape[2], *shape[:2]) if channels_last else shape
    assert tokenizer.decode(tokens).shape == (2, *expected)


def test_what_is_no_picture_or_vector_is_refused() -> None:
    with pytest.raises(AgentRefused, match="pictures or vectors"):
        build_tokenizer(catch_settings(), gymnasium.spaces.Discrete(3), 3, generator())
    with pytest.raises(AgentRefused, match="cannot read observations"):
        build_tokenizer(catch_settings(tokenizer="discretising"), SMALL, 3, generator())


# losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [worst_pixel, ssim_loss, focal_frequency_loss])
def test_losses_are_zero_for_equal_pictures_alone_and_pull_towards_them(loss: Any) -> None:
    pictures = torch.rand(2, 3, 16, 16, generator=generator())
    assert float(loss(pictures, pictures)) == pytest.approx(0, abs=1e-6)
    other = torch.rand(2, 3, 16, 16, generator=generator(1)).requires_grad_()
    before = loss(other, pictures)
    before.backward()
    assert other.grad is not None
    closer = (other - 1e-2 * other.grad / other.grad.norm()).detach()
    assert 0 < float(loss(closer, pictures)) < float(before.detach())


def test_the_loss_is_the_weighted_sum_of_its_parts() -> None:
    tokenizer = small(
        tokenizer_ssim_weight=0.3,
        tokenizer_focal_frequency_weight=0.2,
        tokenizer_worst_pixel_weight=0.01,
    )
    total, parts = tokenizer.loss(frames(4), generator())
    expected = 0.5 * parts["l1"] + 10 * parts["mse"] + 0.25 * parts["commitment"]
    expected = expected + 0.3 * parts["ssim"] + 0.2 * parts["focal_frequency"]
    expected = expected + 0.01 * parts["worst_pixel"]
    # codes and latents are equally far from each other
    torch.testing.assert_close(total.detach(), expected + parts["commitment"])


def test_no_reconstruction_loss_at_all_is_possible() -> None:
    tokenizer = small(
        tokenizer_l1_weight=0.0, tokenizer_mse_weight=0.0, tokenizer_worst_pixel_weight=0.0
    )
    assert set(tokenizer.loss(frames(2), generator())[1]) == {
        "commitment",
        "revived",
        "perplexity",
    }


def test_returns_that_are_unknown_teach_the_critic_nothing() -> None:
    tokenizer = small(tokenizer_critic_loss_weight=1.0)
    observed = frames(5)
    returns = torch.tensor([1.0, torch.nan, -2.0, torch.nan, 0.5])
    _, parts = tokenizer.loss(observed, generator(), returns)
    assert tokenizer.critic is not None
    with torch.no_grad():
        tokens = tokenizer.encode(observed)
        codes = tokenizer.codebook.codes[tokens].flatten(1)
        told = tokenizer.critic(codes)
    assert told.shape == (5, 1)  # beside returns [5] it would broadcast to [5, 5]
    known = [0, 2, 4]
    by_hand = sum((float(told[i, 0]) - float(returns[i])) ** 2 for i in known) / 3
    assert float(parts["critic"]) == pytest.approx(by_hand, rel=1e-4)
    nothing = torch.full((5,), torch.nan)
    assert float(tokenizer.loss(observed, generator(), nothing)[1]["critic"]) == 0


def test_gradients_pass_codes_as_they_are() -> None:
    codebook = Codebook(
        4, 2, kind="straight_through", decay=0.9, revive_after=0, generator=generator()
    )
    latents = torch.randn(6, 2, generator=generator()).requires_grad_()
    weights = torch.randn(6, 2, generator=generator(1))
    (codebook(latents).codes * weights).sum().backward()
    torch.testing.assert_close(latents.grad, weights)


# the codebook ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["straight_through", "ema_cosine"])
def test_dead_codes_come_back_and_are_used(kind: Any) -> None:
    spread = torch.randn(64, 3, generator=generator(5)) + 4

    def used_after(revive_after: int) -> float:
        codebook = Codebook(
            32, 3, kind=kind, decay=0.9, revive_after=revive_after, generator=generator()
        )
        drawing, optimizer = generator(1), None
        if kind == "straight_through":
            optimizer = torch.optim.SGD(codebook.parameters(), lr=1.0)
        for _ in range(60):
            quantized = codebook(spread)
            if optimizer is not None:
                optimizer.zero_grad()
                quantized.codebook_loss.backward()
                optimizer.step()
            codebook.learn_from(quantized, drawing)
        return float(perplexity(torch.bincount(codebook.nearest(spread), minlength=32).float()))

    assert used_after(0) < 8
    assert used_after(3) > 16


def test_codes_that_follow_by_themselves_become_the_mean_of_their_latents() -> None:
    codebook = Codebook(2, 2, kind="ema_cosine", decay=0.5, revive_after=0, generator=generator())
    latents = torch.tensor([[3.0, 0.1], [5.0, -0.1], [-0.1, 2.0], [0.1, 9.0]])
    with torch.no_grad():
        codebook.codes.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        for _ in range(30):
            codebook.learn_from(codebook(latents), generator())
    torch.testing.assert_close(codebook.codes.norm(dim=1), torch.ones(2))
    assert codebook.nearest(latents).tolist() == [0, 0, 1, 1]
    assert not codebook.codes.requires_grad


def test_perplexity_counts_codes_in_use() -> None:
    assert float(perplexity(torch.tensor([1.0, 1.0, 0.0, 0.0]))) == pytest.approx(2)
    assert float(perplexity(torch.full((8,), 3.0))) == pytest.approx(8)


# LPIPS ----------------------------------------------------------------------------------------


def vgg_and_lpips() -> dict[str, Tensor]:
    weights, number, inputs = {}, 0, 3
    drawing = generator()
    for stage, widths in enumerate(STAGES):
        for width in widths:
            weight = torch.randn(width, inputs, 3, 3, generator=drawing)
            weights[f"features.{number}.weight"] = weight / (3 * inputs**0.5)
            weights[f"features.{number}.bias"] = torch.zeros(width)
            number, inputs = number + 2, width
        number += 1
        weights[f"lin{stage}.model.1.weight"] = torch.rand(1, inputs, 1, 1, generator=drawing)
    return weights


def test_a_perceptual_loss_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "lpips.pt"
    weights = vgg_and_lpips()
    torch.save(weights, file)
    perceptual = Perceptual(str(file))
    pictures = torch.rand(1, 3, 16, 16, generator=generator())
    assert float(perceptual(pictures, pictures)) == 0
    other = torch.rand(1, 3, 16, 16, generator=generator(1)).requires_grad_()
    distance = perceptual(other, pictures)
    distance.backward()
    assert float(distance.detach()) > 0 and other.grad is not None and other.grad.abs().max() > 0
    assert list(perceptual.parameters()) == []
    del weights["features.5.bias"]
    torch.save(weights, file)
    with pytest.raises(AgentRefused, match=r"features\.5\.bias is missing"):
        Perceptual(str(file))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(AgentRefused, match="there is no file nowhere"):
        small(tokenizer_lpips_weight=1.0, tokenizer_lpips_path="nowhere")


# files ----------------------------------------------------------------------------------------


def test_a_frozen_tokenizer_comes_from_a_file_or_a_run_and_stays_as_it_is(tmp_path: Path) -> None:
    trained = small()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1)
    save_tokenizer(trained, catch_settings(), tmp_path / FILE)
    for path in (tmp_path, tmp_path / FILE):
        loaded = small(tokenizer_path=str(path), tokenizer_should_train=False)
        for name, tensor in loaded.state_dict().items():
            torch.testing.assert_close(tensor, trained.state_dict()[name], rtol=0, atol=0)
        assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_a_tokenizer_of_other_sizes_is_refused(tmp_path: Path) -> None:
    save_tokenizer(small(), catch_settings(), tmp_path / FILE)
    with pytest.raises(AgentRefused, match="has tokenizer_channels 48, and the settings 32"):
        small(tokenizer_path=str(tmp_path), tokenizer_channels=32)
    with pytest.raises(AgentRefused, match="there is no file"):
        small(tokenizer_path=str(tmp_path / "elsewhere"))
    (tmp_path / "bad").write_text("no tensors")
    with pytest.raises(AgentRefused, match="is no tokenizer"):
        small(tokenizer_path=str(tmp_path / "bad"))


# vectors --------------------------------------------------------------------------------------


def vectors(low: Any, high: Any) -> Tokenizer:
    space = gymnasium.spaces.Box(np.float32(low), np.float32(high))
    return build_tokenizer(catch_settings(tokenizer_vocab_size=10), space, 3, generator())


def test_vectors_fall_into_bins_between_their_bounds() -> None:
    tokenizer = vectors([0, -1], [1, 1])
    assert (tokenizer.tokens_per_frame, tokenizer.vocabulary) == (2, 10)
    tokens = tokenizer.encode(torch.tensor([[0.0, -1.0], [0.55, 0.05], [1.0, 1.0], [7.0, -7.0]]))
    assert tokens.tolist() == [[0, 0], [5, 5], [9, 9], [9, 0]]
    torch.testing.assert_close(
        tokenizer.decode(torch.tensor([[5, 5]])), torch.tensor([[0.55, 0.1]])
    )


def test_dimensions_without_bounds_have_those_of_what_was_seen() -> None:
    tokenizer = vectors([-np.inf], [np.inf])
    assert tokenizer.encode(torch.tensor([[3.0]])).shape == (1, 1)  # before it saw anything
    loss, _ = tokenizer.loss(torch.tensor([[-4.5], [4.5]]), generator())
    assert not loss.requires_grad
    tokens = tokenizer.encode(torch.tensor([[-4.5], [0.4], [4.5]]))
    assert tokens.tolist() == [[0], [5], [9]]
    decoded = tokenizer.decode(tokens)
    torch.testing.assert_close(decoded, torch.tensor([[-4.5], [0.5], [4.5]]))
