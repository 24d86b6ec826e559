"""Where the runs of an experiment were computed, by what code and when, and how some diverged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from plotting.data_file import BadInput, Experiment


class _Code(msgspec.Struct):
    commit: str | None = None
    changed: bool = False


class _Provenance(msgspec.Struct):
    code: _Code = msgspec.field(default_factory=_Code)
    packages: dict[str, str] = {}
    python: str = ""
    host: str = ""
    device: str = ""
    started: str = ""
    ended: str = ""
    resumed: int = 0


class _Diverged(msgspec.Struct):
    timestep: int
    what: str


class _Fields(msgspec.Struct):
    train_time: float = 0.0
    eval_time: float = 0.0
    diverged: _Diverged | None = None
    provenance: _Provenance = msgspec.field(default_factory=_Provenance)


@dataclass
class Origin:
    """Of all runs of an experiment; counters count runs.

    commits: the first 12 digits, "+" where the source was changed since, "" where unknown.
    started, ended: the first and the last moment, ISO 8601 in UTC; "" where no run says.
    seconds: of training and evaluation, all runs together.
    diverged: (setting, run, timestep, what) of those that did; what is "" where it is not said.
    """

    commits: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    devices: Counter[str] = field(default_factory=Counter)
    software: Counter[str] = field(default_factory=Counter)
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    resumed: int = 0
    diverged: list[tuple[int, int, int | None, str]] = field(default_factory=list)


def origin_of(experiment: Experiment) -> Origin:
    """Reads what every run says of itself.

    Raises:
        BadInput: a run says it in another form.
    """
    found = Origin()
    decoder = msgspec.json.Decoder(_Fields, strict=False)
    for setting in experiment.settings:
        for run in setting.runs:
            try:
                fields = decoder.decode(run.content)
            except msgspec.ValidationError as error:
                raise BadInput(f"{run.where}: {error}") from None
            _add(found, fields)
            if run.diverged:
                why = fields.diverged
                when = (why.timestep, why.what) if why else (None, "")
                found.diverged.append((setting.number, run.number, *when))
    return found


def _add(found: Origin, fields: _Fields) -> None:
    said = fields.provenance
    commit = (said.code.commit or "")[:12] + ("+" if said.code.changed else "")
    found.commits[commit] += 1
    found.hosts[said.host] += 1
    found.devices[said.device] += 1
    versions = {"Python": said.python, **said.packages}
    found.software[", ".join(f"{name} {v}" for name, v in versions.items() if v)] += 1
    found.seconds += fields.train_time + fields.eval_time
    found.resumed += said.resumed > 0
    if said.started and (not found.started or said.started < found.started):
        found.started = said.started
    found.ended = max(found.ended, said.ended)


def diverged_kinds(found: Origin) -> list[dict[str, Any]]:
    """What stopped being finite, the commonest first, and which runs."""
    kinds: dict[str, list[tuple[int, int, int | None]]] = {}
    for setting, run, timestep, what in found.diverged:
        kinds.setdefault(what, []).append((setting, run, timestep))
    ordered = sorted(kinds.items(), key=lambda item: -len(item[1]))
    return [{"what": what, "runs": runs} for what, runs in ordered]
