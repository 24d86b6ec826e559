"""What a writer is, and what it is told of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

#: (timestep, numbers by tag)
Points = Sequence[tuple[int, Mapping[str, float]]]

#: Of the results folder: where writers put their files.
FOLDER = "logs"


class LoggedRun(msgspec.Struct, frozen=True):
    """A run, for a writer.

    Attributes:
        name: what a person sees.
        identity: who it is, whatever index it has.
        folder: of all logs of its experiment.
        experiment: what its runs have in common, in a name.
        timestep: at which it goes on; 0 when it begins.
        facts: index, setting and seed.
    """

    name: str
    identity: str
    folder: Path
    experiment: str
    timestep: int
    env_name: str
    agent_name: str
    agent_params: Mapping[str, Any]
    environment: Mapping[str, Any]
    facts: Mapping[str, Any]


class Writer(Protocol):
    """The log of one run.

    Attributes:
        since: what was measured before this timestep is in the log already.
    """

    since: int

    def write(self, points: Points) -> None:
        """Adds points; their timesteps never decrease, from one call to the next either."""
        ...

    def close(self, status: str | None) -> None:
        """The record's status, or None for a run that will go on later."""
        ...
