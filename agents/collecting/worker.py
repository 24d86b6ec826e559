"""What a process does that plays: rollouts, written as they come, until there is nothing to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

#: After how long a shard is completed although it is small: a kill loses what it holds so far.
SHARD_SECONDS = 240.0
#: A shard may be as long late, as it is looked at between two rollouts.
_FEW_STEPS = 1_000  # told at least so often


class Work(NamedTuple):
    """Numbers of rollouts to collect; none: complete the shard and leave."""

    numbers: Sequence[int]


class Done(NamedTuple):
    """Rollouts were collected, but may still be lost.

    Attributes:
        steps: of all of them.
        asks: whether there is nothing more to do.
    """

    rollouts: int
    steps: int
    asks: bool


class Kept(NamedTuple):
    """These rollouts are in a shard now."""

    numbers: Sequence[int]


class Failed(NamedTuple):
    """There will be no more rollouts, as nothing but the input is to blame."""

    message: str


class Player:
    """An environment, a policy, and the shard that rollouts are written to.

    Args:
        folder: of the rollouts; its description says what to play and how.
        shard_bytes: at which a shard is completed.

    Raises:
        AgentRefused, EnvironmentRefused: the folder describes what cannot be played here.
    """

    def __init__(
        self, folder: Path, shard_bytes: int, shard_seconds: float, tell: Callable[[Any], None]
    ) -> None:
        import msgspec

        import envs
        from agents.collecting.policies import make_policy
        from agents.rollouts.folder import FolderWriter, RolloutFolder
        from envs.settings import EnvironmentSettings

        opened = RolloutFolder(folder)
        self.spec = opened.spec
        settings = msgspec.convert(dict(self.spec.environment), EnvironmentSettings)
        self.environment = envs.make(settings)
        self.policy = make_policy(self.spec.policy, settings, self.environment)
        self._writer = FolderWriter(opened, shard_bytes)
        self._seconds, self._tell = shard_seconds, tell
        self._began = time.monotonic()

    def play(self, numbers: Sequence[int], stop: Callable[[], bool]) -> bool:
        """Collects rollouts; False: `stop` said so before the last one was over."""
        from agents.collecting.episodes import collect_rollout, streams_of

        rollouts = steps = 0
        attributes = {"policy": self.spec.policy["name"]}
        for number in numbers:
            seed, rng = streams_of(self.spec.seed, number)
            rollout = collect_rollout(
                self.environment,
                self.policy,
                seed,
                rng,
                self.spec.max_steps,
                attributes=attributes,
                stop=stop,
            )
            if rollout is None:
                return False
            if not self._writer.pending:
                self._began = time.monotonic()
            before = self._writer.pending
            if self._writer.add(number, rollout) is not None:
                self._tell(Kept((*before, number)))
            elif time.monotonic() - self._began > self._seconds:
                self.complete()
            rollouts, steps = rollouts + 1, steps + rollout.length
            if steps >= _FEW_STEPS and number != numbers[-1]:
                self._tell(Done(rollouts, steps, asks=False))
                rollouts = steps = 0
        self._tell(Done(rollouts, steps, asks=True))
        return True

    def complete(self) -> None:
        """Completes the shard that is being written."""
        pending = self._writer.pending
        if pending:
            self._writer.close()
            self._tell(Kept(pending))

    def close(self) -> None:
        """Completes the shard, and closes the environment."""
        try:
            self.complete()
        finally:
            self.environment.close()


def work(pipe: Connection, folder: Path, shard_bytes: int, shard_seconds: float) -> None:
    """The main function of a process."""
    import warnings

    from agents.base import AgentRefused
    from envs.errors import EnvironmentRefused

    # of Box2D and of pygame while they are imported, for nobody to read
    warnings.simplefilter("ignore", DeprecationWarning)
    try:
        player = Player(folder, shard_bytes, shard_seconds, pipe.send)
        try:
            while (numbers := pipe.recv().numbers) and player.play(numbers, pipe.poll):
                pass
        finally:
            player.close()
    except EnvironmentRefused as refused:
        pipe.send(Failed(f"{refused.field} {refused.problem}"))
    except (AgentRefused, OSError) as error:
        if isinstance(error, BrokenPipeError | ConnectionResetError):
            raise
        pipe.send(Failed(str(error)))
