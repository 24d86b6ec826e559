"""What a job is about to run: groups of runs, and a launcher that starts them."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from pathlib import Path

import agents
from experiment.adoption import open_folder
from experiment.agent_building import keeps_files
from experiment.bootstrap import ROOT
from experiment.configuration import Experiment, read_experiment
from experiment.folder import ResultFolder, Run, folder_of
from experiment.manifest import Manifest
from experiment.provenance import provenance
from experiment.run import Options, build_training, run_group
from experiment.scheduling.launchers import Command, Devices, Fork, exit_code_of
from experiment.scheduling.pool import Launcher
from experiment.scheduling.submission import Submission
from experiment.sequence import groups_of
from experiment.shard_writer import ShardWriter
from experiment.signals import on_stop_signal
from experiment.values import default_values

#: Seconds of training, and of evaluation, that load what runs need.
_WARM_UP = 0.5


def prepare(
    sent: Submission, task: int, leave_out: Collection[int]
) -> tuple[Launcher, list[list[int]]]:
    """The launcher of a task, and the groups that it is to start.

    Raises:
        ConfigError: the folder's indices mean something else by now.
    """
    experiment = read_experiment(sent.folder / "environment.json", sent.folder / "agent.json")
    settings_type = agents.settings_type(experiment.agent_name)
    manifest = Manifest.of(experiment, sent.seed_offset)
    path = folder_of(experiment, Path(sent.save_dir) if sent.save_dir is not None else None)
    folder, _ = open_folder(path, manifest, default_values(settings_type), adopt=False)
    if sent.cluster.shard:
        folder.writer = ShardWriter(folder.path, f"{sent.name}-{task}")
    options = Options(
        device=sent.device,
        batch=sent.batch or settings_type.group_size(sent.device),
        checkpoint_minutes=sent.cluster.checkpoint_minutes or Options().checkpoint_minutes,
        log=sent.log,
    )
    left = [
        index
        for index in sent.indices(task)
        if index not in leave_out and not folder.has(folder.run(index))
    ]
    groups = list(groups_of(experiment, folder, left, options))
    devices = Devices(sent.chunk_of(task).gpus, sent.cluster.runs_per_gpu)
    program = Path(sent.executable)
    if not program.is_file() or program.resolve() != (ROOT / "main.py").resolve():
        return Command(sent, devices), groups
    return _fork(experiment, folder, options, devices, len(left)), groups


def _fork(
    experiment: Experiment, folder: ResultFolder, options: Options, devices: Devices, runs: int
) -> Fork:
    provenance(options.device)  # asks git once, not in every process
    if folder.writer is not None:
        folder.writer.share()

    def work(group: Sequence[int]) -> int:
        # asked to stop before it trains, it still puts its locks away
        with on_stop_signal(lambda: None):
            return exit_code_of(list(run_group(experiment, folder, group, options).values()))

    def warm_up(index: int) -> None:
        # a GPU must not be touched before the fork, nor may what runs share be made by two
        if options.device == "cpu" and not keeps_files(experiment):
            _train_a_little(experiment, folder.run(index), options, runs)

    return Fork(work, devices, warm_up)


def _train_a_little(experiment: Experiment, run: Run, options: Options, runs: int) -> None:
    """Loads every module and compiled function that so many runs need."""
    training = build_training(experiment, [run], options, further=runs)
    if training.evaluation_is_due:
        training.stop = True  # an evaluation may be long: leave it when patience is over
        training.evaluate(patience=time.monotonic() + _WARM_UP)
        training.stop = False
    training.advance(time.monotonic() + _WARM_UP)
    training.close()
