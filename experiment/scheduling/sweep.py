"""One agent file of a call of schedule.py: what is done, under way, failed, and missing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

import agents
from experiment.adoption import open_folder, refuse_another_experiment
from experiment.canonical import canonical
from experiment.configuration import Experiment, build_experiment, read_experiment
from experiment.errors import ConfigError, Locked
from experiment.folder import ResultFolder, folder_of, read_manifest
from experiment.manifest import Manifest
from experiment.scheduling import missing, submission
from experiment.scheduling.backends import Accounted, Queued, TaskKey
from experiment.scheduling.begun import begun
from experiment.scheduling.histories import History, histories
from experiment.scheduling.packing import Need
from experiment.scheduling.submission import Submission
from experiment.values import default_values

#: Runs that one call looks at: each is a number in memory.
MOST_RUNS = 10_000_000


@dataclass
class Sweep:
    """The runs of one agent file, of all those that were asked for.

    Attributes:
        asked: indices; None for what somebody has begun.
        submissions: of this configuration, oldest first.
        stale: submissions of files that were edited since, whose indices mean something else.
        wanted: what was asked for; empty before the first look if that is what was begun.
        done: how many of the wanted have a whole record.
        diverged: how many of these diverged.
        torn: of them, those with a damaged one, which count as missing.
        in_hand: missing ones that a job or a process has: index -> how.
        held_back: missing ones that failed too often.
        to_send: the other missing ones.
    """

    experiment: Experiment
    folder: ResultFolder
    asked: Sequence[int] | None
    submissions: list[Submission]
    stale: list[Submission]
    wanted: Sequence[int] = ()
    done: int = 0
    diverged: int = 0
    torn: int = 0
    in_hand: dict[int, Queued] = field(default_factory=dict)
    held_back: list[int] = field(default_factory=list)
    to_send: list[int] = field(default_factory=list)
    histories: dict[int, History] = field(default_factory=dict)
    _whole: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wanted = () if self.asked is None else self.asked

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.path.name

    def shape_of(self, index: int) -> bytes:
        """What runs must agree in to be trained together."""
        static = agents.settings_type(self.experiment.agent_name).STATIC
        setting = self.experiment.grid.setting(self.experiment.grid.split(index)[0])
        return canonical([setting.get(name) for name in static])

    def refuse_stale_jobs(self, queued: Iterable[TaskKey]) -> None:
        """Jobs that were made from files which have been edited since run something else.

        Raises:
            ConfigError: there are some.
        """
        names = {one.name for one in self.stale}
        count = sum(name in names for name, _ in queued)
        if count:
            raise ConfigError(
                f"{self.folder.path}: {count:,} jobs of the files before the edit are queued or "
                "running; wait for them, or take them back with --cancel"
            )

    def settle(self, *, adopt: bool, dry: bool) -> None:
        """Makes the folder's indices mean what the files say.

        Args:
            dry: only says what would be done.

        Raises:
            ConfigError: as `main.py`, where the files were edited and `adopt` is not given.
        """
        defaults = default_values(agents.settings_type(self.experiment.agent_name))
        path, manifest = self.folder.path, self.folder.manifest
        _, plan = open_folder(path, manifest, defaults, adopt=adopt, dry=dry)
        if plan is not None and plan.differences:
            print(plan.text(), file=sys.stderr)

    def look(
        self,
        queued: Mapping[TaskKey, Queued],
        accounted: Mapping[TaskKey, Accounted],
        *,
        attempts: int,
        retry_failed: bool,
    ) -> None:
        """Finds out what is missing, and what of it may be sent."""
        found = missing.records(self.folder)
        if self.asked is None:
            self.wanted = begun(self.folder, self.submissions, found)
        left = [index for index in self.wanted if index not in found.whole]
        self.done = len(self.wanted) - len(left)
        self.diverged = len(found.diverged.intersection(self.wanted))
        self._whole = found.whole
        self.torn = len(found.torn.intersection(left))
        self.in_hand = self._in_hand(queued, set(left))
        left = [index for index in left if index not in self.in_hand]
        self.histories = histories(set(left), self.submissions, accounted)
        tired = {index for index, one in self.histories.items() if one.failures >= attempts}
        if retry_failed:
            tired = set()
        self.held_back = [index for index in left if index in tired]
        self.to_send = [index for index in left if index not in tired] if tired else left

    def tidy(self) -> None:
        """Removes what processes left that were killed just after they had written a record."""
        names = missing.left_behind(self.folder)
        done = (index for index in self.wanted if index in self._whole)
        for index in missing.locked_indices(self.folder, done, names) if names else ():
            run = self.folder.run(index)
            with contextlib.suppress(Locked), self.folder.lock(run):
                self.folder.clear_leftovers(run)
                self.folder.checkpoints(run).delete()

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
        if locked:
            running = (index for index, job in found.items() if job.state == "running")
            locked -= {self.folder.run(index).name for index in running}
        others = (index for index in self.wanted if index in left and index not in found)
        for index in missing.locked_indices(self.folder, others, locked):
            found[index] = Queued("a process of its own", "running")
        return found

    def need(self, index: int, memory_factor: float, time_factor: float) -> Need:
        """What a run asks for after it ran out of memory or time."""
        history = self.histories.get(index, History())
        return Need(memory_factor**history.memory, time_factor**history.time)


def open_sweep(
    environment_file: Path,
    agent_file: Path,
    save_dir: Path | None,
    wanted: Sequence[int] | None,
    runs: int,
    seed_offset: int,
) -> Sweep:
    """Reads the files and what was sent; changes nothing.

    Raises:
        ConfigError: as `main.py` would; or too many runs at once.
    """
    experiment = read_experiment(environment_file, agent_file)
    manifest = Manifest.of(experiment, seed_offset)
    folder = ResultFolder(folder_of(experiment, save_dir), manifest)
    before = read_manifest(folder.path)
    if before is not None:
        refuse_another_experiment(folder.path, before, manifest)
    if wanted is None:
        if runs * experiment.grid.size > MOST_RUNS:
            raise ConfigError(
                f"{agent_file}: {runs:,} x {experiment.grid.size:,} are more than {MOST_RUNS:,} "
                "runs; take a part of them at a time with --indices"
            )
        wanted = range(runs * experiment.grid.size)
    own, stale = sent_for(folder)
    return Sweep(experiment, folder, wanted, own, stale)


def sent_for(folder: ResultFolder) -> tuple[list[Submission], list[Submission]]:
    """The submissions of a folder: of its configuration, and of files that were edited since.

    Raises:
        StorageError: one is damaged.
    """
    own: list[Submission] = []
    stale: list[Submission] = []
    same: dict[tuple[bytes, bytes, int], bool] = {}  # most submissions have the same files
    for one in submission.all_of(folder.path):
        key = (*submission.files_of(one), one.seed_offset)
        if key not in same:
            same[key] = _means(folder.manifest, *key)
        (own if same[key] else stale).append(one)
    return own, stale


def _means(manifest: Manifest, environment: bytes, agent: bytes, seed_offset: int) -> bool:
    """Whether indices of these files mean what the manifest says."""
    try:
        content = msgspec.json.decode(environment), msgspec.json.decode(agent)
        experiment = build_experiment(*content, "environment.json", "agent.json")
    except (ConfigError, msgspec.DecodeError):
        return False  # of a version that knew other fields
    return Manifest.of(experiment, seed_offset).means_the_same_as(manifest)
