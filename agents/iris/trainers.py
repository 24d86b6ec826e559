"""Several learners of the same networks, each in a process of its own with a share of every batch.

The run's own process is the first of them. It plays, keeps the episodes, draws every batch and
sends each one its share. Gradients are averaged, and so all take the step of the whole batch: where
there is a division by a count it is that of all shares, and codebooks learn from the latents of
all. What is imagined, and what is dropped, each draws on its own. They remain equal to the bit, so
the others have nothing that has to be saved, and when one of them ends all is left as it was before
that update.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor

from agents.base import AgentRefused, Diverged
from agents.iris.learning import Batch, Learner, Part
from agents.iris.settings import IrisSettings
from agents.parallel.ranks import disband, join, look_for_the_lost, meeting_place
from agents.parallel.sharing import sharing
from agents.processes import Worker

if TYPE_CHECKING:
    from agents.base import EnvironmentMaker


class Needed(NamedTuple):
    """What another process makes a learner of; see `Learner`."""

    settings: IrisSettings
    observation_space: gymnasium.Space[Any]
    actions: int
    make_environment: EnvironmentMaker
    device: str


class Task(NamedTuple):
    """An update.

    Attributes:
        batches: shares of them, their tensors as arrays.
        seed: of what is random in it.
    """

    part: Part
    batches: list[Any]
    seed: int


class Trainers:
    """Updates of a learner that others share.

    Args:
        learner: of the run's own process.
    """

    def __init__(self, learner: Learner, needed: Needed) -> None:
        self._learner, self._needed = learner, needed
        self._count = needed.settings.num_trainers
        self._workers: list[Worker] = []
        self._busy = False
        self._settled: Callable[[], None]

    def update(
        self, part: Part, batches: Iterable[Batch], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """See `Learner.update`.

        Raises:
            Diverged: the gradient is not finite.
            WorkerLost: a trainer has ended; networks and optimizers are as they were before.
        """
        learner, count = self._learner, self._count
        whole = list(batches)
        seed = int(torch.randint(2**62, (), generator=generator, device=learner.device))
        shares = [[share_of(batch, rank, count) for batch in whole] for rank in range(count)]
        tasks = [Task(part, [packed(batch) for batch in rows], seed) for rows in shares[1:]]
        if not self._workers:
            self._start()
        for worker, task in zip(self._workers, tasks, strict=True):
            if self._busy:
                worker.receive()  # it is done with the task before
            worker.send(task)
        self._busy = True
        own = _generator(seed, part, 0, learner.device)
        before = {name: value.clone() for name, value in learner.tokenizer.state_dict().items()}
        try:
            with sharing(self._settled):
                return learner.update(part, shares[0], own)
        except Diverged:
            raise
        except RuntimeError:  # what torch says of connections that have ended
            learner.tokenizer.load_state_dict(before)  # its codebook has learned by itself
            look_for_the_lost(self._workers, 2.0)
            raise

    def _start(self) -> None:
        needed, learner = self._needed, self._learner
        place = meeting_place(0)
        state = pickle.dumps(learner.state_dict())
        for rank in range(1, self._count):
            name = f"trainer {rank + 1} of {self._count}"
            self._workers.append(Worker(name, train, rank, place.port, needed, state))
        for worker in self._workers:
            worker.receive()  # it is there: from now on it is heard of when it ends

        def look(seconds: float) -> None:
            look_for_the_lost(self._workers, seconds)

        try:
            self._settled = join(place, devices_of(needed.settings, needed.device), 0, look)
        except RuntimeError:
            look(2.0)
            raise

    def close(self) -> None:
        """Ends the others."""
        disband(self._workers)
        self._workers, self._busy = [], False


def train(pipe: Connection, rank: int, port: int, needed: Needed, state: bytes) -> None:
    """What the process of a trainer does: updates on the shares that it is given."""
    settings, space, actions, make_environment, device = needed
    devices = devices_of(settings, device)
    own = torch.device(devices[rank])
    # whatever is drawn is replaced by the state
    drawn = torch.Generator().manual_seed(0)
    learner = Learner(settings, space, actions, make_environment, drawn, own)
    learner.load_state_dict(pickle.loads(state))
    pipe.send(None)
    settled = join(meeting_place(port), devices, rank)
    while True:
        part, batches, seed = pipe.recv()
        whole = [unpacked(batch, own) for batch in batches]
        try:
            with sharing(settled):
                learner.update(part, whole, _generator(seed, part, rank, own))
        except Diverged:
            return  # all of them see it
        except RuntimeError as error:
            sys.exit(f"trainer {rank + 1} of {settings.num_trainers}: {error}")
        pipe.send(None)


def devices_of(settings: IrisSettings, device: str) -> list[str]:
    """Where each trainer computes: GPUs in turn.

    Raises:
        AgentRefused: a device that several cannot share.
    """
    ranks = range(settings.num_trainers)
    if len(ranks) == 1 or device == "cpu":
        return [device for _ in ranks]
    gpus = torch.cuda.device_count()
    if device != "cuda" or not gpus:
        raise AgentRefused(
            f"IRIS with num_trainers {len(ranks)} finds a GPU for each itself: --device cuda, or "
            f"cpu, not {device}, with {gpus} GPUs here"
        )
    return [f"cuda:{rank % gpus}" for rank in ranks]


def share_of(batch: Any, rank: int, ranks: int) -> Any:
    """The rows of all that is in a batch which a rank learns from."""
    if batch is None:
        return None
    if isinstance(batch, tuple):
        return type(batch)(*(share_of(field, rank, ranks) for field in batch))
    size = len(batch) // ranks
    return batch[rank * size : (rank + 1) * size]


def packed(batch: Any) -> Any:
    """With arrays in place of tensors."""
    if isinstance(batch, tuple):
        return type(batch)(*map(packed, batch))
    return batch.cpu().numpy() if isinstance(batch, Tensor) else batch


def unpacked(batch: Any, device: torch.device) -> Any:
    """With tensors in place of arrays."""
    if isinstance(batch, tuple):
        return type(batch)(*(unpacked(field, device) for field in batch))
    return torch.as_tensor(batch, device=device) if isinstance(batch, np.ndarray) else batch


def _generator(seed: int, part: Part, rank: int, device: torch.device) -> torch.Generator:
    """Codebooks draw the same everywhere; what is imagined or dropped is each rank's own."""
    if part != "tokenizer":
        (drawn,) = np.random.SeedSequence([seed, rank]).generate_state(1, np.uint64)
        seed = int(drawn) >> 1
    return torch.Generator(device).manual_seed(seed)
