"""How the runs of a results folder stand, found from the folder alone."""

from __future__ import annotations

from pathlib import Path

from experiment.configuration import build_experiment
from experiment.errors import ConfigError, SweepError
from experiment.folder import ResultFolder, read_manifest
from experiment.manifest import FILE_NAME
from experiment.scheduling.dispatch import Queues
from experiment.scheduling.sweep import MOST_RUNS, Sweep, sent_for

_ATTEMPTS = 3


def sweep_in(path: Path, runs: int | None) -> Sweep:
    """The sweep whose results lie in the folder `path`, as `schedule.py --status` sees it.

    Args:
        runs: of every setting of the grid, that were meant; None for those that were sent, are
            being run, or have a record, and all runs that only some of their settings have: which
            these are is found out when the sweep is looked at.

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
    if runs is None:
        return Sweep(experiment, folder, None, own, stale)
    if runs * manifest.grid.size > MOST_RUNS:
        raise ConfigError(
            f"--runs: {runs:,} x {manifest.grid.size:,} are more than {MOST_RUNS:,} runs"
        )
    return Sweep(experiment, folder, range(runs * manifest.grid.size), own, stale)


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
