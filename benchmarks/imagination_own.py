"""This project for `imagination.py`."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from gymnasium.spaces import Box
from imagination_work import ACTIONS, BATCH, SIDE, STEPS, TOKENS, VOCABULARY
from serving import Work, serve

from agents.iris.actor_critic import ActorCritic
from agents.iris.imagination import Starts, imagine
from agents.iris.settings import IrisSettings
from agents.iris.tokenizer.building import build_tokenizer
from agents.iris.world_models.interface import Sizes
from agents.iris.world_models.transformer import Transformer


def begin(name: str, folder: Path) -> Work:
    """See `serve`."""
    del folder
    if name == "model":
        return modelling()
    if name == "light decoder":
        return imagining(1)
    return imagining(2, "bfloat16" if name == "bfloat16" else "float32")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def world_model(settings: IrisSettings) -> Transformer:
    model = Transformer(settings, Sizes(TOKENS, VOCABULARY, ACTIONS), generator())
    return model.eval()


def imagining(blocks: int, precision: Literal["float32", "bfloat16"] = "float32") -> Work:
    """Frames: drawn by the world model, decoded, and acted on.

    Args:
        blocks: residual ones of a level of the tokenizer; its decoder has one more.
    """
    settings = IrisSettings(tokenizer_res_blocks=blocks)
    space = Box(0, 255, (SIDE, SIDE, 3), np.uint8)
    tokenizer = build_tokenizer(settings, space, ACTIONS, generator()).eval()
    assert (tokenizer.vocabulary, tokenizer.tokens_per_frame) == (VOCABULARY, TOKENS)
    actor_critic = ActorCritic(settings, tokenizer.frames.shape, ACTIONS, generator()).eval()
    model, draws = world_model(settings), generator()
    tokens = torch.randint(VOCABULARY, (BATCH, 1, TOKENS), generator=draws)
    starts = Starts(tokens, torch.ones(BATCH, 1, dtype=torch.bool), None)

    def frames() -> float:
        imagine(actor_critic, model, tokenizer, starts, STEPS + 1, draws, precision=precision)
        return BATCH * STEPS

    return frames


@torch.inference_mode()
def modelling() -> Work:
    """Frames of tokens, rewards and ends."""
    model, draws = world_model(IrisSettings()), generator()
    tokens = torch.randint(VOCABULARY, (BATCH, TOKENS), generator=draws)
    actions = torch.zeros(BATCH, dtype=torch.int64)

    def frames() -> float:
        model.reset(tokens)
        for _ in range(STEPS):
            model.step(actions, draws)
        return BATCH * STEPS

    return frames


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(begin, {"torch": version("torch")})
