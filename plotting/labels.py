"""What experiments are called, so that they are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plotting.data_file import DATA_FILE, BadInput, Experiment


def labels(experiments: Sequence[Experiment]) -> list[str]:
    """The agent's name; with the environment's where there are several; with the folder's if equal.

    Folders of the same name are told apart by the shortest path that does.
    """
    several = len({experiment.env_name for experiment in experiments}) > 1
    names = [f"{e.env_name} {e.agent_name}" if several else e.agent_name for e in experiments]
    places = [_place(experiment) for experiment in experiments]
    for experiment, place in zip(experiments, places, strict=True):
        if places.count(place) > 1:
            raise BadInput(f"{experiment.path} is given twice: give it once")
    return [
        name if names.count(name) == 1 else f"{name} ({_shortest_suffix(place, places)})"
        for name, place in zip(names, places, strict=True)
    ]


def _place(experiment: Experiment) -> Path:
    path = experiment.path.resolve()
    return path.parent if path.name == DATA_FILE else path.with_suffix("")


def _shortest_suffix(place: Path, places: Sequence[Path]) -> str:
    for length in range(1, len(place.parts)):
        suffix = place.parts[-length:]
        if sum(other.parts[-length:] == suffix for other in places) == 1:
            return "/".join(suffix)
    return str(place)
