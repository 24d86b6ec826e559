"""simulusion for `world_models.py`, as its World Models tasks use it.

Run by the Python of a virtual environment that has it.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from serving import Work, serve
from simulusion.configs.wm_config import WMControllerConfig, WMVAEConfig
from simulusion.data.folder import EpisodeFolder
from simulusion.models.mdrnn import MDRNN
from simulusion.training.task import TrainingTask
from simulusion.training.tasks.common import SequenceDataConfig, sequence_loaders
from simulusion.training.tasks.world_models import (
    ControllerTask,
    ControllerTaskConfig,
    VAETask,
    VAETaskConfig,
)
from simulusion.training.train_controller import make_controller_env
from simulusion.training.train_world_model import generate_rollouts
from simulusion.training.trainer import Trainer, TrainerConfig
from simulusion.vision.VAE.ConvVAE import ConvVAE
from simulusion.world_model.vae_mdrnn import MDRNNWorldModel
from world_models_work import (
    ACTIONS,
    BATCH,
    BATCHES,
    COLLECTED,
    DREAM_STEPS,
    DREAMT,
    ENVIRONMENT_STEPS,
    FEW,
    GENERATIONS,
    HIDDEN,
    LATENTS,
    MANY,
    MIXTURES,
    POPULATION,
    SIDE,
    STEPS,
    UPDATES,
)

CAR = "CarRacing-v3"


def begin(name: str, folder: Path) -> Work:
    """See `serve`."""
    torch.manual_seed(0)
    kind, _, which = name.partition(" ")
    if kind == "collect":
        return collecting
    if kind == "read":
        return reading(folder / f"npz-{MANY}")
    if kind == "random":
        return drawing(folder / f"npz-{which}")
    if kind == "encoder":
        return training(folder / f"npz-{FEW}", {"float32": "fp32", "bfloat16": "bf16"}[which])
    if kind == "imagine":
        return imagining(int(which))
    return evolving(which, folder)


def collecting() -> float:
    """Uniform actions; 64 x 64 pictures, as .npz."""
    with tempfile.TemporaryDirectory() as place:
        generate_rollouts(place, CAR, num_rollouts=COLLECTED, seq_len=STEPS, num_workers=1)
        files = list(Path(place).glob("*.npz"))
        return sum(len(np.load(file)["rewards"]) for file in files) / STEPS


def reading(place: Path) -> Work:
    """Gigabytes of pixels; zip's CRC-32 is checked."""
    episodes = EpisodeFolder(place)
    return lambda: sum(episode.frames.nbytes for episode in episodes) / 1e9


def data_of(place: Path) -> SequenceDataConfig:
    """Frames of a folder, in batches."""
    return SequenceDataConfig(path=str(place), batch_size=BATCH)


def drawing(place: Path) -> Work:
    """What its VAE task is fed with."""
    trainer = Trainer(TrainerConfig(device="cpu"))
    batches, _, _ = sequence_loaders(data_of(place), trainer, sequence_length=1, image_size=SIDE)
    return lambda: sum(len(next(batches)["frames"]) for _ in range(BATCHES))


def training(place: Path, precision: str) -> Work:
    """Updates of its VAE task, loading included."""
    task = VAETask(
        VAETaskConfig(
            model=WMVAEConfig(height=SIDE, width=SIDE, latent_size=LATENTS), data=data_of(place)
        )
    )
    set_up(task, precision)

    def updates() -> float:
        for _ in range(UPDATES):
            task.train_step()
        return UPDATES * BATCH

    return updates


def set_up(task: TrainingTask, precision: str = "fp32") -> None:
    """What `Trainer.fit` does before the first step."""
    trainer = Trainer(TrainerConfig(device="cpu", precision=precision, console=False))
    task.attach(trainer)
    task.setup(trainer)


def world_model() -> MDRNNWorldModel:
    """Untrained, of the published sizes; its episodes do not end."""
    mdrnn = MDRNN(LATENTS, ACTIONS, HIDDEN, MIXTURES)
    with torch.no_grad():
        mdrnn.gmm_linear.bias[-1] = -20.0
    return MDRNNWorldModel(ConvVAE(3, LATENTS), mdrnn)


def imagining(members: int) -> Work:
    """Frames of latents, rewards and ends."""
    model = world_model()
    frames = torch.randint(256, (members, 1, 3, SIDE, SIDE), dtype=torch.uint8)
    action = torch.zeros(members, ACTIONS)
    start = model.encode(frames)

    def steps() -> float:
        state = start
        for _ in range(DREAMT[members]):
            state = model.step(state, action).state
        return members * DREAMT[members]

    return steps


class Still:
    """In place of the environment whose first picture a dream begins with."""

    def __init__(self, place: Path) -> None:
        episode = EpisodeFolder(place)[0]
        self.picture = {"image": episode.frames[0].transpose(2, 0, 1).copy()}

    def reset(self) -> Any:
        """The same picture each time."""
        return self.picture


def evolving(where: str, folder: Path) -> Work:
    """Generations of its controller task."""
    dreams = where != "environment"
    config = WMControllerConfig(
        env_name=CAR,
        n_samples=1,
        pop_size=POPULATION,
        time_limit=DREAM_STEPS if dreams else ENVIRONMENT_STEPS,
    )
    task = ControllerTask(
        ControllerTaskConfig(model=config, mode="dream" if dreams else "env"),
        env_factory=lambda: (
            Still(folder / f"npz-{FEW}") if where == "dream" else make_controller_env(CAR)
        ),
        model=world_model(),
    )
    set_up(task)

    def generations() -> float:
        count = GENERATIONS if dreams else 1
        for _ in range(count):
            task.train_step()
        return count

    return generations


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(begin, {name: version(name) for name in ("simulusion", "torch", "gymnasium", "cma")})
