"""What a run has measured since it was looked at last, by timestep and tag."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiment.course import Course

#: Tags: of every finished training episode, at its last step; of every evaluation.
EPISODE_RETURN, EPISODE_LENGTH = "train/episode_return", "train/episode_length"
EVALUATION = "eval/return_mean"
#: Before the names of the record's `metrics`.
METRICS = "metrics/"


class Measured:
    """Reads the history of a member, which only ever grows."""

    def __init__(self, member: Course) -> None:
        self._member = member
        self._episodes = self._evaluations = 0
        self._episode_end = 0
        self._points: dict[str, int] = {}

    def new(self) -> list[tuple[int, dict[str, float]]]:
        """(timestep, numbers by tag), timesteps increasing: all since the call before."""
        found: dict[int, dict[str, float]] = {}
        for timestep, tag, number in self._new():
            found.setdefault(timestep, {})[tag] = number
        return sorted(found.items())

    def _new(self) -> list[tuple[int, str, float]]:
        history, found = self._member.history, []
        steps = history["train_episode_steps"]
        ends = history.get("train_episode_ends")  # of episodes that do not follow one another
        for k in range(self._episodes, len(steps)):
            self._episode_end = ends[k] if ends else self._episode_end + steps[k]
            episode_return = history["train_episode_rewards"][k]
            found.append((self._episode_end, EPISODE_RETURN, episode_return))
            found.append((self._episode_end, EPISODE_LENGTH, steps[k]))
        self._episodes = len(steps)
        evaluations = history["timesteps_at_eval"]
        for k in range(self._evaluations, len(evaluations)):
            returns = history["eval_episode_rewards"][k]
            found.append((evaluations[k], EVALUATION, sum(returns) / len(returns)))
        self._evaluations = len(evaluations)
        for name, series in history["metrics"].items():
            start = self._points.get(name, 0)
            points = zip(series["timestep"], series["value"], strict=True)
            found += [
                (at, METRICS + name, value) for at, value in itertools.islice(points, start, None)
            ]
            self._points[name] = len(series["timestep"])
        return found
