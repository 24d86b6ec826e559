"""What a run measured and what it was trained on, beside its curves."""

from __future__ import annotations

import msgspec

from plotting.data_file import Run, Series, decode


class Measured(msgspec.Struct, frozen=True):
    """The series of a run as its record has them."""

    train_episode_rewards: list[float]
    train_episode_steps: list[int]
    last_episode_unfinished: bool = False
    train_episode_ends: list[int] = []
    eval_episode_rewards: list[list[float]] = []
    timesteps_at_eval: list[int] = []
    metrics: dict[str, Series] = {}
    train_time: float = 0.0


class _TimeFields(msgspec.Struct):
    train_time: float = 0.0


class Machine(msgspec.Struct, frozen=True, order=True):
    """What a run was trained on, and with how many others in its process."""

    cpu: str = "an unknown processor"
    device: str = "cpu"
    batch_size: int = 1


class _MachineFields(msgspec.Struct):
    provenance: Machine = Machine()


def read_measured(run: Run) -> Measured:
    """All series of a run."""
    return decode(run.content, Measured, run.where)


def read_train_time(run: Run) -> float:
    """Seconds that training took, without evaluations."""
    return decode(run.content, _TimeFields, run.where).train_time


def read_machine(run: Run) -> Machine:
    """From the run's provenance."""
    return decode(run.content, _MachineFields, run.where).provenance
