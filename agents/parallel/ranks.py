"""Processes that learn together, the run's own the first of them: how they meet, and how it is
noticed that one has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from agents.base import WorkerLost
from agents.processes import Worker

_HERE = "127.0.0.1"
#: For which one waits for the others.
_PATIENCE = timedelta(minutes=10)


def meeting_place(port: int) -> Any:
    """Where ranks find each other: at a port of this machine; 0: a new one, of rank 0."""
    tcp: Any = distributed.TCPStore  # type: ignore[attr-defined]
    return tcp(_HERE, port, is_master=port == 0, wait_for_workers=False)


def backend_of(devices: Sequence[str]) -> str:
    """NCCL where each rank has a GPU of its own, else gloo."""
    own_each = "cpu" not in devices and len(set(devices)) == len(devices)
    return "nccl" if own_each else "gloo"


def join(
    place: Any,
    devices: Sequence[str],
    rank: int,
    look_for_the_lost: Callable[[float], None] | None = None,
) -> Callable[[], None]:
    """Makes this process a rank.

    Args:
        devices: of all ranks.
        look_for_the_lost: raises `WorkerLost` when one ends within so many seconds; None: others
            look.

    Returns:
        What is to be called when gradients have been asked for; it returns when they are there.
    """
    backend = backend_of(devices)
    if devices[rank] != "cpu":
        torch.cuda.set_device(devices[rank])
    if backend == "nccl":
        # torch would end this process, too, when another one has ended
        os.environ["TORCH_NCCL_ASYNC_ERROR_HANDLING"] = "0"
    distributed.init_process_group(
        backend, store=place, rank=rank, world_size=len(devices), timeout=_PATIENCE
    )

    def settled() -> None:
        if look_for_the_lost is None or backend != "nccl":
            return
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        while not done.query():  # type: ignore[no-untyped-call]
            try:  # NCCL waits for ever for those who have ended
                look_for_the_lost(0.0)
            except WorkerLost:
                distributed.distributed_c10d._abort_process_group()
                raise
            time.sleep(1e-4)

    return settled


def look_for_the_lost(workers: Sequence[Worker], seconds: float) -> None:
    """
    Raises:
        WorkerLost: one that ends within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while all(worker.alive for worker in workers):
        if time.monotonic() >= deadline:
            return
        time.sleep(0.01)
    time.sleep(0.1 if seconds > 0 else 0)
    # the others end of this one's end
    raise min(
        (worker.lost() for worker in workers if not worker.alive),
        key=lambda lost: lost.exit_code,
    )


def disband(workers: Sequence[Worker]) -> None:
    """Ends the others, where there are any."""
    for worker in workers:
        worker.connection.close()
    for worker in workers:
        worker.close()
    if workers and distributed.is_initialized():
        distributed.destroy_process_group()
