"""IRIS learns Catch in minutes of one core, and knows what it imagines."""

from __future__ import annotations

from typing import Any

import pytest
from catch_gates import figures
from small_iris import catch_trainer

KINDS: dict[str, dict[str, Any]] = {
    "transformer": {},
    "dummy": {"world_model": "dummy"},
    "delta": {
        "tokenizer_delta": True,
        "tokenizer_frame_channels": 32,
        "world_model_frame_channels": [16, 32],
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_catch_is_learned_in_imagination(kind: str, seed: int) -> None:
    trainer = catch_trainer(seed=seed, **KINDS[kind])
    trainer.run()
    found = figures(trainer)
    assert found["return per ball"] >= 0.7
    assert found["frames reconstructed"] >= 0.9
    assert found["perplexity"] >= 20
    if kind == "dummy":
        return
    agent: dict[str, Any] = found["agent"]
    assert agent["tokens"] >= 0.92 and agent["tokens"] >= agent["copied"] + 0.5
    assert agent["changed"] >= 0.9
    assert agent["frames"] >= 0.75
    assert agent["rewards"] >= 0.98
    chance: dict[str, Any] = found["chance"]
    assert min(chance["reward_recall"]) >= 0.9
    assert found["chance changed, shuffled actions"] <= chance["changed"] - 0.1
    assert found["chance changed, shifted actions"] <= chance["changed"] - 0.1
    assert found["imagined and real returns"] >= 0.75
    exact = found["open loop"]
    assert exact[0] >= 0.9 and exact[2] >= 0.75 and exact[4] >= 0.6
