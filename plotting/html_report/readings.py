"""Every run of an experiment read once: the curves that it has and where it was computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from plotting.data_file import KINDS, Experiment, Kind, read_curves
from plotting.metric import Metric
from plotting.seeds import SeedCurve, empty_curve, tally
from plotting.selection import Tally

if TYPE_CHECKING:
    from experiment.curves import Curve

BINS = 100  # of the train curve, as plotting/learning_curve.py has by default


@dataclass(frozen=True)
class Readings:
    """Of one experiment.

    curves: of every completed run, by setting and in order of run numbers. [S][R]
    """

    experiment: Experiment
    curves: list[list[tuple[int, int, dict[Kind, Curve]]]]

    @cached_property
    def _seeds(self) -> dict[Kind, list[tuple[SeedCurve, ...]]]:
        empty = empty_curve()
        return {
            kind: [
                tuple(SeedCurve(run, seed, curves.get(kind, empty)) for run, seed, curves in runs)
                for runs in self.curves
            ]
            for kind in KINDS
        }

    def seeds(self, setting: int, kind: Kind) -> tuple[SeedCurve, ...]:
        """The curves of the setting at this position; empty ones where a run has none."""
        return self._seeds[kind][setting]

    def tallies(self, metric: Metric) -> list[Tally]:
        """What the runs of every setting came to."""
        return [
            tally(self.experiment, setting, self.seeds(position, metric.kind), metric)
            for position, setting in enumerate(self.experiment.settings)
        ]


def read(experiment: Experiment) -> Readings:
    """Decodes every completed run."""
    total = experiment.total_timesteps
    return Readings(
        experiment,
        [
            [
                (run.number, run.seed, read_curves(run, total, BINS))
                for run in setting.runs
                if not run.diverged
            ]
            for setting in experiment.settings
        ],
    )
