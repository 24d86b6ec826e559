"""Experience and random numbers of each member."""

from __future__ import annotations

import pickle

import gymnasium
import numpy as np
import pytest
import torch

from agents.base import AgentRefused
from agents.neural.noise import Noise
from agents.neural.observations import Encoder
from agents.neural.replay import Replay


def generators(*seeds: int) -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in seeds]


def filled(steps: int, *, pixels: bool = False, seeds: tuple[int, ...] = (1, 2)) -> Replay:
    """Step t of member m: state t + 100 m, action -t, reward t, terminated when t is odd."""
    scale = 255 if pixels else None
    replay = Replay(10, 2, 1, 64, generators(*seeds), byte_scale=scale)
    M = len(seeds)
    kind = np.uint8 if pixels else np.float32
    for t in range(steps):
        state = np.array([[t + 100 * (seed - 1)] * 2 for seed in seeds], dtype=kind)
        replay.add(state, np.full((M, 1), -t), np.full(M, t), state + 1, np.full(M, t % 2 == 1))
    return replay


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize(("steps", "held"), [(4, range(4)), (27, range(17, 27))])
@pytest.mark.usefixtures("each_arithmetic")
def test_batches_hold_the_latest_transitions_whole(steps: int, held: range, pixels: bool) -> None:
    replay = filled(steps, pixels=pixels)
    seen = set()
    for _ in range(20):
        batch = replay.sample()
        t = batch.rewards
        scale = 255 if pixels else 1
        offset = torch.tensor([[0.0], [100.0]])
        for states, more in ((batch.states, 0), (batch.next_states, 1)):
            expected = (t + offset + more).unsqueeze(-1).expand(-1, -1, 2)
            torch.testing.assert_close(states * scale, expected)
        torch.testing.assert_close(batch.actions[..., 0], -t)
        torch.testing.assert_close(batch.continues, 1 - t % 2)
        seen |= {int(one) for one in t.flatten()}
    assert seen == set(held)


@pytest.mark.usefixtures("each_arithmetic")
def test_sampling_is_uniform_and_of_each_members_own_stream() -> None:
    replay, alone = filled(10), filled(10, seeds=(2,))
    counts = np.zeros(10)
    for _ in range(500):
        rewards = replay.sample().rewards
        torch.testing.assert_close(rewards[1], alone.sample().rewards[0])
        counts += np.bincount(rewards[0].numpy().astype(int), minlength=10)
    assert np.abs(counts / counts.sum() - 0.1).max() < 0.01


def test_noise_of_a_member_depends_on_no_other() -> None:
    together, alone = Noise(generators(5, 6, 7)), Noise(generators(6))
    for _ in range(600):  # beyond a block
        assert torch.equal(together.normal(4, 2)[1], alone.normal(4, 2)[0])
        assert torch.equal(together.uniform(3, 1)[1], alone.uniform(3, 1)[0])


def test_noise_has_the_law_it_names() -> None:
    noise = Noise(generators(0))
    normals = torch.stack([noise.normal(50, 2) for _ in range(1000)])
    uniforms = torch.stack([noise.uniform(50, 2) for _ in range(1000)])
    torch.testing.assert_close(normals.mean().item(), 0.0, atol=0.02, rtol=0)
    torch.testing.assert_close(normals.std().item(), 1.0, atol=0.02, rtol=0)
    assert uniforms.min() > 0 and uniforms.max() < 1
    torch.testing.assert_close(uniforms.mean().item(), 0.5, atol=0.01, rtol=0)


def test_noise_continues_where_it_was_saved() -> None:
    noise = Noise(generators(1, 2))
    for _ in range(300):
        noise.normal(4, 2)
    noise.uniform(1, 1)
    saved = pickle.loads(pickle.dumps(noise.state_dict(1)))
    expected = [noise.normal(4, 2)[1].clone() for _ in range(300)] + [noise.uniform(1, 1)[1]]
    other = Noise(generators(9))
    other.load_state_dict(0, saved)
    resumed = [other.normal(4, 2)[0].clone() for _ in range(300)] + [other.uniform(1, 1)[0]]
    assert all(torch.equal(one, two) for one, two in zip(expected, resumed, strict=True))


def test_observations_become_vectors() -> None:
    matrix = Encoder(gymnasium.spaces.Box(-1, 1, (2, 3), np.float32), agent="SAC")
    assert matrix.width == 6
    assert matrix.read(np.ones((1, 2, 3), dtype=np.float32)).tolist() == [[1.0] * 6]
    state = Encoder(gymnasium.spaces.Discrete(3, start=4), agent="SAC")
    assert state.read(np.array([4, 6])).tolist() == [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(AgentRefused, match="SAC needs"):
        Encoder(gymnasium.spaces.MultiBinary(3), agent="SAC")
