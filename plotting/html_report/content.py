"""All that a page shows of some experiments, as data; assets/*.js draw it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plotting import style
from plotting.data_file import Experiment
from plotting.html_report.curve_lines import curves_of
from plotting.html_report.origin import Origin, origin_of
from plotting.html_report.readings import read
from plotting.html_report.reproduce import reproduce
from plotting.html_report.scores import metrics_of
from plotting.html_report.sources import Source
from plotting.html_report.standing import standing
from plotting.hyperparameters import Axis, varied_axes
from plotting.labels import labels
from plotting.metric import Metric, pick_metric
from plotting.phrases import value
from plotting.second_stage import stage_of


def content(sources: Sequence[Source], metric_name: str | None) -> dict[str, Any]:
    """Raises BadInput where there is nothing to show, or no such metric."""
    experiments = [source.experiment for source in sources]
    names = labels(experiments)
    found = [
        _experiment(source, name, len(sources)) for source, name in zip(sources, names, strict=True)
    ]
    return {
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "palette": style.PALETTE,
        "metric": str(_metric(metric_name, experiments)),
        "experiments": found,
    }


def _metric(name: str | None, experiments: Sequence[Experiment]) -> Metric | str:
    if name is not None or all(each.kinds for each in experiments):
        return pick_metric(name, experiments)
    return ""  # nothing but diverged runs somewhere: the page says so


def _experiment(source: Source, label: str, pages: int) -> dict[str, Any]:
    experiment = source.experiment
    origin = origin_of(experiment)
    readings = read(experiment)
    axes = varied_axes(experiment)
    metrics = metrics_of(readings, label, axes)
    runs = len(experiment.run_numbers)
    return {
        "label": label,
        "environment": experiment.env_name,
        "agent": experiment.agent_name,
        "path": str(source.path),
        "about": _about(source, origin),
        "standing": standing(source, origin),
        "axes": [_axis(axis) for axis in axes],
        "fixed": _fixed(experiment, axes),
        "settings": [setting.number for setting in experiment.settings],
        "diverged": [sum(run.diverged for run in each.runs) for each in experiment.settings],
        "missing": [runs - len(each.runs) for each in experiment.settings],
        "seeds": [
            [run.seed for run in each.runs if not run.diverged] for each in experiment.settings
        ],
        "seedsKind": _kind_of_seeds(experiment),
        "timesteps": experiment.total_timesteps,
        "metrics": metrics,
        "curves": curves_of(readings, label, metrics, pages),
        **reproduce(source),
    }


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "name": axis.name,
        "scale": axis.scale,
        "places": axis.places,
        "texts": [value(each) for each in axis.values],
        "short": [style.value_text(each) for each in axis.values],
        "position": axis.position,
    }


def _fixed(experiment: Experiment, axes: Sequence[Axis]) -> dict[str, str]:
    """Hyperparameters with one value."""
    varied = {name for axis in axes for name in axis.name.split(", ")}
    first = experiment.settings[0].agent_params
    return {name: value(first[name]) for name in first if name not in varied}


def _about(source: Source, origin: Origin) -> dict[str, Any]:
    experiment = source.experiment
    grid = None if source.sweep is None else source.sweep.folder.manifest.grid.size
    return {
        "timesteps": experiment.total_timesteps,
        "grid": grid,
        "begun": len(experiment.settings),
        "runs": len(experiment.run_numbers),
        "seedRange": _range(run.seed for each in experiment.settings for run in each.runs),
        "commits": origin.commits.most_common(),
        "hosts": origin.hosts.most_common(),
        "devices": origin.devices.most_common(),
        "software": origin.software.most_common(),
        "started": origin.started,
        "ended": origin.ended,
        "seconds": round(origin.seconds),
        "resumed": origin.resumed,
        "bytes": _size(experiment.path),
    }


def _kind_of_seeds(experiment: Experiment) -> str:
    """Whether the seeds of the scores chose the setting as well."""
    if stage_of(experiment) is not None:
        return "fresh"
    return "selection" if len(experiment.settings) > 1 else "no selection"


def _range(numbers: Any) -> tuple[int, int]:
    known = list(numbers)
    return min(known), max(known)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None  # a file of the moment
