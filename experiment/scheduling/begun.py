"""Which runs a sweep was meant to have, when only its results folder tells."""

from __future__ import annotations

from collections.abc import Iterable

from experiment.folder import ResultFolder
from experiment.scheduling import missing
from experiment.scheduling.missing import Records
from experiment.scheduling.submission import Submission

#: Settings times runs among which a run of another process is looked for, when nobody says how
#: many were meant.
_MOST_GUESSED = 200_000


def begun(folder: ResultFolder, submissions: Iterable[Submission], found: Records) -> list[int]:
    """Every index that somebody has begun, filled up to a rectangle of settings and runs.

    Args:
        found: the records of the folder.
    """
    size = folder.manifest.grid.size
    known = found.whole | found.torn
    for one in submissions:
        known.update(index for task in range(len(one.tasks)) for index in one.indices(task))
    runs = {index // size for index in known} or {0}
    names = missing.being_run(folder)
    if names and size * (max(runs) + 2) <= _MOST_GUESSED:
        every = range(size * (max(runs) + 2))
        known |= missing.locked_indices(folder, every, names)
        runs = {index // size for index in known} or {0}
    settings = sorted({index % size for index in known})
    return [run * size + setting for run in sorted(runs) for setting in settings]
