"""Sequence models: sizes, steps and passes over many steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from drifting import Plain, rollouts
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.world_models.sequence.building import (
    build_for,
    build_sequence_model,
    content_hash,
    load_sequence_model,
    save_sequence_model,
)
from agents.world_models.sequence.model import LearnedModel
from agents.world_models.sequence.settings import SequenceSettings
from agents.world_models.sequence.table import LatentTable

KINDS: dict[str, dict[str, Any]] = {
    "lstm": {"sequence_hidden": 12},
    "lstm, cell seen": {"sequence_hidden": 12, "sequence_features": "hidden_and_cell"},
    "deterministic": {"sequence_hidden": 12, "sequence_output": "deterministic"},
    "discrete changes": {
        "sequence_hidden": 12,
        "sequence_output": "discrete",
        "sequence_bins": 5,
        "sequence_difference": True,
    },
    "changes in units of the data": {
        "sequence_hidden": 12,
        "sequence_difference": True,
        "sequence_normalize": True,
    },
    "transformer": {
        "sequence_model": "transformer",
        "sequence_hidden": 16,
        "sequence_layers": 2,
        "sequence_context": 5,
    },
    "transformer of one step": {
        "sequence_model": "transformer",
        "sequence_hidden": 16,
        "sequence_context": 1,
        "sequence_normalize": True,
    },
    "transformer that infills": {
        "sequence_model": "transformer",
        "sequence_hidden": 16,
        "sequence_layers": 2,
        "sequence_context": 4,
        "sequence_infilling_weight": 1.0,
    },
    "lstm with retrieval": {
        "sequence_hidden": 12,
        "sequence_retrieval": 3,
        "sequence_retrieval_window": 3,
        "sequence_retrieval_size": 64,
        "sequence_normalize": True,
    },
    "transformer with retrieval": {
        "sequence_model": "transformer",
        "sequence_hidden": 16,
        "sequence_context": 3,
        "sequence_retrieval": 2,
        "sequence_retrieval_window": 1,
    },
}


def built(kind: str) -> LearnedModel:
    """A model of two latents and two actions with weights that are far from 0."""
    model = build_for(SequenceSettings(**KINDS[kind]), 2, 2, 3)
    assert isinstance(model, LearnedModel)
    model.prepare(LatentTable(rollouts(0, 4, 30), Plain(2)), np.random.default_rng(0))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model


def heard(batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(length)
    both = torch.randn((2, batch, length, 2), generator=generator)
    return both[0], both[1]


def test_the_papers_car_racing_model_has_422_368_parameters() -> None:
    """Counted as the paper's LSTM, which has one bias."""
    paper = SequenceSettings(sequence_reward=False, sequence_end=False)
    model = build_for(paper, 32, 3, 0)
    assert isinstance(model, LearnedModel)
    assert model.parameter_count() == 422_368


def test_the_papers_doom_model_has_1_678_785_parameters() -> None:
    """Its input is [z; a; whether an episode has just begun], its output also the end."""
    paper = SequenceSettings(sequence_hidden=512, sequence_reward=False, sequence_end=True)
    model = build_for(paper, 64, 2, 0)
    assert isinstance(model, LearnedModel)
    assert model.parameter_count() == 1_678_785


@pytest.mark.parametrize("kind", KINDS)
@given(length=st.integers(1, 14))
@settings(max_examples=8)
def test_steps_say_what_one_pass_over_all_of_them_says(kind: str, length: int) -> None:
    model = built(kind)
    latents, actions = heard(3, length)
    with torch.no_grad():
        whole = model.unroll(latents, actions)
        state = model.initial_state(3)
        for t in range(length):
            state, said = model.step(state, latents[:, t], actions[:, t])
            assert said.reward is not None and said.end is not None
            assert whole.reward is not None and whole.end is not None
            assert torch.allclose(said.latent, whole.latent[:, t], atol=1e-5)
            assert torch.allclose(said.base, whole.base[:, t], atol=1e-5)
            assert torch.allclose(said.reward, whole.reward[:, t], atol=1e-5)
            assert torch.allclose(said.end, whole.end[:, t], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_comes_later_changes_what_was_said(kind: str) -> None:
    model = built(kind)
    latents, actions = heard(2, 9)
    changed_latents, changed_actions = latents.clone(), actions.clone()
    changed_latents[:, 6:] += 3
    changed_actions[:, 6:] -= 3
    with torch.no_grad():
        said = model.unroll(latents, actions).latent
        other = model.unroll(changed_latents, changed_actions).latent
    assert torch.allclose(said[:, :6], other[:, :6], atol=1e-6)
    assert not torch.allclose(said[:, 6:], other[:, 6:], atol=1e-2)


def test_a_full_window_drops_its_oldest_step() -> None:
    """With one layer and a context of 5, step 5 on cannot know of step 0."""
    facts = KINDS["transformer"] | {"sequence_layers": 1}
    model = build_for(SequenceSettings(**facts), 2, 2, 3)
    latents, actions = heard(1, 8)
    changed = latents.clone()
    changed[:, 0] += 3
    with torch.no_grad():
        said, other = model.unroll(latents, actions), model.unroll(changed, actions)
    differs = (said.latent - other.latent).abs().amax((0, 2, 3)) > 1e-5
    assert differs.tolist() == [True] * 5 + [False] * 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_controller_sees_nothing_in_the_initial_state_and_something_after(kind: str) -> None:
    model = built(kind)
    state = model.initial_state(2)
    assert model.features(state).shape == (2, model.feature_size)
    assert not model.features(state).any()
    state, _ = model.step(state, *(x[:, 0] for x in heard(2, 1)))
    assert model.features(state).any()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_state_are_the_state_of_these_rows(kind: str) -> None:
    model = built(kind)
    latents, actions = heard(3, 4)
    with torch.no_grad():
        state = model.initial_state(3)
        for t in range(3):
            state, _ = model.step(state, latents[:, t], actions[:, t])
        rows = tuple(part[[2, 0]] for part in state)
        _, said = model.step(state, latents[:, 3], actions[:, 3])
        _, picked = model.step(rows, latents[[2, 0], 3], actions[[2, 0], 3])
    assert torch.allclose(picked.latent, said.latent[[2, 0]], atol=1e-5)


def test_the_same_seed_is_the_same_model_and_leaves_torchs_generator_alone() -> None:
    space = gymnasium.spaces.Discrete(3)
    before = torch.random.get_rng_state()
    models = [build_sequence_model(SequenceSettings(), 4, space, seed) for seed in (1, 1, 2)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert models[0].action_size == 3
    hashes = [content_hash(model) for model in models]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_is_the_same_model(kind: str, tmp_path: Path) -> None:
    model = built(kind)
    save_sequence_model(tmp_path / "model.pt", model)
    loaded = load_sequence_model(tmp_path / "model.pt")
    assert content_hash(loaded) == content_hash(model)
    latents, actions = heard(2, 3)
    assert loaded.unroll(latents, actions).latent.equal(model.unroll(latents, actions).latent)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_a_damaged_file_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save_sequence_model(path, built("lstm"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_sequence_model(path)


def test_the_null_memory_shows_nothing_and_predicts_nothing() -> None:
    model = build_for(SequenceSettings(sequence_model="null"), 4, 2, 0)
    assert not model.predicts
    assert model.features(model.initial_state(5)).shape == (5, 0)
    with pytest.raises(ValueError, match="predicts nothing"):
        model.step(model.initial_state(5), torch.zeros(5, 4), torch.zeros(5, 2))
