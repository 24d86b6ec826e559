"""What a run leaves to be looked at: settings, networks, pictures and episodes.

    configuration.json       environment file and hyperparameters, defaults included
    networks.pt              tokenizer, world model, actor-critic
    tokenizer.pt             the tokenizer alone, for `tokenizer_path` of other runs
    dataset/NNNNNN.npz       the episodes that are learned from
    episodes/train/          the latest of them, and best.npz
    episodes/test/           of evaluations (`python -m agents.iris.eval`)
    episodes/imagination/    of the world model
    reconstructions/         epoch_NNNN.png: frames above, what the tokenizer makes of them below

Drawing for these takes random numbers of its own: a run that saves is the one that does not.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from PIL import Image

from agents.iris.episode_files import Album, EpisodeFiles, write_whole
from agents.iris.imagination import Starts, imagine
from agents.iris.networks import Networks, save_networks
from agents.iris.settings import IrisSettings
from agents.iris.tokenizer.interface import Before, Tokenizer

if TYPE_CHECKING:
    from agents.iris.training import Trainer
    from envs.settings import EnvironmentSettings

CONFIGURATION = "configuration.json"
#: Frames of a picture of reconstructions.
SHOWN = 8


class RunFolder:
    """
    Args:
        path: of the run's files; it is made with the first of them.
    """

    def __init__(self, path: Path, settings: IrisSettings) -> None:
        self.path, self._settings = path, settings
        count = settings.num_episodes_to_save
        self.keeper = EpisodeFiles(path / "dataset", Album(path / "episodes" / "train", count))
        self._imagined = Album(path / "episodes" / "imagination", count)

    def begin(self, environment: EnvironmentSettings) -> None:
        """Writes what the run is of."""
        content = {"environment": environment, "agent": self._settings}
        text = msgspec.json.format(msgspec.json.encode(content), indent=2)
        write_whole(self.path / CONFIGURATION, text)

    def end_epoch(self, trainer: Trainer, epoch: int) -> bool:
        """Saves networks, pictures and an imagined episode, if it is time to; returns whether it
        was."""
        settings = self._settings
        if (epoch + 1) % settings.save_every and not trainer.is_over:
            return False
        networks = Networks(trainer.tokenizer, trainer.world_model, trainer.actor_critic)
        save_networks(networks, settings, self.path)
        rng = np.random.default_rng(epoch)
        if settings.save_reconstructions and trainer.tokenizer.frames.is_picture:
            self._reconstruct(trainer, epoch, rng)
        if epoch >= settings.world_model_start_epoch and settings.num_episodes_to_save:
            self._imagined.add(epoch, imagined_episode(trainer, rng))
        return True

    def _reconstruct(self, trainer: Trainer, epoch: int, rng: np.random.Generator) -> None:
        episodes = trainer.episodes
        tokenizer, device = trainer.tokenizer, trainer.device
        rows = episodes.draw_frames(rng, SHOWN, followers=tokenizer.is_delta)
        before = episodes.before(rows, tokenizer, device)
        pictures = reconstructions(tokenizer, episodes.frames(rows), before, device)
        buffer = io.BytesIO()
        Image.fromarray(pictures).save(buffer, "PNG")
        write_whole(self.path / "reconstructions" / f"epoch_{epoch:04d}.png", buffer.getvalue())


@torch.no_grad()
def reconstructions(
    tokenizer: Tokenizer,
    observed: np.ndarray[Any, Any],
    before: Before | None,
    device: torch.device,
) -> np.ndarray[Any, Any]:
    """uint8 [2 H, B W, 3]: frames above, what became of them below."""
    batch = torch.as_tensor(observed, device=device)
    decoded = tokenizer.decode(tokenizer.encode(batch, before), before)
    rows = (tokenizer.frames.prepare(batch), decoded)
    return np.concatenate([np.concatenate([*as_pictures(row)], 1) for row in rows])


def as_pictures(frames: torch.Tensor) -> np.ndarray[Any, Any]:
    """uint8 [B, H, W, 3] of frames [B, C, H, W] within [0, 1]; of other than 3 channels each has
    its mean."""
    pixels = frames.detach().float().clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1)
    if pixels.shape[-1] != 3:
        pixels = pixels.float().mean(-1, keepdim=True).byte().expand(-1, -1, -1, 3)
    return pixels.cpu().numpy()


def imagined_episode(trainer: Trainer, rng: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """A trajectory of the training's kind, from a real frame to its horizon or its end."""
    settings, episodes, device = trainer.settings, trainer.episodes, trainer.device
    tokenizer = trainer.tokenizer
    span = episodes.draw_starts(rng, 1, settings.actor_critic_burn_in + 1)
    observed = torch.as_tensor(episodes.frames(span.rows[0]), device=device)
    with torch.no_grad():
        before = episodes.before(span.rows[0], tokenizer, device)
        tokens = tokenizer.encode(observed, before)[None]
        frames = episodes.seen(span.rows, tokenizer, device)
    snapshots = episodes.snapshots(span.rows[:, -1]) if episodes.keeps_snapshots else None
    imagined = imagine(
        trainer.actor_critic,
        trainer.world_model,
        tokenizer,
        Starts(tokens, torch.as_tensor(span.mask, device=device), snapshots, frames),
        settings.actor_critic_imagine_horizon,
        torch.Generator(device).manual_seed(int(rng.integers(2**62))),
        temperature=settings.imagination_temperature,
        precision=settings.imagination_precision,
    )
    with torch.no_grad():
        values = trainer.actor_critic.sequence(imagined.frames, imagined.state).values[0]
    ended = imagined.ends[0].nonzero().flatten().tolist()
    steps = ended[0] + 1 if ended else imagined.ends.shape[1]
    kept = imagined.frames[0, : steps + 1]
    shown = as_pictures(kept) if tokenizer.frames.is_picture else kept.cpu().numpy()
    return {
        "frames": shown,
        "actions": imagined.actions[0, :steps].cpu().numpy(),
        "rewards": imagined.rewards[0, :steps].cpu().numpy(),
        "ends": imagined.ends[0, :steps].cpu().numpy(),
        "values": values[: steps + 1].cpu().numpy(),
    }
