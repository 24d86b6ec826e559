"""simulusion's IRIS for `imagination.py`. Run by the Python of an environment that has it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import torch
from imagination_work import ACTIONS, BATCH, SIDE, STEPS, TOKENS, VOCABULARY
from serving import Work, serve
from simulusion.configs.iris_config import IRISConfig
from simulusion.models.iris_agent import IRISAgent


def begin(name: str, folder: Path) -> Work:
    """See `serve`."""
    del folder
    torch.manual_seed(0)
    config = IRISConfig(vocab_size=VOCABULARY, tokens_per_frame=TOKENS, perceptual_weight=0.0)
    agent = IRISAgent(config, ACTIONS, torch.device("cpu")).eval()
    return modelling(agent) if name == "model" else imagining(agent, narrow=name == "bfloat16")


def imagining(agent: IRISAgent, *, narrow: bool) -> Work:
    """Frames: drawn by the world model, decoded, and acted on.

    Args:
        narrow: in bfloat16.
    """
    first = torch.rand(BATCH, 3, SIDE, SIDE)

    def frames() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            agent.imagine_rollout(first, horizon=STEPS, stop_on_termination=False)
        return BATCH * STEPS

    return frames


@torch.inference_mode()
def modelling(agent: IRISAgent) -> Work:
    """Frames of tokens."""
    tokens, action = (
        torch.randint(VOCABULARY, (BATCH, TOKENS)),
        torch.zeros(BATCH, dtype=torch.int64),
    )
    model, places = agent.transformer, TOKENS + STEPS * (TOKENS + 1)

    def frames() -> float:
        cache = model.init_cache(BATCH, agent.device, max_len=places)
        at = model.prime_cache(tokens[:, None], None, cache, start_pos=0)
        for _ in range(STEPS):
            *_, at = model.generate_frame_cached(action, cache, start_pos=at)
        return BATCH * STEPS

    return frames


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(begin, {name: version(name) for name in ("simulusion", "torch")})
