"""Training sequence models."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from drifting import Plain, rollouts

from agents.base import Diverged
from agents.encoders.training import Kept, TrainingStopped
from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.rollouts.rollout import LatentRollout
from agents.rollouts.spec import FolderSpec
from agents.world_models.sequence.building import content_hash
from agents.world_models.sequence.settings import SequenceSettings
from agents.world_models.sequence.table import LatentTable
from agents.world_models.sequence.training import (
    TrainedSequence,
    train_on_tables,
    train_sequence_model,
)

SMALL: dict[str, Any] = {
    "sequence_hidden": 24,
    "sequence_updates": 12,
    "sequence_batch_size": 8,
    "sequence_length": 10,
    "sequence_evaluate_every": 5,
    "sequence_learning_rate": 5e-3,
}
TRANSFORMER: dict[str, Any] = {"sequence_model": "transformer", "sequence_layers": 1}
EXTRAS: dict[str, Any] = {
    **TRANSFORMER,
    "sequence_context": 6,
    "sequence_infilling_weight": 0.5,
    "sequence_gan_weight": 0.1,
    "sequence_retrieval": 2,
    "sequence_learning_rate_end": 0.1,
}


def trained(
    values: dict[str, Any],
    *,
    kept: Kept | None = None,
    stop_after: int | None = None,
    wrong_actions: bool = False,
) -> TrainedSequence:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return stop_after is not None and asked > stop_after

    training, held_out = rollouts(0, 40, 40, terminated=True), rollouts(1, 12, 40, terminated=True)
    if wrong_actions:
        rng = np.random.default_rng(5)
        training, held_out = (
            [r._replace(actions=rng.permutation(r.actions)) for r in some]
            for some in (training, held_out)
        )
    return train_on_tables(
        SequenceSettings(**(SMALL | values)),
        LatentTable(training, Plain(2)),
        LatentTable(held_out, Plain(2)),
        rng=np.random.default_rng(7),
        device="cpu",
        progress=lambda line: None,
        checkpoint=kept or Kept(),
        stop=stop,
    )


def through_a_file(state: dict[str, Any] | None) -> dict[str, Any]:
    """A saved state, written and read as files of checkpoints are."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


@pytest.mark.parametrize("kind", [{}, EXTRAS])
@pytest.mark.parametrize("stop_after", [0, 7])
def test_stopped_and_resumed_training_ends_with_the_same_bits(
    kind: dict[str, Any], stop_after: int
) -> None:
    whole = trained(kind)
    kept = Kept()
    with pytest.raises(TrainingStopped):
        trained(kind, kept=kept, stop_after=stop_after)
    resumed = trained(kind, kept=Kept(through_a_file(kept.state)))
    assert content_hash(resumed.model) == content_hash(whole.model)
    assert resumed.series == whole.series


def test_training_that_was_done_is_not_done_again() -> None:
    kept = Kept()
    whole = trained({}, kept=kept)
    again = trained({}, kept=kept, stop_after=0)
    assert content_hash(again.model) == content_hash(whole.model)
    assert again.metrics == whole.metrics
    assert again.frames_per_second == 0


def test_how_often_one_looks_changes_nothing() -> None:
    few = EXTRAS | {"sequence_updates": 5}
    often = trained(few | {"sequence_evaluate_every": 1})
    seldom = trained(few | {"sequence_evaluate_every": 100})
    weights = seldom.model.state_dict()
    assert all(value.equal(weights[name]) for name, value in often.model.state_dict().items())
    assert often.series["update"] == [*range(6)]
    assert seldom.series["update"] == [0, 5]


LONG: dict[str, Any] = {
    "sequence_updates": 150,
    "sequence_batch_size": 16,
    "sequence_evaluate_every": 200,
}


@pytest.mark.parametrize(
    "kind",
    [
        {},
        TRANSFORMER,
        {"sequence_output": "deterministic", "sequence_difference": True},
        {
            "sequence_output": "discrete",
            "sequence_bins": 16,
            "sequence_normalize": True,
            "sequence_updates": 400,
        },
    ],
    ids=["mdn-rnn", "transformer", "deterministic", "discrete"],
)
def test_known_dynamics_are_learned_and_wrong_actions_hurt(kind: dict[str, Any]) -> None:
    result = trained(LONG | kind)
    metrics = result.metrics
    assert result.warnings == []
    assert metrics["one_step_of_means"] < 0.15 * metrics["copy_last_of_means"]
    assert metrics["one_step"] < 0.2 * metrics["copy_last"]
    assert metrics["open_loop_1"] < 0.2 * metrics["held_1"]
    assert metrics["open_loop_4"] < 0.2 * metrics["held_4"]
    assert metrics["shuffled_hurts"] > 10 and metrics["shifted_hurts"] > 10
    assert metrics["open_loop_shuffled_4"] > 3 * metrics["open_loop_4"]
    assert metrics["open_loop_hurts"] > 5
    assert metrics["reward_error"] < 0.15
    untrained = result.series["one_step_of_means"][0]
    assert metrics["one_step_of_means"] < 0.2 * untrained


def test_actions_that_do_not_belong_to_their_observations_raise_the_alarm() -> None:
    result = trained(LONG, wrong_actions=True)
    assert any("Actions of other windows do no harm" in line for line in result.warnings)


def test_a_loss_that_stops_being_finite_is_named() -> None:
    with pytest.raises(Diverged, match="loss is nan"):
        trained({"sequence_learning_rate": 1e30, "sequence_clip": None})


# -- from a folder


def latents_of(path: Path, count: int) -> Rollouts:
    spec = FolderSpec(
        environment={"env_name": "drifting"},
        observation_space=gymnasium.spaces.Box(-9, 9, (2,), np.float32),
        action_space=gymnasium.spaces.Box(-1, 1, (2,), np.float32),
        policy={"name": "random"},
        rollouts=count,
        kind="latent",
    )
    folder = RolloutFolder.create(path, spec)
    encoded = rollouts(0, count, 20)
    folder.write_shard(
        range(count),
        [
            LatentRollout(r.means, r.log_variances, r.actions, r.rewards, False, True, 3)
            for r in encoded
        ],
    )
    return Rollouts(path)


def trained_on(latents: Rollouts, values: dict[str, Any]) -> TrainedSequence:
    return train_sequence_model(
        SequenceSettings(**(SMALL | values)),
        latents,
        rng=np.random.default_rng(7),
        device="cpu",
        progress=lambda line: None,
        checkpoint=Kept(),
        stop=lambda: False,
    )


def test_a_folder_of_latents_is_learned_from_and_some_of_it_held_out(tmp_path: Path) -> None:
    latents = latents_of(tmp_path / "latents", 10)
    one, other = (trained_on(latents, {"sequence_held_out": 0.2}) for _ in range(2))
    assert one.held_out
    assert one.model.action_size == 2
    assert content_hash(one.model) == content_hash(other.model)
    assert not trained_on(latents, {"sequence_held_out": 0.0}).held_out


def test_the_null_memory_needs_no_training(tmp_path: Path) -> None:
    result = trained_on(latents_of(tmp_path / "latents", 2), {"sequence_model": "null"})
    assert not result.model.predicts
    assert result.metrics == {}
