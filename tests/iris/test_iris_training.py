"""Training in tandem: its schedule, its episodes, and going on exactly."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from small_iris import Environments, catch_settings, catch_trainer

from agents.base import AgentRefused, Transition
from agents.iris.episodes import Episodes

QUICK: dict[str, Any] = {
    "collection_num_steps": 20,
    "tokenizer_start_epoch": 0,
    "tokenizer_steps": 2,
    "tokenizer_batch_size": 8,
    "world_model_start_epoch": 1,
    "world_model_steps": 2,
    "world_model_batch_size": 4,
    "actor_critic_start_epoch": 1,
    "actor_critic_steps": 2,
    "actor_critic_batch_size": 4,
    "actor_critic_target_rate": 0.1,
}


def bits(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: bits(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [bits(value) for value in state]
    if isinstance(state, torch.Tensor):
        return state.numpy().tobytes()
    return state.tobytes() if isinstance(state, np.ndarray) else state


# episodes -------------------------------------------------------------------------------------


def with_episodes(lengths: list[int], **more: Any) -> Episodes:
    """Frames count up from 100 times the episode's number."""
    episodes = Episodes(**more)
    for number, length in enumerate(lengths):
        episodes.begin(0, np.array([100.0 * number], np.float32))
        for step in range(length):
            after = np.array([100.0 * number + step + 1], np.float32)
            over = step == length - 1
            episodes.add(0, Transition(None, step, float(step), after, over, False))
    return episodes


def test_segments_are_of_one_episode_and_padded_on_the_right() -> None:
    episodes = with_episodes([3, 5, 2])
    rng = np.random.default_rng(0)
    span = episodes.draw_segments(rng, 200, 4)
    frames = episodes.frames(span.rows)[..., 0]
    actions = episodes.column("actions", span.rows)
    for row in range(200):
        count = int(span.mask[row].sum())
        assert count >= 1 and span.mask[row, :count].all()
        assert (np.diff(frames[row, :count]) == 1).all()
        assert (actions[row, :count] == frames[row, :count] % 100).all()
        # the frame after the last step is no step
        number, last = divmod(int(frames[row, count - 1]), 100)
        assert last < [3, 5, 2][number]


def test_starts_are_frames_that_were_acted_on_and_padded_on_the_left() -> None:
    episodes = with_episodes([3, 5])
    span = episodes.draw_starts(np.random.default_rng(0), 200, 3)
    frames = episodes.frames(span.rows)[..., 0]
    assert span.mask[:, -1].all()
    assert set(frames[:, -1].tolist()) == {0, 1, 2, 100, 101, 102, 103, 104}
    for row in range(200):
        count = min(int(frames[row, -1]) % 100 + 1, 3)
        assert span.mask[row].tolist() == [False] * (3 - count) + [True] * count


def test_the_oldest_episodes_go_when_there_are_too_many_steps() -> None:
    episodes = with_episodes([10] * 30, capacity=25)
    assert len(episodes) == 2 and episodes.steps == 20
    drawn = episodes.frames(episodes.draw_frames(np.random.default_rng(0), 100))
    assert drawn.min() == 2800 and drawn.max() == 2909


def test_later_parts_can_be_drawn_more_often() -> None:
    episodes = with_episodes([1] * 8, weights=(0.125, 0.125, 0.25, 0.5))
    drawn = episodes.frames(episodes.draw_frames(np.random.default_rng(0), 4000))[:, 0] // 200
    shares = np.bincount(drawn.astype(int), minlength=4) / 4000
    np.testing.assert_allclose(shares, [0.125, 0.125, 0.25, 0.5], atol=0.03)


def test_returns_are_unknown_near_the_end_of_an_episode_cut_off() -> None:
    episodes = with_episodes([3])
    episodes.begin(1, np.zeros(1, np.float32))
    for _ in range(4):
        episodes.add(1, Transition(None, 0, 1.0, np.zeros(1, np.float32), False, False))
    whole = episodes.returns(episodes.episode(0), 0.5, 2)
    cut = episodes.returns(episodes.episode(1), 0.5, 2)
    assert whole[:3].tolist() == [1.0, 2.0, 2.0] and np.isnan(whole[3])
    assert cut[:2].tolist() == [1.875, 1.75] and np.isnan(cut[2:]).all()


# training -------------------------------------------------------------------------------------


