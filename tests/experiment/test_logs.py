"""`--log`: what runs measure, written for other tools, and nothing of it changed."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from logged import hyperparameters_in_tensorboard, in_tensorboard, in_the_record, in_wandb
from sweep_runs import LINEAR_AC, RANDOM, ROOT, build, comparable, new_folder, read_run, write_files

from experiment import run as run_module
from experiment.configuration import Experiment
from experiment.folder import ResultFolder
from experiment.run import Options, Outcome, build_training, run_group
from experiment.writers.tensorboard import EventFile
from experiment.writers.writer import LoggedRun

TENSORBOARD = Options(log=("tensorboard",))
INDICES = [0, 1, 37]
NAME = "sweep-PendulumContinuous-v1_linearAC"


def log_of(folder: ResultFolder, index: int) -> Path:
    return folder.path / "logs" / "tensorboard" / f"{folder.manifest.stem}_{index}"


def as_written(series: Any) -> Any:
    """TensorBoard's numbers are 32-bit floats."""
    return {
        tag: [(step, float(np.float32(value))) for step, value in points]
        for tag, points in series.items()
    }


def logged_as_recorded(folder: ResultFolder, index: int) -> bool:
    recorded = in_the_record(read_run(folder.record_path(index)))
    return bool(in_tensorboard(log_of(folder, index)) == as_written(recorded))


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Trains a group and asks it to stop after some steps of this process."""

    def run(
        experiment: Experiment, folder: ResultFolder, steps: int, options: Options
    ) -> dict[int, Outcome]:
        def build_with_signal(*arguments: Any) -> Any:
            training, done = build_training(*arguments), itertools.count(1)
            training.on_step = lambda: (
                signal.raise_signal(signal.SIGTERM) if next(done) == steps else None
            )
            return training

        with monkeypatch.context() as patch:
            patch.setattr(run_module, "build_training", build_with_signal)
            return run_group(experiment, folder, INDICES, options)

    return run


# -- TensorBoard


def test_a_group_logs_every_run_apart_and_its_records_keep_every_bit(tmp_path: Path) -> None:
    experiment = build(LINEAR_AC)
    plain, folder = (
        new_folder(tmp_path / "plain", experiment),
        new_folder(tmp_path / "logged", experiment),
    )
    run_group(experiment, plain, INDICES, Options())
    run_group(experiment, folder, INDICES, TENSORBOARD)
    for index in INDICES:
        assert logged_as_recorded(folder, index)
        runs = [read_run(each.record_path(index)) for each in (plain, folder)]
        assert comparable(runs[0]) == comparable(runs[1])
    assert not (plain.path / "logs").exists()


def test_hyperparameters_index_and_seed_are_in_the_log(tmp_path: Path) -> None:
    experiment = build(LINEAR_AC)
    folder = new_folder(tmp_path, experiment)
    run_group(experiment, folder, [37], TENSORBOARD)
    found = hyperparameters_in_tensorboard(log_of(folder, 37))
    assert (found["index"], found["setting"], found["seed"]) == (37, 1, 1)
    setting = experiment.grid.setting(1)
    assert {name: found[name] for name in setting} == setting


@pytest.mark.parametrize("lost", [0, 700, 10**9])
def test_a_run_that_goes_on_appends_without_a_step_twice(
    left: Any, lost: int, tmp_path: Path
) -> None:
    """Also where the end of the log, or all of it, did not survive."""
    experiment = build(LINEAR_AC)
    folder = new_folder(tmp_path, experiment)
    for _ in range(2):
        assert set(left(experiment, folder, 170, TENSORBOARD).values()) == {Outcome.INTERRUPTED}
    files = sorted(log_of(folder, 1).iterdir())
    assert len(files) == 2
    data = files[1].read_bytes()
    files[1].write_bytes(data[: max(0, len(data) - lost)])
    run_group(experiment, folder, INDICES, TENSORBOARD)
    assert all(logged_as_recorded(folder, index) for index in INDICES)


def test_what_was_trained_without_a_log_is_logged_by_who_goes_on(left: Any, tmp_path: Path) -> None:
    experiment = build(LINEAR_AC)
    folder = new_folder(tmp_path, experiment)
    for options in (TENSORBOARD, Options()):
        left(experiment, folder, 170, options)
    run_group(experiment, folder, INDICES, TENSORBOARD)
    assert all(logged_as_recorded(folder, index) for index in INDICES)


def test_a_run_done_again_takes_the_place_of_its_log(tmp_path: Path) -> None:
    experiment = build(LINEAR_AC)
    folder = new_folder(tmp_path, experiment)
    for _ in range(2):
        run_group(experiment, folder, [1], Options(log=("tensorboard",), force=True))
    assert len(list(log_of(folder, 1).iterdir())) == 2
    assert logged_as_recorded(folder, 1)


def test_another_run_at_an_index_hides_the_one_before(tmp_path: Path) -> None:
    common: dict[str, Any] = {"name": "a_0", "folder": tmp_path, "experiment": "a", "timestep": 0}
    common |= {"env_name": "e", "agent_name": "a", "agent_params": {}, "environment": {}}
    first = EventFile(LoggedRun(identity="1111-0", facts={"setting": 0}, **common))
    first.write([(10, {"x": 1.0}), (20, {"x": 2.0})])
    second = EventFile(LoggedRun(identity="2222-0", facts={"setting": 5}, **common))
    second.write([(10, {"x": 3.0})])
    assert in_tensorboard(tmp_path / "tensorboard" / "a_0") == {"x": [(10, 3.0)]}


def test_a_diverged_run_logs_all_that_it_had(tmp_path: Path) -> None:
    agent = {"agent_name": "linearAC", "parameters": {"critic_lr": [3.0], "actor_lr": [0.0]}}
    experiment = build(agent, total_timesteps=20_000, eval_episodes=0)
    folder = new_folder(tmp_path, experiment)
    assert run_group(experiment, folder, [0], TENSORBOARD) == {0: Outcome.DIVERGED}
    assert logged_as_recorded(folder, 0)


def test_a_log_that_cannot_be_written_costs_the_log_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EventFile, "write", fail)
    experiment = build(RANDOM)
    folder = new_folder(tmp_path, experiment)
    assert run_group(experiment, folder, [0], TENSORBOARD) == {0: Outcome.COMPLETED}
    said = capsys.readouterr().err
    assert said.count("--log tensorboard: [Errno 28] No space left on device") == 1


#: main.py in a process of its own, and what it imported.
MAIN = """
import json, sys
missing, *words = json.loads(sys.argv[1])
sys.modules |= {name: None for name in missing}
import main
try:
    main.main(words)
