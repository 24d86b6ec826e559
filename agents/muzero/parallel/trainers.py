"""Several learners of one network, each in a process of its own with a share of every batch.

The run's own process is the first of them. It samples what all of them learn from, in one batch, as
it has the replay; it finds the values to regress towards; and it lays each one's share into memory
that the two of them share. Gradients are averaged by torch's DistributedDataParallel, so all take
the step of a batch as large as all shares together (but for batch normalisation: each normalises by
its own share, and the first one's running statistics count). They remain equal to the bit, so the
others have nothing that has to be saved, and when one of them ends all is left as it was before
that update.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from agents.base import Diverged
from agents.muzero.interfaces import Learnt
from agents.muzero.networks import Network
from agents.muzero.observations import Observations
from agents.muzero.parallel.devices import trainer_device
from agents.muzero.parallel.letters import Mailbox
from agents.muzero.replay import Batch
from agents.muzero.settings import MuZeroSettings
from agents.muzero.torch_building import build_torch_learner
from agents.muzero.torch_learner import TorchLearner
from agents.parallel.ranks import disband, join, look_for_the_lost, meeting_place
from agents.processes import Worker
from agents.search.sampling import Sampling

Floats = NDArray[np.float32]


class Share(NamedTuple):
    """What a trainer learns from; see `Learner.update`."""

    observations: NDArray[Any]
    batch: Batch
    values: Floats
    rate: float


class Trainers:
    """See `agents.muzero.interfaces.Learner`.

    Args:
        network: new, on the processor.
        device: "cpu" or "cuda".
        rng, sampling: as of `build_torch_learner`.
    """

    def __init__(
        self,
        settings: MuZeroSettings,
        network: Network,
        observations: Observations,
        device: str,
        rng: np.random.Generator,
        *,
        sampling: Sampling | None = None,
    ) -> None:
        self._settings, self._device = settings, device
        # before it gets a learner, which ties its parameters together
        self._replica = pickle.dumps((settings, network, observations, sampling))
        self._own = build_torch_learner(
            settings,
            network,
            observations,
            trainer_device(settings, device, 0),
            rng,
            sampling=sampling,
        )
        self.online, self.target = self._own.online, self._own.target
        self.reads_all, self.reads_stored = self._own.reads_all, self._own.reads_stored
        self.updates = self._own.updates
        self._workers: list[Worker] = []
        self._mailboxes: list[Mailbox] = []

    def update(
        self, observations: NDArray[Any], batch: Batch, values: Floats, rate: float
    ) -> Learnt:
        """
        Raises:
            Diverged: a gradient is not finite.
            WorkerLost: a trainer has ended; the network is as it was before or after the update.
        """
        size = self._settings.batch_size_per_worker
        shares = []
        for start in range(0, self._settings.batch_size, size):
            part = slice(start, start + size)
            shares.append(Share(observations[:, part], _rows(batch, part), values[part], rate))
        if not self._workers:
            self._start(shares[0])
        for worker, mailbox, share in zip(self._workers, self._mailboxes, shares[1:], strict=True):
            try:
                mailbox.send(worker.connection, share)
            except OSError:
                raise worker.lost() from None
        try:
            learnt = [self._own.update(*shares[0])]
        except RuntimeError:  # what torch says of connections that have ended
            self._look_for_the_lost(2.0)
            raise
        self.updates = self._own.updates
        learnt += [worker.receive() for worker in self._workers]
        losses = {
            name: float(np.mean([one.losses[name] for one in learnt])) for name in learnt[0].losses
        }
        return Learnt(np.concatenate([one.errors for one in learnt]), losses)

    def _look_for_the_lost(self, seconds: float) -> None:
        """
        Raises:
            WorkerLost: one that ends within so many seconds.
        """
        look_for_the_lost(self._workers, seconds)

    def _start(self, like: Share) -> None:
        count = self._settings.num_trainers
        store = meeting_place(0)
        state = pickle.dumps(self._own.state_dict())
        for rank in range(1, count):
            mailbox = Mailbox(like)
            arguments = (rank, self._device, store.port, self._replica, state, mailbox)
            name = f"trainer {rank + 1} of {count}"
            self._workers.append(Worker(name, train, *arguments))
            self._mailboxes.append(mailbox)
        for worker in self._workers:
            worker.receive()  # it is there: from now on it is heard of when it ends
        look = self._look_for_the_lost
        try:
            _join(self._own, self._settings, 0, self._device, store, look)
        except RuntimeError:
            look(2.0)
            raise

    def renew_target(self) -> None:
        self._own.renew_target()
        for worker in self._workers:
            worker.send((pickle.dumps(None), []))

    def state_dict(self) -> dict[str, Any]:
        return self._own.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Only before the first update."""
        assert not self._workers
        self._own.load_state_dict(state)
        self.updates = self._own.updates

    def learned_params(self) -> dict[str, np.ndarray]:
        return self._own.learned_params()

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Only before the first update."""
        assert not self._workers
        self._own.adopt(arrays)

    def close(self) -> None:
        """Ends the others."""
        disband(self._workers)
        self._workers = []


def train(
    pipe: Connection,
    rank: int,
    device: str,
    port: int,
    replica: bytes,
    state: bytes,
    mailbox: Mailbox,
) -> None:
    """What the process of a trainer does: updates on the shares that it is given."""
    settings, network, observations, sampling = pickle.loads(replica)
    own = trainer_device(settings, device, rank)
    # whatever is drawn is replaced by the state
    drawn = np.random.default_rng(0)
    learner = build_torch_learner(settings, network, observations, own, drawn, sampling=sampling)
    learner.load_state_dict(pickle.loads(state))
    pipe.send(None)
    store = meeting_place(port)
    _join(learner, settings, rank, device, store, None)
    while True:
        message = mailbox.open(pipe.recv())
        if message is None:
            learner.renew_target()
            continue
        try:
            pipe.send(learner.update(*message))
        except Diverged:
            return  # all of them see it
        except RuntimeError as error:
            sys.exit(f"trainer {rank + 1} of {settings.num_trainers}: {error}")


def _join(
    learner: TorchLearner,
    settings: MuZeroSettings,
    rank: int,
    device: str,
    store: Any,
    look_for_the_lost: Callable[[float], None] | None,
) -> None:
    """Makes a learner one of several."""
    ranks = range(settings.num_trainers)
    devices = [trainer_device(settings, device, one) for one in ranks]
    settled = join(store, devices, rank, look_for_the_lost)

    def averaged(loss: nn.Module) -> nn.Module:
        # one graph for good; whatever in the network it does not reach stays as it is
        return DistributedDataParallel(loss, static_graph=True)

    learner.distribute(averaged, settled)


def _rows(batch: Any, part: slice) -> Any:
    """Those rows of all arrays in a named tuple, and in those in it."""
    if isinstance(batch, tuple):
        return type(batch)(*(_rows(field, part) for field in batch))
    return batch[part]
