"""Which device computes what. Imports torch only where it is not the processor."""

from __future__ import annotations

from agents.base import AgentRefused
from agents.muzero.settings import MuZeroSettings


def chosen_device(settings: MuZeroSettings, device: str) -> str:
    """Where networks learn.

    Args:
        device: of the command line.

    Raises:
        AgentRefused: a device that is not there, or not to be shared like that.
    """
    if settings.cuda and device == "cpu":
        device = "cuda"
    if device == "cpu" and settings.no_gpu_0_train:
        raise AgentRefused("MuZero with no_gpu_0_train trains on GPUs: add --device cuda")
    if settings.actor_device == "cuda" or device != "cpu":
        gpus = _gpus()
        if gpus == 0:
            raise AgentRefused("MuZero cannot use cuda: torch finds no GPU")
        if settings.num_trainers > 1:
            check_trainers(settings, device, gpus)
    return device


def check_trainers(settings: MuZeroSettings, device: str, gpus: int) -> None:
    """
    Args:
        gpus: how many there are.

    Raises:
        AgentRefused: they cannot be shared among trainers like that.
    """
    if device not in ("cpu", "cuda"):
        raise AgentRefused(
            f"MuZero with num_trainers {settings.num_trainers} finds a GPU for each itself: "
            f"--device cuda, not {device}"
        )
    if settings.no_gpu_0_train and gpus < 2:
        raise AgentRefused("MuZero with no_gpu_0_train needs two GPUs or more, and there is one")


def trainer_device(settings: MuZeroSettings, device: str, rank: int) -> str:
    """Where a trainer of several computes."""
    if device == "cpu":
        return device
    return f"cuda:{trainer_gpu(rank, _gpus(), spare_first=settings.no_gpu_0_train)}"


def trainer_gpu(rank: int, gpus: int, *, spare_first: bool) -> int:
    """Its GPU, of those that trainers may have, in turn."""
    return 1 + rank % (gpus - 1) if spare_first else rank % gpus


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
