"""Memories for acting, and dreams."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_sequence_models import KINDS, built

from agents.world_models.dream import Dream, DreamStep
from agents.world_models.dreaming import Luck
from agents.world_models.sequence.building import build_for
from agents.world_models.sequence.interface import Noise
from agents.world_models.sequence.settings import SequenceSettings

Floats = NDArray[np.float32]


def heard(steps: int, batch: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(steps)
    both = rng.standard_normal((2, steps, batch, 2), dtype=np.float32)
    return both[0], both[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_remembers_what_its_model_does(kind: str) -> None:
    model = built(kind)
    memory = pickle.loads(pickle.dumps(model.export()))
    latents, actions = heard(12, 3)
    memory.begin(3)
    state = model.initial_state(3)
    fresh = model.initial_state(3)
    assert not memory.features.any()
    for t in range(12):
        if t == 7:
            memory.restart(np.array([1]))
            assert not memory.features[1].any()
            state = tuple(
                torch.stack((old[0], new[1], old[2])) for old, new in zip(state, fresh, strict=True)
            )
        memory.step(latents[t], actions[t])
        with torch.no_grad():
            state, _ = model.step(state, torch.from_numpy(latents[t]), torch.from_numpy(actions[t]))
        assert memory.features.shape == (3, memory.feature_size)
        np.testing.assert_allclose(memory.features, model.features(state).numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "transformer", "lstm with retrieval"])
def test_what_is_remembered_of_a_member_does_not_depend_on_its_neighbours(kind: str) -> None:
    memory = built(kind).export()
    latents, actions = heard(9, 5)
    memory.begin(5)
    for t in range(9):
        memory.step(latents[t], actions[t])
    together = memory.features.copy()
    memory.begin(1)
    for t in range(9):
        memory.step(latents[t, 3:4], actions[t, 3:4])
    np.testing.assert_allclose(memory.features[0], together[3], atol=1e-5)


def test_the_null_memory_has_no_features() -> None:
    memory = build_for(SequenceSettings(sequence_model="null"), 2, 2, 0).export()
    memory.begin(4)
    memory.step(np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32))
    assert memory.features.shape == (4, memory.feature_size) == (4, 0)


def test_a_process_with_a_memory_needs_no_torch() -> None:
    program = (
        "import pickle, sys; m = pickle.load(sys.stdin.buffer); m.begin(2);"
        "import numpy; z = numpy.ones((2, 2), 'f4'); m.step(z, z); assert m.features.any();"
        "assert 'torch' not in sys.modules"
    )
    content = pickle.dumps(built("transformer with retrieval").export())
    subprocess.run([sys.executable, "-c", program], input=content, check=True)


# -- dreams


def dreamt(dream: Dream, seeds: NDArray[np.int64], steps: int) -> list[DreamStep]:
    latents, actions = heard(steps, 64)
    dream.reset(latents[0, seeds], seeds)
    return [dream.step(actions[t, seeds]) for t in range(steps)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_both_ways_to_dream_are_the_model_step_by_step(kind: str, temperature: float) -> None:
    model = built(kind)
    seeds = np.arange(6)
    luck = Luck(seeds, 2)
    latents, actions = heard(8, 64)
    for compiled in (False, True):
        dream = Dream(model, temperature=temperature, compiled=compiled)
        state, latent = model.initial_state(6), torch.from_numpy(latents[0, :6])
        over = torch.zeros(6, dtype=torch.bool)
        for t, said in enumerate(dreamt(dream, seeds, 8)):
            noise = Noise(*(x.clone() for x in luck.of(t)))
            with torch.no_grad():
                state, prediction = model.step(state, latent, torch.from_numpy(actions[t, :6]))
                sample = model.sample_with(prediction, temperature, noise)
            latent = torch.where(over.unsqueeze(1), latent, sample.latent)
            assert torch.allclose(said.latents, latent, atol=1e-4)
            assert torch.allclose(said.rewards, torch.where(over, 0.0, sample.reward), atol=1e-4)
            over = over | sample.end
            assert said.terminated.equal(over)


def test_members_are_the_same_in_any_batch_and_differ_from_each_other() -> None:
    dream = Dream(built("lstm"), ends="never")
    together = dreamt(dream, np.arange(40), 5)[-1].latents
    some = dreamt(dream, np.array([31, 2]), 5)[-1].latents
    assert torch.allclose(some, together[[31, 2]], atol=1e-5)
    assert len(set(together[:, 0].tolist())) == 40


def test_a_member_that_is_over_stands_still_and_earns_nothing() -> None:
    model = built("lstm")
    assert model.end_head is not None
    with torch.no_grad():
        model.end_head.bias.fill_(-0.5)
    dream = Dream(model, reward="survival", max_steps=12)
    said = dreamt(dream, np.arange(50), 12)
    ended = torch.stack([step.terminated for step in said]).int()
    assert 0 < int(ended[0].sum()) < 50
    assert (ended.diff(dim=0) >= 0).all()
    rewards = torch.stack([step.rewards for step in said])
    # 1 for each step up to and with the one that ends
    steps = 12 - ended.sum(0) + ended[-1]
    assert rewards.sum(0).equal(steps.float())
    first = ended[0].bool()
    assert said[-1].latents[first].equal(said[0].latents[first])
    assert said[-1].truncated.equal(~said[-1].terminated)
    assert not said[-2].truncated.any()


def test_ends_may_be_the_likely_ones_only_or_none() -> None:
    model = built("lstm")
    assert model.end_head is not None
    with torch.no_grad():
        model.end_head.weight.zero_()
        model.end_head.bias.fill_(-0.1)
    likely, never = Dream(model, ends="likely"), Dream(model, ends="never")
    assert not dreamt(likely, np.arange(20), 5)[-1].terminated.any()
    with torch.no_grad():
        model.end_head.bias.fill_(0.1)
    assert dreamt(Dream(model, ends="likely"), np.arange(20), 1)[-1].terminated.all()
    assert not dreamt(never, np.arange(20), 5)[-1].terminated.any()


def test_noise_is_uniform_and_normal_and_of_seed_and_step_alone() -> None:
    luck = Luck(np.arange(3000), 4)
    component, normal, end = (x.clone() for x in luck.of(3))
    for uniform in (component, end):
        assert float(uniform.min()) >= 0 and float(uniform.max()) < 1
        assert float(uniform.mean()) == pytest.approx(0.5, abs=0.02)
        assert float(uniform.std()) == pytest.approx(12**-0.5, abs=0.01)
    assert float(normal.mean()) == pytest.approx(0, abs=0.03)
    assert float(normal.std()) == pytest.approx(1, abs=0.02)
    assert float((normal.abs() > 1.96).float().mean()) == pytest.approx(0.05, abs=0.01)
    columns = torch.cat((component, normal, end.unsqueeze(1)), 1)
    off_diagonal = torch.corrcoef(columns.T) - torch.eye(9)
    assert float(off_diagonal.abs().max()) < 0.08
    again = Luck(np.array([17, 2999]), 4).of(3)
    assert again.normal.equal(normal[[17, 2999]])
    assert not torch.equal(luck.of(4).normal, normal)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 10_000))
def test_any_seed_and_step_give_finite_noise(seed: int, step: int) -> None:
    noise = Luck(np.array([seed]), 8).of(step)
    assert torch.isfinite(noise.normal).all()
    assert (noise.component < 1).all() and (noise.end < 1).all()


@pytest.mark.parametrize(
    ("settings", "options", "law"),
    [
        ({"sequence_model": "null"}, {}, "predicts nothing"),
        ({"sequence_reward": False}, {}, "no rewards"),
        ({"sequence_end": False}, {}, "no ends"),
        ({}, {"temperature": -1.0}, "at least 0"),
    ],
)
def test_a_dream_that_cannot_be_is_refused(
    settings: dict[str, Any], options: dict[str, Any], law: str
) -> None:
    model = build_for(SequenceSettings(sequence_hidden=4, **settings), 2, 2, 0)
    with pytest.raises(ValueError, match=law):
        Dream(model, **options)
