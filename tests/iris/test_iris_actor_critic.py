"""The actor-critic, and what it learns from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_iris import catch_settings, catch_trainer
from torch import Tensor

from agents.iris.actor_critic import ActorCritic, actor_critic_loss
from agents.iris.imagination import Trajectories
from agents.iris.settings import IrisSettings
from agents.iris.training import Trainer


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(**changes: Any) -> ActorCritic:
    return ActorCritic(catch_settings(**changes), (3, 16, 16), 3, generator())


def collected(**changes: Any) -> Trainer:
    """A trainer with some episodes, that has learned nothing."""
    trainer = catch_trainer(steps=80, **{"collection_num_steps": 80} | changes)
    while trainer.position.phase == "collect":
        trainer.unit()
    return trainer


def imagined(ends: list[bool], **changes: Any) -> Trajectories:
    """One of 5 frames."""
    model = network()
    steps = len(ends)
    state = model.initial_state(1)
    whole = Trajectories(
        frames=torch.rand(1, steps + 1, 3, 16, 16, generator=generator(1)),
        tokens=torch.zeros(1, steps + 1, 4, dtype=torch.int64),
        actions=torch.randint(3, (1, steps), generator=generator(2)),
        rewards=torch.randn(1, steps, generator=generator(3)),
        ends=torch.tensor([ends]),
        mask=torch.ones(1, steps),
        state=state,
        target_state=state,
    )
    return whole._replace(**changes)


def test_it_has_as_many_parameters_as_published() -> None:
    model = ActorCritic(IrisSettings(), (3, 64, 64), 4, generator())
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_217_957


def test_vectors_are_seen_through_dense_layers() -> None:
    model = ActorCritic(catch_settings(actor_critic_hidden=[8]), (5,), 2, generator())
    seen = model.step(torch.zeros(3, 5), model.initial_state(3))
    assert seen.logits.shape == (3, 2) and seen.values.shape == (3,)


def test_frames_one_by_one_say_what_the_sequence_does() -> None:
    model = network()
    frames = torch.rand(2, 4, 3, 16, 16, generator=generator(1))
    whole = model.sequence(frames, model.initial_state(2))
    state = model.initial_state(2)
    for step in range(4):
        seen = model.step(frames[:, step], state)
        state = seen.state
        torch.testing.assert_close(seen.values, whole.values[:, step], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(seen.logits, whole.logits[:, step], rtol=1e-4, atol=1e-5)


def test_padding_before_an_episode_leaves_no_trace_in_the_memory() -> None:
    model = network()
    frames = torch.rand(1, 5, 3, 16, 16, generator=generator(1))
    mask = torch.tensor([[False, False, True, True, True]])
    padded = model.burn_in(frames, mask)
    alone = model.burn_in(frames[:, 2:], mask[:, 2:])
    for a, b in zip(padded, alone, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_loss_is_that_of_its_equation() -> None:
    model, settings = network(), catch_settings(actor_critic_lambda=1.0, actor_critic_gamma=0.5)
    what = imagined([False, False])
    loss, parts = actor_critic_loss(model, model, what, settings)
    seen = model.sequence(what.frames, what.state)
    values, rewards = seen.values[0].detach(), what.rewards[0]
    second = rewards[1] + 0.5 * values[2]
    returns = torch.stack((rewards[0] + 0.5 * second, second))
    logs = seen.logits.log_softmax(-1)[0, :2].detach()
    chosen = logs[torch.arange(2), what.actions[0]]
    policy = -(chosen * (returns - values[:2])).mean()
    value = (values[:2] - returns).square().mean()
    entropy = -(logs.exp() * logs).sum(-1).mean()
    torch.testing.assert_close(loss.detach(), policy + value - 0.01 * entropy)
    torch.testing.assert_close(parts["entropy"], entropy)


def test_steps_after_an_end_teach_nothing() -> None:
    model, settings = network(), catch_settings()
    mask = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    whole = imagined([False, True, False, True], mask=mask)
    rewards, actions = whole.rewards.clone(), whole.actions.clone()
    rewards[:, 2:] += 10
    actions[:, 2:] = (actions[:, 2:] + 1) % 3
    other = whole._replace(rewards=rewards, actions=actions)
    before, after = (actor_critic_loss(model, model, t, settings)[0] for t in (whole, other))
    torch.testing.assert_close(before, after)
    counted = other._replace(mask=torch.ones(1, 4))
    assert not torch.allclose(before, actor_critic_loss(model, model, counted, settings)[0])


@pytest.mark.parametrize("mask_ends", [True, False])
def test_imagination_masks_what_follows_an_end(mask_ends: bool) -> None:
    trainer = collected(actor_critic_mask_ends=mask_ends)
    with torch.no_grad():  # a model that thinks one step in two ends
        model: Any = trainer.world_model
        for parameter in model.heads.end[-1].parameters():
            parameter.zero_()
    trajectories = trainer.imagine(16)
    assert trajectories.ends.any()
    for ends, mask in zip(trajectories.ends, trajectories.mask, strict=True):
        where = ends.nonzero().flatten().tolist()
        counted = where[0] + 1 if where and mask_ends else len(mask)
        assert mask.tolist() == [1.0] * counted + [0.0] * (len(mask) - counted)


def gradients(module: torch.nn.Module) -> list[Tensor]:
    return [p.grad for p in module.parameters() if p.grad is not None]


def test_no_gradient_of_the_actor_critic_reaches_the_model_or_the_tokenizer() -> None:
    trainer = collected()
    loss, _ = actor_critic_loss(
        trainer.actor_critic, trainer.target, trainer.imagine(8), trainer.settings
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert gradients(trainer.actor_critic)
    assert gradients(trainer.world_model) == gradients(trainer.tokenizer) == []


def test_no_gradient_of_the_world_model_reaches_the_tokenizer() -> None:
    trainer = collected()
    loss, _ = trainer.learner.world_model_loss(trainer.drawn_segments(), torch.Generator())
    loss.backward()  # type: ignore[no-untyped-call]
    assert gradients(trainer.world_model)
    assert gradients(trainer.tokenizer) == []


def test_returns_bootstrap_from_the_slow_copy() -> None:
    settings = catch_settings(actor_critic_lambda=0.0)
    model, slow = network(), network()
    what = imagined([False, False])
    with torch.no_grad():
        slow.critic.bias.add_(100)
    own = actor_critic_loss(model, model, what, settings)[1]["return"]
    bootstrapped = actor_critic_loss(model, slow, what, settings)[1]["return"]
    torch.testing.assert_close(bootstrapped - own, torch.tensor(95.0))


def test_the_slow_copy_follows() -> None:
    trainer = collected(
        actor_critic_target_rate=0.25,
        actor_critic_start_epoch=0,
        actor_critic_steps=1,
        tokenizer_steps=0,
        world_model_steps=0,
    )
    before = trainer.target.critic.bias.detach().clone()
    trainer.unit()
    moved = trainer.actor_critic.critic.bias.detach() - before
    torch.testing.assert_close(trainer.target.critic.bias, before + 0.25 * moved)
    assert moved.abs().max() > 0
