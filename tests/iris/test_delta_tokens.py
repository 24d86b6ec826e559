"""Tokens of what is new: what is seen of the frame before, and chains of imagined frames."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from small_iris import Environments, catch_settings, catch_trainer
from small_runs import short
from torch import Tensor

from agents.base import AgentRefused, Transition
from agents.iris.episodes import Episodes
from agents.iris.imagination import Starts, imagine
from agents.iris.tokenizer.building import FILE, build_tokenizer, save_tokenizer
from agents.iris.tokenizer.delta import DeltaVQVAE
from agents.iris.tokenizer.interface import Before
from agents.iris.training import Trainer
from agents.iris.world_models.interface import Sizes
from agents.iris.world_models.transformer import Transformer
from experiment.errors import ConfigError

PICTURES = gymnasium.spaces.Box(0, 255, (16, 16, 3), np.uint8)
SIZES = Sizes(tokens_per_frame=3, vocabulary=7, actions=2, frame=(3, 8, 8))
CPU = torch.device("cpu")
DELTA: dict[str, Any] = {"tokenizer_delta": True, "world_model_frame_channels": [4, 4]}
QUICK: dict[str, Any] = DELTA | {
    "collection_num_steps": 24,
    "tokenizer_steps": 2,
    "tokenizer_batch_size": 8,
    "world_model_start_epoch": 1,
    "world_model_steps": 2,
    "world_model_batch_size": 4,
    "actor_critic_start_epoch": 1,
    "actor_critic_steps": 2,
    "actor_critic_batch_size": 4,
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def observed(count: int, seed: int = 0) -> Tensor:
    return torch.randint(256, (count, 16, 16, 3), generator=generator(seed), dtype=torch.uint8)


def delta(**changes: Any) -> DeltaVQVAE:
    tokenizer = build_tokenizer(catch_settings(**DELTA | changes), PICTURES, 3, generator())
    assert isinstance(tokenizer, DeltaVQVAE)
    return tokenizer.eval()


def model(attention: str, length: int = 4) -> Transformer:
    settings = catch_settings(
        **DELTA,
        world_model_embed_dim=16,
        world_model_layers=2,
        world_model_heads=2,
        sequence_length=length,
        world_model_attention=attention,
    )
    made = Transformer(settings, SIZES, generator()).eval()
    with torch.no_grad():  # weights as small as those of GPT would hide differences
        for name, parameter in made.named_parameters():
            if parameter.dim() > 1 and "frame_embedding" not in name:
                parameter.mul_(20)
    return made


@torch.enable_grad()
def collected(**changes: Any) -> Trainer:
    """A trainer with some episodes, whose tokenizer has learned a little."""
    trainer = catch_trainer(steps=96, **QUICK | {"collection_num_steps": 96} | changes)
    while trainer.position.phase in ("collect", "tokenizer") and trainer.position.epoch == 0:
        trainer.unit()
    return trainer


# the tokenizer --------------------------------------------------------------------------------


@torch.no_grad()
def test_what_tokens_stand_for_depends_on_the_frame_before_and_the_action() -> None:
    tokenizer = delta()
    frames = tokenizer.frames.prepare(observed(2))
    actions = torch.zeros(2, dtype=torch.int64)
    tokens = torch.randint(128, (1, 4), generator=generator(1)).expand(2, 4)
    ours, other = tokenizer.decode(tokens, Before(frames, actions))
    assert not torch.allclose(ours, other)
    (same, _) = tokenizer.decode(tokens, Before(frames, actions))
    moved = tokenizer.decode(tokens, Before(frames, actions + 1))[0]
    assert torch.equal(ours, same) and not torch.allclose(ours, moved)


@torch.no_grad()
def test_what_is_encoded_depends_on_the_frame_before_and_the_action() -> None:
    tokenizer = delta()
    pictures = tokenizer.frames.prepare(observed(1)).expand(2, -1, -1, -1)
    before = tokenizer.frames.prepare(observed(2, 1))
    actions = torch.zeros(2, dtype=torch.int64)
    ours, other = tokenizer.latents(pictures, Before(before, actions)).view(2, -1)
    assert not torch.allclose(ours, other)
    moved = tokenizer.latents(pictures, Before(before, actions + 2)).view(2, -1)[0]
    assert not torch.allclose(ours, moved)


def test_all_of_its_networks_learn() -> None:
    tokenizer = delta()
    before = Before(tokenizer.frames.prepare(observed(4, 1)), torch.tensor([0, 1, 2, 0]))
    loss, parts = tokenizer.loss(observed(4), generator(), before=before)
    loss.backward()  # type: ignore[no-untyped-call]
    assert {"l1", "mse", "worst_pixel", "commitment", "perplexity"} <= parts.keys()
    for name, parameter in tokenizer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("network", ["plain", "residual"])
@torch.no_grad()
def test_a_token_may_stand_for_several_places(network: str) -> None:
    changes = {"tokenizer_downsamplings": 1, "tokenizer_patch": 4, "tokenizer_network": network}
    for kind in (True, False):
        settings = catch_settings(
            **changes, tokenizer_delta=kind, tokenizer_channels=32, tokenizer_res_blocks=1
        )
        tokenizer = build_tokenizer(settings, PICTURES, 3, generator())
        before = Before(tokenizer.frames.prepare(observed(2, 1)), torch.tensor([0, 1]))
        tokens = tokenizer.encode(observed(2), before)
        assert tokens.shape == (2, 4)
        assert tokenizer.decode(tokens, before).shape == (2, 3, 16, 16)


def test_places_that_do_not_divide_are_refused() -> None:
    with pytest.raises(AgentRefused, match="tokenizer_patch 3 does not divide the 2 x 2 places"):
        delta(tokenizer_patch=3)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_tokenizer(delta(), catch_settings(**DELTA), tmp_path / FILE)
    loaded = delta(tokenizer_path=str(tmp_path))
    for name, tensor in delta().state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    with pytest.raises(AgentRefused, match="has tokenizer_delta True, and the settings False"):
        delta(tokenizer_path=str(tmp_path), tokenizer_delta=False)


# episodes -------------------------------------------------------------------------------------


def frame(number: int) -> np.ndarray[Any, Any]:
    return np.full((16, 16, 3), number, np.uint8)


def interleaved(**more: Any) -> Episodes:
    """Two environments by turns, four episodes of 3 steps: frames 10 e + t, action t mod 3."""
    episodes = Episodes(**more)
    for pair in (0, 2):
        for slot in (0, 1):
            episodes.begin(slot, frame(10 * (pair + slot)))
        for step in range(3):
            for slot in (0, 1):
                after = frame(10 * (pair + slot) + step + 1)
                episodes.add(slot, Transition(None, step, 0.0, after, step == 2, False))
    return episodes


@pytest.mark.parametrize("capacity", [None, 6])
def test_the_frame_before_is_that_of_the_same_episode(capacity: int | None) -> None:
    episodes, tokenizer = interleaved(capacity=capacity), delta()
    for number in range(len(episodes)):
        rows = episodes.episode(number)
        before = episodes.before(rows, tokenizer, CPU)
        assert before is not None
        shown = (before.frames[:, 0, 0, 0] * 255).round().long().tolist()
        first = shown[0]
        assert first % 10 == 0
        assert shown == [first, first, first + 1, first + 2]  # the first counts as before itself
        assert before.actions.tolist() == [0, 0, 1, 2]


def test_followers_are_frames_that_came_of_others() -> None:
    episodes = interleaved()
    rows = episodes.draw_frames(np.random.default_rng(0), 100, followers=True)
    steps = set((episodes.frames(rows)[:, 0, 0, 0] % 10).tolist())
    assert steps == {1, 2, 3}


@torch.no_grad()
def test_tokens_that_are_kept_are_those_of_the_present_tokenizer() -> None:
    trainer = collected()
    episodes, tokenizer = trainer.episodes, trainer.tokenizer
    rows = episodes.episode(0)
    for version in (7, 8):
        kept = episodes.tokens(rows, tokenizer, version, CPU)
        before = episodes.before(rows, tokenizer, CPU)
        fresh = tokenizer.encode(torch.as_tensor(episodes.frames(rows)), before)
        assert torch.equal(kept, fresh)
        for parameter in tokenizer.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(version)))


# the world model ------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["causal", "block_causal"])
@pytest.mark.parametrize(("steps", "length"), [(1, 2), (3, 4), (9, 4), (7, 3)])
@torch.no_grad()
def test_cached_logits_equal_those_of_a_full_pass_across_flushes(
    steps: int, length: int, attention: str
) -> None:
    made, batch = model(attention, length), 2
    frames = torch.rand(batch, steps + 1, *SIZES.frame or (), generator=generator(1))
    actions = torch.randint(SIZES.actions, (batch, steps + 1), generator=generator(2))
    said: list[Tensor] = []
    hook = made.heads.token.register_forward_hook(lambda _m, _i, out: said.append(out))
    tokens = [torch.zeros(batch, 3, dtype=torch.int64)]
    made.reset(tokens[0])
    drawing = generator(3)
    for step in range(steps):
        imagined = made.step(actions[:, step], drawing, frames=frames[:, step])
        tokens.append(imagined.tokens)
    hook.remove()
    cached = torch.cat([part.view(batch, -1, SIZES.vocabulary) for part in said], 1)
    cached = cached.view(batch, steps, 3, SIZES.vocabulary)
    longest = length - (0 if made.at_once else 1)
    for begin in range(0, steps, longest):
        end = min(begin + longest, steps)
        # where tokens say each other, those of the last frame are part of what is seen
        window = slice(begin, end if made.at_once else end + 1)
        full = made.logits(
            torch.stack(tokens, 1)[:, window], actions[:, window], frames[:, window]
        ).frames[:, : end - begin]
        torch.testing.assert_close(cached[:, begin:end], full, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_frame_is_seen_by_what_follows_it_and_never_says_itself() -> None:
    made = model("causal")
    frames = torch.rand(1, 4, *SIZES.frame or (), generator=generator(1))
    tokens = torch.randint(SIZES.vocabulary, (1, 4, 3), generator=generator(4))
    actions = torch.zeros(1, 4, dtype=torch.int64)
    other = frames.clone()
    other[0, 2] = 1 - other[0, 2]
    before, after = (made.logits(tokens, actions, f) for f in (frames, other))
    torch.testing.assert_close(before.frames[:, :2], after.frames[:, :2])
    assert not torch.allclose(before.frames[:, 2], after.frames[:, 2])
    torch.testing.assert_close(before.rewards[:, :2], after.rewards[:, :2])
    assert not torch.allclose(before.rewards[:, 2], after.rewards[:, 2])


@pytest.mark.parametrize("attention", ["causal", "block_causal"])
@torch.no_grad()
def test_tokens_of_the_first_frame_are_not_heeded(attention: str) -> None:
    made = model(attention)
    frames = torch.rand(1, 3, *SIZES.frame or (), generator=generator(1))
    tokens = torch.randint(SIZES.vocabulary, (1, 3, 3), generator=generator(4))
    actions = torch.zeros(1, 3, dtype=torch.int64)
    other = tokens.clone()
    other[:, 0] = (other[:, 0] + 1) % SIZES.vocabulary
    before, after = (made.logits(t, actions, frames) for t in (tokens, other))
    for ours, theirs in zip(before, after, strict=True):
        torch.testing.assert_close(ours, theirs)


# imagination ----------------------------------------------------------------------------------


@torch.no_grad()
def test_what_is_imagined_is_decoded_frame_by_frame_from_a_real_one() -> None:
    trainer = collected()
    span = trainer.episodes.draw_starts(np.random.default_rng(0), 5, 5)
    frames = trainer.episodes.seen(span.rows, trainer.tokenizer, CPU)
    assert frames is not None
    tokens = trainer.episodes.tokens(span.rows, trainer.tokenizer, 99, CPU)
    starts = Starts(tokens, torch.as_tensor(span.mask), None, frames)
    imagined = imagine(
        trainer.actor_critic, trainer.world_model, trainer.tokenizer, starts, 6, generator()
    )
    shown = torch.as_tensor(trainer.episodes.frames(span.rows[:, -1]))
    frame = trainer.tokenizer.frames.prepare(shown)
    assert torch.equal(imagined.frames[:, 0], frame)
    for step in range(5):
        before = Before(frame, imagined.actions[:, step])
        frame = trainer.tokenizer.decode(imagined.tokens[:, step + 1], before)
        torch.testing.assert_close(imagined.frames[:, step + 1], frame)
    # the memory is of the real frames before
    state = trainer.actor_critic.burn_in(frames[:, :-1], starts.mask[:, :-1])
    assert torch.equal(imagined.state[0], state[0])


def test_half_precision_imagines_chains_too() -> None:
    trainer = catch_trainer(steps=48, **QUICK | {"imagination_precision": "bfloat16"})
    trainer.run()
    assert trainer.imagine(3).frames.dtype == torch.float32


@pytest.mark.parametrize(
    ("kind", "attention"), [("transformer", "causal"), ("gpt2", "block_causal")]
)
def test_saved_between_any_two_units_it_goes_on_to_the_same_bits(kind: str, attention: str) -> None:
    def new() -> Trainer:
        changes = QUICK | {"world_model": kind, "world_model_attention": attention}
        return catch_trainer(steps=48, **changes)

    def weights(trainer: Trainer) -> list[bytes]:
        modules = trainer.state_dict()["modules"]
        return [t.numpy().tobytes() for part in modules.values() for t in part.values()]

    whole, states = new(), []
    while not whole.is_over:
        states.append(pickle.dumps(whole.state_dict()))
        whole.unit()
    for saved in states[9 :: len(states) // 2]:
        again = new()
        again.load_state_dict(pickle.loads(saved))
        again.run()
        assert weights(again) == weights(whole)


# what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"world_model": "dummy"}, 'tokenizer_delta needs world_model "transformer" or "gpt2"'),
        ({"world_model": "ncp_single_step"}, "tokenizer_delta needs world_model"),
        ({"tokenizer": "discretising"}, 'tokenizer_delta needs tokenizer "vqvae"'),
        ({"world_model_frame_channels": []}, "world_model_frame_channels: one convolution"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    changes: dict[str, Any], sentence: str
) -> None:
    parameters = {name: [value] for name, value in (DELTA | changes).items()}
    with pytest.raises(ConfigError, match=sentence):
        short("transformer", parameters)


def test_vectors_are_refused() -> None:
    with pytest.raises(AgentRefused, match="tokenizer_delta needs pictures"):
        catch_trainer(makers=Environments("CartPole-v1"), tokenizer_delta=True)
