"""Runs that are left and taken up again, all in this process."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import orjson

from experiment import record
from experiment.configuration import Experiment
from experiment.driven import DrivenTraining
from experiment.folder import ResultFolder
from experiment.loop import Training
from experiment.manifest import Manifest
from experiment.run import Options, build_training


def train(
    experiment: Experiment,
    index: int,
    leave_at: list[int],
    names: tuple[str, ...] = (),
    path: Path = Path(),
) -> tuple[dict[str, Any], bytes]:
    """Trains an index, in a new "process" after each of the timesteps `leave_at`, or as soon after
    it as the environment can be saved; returns the results and the recorded arrays.

    Args:
        path: of the results folder, for agents that keep files.
    """
    folder = ResultFolder(path, Manifest.of(experiment, 0))
    saved: bytes | None = None
    for until in [*sorted(leave_at), None]:
        options = Options(record=names)
        training = build_training(experiment, [folder.run(index)], options, folder=folder)
        if saved is not None:
            training.load_state_dict(0, pickle.loads(saved))
        _train_until(training, until)
        if until is not None:
            saved = pickle.dumps(training.state_dict(0))
        training.close()
    results = orjson.loads(orjson.dumps(record.json_safe(training.members[0].results())))
    arrays = training.members[0].step_arrays.encode(training.learned_params(0))
    return {k: v for k, v in results.items() if k not in ("train_time", "eval_time")}, arrays


def _train_until(training: Training | DrivenTraining, until: int | None) -> None:
    steps, member = training.timestep, training.members[0]

    def count() -> None:
        nonlocal steps
        steps += 1
        training.stop = until is not None and steps >= until and member.can_be_saved

    training.on_step = count
    while not training.finished and not training.stop:
        if until is not None and training.timestep >= until and member.can_be_saved:
            return
        if training.evaluation_is_due:
            training.evaluate()
        else:
            training.advance(float("inf"))
    training.stop = False
