"""Tokenizers by settings, and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import msgspec
import torch

from agents.base import AgentRefused
from agents.first_weights import drawn_from
from agents.iris.frames import frames_of
from agents.iris.tokenizer.delta import DeltaVQVAE
from agents.iris.tokenizer.discretising import Discretising
from agents.iris.tokenizer.interface import Tokenizer
from agents.iris.tokenizer.vqvae import VQVAE
from agents.iris.tokenizer_settings import TokenizerSettings

#: Name of a tokenizer's file in the folder of a run.
FILE = "tokenizer.pt"
#: Settings that say what a tokenizer is; the others are about its training.
ARCHITECTURE = (
    "tokenizer_vocab_size",
    "tokenizer_network",
    "tokenizer_channels",
    "tokenizer_downsamplings",
    "tokenizer_res_blocks",
    "tokenizer_attention",
    "tokenizer_z_channels",
    "tokenizer_embed_dim",
    "tokenizer_codebook",
    "tokenizer_patch",
    "tokenizer_delta",
    "tokenizer_frame_channels",
    "tokenizer_action_channels",
)


def build_tokenizer(
    settings: TokenizerSettings,
    space: gymnasium.Space[Any],
    actions: int,
    generator: torch.Generator,
) -> Tokenizer:
    """A new one, or the one of `tokenizer_path`; frozen and in evaluation mode where it is not to
    be trained.

    Args:
        actions: how many there are.

    Raises:
        AgentRefused: observations, or the file, do not suit the settings.
    """
    frames = frames_of(settings, space)
    kind = settings.tokenizer
    if kind == "auto":
        kind = "vqvae" if frames.is_picture else "discretising"
    if (kind == "vqvae") != frames.is_picture:
        raise AgentRefused(f'tokenizer "{kind}" cannot read observations {list(frames.shape)}')
    if settings.tokenizer_delta and kind != "vqvae":
        raise AgentRefused(f"tokenizer_delta needs pictures, not observations {list(frames.shape)}")
    tokenizer: Tokenizer
    if kind == "vqvae":
        with drawn_from(int(torch.randint(2**62, (), generator=generator))):
            if settings.tokenizer_delta:
                tokenizer = DeltaVQVAE(settings, frames, actions, generator)
            else:
                tokenizer = VQVAE(settings, frames, generator)
    else:
        tokenizer = Discretising(frames, settings.tokenizer_vocab_size)
    if settings.tokenizer_path is not None:
        load_tokenizer(tokenizer, settings, settings.tokenizer_path)
    if not settings.tokenizer_should_train:
        tokenizer.requires_grad_(False).eval()
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, settings: TokenizerSettings, path: Path) -> None:
    """Writes it to a file, the whole or nothing."""
    content = {"architecture": _architecture(settings), "weights": tokenizer.state_dict()}
    hidden = path.with_name(f".{path.name}.new")
    torch.save(content, hidden)
    hidden.replace(path)


def load_tokenizer(tokenizer: Tokenizer, settings: TokenizerSettings, path: str) -> None:
    """
    Raises:
        AgentRefused: there is none, or it is another one than the settings describe.
    """
    file = Path(path) / FILE if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise AgentRefused(f"tokenizer_path: there is no file {file}")
    try:
        content = torch.load(file, weights_only=True, map_location="cpu")
        theirs, weights = content["architecture"], content["weights"]
    except Exception as error:  # torch.load raises what it likes
        raise AgentRefused(f"tokenizer_path: {file} is no tokenizer ({error})") from None
    ours = _architecture(settings)
    defaults = _architecture(TokenizerSettings())  # of what a file is too old to have
    for name, value in ours.items():
        its = theirs.get(name, defaults[name])
        if its != value:
            raise AgentRefused(f"tokenizer_path: {file} has {name} {its}, and the settings {value}")
    own = tokenizer.state_dict()
    kept = {name: tensor for name, tensor in weights.items() if name in own}
    missing = sorted(own.keys() - kept.keys())
    if any(not name.startswith("critic.") for name in missing):
        raise AgentRefused(f"tokenizer_path: {file} lacks {missing[0]}")
    try:
        tokenizer.load_state_dict(kept, strict=False)
    except RuntimeError:
        raise AgentRefused(
            f"tokenizer_path: {file} is of frames of another shape, or other actions"
        ) from None


def _architecture(settings: TokenizerSettings) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins({n: getattr(settings, n) for n in ARCHITECTURE})
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
