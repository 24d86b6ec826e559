"""The transformer: what it may see, how its cache imagines, and its size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_iris import catch_settings
from torch import Tensor

from agents.iris.settings import IrisSettings
from agents.iris.world_models.freezing import frozen_blocks
from agents.iris.world_models.interface import Segments, Sizes, targets
from agents.iris.world_models.transformer import Transformer

SIZES = Sizes(tokens_per_frame=3, vocabulary=7, actions=2)


def small(attention: str = "causal", length: int = 4, **more: Any) -> Transformer:
    changes: dict[str, Any] = {
        "world_model_embed_dim": 16,
        "world_model_layers": 2,
        "world_model_heads": 2,
        "sequence_length": length,
        "world_model_attention": attention,
        "world_model_dropout": 0.0,
    }
    generator = torch.Generator().manual_seed(0)
    model = Transformer(catch_settings(**changes | more), SIZES, generator).eval()
    with torch.no_grad():  # weights as small as those of GPT would hide differences
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(20)
    return model


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def imagined(model: Transformer, steps: int, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens [B, steps + 1, K], actions [B, steps], and logits [B, steps, K, V] drawn from."""
    first = torch.randint(SIZES.vocabulary, (batch, SIZES.tokens_per_frame), generator=generator(1))
    actions = torch.randint(SIZES.actions, (batch, steps), generator=generator(2))
    logits: list[Tensor] = []
    hook = model.heads.token.register_forward_hook(lambda _m, _i, out: logits.append(out))
    model.reset(first)
    frames, drawing = [first], generator(3)
    for step in range(steps):
        frames.append(model.step(actions[:, step], drawing).tokens)
    hook.remove()
    said = torch.cat([part.view(batch, -1, SIZES.vocabulary) for part in logits], 1)
    said = said.view(batch, steps, SIZES.tokens_per_frame, SIZES.vocabulary)
    return torch.stack(frames, 1), actions, said


def windows(model: Transformer, steps: int) -> list[range]:
    """Steps between two flushes of the memory."""
    longest = model.places // model.block - (0 if model.at_once else 1)
    return [range(at, min(at + longest, steps)) for at in range(0, steps, longest)]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(2, 5),
    st.integers(1, 3),
    st.sampled_from(["causal", "block_causal"]),
)
def test_cached_logits_equal_those_of_a_full_pass_across_flushes(
    steps: int, length: int, batch: int, attention: str
) -> None:
    model = small(attention, length)
    tokens, actions, said = imagined(model, steps, batch)
    for window in windows(model, steps):
        part = tokens[:, window.start : window.stop]
        with torch.no_grad():
            if model.at_once:
                full = model.logits(part, actions[:, window.start : window.stop]).frames
            else:
                # one more step: tokens after the first are said by their own frame
                part = tokens[:, window.start : window.stop + 1]
                dummies = torch.cat((actions[:, window.start : window.stop], actions[:, :1]), 1)
                full = model.logits(part, dummies).frames[:, :-1]
        torch.testing.assert_close(said[:, window.start : window.stop], full, rtol=1e-4, atol=1e-4)


def test_a_token_is_not_told_by_itself_or_by_what_comes_later() -> None:
    model = small()
    tokens = torch.randint(SIZES.vocabulary, (1, 4, 3), generator=generator(4))
    actions = torch.zeros(1, 4, dtype=torch.int64)
    before = model.logits(tokens, actions).frames
    changed = tokens.clone()
    changed[0, 2, 1] = (changed[0, 2, 1] + 1) % SIZES.vocabulary
    after = model.logits(changed, actions).frames
    # frames[:, 1] are of frame 2: its tokens 0 and 1 do not depend on its token 1, token 2 does
    torch.testing.assert_close(before[:, 0], after[:, 0])
    torch.testing.assert_close(before[:, 1, :2], after[:, 1, :2])
    assert not torch.allclose(before[:, 1, 2], after[:, 1, 2])
    assert not torch.allclose(before[:, 2], after[:, 2])


@pytest.mark.parametrize("attention", ["causal", "block_causal"])
def test_the_next_frame_depends_on_the_action_before_it(attention: str) -> None:
    model = small(attention)
    tokens = torch.randint(SIZES.vocabulary, (1, 4, 3), generator=generator(4))
    actions = torch.zeros(1, 4, dtype=torch.int64)
    other = actions.clone()
    other[0, 1] = 1
    before, after = model.logits(tokens, actions), model.logits(tokens, other)
    torch.testing.assert_close(before.frames[:, 0], after.frames[:, 0])
    assert not torch.allclose(before.frames[:, 1], after.frames[:, 1])
    assert not torch.allclose(before.rewards[:, 1], after.rewards[:, 1])
    torch.testing.assert_close(before.rewards[:, 0], after.rewards[:, 0])


def test_block_causal_attention_never_sees_the_frame_that_it_says() -> None:
    model = small("block_causal")
    tokens = torch.randint(SIZES.vocabulary, (1, 4, 3), generator=generator(4))
    changed = tokens.clone()
    changed[0, 2] = (changed[0, 2] + 1) % SIZES.vocabulary
    actions = torch.zeros(1, 4, dtype=torch.int64)
    before, after = (model.logits(t, actions).frames for t in (tokens, changed))
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2], after[:, 2])


def test_the_first_frame_padding_and_what_follows_an_end_are_no_targets() -> None:
    segments = Segments(
        tokens=torch.arange(12).view(1, 4, 3),
        actions=torch.zeros(1, 4, dtype=torch.int64),
        rewards=torch.tensor([[0.0, -3.0, 0.5, 9.0]]),
        ends=torch.tensor([[False, True, False, False]]),
        mask=torch.tensor([[True, True, True, False]]),
    )
    frames, rewards, ends = targets(segments)
    assert frames.tolist() == [[[3, 4, 5], [-100] * 3, [-100] * 3]]
    assert rewards.tolist() == [[1, 0, 2, -100]]
    assert ends.tolist() == [[0, 1, 0, -100]]


def test_a_loss_of_padding_alone_is_zero() -> None:
    model = small()
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    segments = Segments(
        torch.zeros(2, 4, 3, dtype=torch.int64),
        torch.zeros(2, 4, dtype=torch.int64),
        torch.zeros(2, 4),
        nothing,
        nothing,
    )
    assert float(model.loss(segments)[0].detach()) == 0


def test_it_has_as_many_parameters_as_published() -> None:
    model = Transformer(IrisSettings(), Sizes(16, 512, 4), generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == 8_447_493


def test_stepping_before_a_reset_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"reset\(\) comes before"):
        small().step(torch.zeros(1, dtype=torch.int64), generator())


@pytest.mark.parametrize(
    ("choice", "frozen"),
    [
        (False, set()),
        (True, {0, 1, 2, 3}),
        (0, {0, 1, 2, 3}),
        (1, {0, 1, 2}),  # not the same as True
        (4, set()),
        ((0, 2), {0, 2}),
        ((), set()),
    ],
)
def test_true_freezes_all_blocks_and_a_number_all_but_the_last(
    choice: Any, frozen: set[int]
) -> None:
    assert frozen_blocks(choice, 4) == frozen
