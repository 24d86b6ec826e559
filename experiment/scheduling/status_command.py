"""`schedule.py --status`: once or again and again, for a person or for a program."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from experiment.errors import ConfigError
from experiment.scheduling import overview
from experiment.scheduling.backends import SchedulerError
from experiment.scheduling.dispatch import Queues
from experiment.scheduling.overview import Standing, standing_of
from experiment.scheduling.standing import sweep_in
from experiment.scheduling.sweep import Sweep

_REDRAWN_SECONDS = 5.0
#: Schedulers are not to be asked as often as files.
_ASKED_SECONDS = 60.0
_ATTEMPTS = 3

#: How things stand; asks the schedulers anew if the argument is true.
Look = Callable[[bool], Sequence[Standing]]


def status_of_folders(folders: Sequence[Path], *, as_json: bool, watch: bool) -> int:
    """`--status DIR...`.

    Raises:
        ConfigError: no results folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"--status: {folder}: no such folder")
    queues: Queues | None = None
    notes: list[str] = []

    def look(ask: bool) -> list[Standing]:
        nonlocal queues, notes
        sweeps = [sweep_in(folder, None) for folder in folders]
        if queues is None or ask:
            queues, notes = _ask(sweeps)
        standings = []
        for sweep in sweeps:
            known = ({}, {}) if queues is None else (queues.queued, queues.accounted)
            sweep.look(*known, attempts=_ATTEMPTS, retry_failed=False)
            standings.append(standing_of(sweep))
        first = standings[0]
        return [msgspec.structs.replace(first, notes=[*first.notes, *notes]), *standings[1:]]

    return show_status(look, as_json=as_json, watch=watch)


def _ask(sweeps: Sequence[Sweep]) -> tuple[Queues | None, list[str]]:
    """What the schedulers say; or why they could not be asked, as on a laptop with a copy."""
    try:
        return Queues(sweeps, "local"), []
    except SchedulerError as error:
        return None, [f"  {error}; runs that wait there count as missing"]


def show_status(look: Look, *, as_json: bool, watch: bool) -> int:
    """Shows how things stand; with `watch` until it is interrupted, else once."""
    if not watch:
        _show(look(True), as_json=as_json)
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        _watch(look, as_json=as_json)
    return 0


def _show(standings: Sequence[Standing], *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(standings).decode(), flush=True)
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(_picture(standings))
    else:
        print(*overview.lines(standings), sep="\n", flush=True)


def _watch(look: Look, *, as_json: bool) -> None:
    asked = time.monotonic()
    standings = look(True)
    if as_json or not sys.stdout.isatty():
        shown: Sequence[Standing] = ()
        while True:
            if list(standings) != list(shown):
                _show(standings, as_json=as_json)
                shown = standings
            standings, asked = _look_later(look, asked)
    from rich.live import Live

    with Live(_picture(standings), auto_refresh=False, screen=False) as live:
        while True:
            live.update(_picture(standings), refresh=True)
            standings, asked = _look_later(look, asked)


def _look_later(look: Look, asked: float) -> tuple[Sequence[Standing], float]:
    time.sleep(_REDRAWN_SECONDS)
    now = time.monotonic()
    ask = now - asked >= _ASKED_SECONDS
    return look(ask), now if ask else asked


def _picture(standings: Sequence[Standing]) -> Any:
    from rich.console import Group
    from rich.text import Text

    below = [
        Text(f"{Path(one.folder).name}:{line}")
        for one in standings
        for line in overview.details(one)
    ]
    return Group(overview.table(standings), *below)
