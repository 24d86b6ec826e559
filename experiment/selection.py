"""What a person writes to choose runs: index ranges, values, names of arrays."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import agents
from experiment.canonical import canonical
from experiment.configuration import Experiment
from experiment.errors import ConfigError, nearest
from experiment.values import hyperparameters

#: The largest index and seed: what every reader of the records can hold.
LARGEST_INDEX = 2**63 - 1


def parse_indices(text: str) -> list[range]:
    """ "0-35,72" -> [range(0, 36), range(72, 73)].

    Raises:
        ConfigError: anything else.
    """
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(f"--indices: {part.strip()!r} is not an index or a range like 0-35")
        if max(len(first), len(last)) > len(str(LARGEST_INDEX)):
            raise ConfigError(f"--indices: {part.strip()[:30]}... is larger than {LARGEST_INDEX}")
        low, high = int(first), int(last) if dash else int(first)
        if high < low:
            raise ConfigError(f"--indices: the range {part.strip()!r} runs backwards")
        if high > LARGEST_INDEX:
            raise ConfigError(f"--indices: {high} is larger than {LARGEST_INDEX}")
        ranges.append(range(low, high + 1))
    return ranges


def parse_where(texts: Iterable[str], experiment: Experiment) -> dict[str, Any]:
    """["critic_lr=0.1"] -> {"critic_lr": 0.1}, each value of its hyperparameter's type.

    Raises:
        ConfigError: no such hyperparameter, or no such value of it.
    """
    declared = hyperparameters(agents.settings_type(experiment.agent_name))
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--where: {text!r} is not NAME=VALUE")
        if name not in declared:
            raise ConfigError(
                f"--where: {experiment.agent_name} has no hyperparameter {name!r}; "
                f"{nearest(name, declared)}"
            )
        if name in values:
            raise ConfigError(f"--where: {name} is given twice; no setting has two values of it")
        try:
            parsed = json.loads(value, parse_constant=str)
            canonical(parsed)
        except (ValueError, TypeError, RecursionError):
            parsed = value
        values[name] = declared[name].convert(parsed, f"--where: {name}")
    return values


def chosen_indices(
    experiment: Experiment,
    index: int | None,
    indices: str | None,
    runs: int | None,
    where: Mapping[str, Any],
) -> Iterator[int]:
    """The indices that were asked for, run by run, never listed all at once.

    Raises:
        ConfigError: more than one of `index`, `indices` and `runs`.
    """
    if sum(choice is not None for choice in (index, indices, runs)) > 1:
        raise ConfigError("--index, --indices and --runs exclude one another")
    grid = experiment.grid
    if runs is not None or (where and index is None and indices is None):
        return (
            grid.index(setting, run) for run in range(runs or 1) for setting in grid.where(where)
        )
    if indices is None:
        indices = str(index or 0)
    ranges = parse_indices(indices)
    every = itertools.chain.from_iterable(ranges)
    if not where:
        return every
    return (one for one in every if matches(grid.setting(grid.split(one)[0]), where))


def matches(setting: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether a resolved setting has all the values."""
    return all(canonical(setting[name]) == canonical(value) for name, value in where.items())


def parse_batch(text: str) -> int | None:
    """How many runs train together; None for "auto": as many as suit the agent.

    Raises:
        ConfigError: neither a number of at least 1 nor auto.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise ConfigError(f"--batch: {text!r} is neither a number from 1 to 100000 nor auto")
    return int(text)


def parse_record_names(text: str) -> tuple[str, ...]:
    """ "train_states,update_actions" -> its names.

    Raises:
        ConfigError: an unknown name.
    """
    from experiment.step_arrays import NAMES

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in NAMES:
            raise ConfigError(f"--record: {name!r} is unknown; {nearest(name, NAMES)}")
    return names
