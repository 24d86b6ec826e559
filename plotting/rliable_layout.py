"""Scores as rliable takes them: {algorithm: array [run, task]}.

R. Agarwal et al., Deep RL at the Edge of the Statistical Precipice, NeurIPS 2021;
rliable.library.get_interval_estimates.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plotting.chosen import Chosen
from plotting.data_file import BadInput
from plotting.inference import Floats
from plotting.metric import Metric
from plotting.phrases import ranges
from plotting.seeds import RunCurve, run_curves

ARRAYS, DESCRIPTION = "scores.npz", "scores.json"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One agent on all tasks.

    scores: NaN where a run diverged. [run, task]
    runs: numbers of the rows' runs.
    left_out: of runs that some tasks have and others lack: rliable wants equally many.
    """

    scores: Floats
    runs: list[int]
    left_out: list[int]
    chosen: list[Chosen]


def layout(chosen: Sequence[Chosen], metric: Metric) -> tuple[dict[str, bytes], list[str]]:
    """(file name -> content, what a person should know).

    Raises:
        BadInput: an agent lacks a task, or has no run that all of its tasks have.
    """
    tasks = list(dict.fromkeys(each.experiment.env_name for each in chosen))
    by_agent: dict[str, dict[str, Chosen]] = {}
    for each in chosen:
        by_agent.setdefault(each.experiment.agent_name, {})[each.experiment.env_name] = each
    algorithms = {agent: _algorithm(agent, of, tasks, metric) for agent, of in by_agent.items()}
    arrays = io.BytesIO()
    np.savez(arrays, allow_pickle=False, **{name: each.scores for name, each in algorithms.items()})
    description = {
        "metric": str(metric),
        "tasks": tasks,
        "algorithms": {name: _described(each) for name, each in algorithms.items()},
    }
    notes = [str(each) for each in chosen]
    for name, of in algorithms.items():
        if of.left_out:
            missing = ranges(of.left_out)
            notes.append(f"{name}: left out, as not all tasks have them: runs {missing}")
        if diverged := int(np.isnan(of.scores).sum()):
            notes.append(f"{name}: {diverged} of {of.scores.size} scores are NaN (diverged)")
    text = (json.dumps(description, indent=2) + "\n").encode()
    return {ARRAYS: arrays.getvalue(), DESCRIPTION: text}, notes


def _algorithm(
    agent: str, by_task: dict[str, Chosen], tasks: Sequence[str], metric: Metric
) -> Algorithm:
    for task in tasks:
        if task not in by_task:
            raise BadInput(
                f"no experiment of {agent} on {task}, where another agent has one: every agent is "
                "needed on every environment"
            )
    chosen = [by_task[task] for task in tasks]
    columns: list[dict[int, RunCurve]] = [
        {run.run: run for run in run_curves(each.experiment, each.setting, metric, bins=1)}
        for each in chosen
    ]
    common = sorted(set(columns[0]).intersection(*columns[1:]))
    if not common:
        raise BadInput(f"{agent}: no run number is there on all of {', '.join(tasks)}")
    left_out = sorted(set(columns[0]).union(*columns[1:]) - set(common))
    scores = np.array([[column[run].score for column in columns] for run in common])
    return Algorithm(scores, common, left_out, chosen)


def _described(of: Algorithm) -> dict[str, Any]:
    return {
        "runs": of.runs,
        "settings": [each.setting.number for each in of.chosen],
        "agent_params": [each.setting.agent_params for each in of.chosen],
        "seeds": [each.seeds for each in of.chosen],
        "scores": [["nan" if math.isnan(x) else x for x in row] for row in of.scores.tolist()],
    }
