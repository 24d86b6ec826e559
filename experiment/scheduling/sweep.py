"""One agent file of a call of schedule.py: what is done, under way, failed, and missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import agents
from experiment.adoption import open_folder
from experiment.canonical import canonical
from experiment.configuration import Experiment, read_experiment
from experiment.errors import ConfigError
from experiment.folder import ResultFolder, folder_of
from experiment.manifest import Manifest
from experiment.scheduling import events, missing, submission
from experiment.scheduling.backends import Accounted, Queued, TaskKey
from experiment.scheduling.events import FAILURES, Ended
from experiment.scheduling.packing import Need
from experiment.scheduling.submission import Submission
from experiment.values import default_values

#: What a scheduler calls the end of a job that wanted more than it had.
OUT_OF_MEMORY, TIMEOUT = "OUT_OF_MEMORY", "TIMEOUT"
_ENDED_BADLY = ("FAILED", "NODE_FAIL", "BOOT_FAIL", "CANCELLED", "PREEMPTED", "DEADLINE")


@dataclass
class History:
    """What became of a run in the jobs that took it.

    Attributes:
        failures: attempts that did not work, by their own fault.
        memory, time: how often it ran out of either.
        last: the last thing that is known of it.
        where: (submission, task) of that.
    """

    failures: int = 0
    memory: int = 0
    time: int = 0
    last: str = ""
    error: str | None = None
    where: TaskKey | None = None


@dataclass
class Sweep:
    """The runs of one agent file, of all those that were asked for.

    Attributes:
        wanted: indices.
        done: of them, those with a whole record.
        torn: of them, those with a damaged one, which count as missing.
        in_hand: missing ones that a job or a process has: index -> how.
        held_back: missing ones that failed too often.
        to_send: the other missing ones.
    """

    experiment: Experiment
    folder: ResultFolder
    wanted: Sequence[int]
    submissions: list[Submission]
    done: int = 0
    torn: int = 0
    in_hand: dict[int, Queued] = field(default_factory=dict)
    held_back: list[int] = field(default_factory=list)
    to_send: list[int] = field(default_factory=list)
    histories: dict[int, History] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.path.name

    def shape_of(self, index: int) -> bytes:
        """What runs must agree in to be trained together."""
        static = agents.settings_type(self.experiment.agent_name).STATIC
        setting = self.experiment.grid.setting(self.experiment.grid.split(index)[0])
        return canonical([setting.get(name) for name in static])

    def look(
        self,
        queued: Mapping[TaskKey, Queued],
        accounted: Mapping[TaskKey, Accounted],
        *,
        retry_failed: bool = False,
        attempts: int = 3,
    ) -> None:
        """Finds out what is missing, and what of it may be sent."""
        found = missing.records(self.folder)
        wanted = self.wanted
        left = list(missing.without(wanted, found.whole))
        self.done = len(wanted) - len(left)
        self.torn = len(set(found.torn).intersection(left))
        self.in_hand = self._in_hand(queued, set(left))
        left = [index for index in left if index not in self.in_hand]
        self.histories = self._histories(set(left), accounted)
        for index in left:
            history = self.histories.get(index)
            tired = history is not None and history.failures >= attempts
            (self.held_back if tired and not retry_failed else self.to_send).append(index)

    def _in_hand(self, queued: Mapping[TaskKey, Queued], left: set[int]) -> dict[int, Queued]:
        found = {
            index: queued[one.name, task]
            for one in self.submissions
            for task in range(len(one.tasks))
            if (one.name, task) in queued
            for index in one.indices(task)
            if index in left
        }
        locked = missing.being_run(self.folder)
        others = (index for index in self.wanted if index in left and index not in found)
        for index in missing.locked_indices(self.folder, others, locked):
            found[index] = Queued("a process of its own", "running")
        return found

    def _histories(
        self, left: set[int], accounted: Mapping[TaskKey, Accounted]
    ) -> dict[int, History]:
        """Of the runs in `left`, from the events of all jobs and the scheduler's accounts."""
        histories: dict[int, History] = {}
        for one in self.submissions:
            for task in range(len(one.tasks)):
                mine = left.intersection(one.indices(task))
                if mine:
                    ends = accounted.get((one.name, task))
                    _follow(histories, one, task, mine, ends.state if ends else None)
        return histories

    def need(self, index: int, memory_factor: float, time_factor: float) -> Need:
        """What a run asks for after it ran out of memory or time."""
        history = self.histories.get(index, History())
        return Need(memory_factor**history.memory, time_factor**history.time)


def _follow(
    histories: dict[int, History], one: Submission, task: int, mine: set[int], state: str | None
) -> None:
    """Adds what happened to the runs `mine` in one task, whose job ended in `state`."""
    ended: dict[int, Ended] = {}
    for event in events.read(one.events_path(task)):
        if isinstance(event, Ended):
            for index in mine.intersection(event.indices):
                ended[index] = event
                history = histories.setdefault(index, History())
                history.where, history.last = (one.name, task), event.ended
                history.error = event.error
                history.failures += event.ended in FAILURES
                history.time += event.ended == "timeout"
                history.memory += event.ended == "failed" and _is_memory_error(event.error)
    for index in mine:
        history = histories.setdefault(index, History())
        if index in ended and ended[index].ended in FAILURES:
            continue
        # the job went before it could tell: the scheduler knows why
        if state == OUT_OF_MEMORY:
            history.memory += 1
            history.failures += 1
        elif state == TIMEOUT:
            history.time += 1
        if state in (OUT_OF_MEMORY, TIMEOUT, *_ENDED_BADLY):
            history.where, history.last = (one.name, task), state.lower().replace("_", " ")


def _is_memory_error(error: str | None) -> bool:
    return error is not None and ("MemoryError" in error or "out of memory" in error.lower())


def open_sweep(
    environment_file: Path,
    agent_file: Path,
    save_dir: Path | None,
    wanted: Sequence[int] | None,
    runs: int,
    seed_offset: int,
    *,
    adopt: bool,
    dry: bool,
) -> Sweep:
    """Reads the files, and checks that the folder is theirs.

    Raises:
        ConfigError: as `main.py` would; or an edit while jobs of the former files are under way.
    """
    experiment = read_experiment(environment_file, agent_file)
    manifest = Manifest.of(experiment, seed_offset)
    path = folder_of(experiment, save_dir)
    defaults = default_values(agents.settings_type(experiment.agent_name))
    folder, plan = open_folder(path, manifest, defaults, adopt=adopt, dry=dry)
    if plan is not None and plan.differences:
        import sys

        print(plan.text(), file=sys.stderr)
    indices = wanted if wanted is not None else range(runs * experiment.grid.size)
    return Sweep(experiment, folder, indices, list(submission.all_of(folder.path)))


def refuse_stale_jobs(sweeps: Iterable[Sweep], queued: Mapping[TaskKey, Queued]) -> None:
    """Jobs that were made from files which have been edited since run something else.

    Raises:
        ConfigError: there are some.
    """
    for sweep in sweeps:
        files = sweep.folder.manifest.files
        stale = Counter(
            one.name
            for one in sweep.submissions
            if submission.files_of(one) != files
            for task in range(len(one.tasks))
            if (one.name, task) in queued
        )
        if stale:
            raise ConfigError(
                f"{sweep.folder.path}: {stale.total()} jobs of the files before the edit are "
                "queued or running; wait for them or take them back with --cancel"
            )