finally:
    print("imported", *(n for n in ("tensorboard", "torch", "wandb") if sys.modules.get(n)))
"""


def main(
    words: tuple[str, ...], *missing: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, json.dumps([missing, *words])],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_linear_agent_logs_without_torch_and_asks_for_no_more_than_is_named(
    tmp_path: Path,
) -> None:
    files = (*write_files(tmp_path), "--save-dir", str(tmp_path / "out"))
    done = main((*files, "--log", "tensorboard"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("imported tensorboard\n")
    done = main((*files, "--index", "1"))
    assert done.stdout.endswith("imported\n")


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_library_is_named_before_anything_is_trained(name: str, tmp_path: Path) -> None:
    files = (*write_files(tmp_path), "--save-dir", str(tmp_path / "out"))
    done = main((*files, "--log", name), name)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --log {name}: the package {name} is not installed here; "
        f"install it with 'python -m pip install {name}'\n"
    )
    assert not (tmp_path / "out").exists()


def test_the_nearest_writer_is_named(tmp_path: Path) -> None:
    done = main((*write_files(tmp_path), "--log", "tensorbord"))
    assert done.returncode == 2
    assert "'tensorbord' is not one of 'tensorboard', 'wandb'" in done.stderr


# -- Weights & Biases

#: A group that is asked to stop at two timesteps, and goes on.
GROUP = """
import json, signal, sys
from pathlib import Path
from experiment import run
from sweep_runs import LINEAR_AC, build, new_folder

path, indices = json.loads(sys.argv[1])
build_training = run.build_training
def build_with_signal(*arguments):
    training = build_training(*arguments)
    def count():
        if training.timestep in (170, 340):
            signal.raise_signal(signal.SIGTERM)
    training.on_step = count
    return training
run.build_training = build_with_signal
experiment = build(LINEAR_AC)
folder = new_folder(Path(path), experiment)
for _ in range(3):
    run.run_group(experiment, folder, indices, run.Options(log=("wandb",)))
"""


def test_an_offline_group_that_goes_on_leaves_a_whole_wandb_run_each(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the package wandb is not installed")
    python_path = f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'experiment'}"
    done = subprocess.run(
        [sys.executable, "-c", GROUP, json.dumps([str(tmp_path), INDICES])],
        env=os.environ | {"WANDB_MODE": "offline", "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("resumes at timestep") == 2
    assert "wandb" not in done.stderr
    runs = [in_wandb(file) for file in tmp_path.glob("logs/wandb/offline-run-*/*.wandb")]
    assert sorted(config["index"] for config, _ in runs) == INDICES
    for config, series in runs:
        (path,) = tmp_path.glob(f"*_data_{config['index']}.json")
        record = json.loads(path.read_text())
        ((setting, content),) = record["experiment_data"].items()
        (run,) = content["runs"]
        assert series == in_the_record(run)
        assert config["name"] == f"{NAME}_{config['index']}"
        assert (config["env_id"], config["exp_name"]) == ("sweep/PendulumContinuous-v1", "linearAC")
        assert config["agent_params"] == content["agent_params"]
        assert (config["setting"], config["seed"]) == (int(setting), run["random_seed"])
    plain = new_folder(tmp_path / "plain", build(LINEAR_AC))
    run_group(build(LINEAR_AC), plain, INDICES, Options())
    for path in tmp_path.glob("*_data_*.json"):
        assert comparable(read_run(path)) == comparable(read_run(plain.path / path.name))


def test_without_an_account_wandb_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the package wandb is not installed")
    files = (*write_files(tmp_path), "--save-dir", str(tmp_path / "out"))
    unknown = {"HOME": str(tmp_path), "WANDB_API_KEY": "", "WANDB_MODE": "online"}
    done = main((*files, "--log", "wandb"), **unknown)
    assert done.returncode == 2
    assert re.fullmatch("error: --log wandb: .*; or set WANDB_MODE=offline\n", done.stderr)
    assert not list(tmp_path.rglob("*_data_*.json"))
