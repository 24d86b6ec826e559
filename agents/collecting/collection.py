"""Collecting the rollouts that a folder lacks, in processes that may die.

A number is handed to one process, and counts as done once it is in a shard. A process that dies is
replaced, and what it had not kept is handed out again. Other programs may fill the same folder at
the same time: see `agents.collecting.claims`.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from collections.abc import Collection as Numbers
from typing import Protocol

from agents.base import AgentRefused, WorkerLost
from agents.collecting.claims import Claims
from agents.collecting.worker import SHARD_SECONDS, Done, Failed, Kept, Player, Work, work
from agents.processes import Worker, heard
from agents.rollouts.folder import SHARD_BYTES, RolloutFolder
from agents.rollouts.spec import FolderSpec

_LOOK_UP = 0.2
#: Seconds between two looks at rollouts that another program has in hand.
_WAIT = 2.0
#: A handful takes about as long.
_HANDFUL_SECONDS = 0.5
_LARGEST_HANDFUL = 256
#: So many processes in a row may die before one has kept anything or finished a rollout.
_FRUITLESS = 3
_LEAVING_SECONDS = 60.0


class Watcher(Protocol):
    """Who is told how far collecting is."""

    def show(self, rollouts: int, total: int, steps: int) -> None:
        """Rollouts and steps so far, of those that were to be collected here."""
        ...

    def say(self, text: str) -> None:
        """A line for people."""
        ...


class Collection:
    """What came of `collect`.

    Attributes:
        rollouts: collected by this call.
        steps: of these, and of those that were lost with their processes.
        seconds: that it took.
        complete: whether the folder has all that were asked for; else it was asked to stop.
        lost: processes that died.
    """

    def __init__(self) -> None:
        self.rollouts = self.steps = self.lost = 0
        self.seconds = 0.0
        self.complete = False


def collect(
    spec: FolderSpec,
    folder: RolloutFolder,
    *,
    workers: int = 1,
    numbers: Sequence[int] | None = None,
    progress: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
    shard_bytes: int = SHARD_BYTES,
    shard_seconds: float = SHARD_SECONDS,
) -> Collection:
    """Collects what is missing. It returns when all is there, also what others were at.

    Args:
        spec: of the folder.
        workers: processes; 0: this one.
        numbers: of the rollouts to see to; None: all of them.
        stop: whether to leave: shards are completed, rollouts in the middle given up.
        shard_bytes, shard_seconds: at which a shard is completed.

    Raises:
        AgentRefused, EnvironmentRefused: these rollouts cannot be collected here.
        OSError: they cannot be written.
        WorkerLost: one process after another died.
    """
    wanted = range(spec.rollouts) if numbers is None else numbers
    with contextlib.closing(_Foreman(folder, wanted, workers, progress, stop)) as foreman:
        started = time.monotonic()
        if workers:
            foreman.employ(workers, shard_bytes, shard_seconds)
        else:
            foreman.do_alone(shard_bytes, shard_seconds)
        foreman.result.seconds = time.monotonic() - started
        return foreman.result


class _Hand(Worker):
    """A process.

    Attributes:
        numbers: that it may still lose.
        unkept: how many of them it has collected.
        has_work, leaves: whether it plays, and whether it was told to leave.
        handful, given: numbers to hand out at once, and last time; `began`: when.
    """

    def __init__(
        self, name: str, folder: RolloutFolder, shard_bytes: int, shard_seconds: float
    ) -> None:
        super().__init__(name, work, folder.path, shard_bytes, shard_seconds)
        self.numbers: set[int] = set()
        self.has_work = self.leaves = False
        self.began = 0.0
        self.handful = 1
        self.given = self.unkept = 0


class _Foreman:
    def __init__(
        self,
        folder: RolloutFolder,
        wanted: Numbers[int],
        workers: int,
        progress: Watcher | None,
        stop: Callable[[], bool],
    ) -> None:
        self.folder, self.progress, self.stop = folder, progress, stop
        self.result = Collection()
        self._wanted = frozenset(wanted)
        self._claims = Claims(folder.path)
        self._in_hand: set[int] = set()
        self._queue: deque[int] = deque()  # of these, what nobody plays yet
        self._ahead = max(1, workers) * _LARGEST_HANDFUL
        self._hands: list[_Hand] = []
        self._fruitless = 0
        self._next_look = 0.0
        self._total = len(self._missing())
        self._show()

    def close(self) -> None:
        for hand in self._hands:
            hand.close()
        self._claims.close()

    # -- which rollouts

    def _missing(self) -> list[int]:
        return [number for number in self.folder.missing() if number in self._wanted]

    def _take(self) -> bool:
        """Claims more of what is missing; returns whether anything is missing that nobody here has
        in hand."""
        open_ones = [number for number in self._missing() if number not in self._in_hand]
        taken: list[int] = []
        for number in open_ones:
            if len(taken) >= self._ahead:
                break
            if self._claims.take(number):
                taken.append(number)
        if taken:
            # one that was kept by others between the two looks is not to be made again
            still = set(self.folder.missing())
            self._claims.release(number for number in taken if number not in still)
            taken = [number for number in taken if number in still]
            self._in_hand.update(taken)
            self._queue.extend(taken)
        return bool(open_ones)

    def _kept(self, numbers: Sequence[int]) -> None:
        self._claims.release(numbers)
        self._in_hand.difference_update(numbers)
        self._fruitless = 0

    def _done(self, done: Done) -> None:
        self.result.rollouts += done.rollouts
        self.result.steps += done.steps
        self._fruitless = 0 if done.rollouts else self._fruitless
        self._show()

    def _show(self) -> None:
        if self.progress is not None:
            self.progress.show(self.result.rollouts, self._total, self.result.steps)

    # -- without other processes

    def do_alone(self, shard_bytes: int, shard_seconds: float) -> None:
        """Plays here."""

        def hear(message: Done | Kept) -> None:
            if isinstance(message, Kept):
                self._kept(message.numbers)
            else:
                self._done(message)

        player = Player(self.folder.path, shard_bytes, shard_seconds, hear)
        with contextlib.closing(player):
            while not self.stop():
                left = bool(self._queue) or self._take()
                if self._queue:
                    if not player.play([self._queue.popleft()], self.stop):
                        return
                    continue
                player.complete()
                if not left and not self._missing():
                    self.result.complete = True
                    return
                time.sleep(_LOOK_UP)

    # -- with others

    def employ(self, workers: int, shard_bytes: int, shard_seconds: float) -> None:
        """Has `workers` processes play."""

        def hire(number: int) -> _Hand:
            return _Hand(f"worker {number}", self.folder, shard_bytes, shard_seconds)

        self._take()
        several = min(workers, len(self._queue)) if self._total else 0
        self._hands = [hire(number) for number in range(several)]
        leaving_by = float("inf")
        while self._hands:
            for hand in heard([*self._hands], _LOOK_UP):
                assert isinstance(hand, _Hand)
                try:
                    self._listen(hand)
                except WorkerLost as lost:
                    self._replace(hand, lost, hire)
            if time.monotonic() > leaving_by:
                break
            if self.stop():
                if leaving_by == float("inf"):
                    leaving_by = time.monotonic() + _LEAVING_SECONDS
                for hand in self._hands:
                    self._let_go(hand)
            else:
                self._hand_out()
        self.result.complete = not self._missing()
        if not (self.result.complete or self.stop()):
            # what others had in hand was lost, or nobody here was needed at first
            self._wait_for_others()
            if not self.stop():
                self.employ(workers, shard_bytes, shard_seconds)

    def _wait_for_others(self) -> None:
        if self._missing() and self.progress is not None:
            self.progress.say("waits for rollouts that another process has in hand")
        while not self.stop() and self._take() and not self._queue:
            time.sleep(_WAIT)

    def _hand_out(self) -> None:
        idle = [hand for hand in self._hands if not hand.has_work and not hand.leaves]
        if len(self._queue) < len(idle) and time.monotonic() >= self._next_look:
            self._take()
            self._next_look = time.monotonic() + _WAIT if not self._queue else 0.0
        for hand in idle:
            if not self._queue:
                self._let_go(hand)
                continue
            # the last ones are shared out
            fair = max(1, len(self._queue) // len(self._hands))
            numbers = [self._queue.popleft() for _ in range(min(hand.handful, fair))]
            hand.numbers.update(numbers)
            hand.has_work, hand.began, hand.given = True, time.monotonic(), len(numbers)
            with contextlib.suppress(WorkerLost):  # heard of soon
                hand.send(Work(numbers))

    def _let_go(self, hand: _Hand) -> None:
        if not hand.leaves:
            hand.leaves = True
            with contextlib.suppress(WorkerLost):
                hand.send(Work(()))

    def _listen(self, hand: _Hand) -> None:
        message = hand.receive()
        if isinstance(message, Failed):
            raise AgentRefused(message.message)
        if isinstance(message, Kept):
            hand.numbers.difference_update(message.numbers)
            hand.unkept -= len(message.numbers)
            self._kept(message.numbers)
            return
        assert isinstance(message, Done)
        hand.unkept += message.rollouts
        self._done(message)
        if message.asks:
            hand.has_work = False
            seconds = max(time.monotonic() - hand.began, 1e-3)
            suits = int(hand.given * _HANDFUL_SECONDS / seconds)
            hand.handful = min(max(1, suits), 2 * hand.handful, _LARGEST_HANDFUL)

    def _replace(self, hand: _Hand, lost: WorkerLost, hire: Callable[[int], _Hand]) -> None:
        """Puts another in the place of one that has ended."""
        place = self._hands.index(hand)
        hand.close()
        again = sorted(hand.numbers)
        if hand.leaves and not again and lost.exit_code == 0:
            del self._hands[place]
            return
        self.result.lost += 1
        self.result.rollouts -= hand.unkept
        self._fruitless += 1
        if self._fruitless > _FRUITLESS:
            raise lost
        self._queue.extendleft(reversed(again))
        if self.progress is not None:
            self.progress.say(f"{lost}; rollouts to collect again: {len(again)}")
        if self.stop():
            del self._hands[place]
        else:
            self._hands[place] = hire(int(hand.name.split()[-1]))
