"""The second stage of a choice: the best few settings again, on seeds that found none of them.

It is an experiment of its own, in a folder with `second_stage.json`, which says what the first
stage was. Results that lie below that folder are of fresh seeds, if their seeds are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from plotting.data_file import BadInput, Experiment

FILE = "second_stage.json"
AGENT_FILE, ENVIRONMENT_FILE = "agent.json", "environment.json"
#: Fresh seeds begin at a multiple of this.
ROUND = 1000


class Finalist(msgspec.Struct, frozen=True):
    """A setting of the first stage, and its score on the selection seeds."""

    setting: int
    agent_params: dict[str, Any]
    score: float
    low: float | None
    high: float | None
    runs: int


class SecondStage(msgspec.Struct, frozen=True):
    """What was chosen, from how many settings, and on which seeds.

    selection_seeds: of all runs of the first stage, and of whatever stage came before it.
    seed_offset, seeds: the fresh seeds are `seeds` integers from `seed_offset` on.
    """

    metric: str
    first_stage: str
    settings: int
    selection_seeds: list[int]
    seed_offset: int
    seeds: int
    finalists: list[Finalist]

    def finalist(self, agent_params: dict[str, Any]) -> Finalist | None:
        """The one with these hyperparameters."""
        return next((each for each in self.finalists if each.agent_params == agent_params), None)


def stage_of(experiment: Experiment) -> SecondStage | None:
    """The second stage that these results are; None for others, or where a seed is not fresh."""
    found = find(experiment)
    if found is None or used_again(experiment, found):
        return None
    params = [setting.agent_params for setting in experiment.settings]
    return found if all(found.finalist(each) for each in params) else None


def used_again(experiment: Experiment, stage: SecondStage) -> list[int]:
    """Seeds that are among those that chose its settings."""
    return sorted(set(seeds_of(experiment)) & set(stage.selection_seeds))


def seeds_of(experiment: Experiment) -> list[int]:
    """Of all runs, in order, whatever became of them."""
    return sorted({run.seed for setting in experiment.settings for run in setting.runs})


def find(experiment: Experiment) -> SecondStage | None:
    """What lies in the folder of the results or in the one around it."""
    for folder in experiment.path.resolve().parents[:2]:
        try:
            content = (folder / FILE).read_bytes()
        except OSError:
            continue
        try:
            return msgspec.json.decode(content, type=SecondStage)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{folder / FILE} is not what choose.py writes: {error}") from None
    return None


def plan(
    experiment: Experiment, metric: str, finalists: Sequence[Finalist], seeds: int
) -> SecondStage:
    """The stage that runs these settings on `seeds` seeds above all that were used before."""
    earlier = find(experiment)
    used = {*seeds_of(experiment), *(earlier.selection_seeds if earlier else ())}
    offset = (max(used) // ROUND + 1) * ROUND
    return SecondStage(
        metric=metric,
        first_stage=str(experiment.path),
        settings=len(experiment.settings),
        selection_seeds=sorted(used),
        seed_offset=offset,
        seeds=seeds,
        finalists=list(finalists),
    )


def files(experiment: Experiment, stage: SecondStage) -> dict[str, bytes]:
    """The experiment: file name -> content."""
    environment = dict(experiment.files["environment"])
    environment.pop("$schema", None)  # a path that leads nowhere from another folder
    return {
        ENVIRONMENT_FILE: _text(environment),
        AGENT_FILE: _text(agent_file(experiment.agent_name, stage.finalists)),
        FILE: _text(msgspec.to_builtins(stage)),
    }


def agent_file(agent_name: str, finalists: Sequence[Finalist]) -> dict[str, Any]:
    """The settings as they are, best first: what differs between them is one zip group."""
    settings = [each.agent_params for each in finalists]
    values = {name: [params[name] for params in settings] for name in settings[0]}
    fixed = {name: each[:1] for name, each in values.items() if _all_equal(each)}
    varied = {name: each for name, each in values.items() if name not in fixed}
    content = {"agent_name": agent_name, "parameters": fixed}
    return content | {"zip": [varied]} if varied else content


def _all_equal(values: Sequence[Any]) -> bool:
    return len({json.dumps(value, sort_keys=True) for value in values}) == 1


def _text(content: Any) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def write(folder: Path, content: dict[str, bytes]) -> None:
    """Writes the files.

    Raises:
        BadInput: the folder has another second stage, which is left as it is.
    """
    for name, expected in content.items():
        path = folder / name
        if path.exists() and path.read_bytes() != expected:
            raise BadInput(
                f"{path} is there already, of another second stage: give another folder with --to"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for name, expected in content.items():
        (folder / name).write_bytes(expected)
