"""The logs of a group of runs under way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from experiment.errors import ConfigError
from experiment.writers.measured import Measured
from experiment.writers.writer import FOLDER, LoggedRun, Writer

if TYPE_CHECKING:
    from experiment.course import Course
    from experiment.folder import ResultFolder, Run

#: Between two looks at what was measured.
SECONDS = 2.0


class Logs:
    """Writers of every run of a group, by `names`; none costs nothing.

    Attributes:
        due: when to look next, by the monotonic clock.
    """

    def __init__(self, names: Sequence[str], say: Callable[[str], None]) -> None:
        self.due = 0.0 if names else math.inf
        self._names, self._say = names, say
        self._measured: list[Measured] = []
        self._writers: list[dict[str, Writer]] = []  # by slot

    def open(self, folder: ResultFolder, runs: Sequence[Run], members: Sequence[Course]) -> None:
        """
        Raises:
            ConfigError: a writer refuses, or its files cannot be written.
        """
        if not self._names:
            return
        for run, member in zip(runs, members, strict=True):
            self._measured.append(Measured(member))
            self._writers.append({})
            logged = _described(folder, run, member.timestep)
            for name in self._names:
                self._writers[-1][name] = _writer(name, logged)

    def write(self) -> None:
        """Brings the logs up to date."""
        for slot in range(len(self._writers)):
            self._write(slot)
        self.due = time.monotonic() + SECONDS if self._names else math.inf

    def end(self, slot: int, status: str) -> None:
        """The run has its record."""
        if self._writers:
            self._write(slot)
            self._close(slot, status)

    def close(self) -> None:
        """The runs that have no record go on later."""
        for slot in range(len(self._writers)):
            self._write(slot)
            self._close(slot, None)

    def _write(self, slot: int) -> None:
        new = self._measured[slot].new()
        if not new:
            return

        def write(writer: Writer) -> None:
            writer.write([point for point in new if point[0] >= writer.since])

        self._each(slot, write)

    def _close(self, slot: int, status: str | None) -> None:
        self._each(slot, lambda writer: writer.close(status))
        self._writers[slot].clear()

    def _each(self, slot: int, act: Callable[[Writer], None]) -> None:
        """With every writer of a run. One that fails is dropped: it costs a log, not a run."""
        for name, writer in list(self._writers[slot].items()):
            try:
                act(writer)
            except Exception as error:  # whatever a library of others raises
                del self._writers[slot][name]
                self._say(f"--log {name}: {error}; it ends here, and training goes on")


def _described(folder: ResultFolder, run: Run, timestep: int) -> LoggedRun:
    manifest = folder.manifest
    environment: Mapping[str, object] = manifest.files["environment"]
    return LoggedRun(
        name=f"{manifest.stem}_{run.index}",
        identity=run.name,
        folder=folder.path / FOLDER,
        experiment=folder.path.name,
        timestep=timestep,
        env_name=manifest.problem["env_name"],
        agent_name=manifest.agent_name,
        agent_params=manifest.grid.setting(run.setting),
        environment=environment,
        facts={
            "index": run.index,
            "setting": run.setting,
            "setting_id": run.setting_id,
            "run_number": run.number,
            "seed": run.random_seed,
        },
    )


def _writer(name: str, run: LoggedRun) -> Writer:
    try:
        if name == "wandb":
            from experiment.writers.wandb import WandbRun

            return WandbRun(run)
        from experiment.writers.tensorboard import EventFile

        return EventFile(run)
    except OSError as error:
        raise ConfigError(f"--log {name}: {run.folder} cannot be written to: {error}") from None
