"""What captions say in the same words: settings, choices and counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from plotting.metric import Metric
from plotting.second_stage import SecondStage
from plotting.selection import Choice

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def setting(number: int, params: Mapping[str, Any]) -> str:
    """A setting and its values, each on one line with its name."""
    if not params:
        return f"setting {number}"
    pairs = [f"{name} {value(each)}" for name, each in params.items()]
    return f"setting {number} ({', '.join(pair.replace(' ', NO_BREAK_SPACE) for pair in pairs)})"


def value(of_parameter: Any) -> str:
    """A hyperparameter's value as its file has it, a string without its quotes."""
    return of_parameter if isinstance(of_parameter, str) else json.dumps(of_parameter)


def chosen_by(choice: Choice, metric: Metric, stage: SecondStage | None = None) -> str:
    """How the setting was found, and what that does to its score."""
    found = _found_by(choice, metric, stage is not None)
    if stage is None:
        return found
    first = count(len(stage.finalists), "setting")
    return (
        f"{found} Fresh seeds: {first} of {stage.settings} came here by {stage.metric} "
        f"on other seeds ({ranges(stage.selection_seeds)})."
    )


def _found_by(choice: Choice, metric: Metric, fresh: bool) -> str:
    if choice.by_hand:
        return f"Named by --setting, out of {count(choice.settings, 'setting')}."
    if choice.settings == 1:
        return "The only setting."
    optimistic = "on these same selection seeds (an optimistic estimate)"
    if fresh:
        optimistic = f"on these same seeds (hardly optimistic, of {choice.candidates})"
    if choice.relaxed:
        return (
            f"No setting has all its runs completed with a value of {metric}: best by {metric} "
            f"among the {choice.candidates} of {choice.settings} settings with the most such runs "
            f"({choice.tally.scored}), {optimistic}."
        )
    text = f"Best of {choice.settings} settings by {metric}, {optimistic}."
    ineligible = choice.settings - choice.candidates
    if ineligible:
        excluded = count(ineligible, "setting was", "settings were")
        text += f" {excluded} not eligible (runs missing, diverged or without a value)."
    return text


def ranges(numbers: Sequence[int]) -> str:
    """Increasing numbers: 0-4, 7."""
    parts = []
    # consecutive numbers keep their distance to their own position
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        first, last = members[0], members[-1]
        parts.append(str(first) if first == last else f"{first}-{last}")
    return ", ".join(parts)


def sentence(template: str, parts: Sequence[str]) -> str:
    """The template with those parts that are not empty; nothing when all are."""
    present = [part for part in parts if part]
    return template.format(", ".join(present)) if present else ""


def some(number: int, one: str, many: str | None = None) -> str:
    """A count, or nothing for none."""
    return count(number, one, many) if number else ""


def count(number: int, one: str, many: str | None = None) -> str:
    """1 setting, 2 settings."""
    if number == 1:
        return f"1 {one}"
    return f"{number} {many or _plural(one)}"


def _plural(noun: str) -> str:
    """The plural of a noun that may be followed by "without ..."."""
    head, without, tail = noun.partition(" without ")
    return f"{head}s{without}{tail}"
