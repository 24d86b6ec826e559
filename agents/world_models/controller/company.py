"""Blocks of episodes played by several processes, or by the run's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

from agents.base import Diverged
from agents.processes import Worker, heard
from agents.world_models.controller.playing import Block, Cast, Played, Stage

#: Seconds after which a wait asks whether to go on.
_LOOK_UP = 0.1


class Company:
    """Plays blocks. Processes start with the first of them.

    Args:
        workers: processes; 0: this one plays.
    """

    def __init__(self, cast: Cast, workers: int) -> None:
        self._cast, self._count = cast, workers
        self._workers: list[Worker] = []
        self._stage: Stage | None = None

    def play(
        self, blocks: Sequence[Block], stop: Callable[[], bool]
    ) -> Iterator[tuple[int, list[Played]]]:
        """(position, episodes) of blocks as they are done, in any order; ends early, the others
        undone, when `stop` says so.

        Raises:
            Diverged: an action or a reward is not finite.
            WorkerLost: a process has ended.
        """
        if self._count == 0:
            yield from self._play_here(blocks, stop)
            return
        if not self._workers:
            width = self._cast.settings.controller_envs
            self._workers = [
                Worker(f"player {n + 1} of {self._count}", _work, self._cast, 1 + n * width)
                for n in range(self._count)
            ]
        waiting = iter(enumerate(blocks))
        busy: dict[Worker, int] = {}
        for worker, (position, block) in zip(self._workers, waiting, strict=False):
            worker.send((block,))
            busy[worker] = position
        while busy:
            for worker in heard(list(busy), _LOOK_UP):
                answer = worker.receive()
                position = busy.pop(worker)
                if isinstance(answer, str):
                    self.close()
                    raise Diverged(answer)
                following = next(waiting, None)
                if following is not None:
                    busy[worker], block = following
                    worker.send((block,))
                yield position, answer
            if busy and stop():
                # what they are at is of no more use to anybody
                self.close()
                return

    def _play_here(
        self, blocks: Sequence[Block], stop: Callable[[], bool]
    ) -> Iterator[tuple[int, list[Played]]]:
        if self._stage is None:
            self._stage = Stage(self._cast, 0)
        for position, block in enumerate(blocks):
            played = self._stage.play(block, stop)
            if played is None:
                return
            yield position, played

    def close(self) -> None:
        """Ends the processes, closes the environments."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.close()
        self._workers = []
        if self._stage is not None:
            self._stage.close()
            self._stage = None


def _work(pipe: Connection, cast: Cast, first: int) -> None:
    """What a process does: blocks, until nobody is there any more."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    import torch

    torch.set_num_threads(1)
    stage = Stage(cast, first)
    while True:
        (block,) = pipe.recv()
        answer: Any
        try:
            answer = stage.play(block, lambda: False)
        except Diverged as reason:
            answer = str(reason)
        pipe.send(answer)
