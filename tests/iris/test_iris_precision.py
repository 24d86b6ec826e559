"""Updates in half precision: near those in single, and gone on from to the same bits."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_iris import catch_trainer
from torch import Tensor

from agents.iris.learning import Part
from agents.iris.training import Trainer

#: With losses that half precision would spoil.
SMALL: dict[str, Any] = {
    "tokenizer_ssim_weight": 0.1,
    "tokenizer_focal_frequency_weight": 0.1,
    "tokenizer_critic_loss_weight": 0.1,
    "tokenizer_vocab_size": 8,  # few enough that the same ones are nearest
    "tokenizer_batch_size": 16,
    "world_model_batch_size": 8,
    "world_model_dropout": 0.1,
    "actor_critic_batch_size": 8,
    "actor_critic_target_rate": 0.1,
    "collection_num_steps": 60,
    "tokenizer_steps": 1,
    "world_model_start_epoch": 0,
    "world_model_steps": 2,
    "actor_critic_start_epoch": 0,
    "actor_critic_steps": 2,
}
PARTS: tuple[Part, ...] = ("tokenizer", "world_model", "actor_critic")


def collected(precision: str, **changes: Any) -> Trainer:
    trainer = catch_trainer(steps=60, **SMALL | changes, training_precision=precision)
    while trainer.position.phase == "collect":
        trainer.unit()
    return trainer


def gradient(trainer: Trainer, part: Part) -> tuple[Tensor, dict[str, Tensor]]:
    """Of one batch, all of a part's parameters in a row, and the loss's parts."""
    draw: dict[Part, Callable[[], Any]] = {
        "tokenizer": trainer.observed,
        "world_model": trainer.drawn_segments,
        "actor_critic": trainer.starts,
    }
    loss = getattr(trainer.learner, f"{part}_loss")
    total, parts = loss(draw[part](), torch.Generator().manual_seed(3))
    assert total.dtype == torch.float32
    total.backward()
    found = [p.grad for p in trainer.modules()[part].parameters() if p.grad is not None]
    assert {one.dtype for one in found} == {torch.float32}
    return torch.cat([one.flatten() for one in found]), parts


@pytest.mark.parametrize("part", PARTS)
def test_gradients_in_half_precision_point_where_those_in_single_do(part: Part) -> None:
    single, half = (gradient(collected(name), part) for name in ("float32", "bfloat16"))
    assert torch.cosine_similarity(single[0], half[0], 0) > 0.99
    assert not torch.equal(single[0], half[0])
    for name, value in single[1].items():
        assert half[1][name].dtype == value.dtype
        torch.testing.assert_close(half[1][name], value, rtol=0.03, atol=0.01)


@pytest.mark.parametrize("kind", ["transformer", "ncp_single_step"])
def test_weights_and_optimizers_stay_in_single_precision(kind: str) -> None:
    if kind != "transformer":
        pytest.importorskip("ncps")
    changes = {} if kind == "transformer" else {"world_model_embed_dim": 4}
    trainer = collected("bfloat16", world_model=kind, **changes)
    trainer.run()
    for module in trainer.modules().values():
        assert {p.dtype for p in module.parameters()} == {torch.float32}
    for state in trainer.state_dict()["optimizers"].values():
        kept = [value for one in state["state"].values() for value in one.values()]
        assert {value.dtype for value in kept} == {torch.float32}


def test_trained_in_half_precision_it_goes_on_to_the_same_bits() -> None:
    whole = collected("bfloat16")
    saved = pickle.dumps(whole.state_dict())
    whole.run()
    again = collected("bfloat16")
    again.load_state_dict(pickle.loads(saved))
    again.run()
    final, its = whole.state_dict(), again.state_dict()
    for name, tensors in final["modules"].items():
        assert all(torch.equal(value, its["modules"][name][key]) for key, value in tensors.items())
    assert final["losses"] == its["losses"] and len(final["losses"]) > 10