def test_each_part_learns_in_its_epochs_alone() -> None:
    trainer = catch_trainer(steps=60, **QUICK, tokenizer_stop_epoch=2)
    seen: list[tuple[int, str]] = []
    while not trainer.is_over:
        epoch, phase, _ = trainer.position
        seen.append((epoch, phase))
        trainer.unit()
    assert trainer.timestep == trainer.episodes.steps == 60
    updates = {key: seen.count(key) for key in seen if key[1] != "collect"}
    assert updates == {
        (0, "tokenizer"): 2,
        (1, "tokenizer"): 2,
        (1, "world_model"): 2,
        (1, "actor_critic"): 2,
        (2, "world_model"): 2,
        (2, "actor_critic"): 2,
    }


def test_more_epochs_than_timesteps_learn_on_without_collecting() -> None:
    trainer = catch_trainer(steps=20, **QUICK, epochs=3)
    trainer.run()
    assert trainer.timestep == 20 and trainer.position.epoch == 3


@pytest.mark.parametrize("kind", ["transformer", "dummy"])
def test_saved_between_any_two_units_it_goes_on_to_the_same_bits(kind: str) -> None:
    whole = catch_trainer(steps=40, world_model=kind, **QUICK)
    states = []
    while not whole.is_over:
        states.append(pickle.dumps(whole.state_dict()))
        whole.unit()
    final = bits(whole.state_dict())
    for saved in states[9 :: len(states) // 2]:
        again = catch_trainer(steps=40, world_model=kind, **QUICK)
        again.load_state_dict(pickle.loads(saved))
        again.run()
        assert bits(again.state_dict()) == final


def test_equal_seeds_train_to_equal_bits_and_others_do_not() -> None:
    states = []
    for seed in (0, 0, 1):
        trainer = catch_trainer(seed=seed, steps=40, **QUICK)
        trainer.run()
        states.append(bits(trainer.state_dict()["modules"]))
    assert states[0] == states[1] != states[2]


def test_where_collecting_was_interrupted_makes_no_difference() -> None:
    straight, halting = (catch_trainer(steps=40, **QUICK) for _ in range(2))
    straight.run()
    for border in range(1, 41):
        while halting.timestep < border:
            halting.unit(border)
    halting.run()
    assert bits(halting.state_dict()) == bits(straight.state_dict())


def test_learning_rates_are_three() -> None:
    trainer = catch_trainer(
        tokenizer_learning_rate=1e-3,
        world_model_learning_rate=2e-3,
        actor_critic_learning_rate=3e-3,
    )
    state = trainer.state_dict()["optimizers"]
    rates = {name: groups["param_groups"][0]["lr"] for name, groups in state.items()}
    assert rates == {"tokenizer": 1e-3, "world_model": 2e-3, "actor_critic": 3e-3}


def test_a_collapsed_codebook_raises_the_alarm() -> None:
    trainer = catch_trainer(steps=20, **QUICK | {"tokenizer_perplexity_alarm": 128.5})
    with pytest.warns(UserWarning, match=r"uses .* of 128 codes after epoch 0"):
        trainer.run()


def test_a_frozen_tokenizer_is_in_no_optimizer_and_stays(tmp_path: Any) -> None:
    from agents.iris.tokenizer.building import FILE, save_tokenizer

    save_tokenizer(catch_trainer().tokenizer, catch_settings(), tmp_path / FILE)
    trainer = catch_trainer(
        steps=40, **QUICK, tokenizer_path=str(tmp_path), tokenizer_should_train=False
    )
    before = bits(trainer.tokenizer.state_dict())
    trainer.run()
    assert bits(trainer.tokenizer.state_dict()) == before
    assert set(trainer.state_dict()["optimizers"]) == {"world_model", "actor_critic"}


def test_vectors_are_learned_from_too() -> None:
    makers = Environments("CartPole-v1")
    changes = QUICK | {"tokenizer_vocab_size": 16, "world_model_embed_dim": 16}
    trainer = catch_trainer(steps=40, makers=makers, **changes)
    trainer.run()
    assert trainer.imagine(3).frames.shape == (3, 10, 4)


def test_half_precision_imagines_in_it_and_learns_in_single() -> None:
    trainer = catch_trainer(steps=40, **QUICK | {"imagination_precision": "bfloat16"})
    trainer.run()
    trajectories = trainer.imagine(3)
    assert trajectories.frames.dtype == torch.float32
    model: Any = trainer.world_model
    assert model._cache.keys.dtype == torch.bfloat16
    assert {p.dtype for p in trainer.actor_critic.parameters()} == {torch.float32}


def test_continuous_actions_are_refused() -> None:
    makers = Environments("Pendulum-v1")
    with pytest.raises(AgentRefused, match="needs discrete actions"):
        catch_trainer(makers=makers)
