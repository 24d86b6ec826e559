"""The hyperparameters that a sweep varies, their values in order, and where these stand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from plotting.data_file import Experiment

Scale = Literal["log", "linear", "category"]
#: So many numbers stand side by side, evenly spaced; more stand where they are.
MOST_CATEGORIES = 12


@dataclass(frozen=True, slots=True)
class Axis:
    """One hyperparameter, or several of a zip group as one.

    values: in the order in which they are drawn. [V]
    position: which of the values a setting has. [S]
    """

    name: str
    values: tuple[Any, ...]
    position: tuple[int, ...]

    @property
    def scale(self) -> Scale:
        """log for positive numbers that span a factor of 10 or more.

        Where numbers are many, as draws are, log only if their middle says that they are spaced so.
        """
        if not all(map(_is_number, self.values)):
            return "category"
        few = len(self.values) <= MOST_CATEGORIES
        low, middle, high = self.values[0], self.values[len(self.values) // 2], self.values[-1]
        if low > 0 and high >= 10 * low:
            in_logs = math.log(middle / low) / math.log(high / low)
            if few or abs(in_logs - 0.5) < abs((middle - low) / (high - low) - 0.5):
                return "log"
        return "category" if few else "linear"

    @property
    def places(self) -> list[float]:
        """Where the values stand on the axis. [V]"""
        if self.scale == "category":
            return [float(place) for place in range(len(self.values))]
        return [float(value) for value in self.values]

    @property
    def crowded(self) -> bool:
        """Whether there are three settings or more for two values: else there is little to tune."""
        return 3 * len(self.values) <= 2 * len(self.position)


def varied_axes(experiment: Experiment) -> tuple[Axis, ...]:
    """All that takes more than one value, in the order of the agent file, then by name."""
    every = [setting.agent_params for setting in experiment.settings]
    varied = sorted(name for name in set().union(*every) if _varies(name, every))
    groups = [tuple(name for name in group if name in varied) for group in experiment.lists]
    listed = {name for group in groups for name in group}
    groups += [(name,) for name in varied if name not in listed]
    return tuple(_axis(group, every) for group in groups if group)


def _varies(name: str, every: list[dict[str, Any]]) -> bool:
    first = _key(every[0].get(name))
    return any(_key(params.get(name)) != first for params in every)


def _axis(names: tuple[str, ...], every: list[dict[str, Any]]) -> Axis:
    """Numbers ascend; other values keep the order in which settings have them first."""
    taken = [_value(names, params) for params in every]
    first_of: dict[float | str, Any] = {}
    for value in taken:
        first_of.setdefault(_key(value), value)
    values = list(first_of.values())
    if all(map(_is_number, values)):
        values.sort()
    position = {_key(value): place for place, value in enumerate(values)}
    return Axis(", ".join(names), tuple(values), tuple(position[_key(value)] for value in taken))


def _value(names: tuple[str, ...], params: dict[str, Any]) -> Any:
    values = [params.get(name) for name in names]
    return values[0] if len(values) == 1 else values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _key(value: Any) -> float | str:
    """Equal values have equal keys: 1 and 1.0, but not 1 and true."""
    return float(value) if _is_number(value) else json.dumps(value, sort_keys=True)
