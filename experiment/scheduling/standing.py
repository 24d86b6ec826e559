"""How the runs of a results folder stand, found from the folder alone."""

from __future__ import annotations

from pathlib import Path

from experiment.configuration import build_experiment
from experiment.errors import ConfigError, SweepError
from experiment.folder import ResultFolder, read_manifest
from experiment.manifest import FILE_NAME
from experiment.scheduling import missing
from experiment.scheduling.dispatch import Queues
from experiment.scheduling.sweep import MOST_RUNS, Sweep, sent_for

#: Settings times runs among which a run of another process is looked for, when nobody says how
#: many were meant.
_MOST_GUESSED = 200_000
_ATTEMPTS = 3


def sweep_in(path: Path, runs: int | None) -> Sweep:
    """The sweep whose results lie in the folder `path`, as `schedule.py --status` sees it.

    Args:
        runs: of every setting of the grid, that were meant; None for those that were sent, are
            being run, or have a record, and all runs that only some of their settings have.

    Raises:
        ConfigError: no results folder, or one of an agent or environment that is unknown here.
        StorageError: it cannot be read.
    """
    manifest = read_manifest(path)
    if manifest is None:
        raise ConfigError(f"{path}: no {FILE_NAME} in it")
    files = manifest.files
    experiment = build_experiment(files["environment"], files["agent"], FILE_NAME, FILE_NAME)
    folder = ResultFolder(path, manifest)
    own, stale = sent_for(folder)
    sweep = Sweep(experiment, folder, (), own, stale)
    if runs is None:
        sweep.wanted = _wanted(sweep)
    elif runs * manifest.grid.size > MOST_RUNS:
        raise ConfigError(
            f"--runs: {runs:,} x {manifest.grid.size:,} are more than {MOST_RUNS:,} runs"
        )
    else:
        sweep.wanted = range(runs * manifest.grid.size)
    return sweep


def _wanted(sweep: Sweep) -> list[int]:
    """Every index that somebody has begun, filled up to a rectangle of settings and runs."""
    grid = sweep.folder.manifest.grid
    found = missing.records(sweep.folder)
    known = found.whole | found.torn
    for one in sweep.submissions:
        known.update(index for task in range(len(one.tasks)) for index in one.indices(task))
    runs = {index // grid.size for index in known} or {0}
    names = missing.being_run(sweep.folder)
    if names and grid.size * (max(runs) + 2) <= _MOST_GUESSED:
        every = range(grid.size * (max(runs) + 2))
        known |= missing.locked_indices(sweep.folder, every, names)
        runs = {index // grid.size for index in known} or {0}
    settings = {index % grid.size for index in known}
    return sorted(grid.index(setting, run) for setting in settings for run in runs)


def look(sweep: Sweep) -> str | None:
    """Finds out how the runs stand; says so when the scheduler could not be asked."""
    remark = None
    queued, accounted = {}, {}
    try:
        queues = Queues([sweep], "local")
        queued, accounted = queues.queued, queues.accounted
    except SweepError as error:
        remark = f"{error}; runs that wait there count as missing"
    attempts = sweep.submissions[-1].cluster.retry.attempts if sweep.submissions else _ATTEMPTS
    sweep.look(queued, accounted, attempts=attempts, retry_failed=False)
    return remark
