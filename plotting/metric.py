"""What runs are compared by: a curve, and which part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from experiment.curves import Curve
from plotting.data_file import KINDS, BadInput, Experiment, Kind

Suffix = Literal["mean", "final"]
SUFFIXES: tuple[Suffix, ...] = ("mean", "final")
METRICS = tuple(f"{kind}-{suffix}" for kind in ("train", "eval", "reward") for suffix in SUFFIXES)


@dataclass(frozen=True, slots=True)
class Metric:
    """Which curve is drawn, and which part of it settings are compared by."""

    kind: Kind
    suffix: Suffix

    def __str__(self) -> str:
        return f"{self.kind}-{self.suffix}"

    def score(self, curve: Curve) -> float:
        """One run's number."""
        return curve.mean if self.suffix == "mean" else curve.final


def pick_metric(name: str | None, experiments: Sequence[Experiment]) -> Metric:
    """The metric called `name`, or the first kind of curve that every experiment has."""
    common = [kind for kind in KINDS if all(kind in each.kinds for each in experiments)]
    if name is None:
        if not common:
            raise BadInput(_nothing_in_common(experiments))
        return Metric(common[0], "mean")
    metric = _parse(name)
    for experiment in experiments:
        if metric.kind not in experiment.kinds:
            raise BadInput(_no_data(metric, experiment))
    return metric


def _parse(name: str) -> Metric:
    for kind in KINDS:
        for suffix in SUFFIXES:
            if name == f"{kind}-{suffix}":
                return Metric(kind, suffix)
    import difflib

    near = difflib.get_close_matches(name, METRICS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInput(f"there is no metric {name!r}: {hint}(the metrics are {', '.join(METRICS)})")


_CONTENTS = {
    "eval": "evaluations",
    "train": "finished training episodes",
    "reward": "metrics.mean_reward",
}


def _no_data(metric: Metric, experiment: Experiment) -> str:
    problem = (
        f"{experiment.path} has no {_CONTENTS[metric.kind]} in a completed run, so no {metric}"
    )
    others = [kind for kind in KINDS if kind in experiment.kinds]
    if not others:
        return f"{problem} and no other metric either"
    return f"{problem}: use --metric {others[0]}-{metric.suffix}"


def _nothing_in_common(experiments: Sequence[Experiment]) -> str:
    for experiment in experiments:
        if not experiment.kinds:
            contents = ", ".join(_CONTENTS.values())
            return f"{experiment.path} has no completed run with anything to draw ({contents})"
    each = "; ".join(f"{e.path}: {', '.join(sorted(e.kinds))}" for e in experiments)
    return f"the experiments have no kind of curve in common ({each}): draw them separately"
