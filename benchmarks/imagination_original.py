"""The published code of IRIS for `imagination.py`.

    imagination_original.py CLONE

It is no package: CLONE is its repository. What it imports for environments, windows and training
is not needed here, and stands empty where it is not installed.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import torch
from imagination_work import ACTIONS, BATCH, SIDE, STEPS, TOKENS, VOCABULARY
from serving import Work, serve


def begin(name: str, folder: Path) -> Work:
    """See `serve`."""
    del folder
    torch.manual_seed(0)
    tokenizer, model, actor_critic = networks()
    if name == "model":
        return modelling(tokenizer, model)
    return imagining(tokenizer, model, actor_critic)


def networks() -> tuple[Any, Any, Any]:
    """Of the published sizes, untrained."""
    codes, models = importlib.import_module("models.tokenizer"), importlib.import_module("models")
    shape = codes.EncoderDecoderConfig(
        resolution=SIDE,
        in_channels=3,
        z_channels=512,
        ch=64,
        ch_mult=[1] * 5,
        num_res_blocks=2,
        attn_resolutions=[8, 16],
        out_ch=3,
        dropout=0.0,
    )
    tokenizer = codes.Tokenizer(
        VOCABULARY, 512, codes.Encoder(shape), codes.Decoder(shape), with_lpips=False
    )
    sizes = models.TransformerConfig(
        tokens_per_block=TOKENS + 1,
        max_blocks=20,
        attention="causal",
        num_layers=10,
        num_heads=4,
        embed_dim=256,
        embed_pdrop=0.1,
        resid_pdrop=0.1,
        attn_pdrop=0.1,
    )
    model = importlib.import_module("models.world_model").WorldModel(VOCABULARY, ACTIONS, sizes)
    actor_critic = importlib.import_module("models.actor_critic").ActorCritic(ACTIONS)
    return tokenizer.eval(), model.eval(), actor_critic.eval()


def imagining(tokenizer: Any, model: Any, actor_critic: Any) -> Work:
    """Frames: drawn by the world model, decoded, and acted on."""
    seen = torch.rand(BATCH, 1, 3, SIDE, SIDE)
    batch = {"observations": seen, "mask_padding": torch.ones(BATCH, 1, dtype=torch.bool)}

    @torch.no_grad()
    def frames() -> float:
        actor_critic.imagine(batch, tokenizer, model, horizon=STEPS + 1)
        return BATCH * STEPS

    return frames


def modelling(tokenizer: Any, model: Any) -> Work:
    """Frames of tokens, rewards and ends."""
    world = importlib.import_module("envs.world_model_env").WorldModelEnv(tokenizer, model, "cpu")
    world.decode_obs_tokens = lambda: None
    seen, action = torch.rand(BATCH, 3, SIDE, SIDE), torch.zeros(BATCH, dtype=torch.int64)

    def frames() -> float:
        world.reset_from_initial_observations(seen)
        for _ in range(STEPS):
            world.step(action)
        return BATCH * STEPS

    return frames


def stand_in(name: str) -> None:
    """An empty module in place of one that is not installed."""
    if find_spec(name) is None:
        module: ModuleType = MagicMock(name=name)
        module.__spec__ = None
        sys.modules[name] = module


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.path.insert(0, str(Path(sys.argv[1]) / "src"))
    for missing in ("gym", "cv2", "psutil", "torchvision", "requests", "tqdm"):
        stand_in(missing)
    serve(begin, {"IRIS": "original", "torch": version("torch")})
