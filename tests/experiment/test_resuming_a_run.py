"""A run that is left at any timestep and taken up again is the run that was never left."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from left_runs import train
from sweep_runs import (
    LINEAR_AC,
    RANDOM,
    build,
    comparable,
    new_folder,
    read_run,
    the_record,
    without_evaluation,
)

from experiment import run as run_module
from experiment.checkpoint import Checkpoints
from experiment.configuration import Experiment
from experiment.errors import StorageError
from experiment.folder import ResultFolder
from experiment.run import Options, Outcome, build_training, run_index
from experiment.signals import on_stop_signal
from experiment.step_arrays import NAMES

SARSA = {"agent_name": "ESarsa", "parameters": {"epsilon": [0.3], "epsilon_decay": [0.99]}}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "linearAC": (LINEAR_AC, {}),
    "ESarsa": (SARSA, {"env_name": "sweep/PendulumDiscrete-v1"}),
    "classic control": (SARSA, {"env_name": "CartPole-v1", "observation_ranges": [[-3, 3]] * 4}),
    "random": (RANDOM, {"env_name": "Pendulum-v1"}),
}


UNDISTURBED: dict[str, tuple[dict[str, Any], bytes]] = {}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=8, deadline=None)
@given(leave_at=st.lists(st.integers(0, 300), max_size=6))
def test_training_left_anywhere_ends_the_same(case: str, leave_at: list[int]) -> None:
    agent, fields = CASES[case]
    fields = {"total_timesteps": 300, "eval_interval_timesteps": 90} | fields
    experiment = build(agent, **fields)
    names = tuple(NAMES)
    if case not in UNDISTURBED:
        UNDISTURBED[case] = train(experiment, 40, [], names)
    assert train(experiment, 40, leave_at, names) == UNDISTURBED[case]


@pytest.mark.parametrize("case", CASES)
def test_looking_at_training_never_changes_it(case: str) -> None:
    agent, fields = CASES[case]
    seen, _ = train(build(agent, **fields, eval_interval_timesteps=37, eval_episodes=3), 2, [])
    unseen, _ = train(build(agent, **fields, eval_episodes=0), 2, [])
    assert len(seen["timesteps_at_eval"]) == 18
    assert without_evaluation(seen) == without_evaluation(unseen)


def test_every_evaluation_meets_the_same_initial_states() -> None:
    seen, _ = train(build(RANDOM, env_name="CartPole-v1", steps_per_episode=1), 0, [])
    assert len({tuple(steps) for steps in seen["eval_episode_steps"]}) == 1


# -- whole runs, with lock, checkpoint and record


def signal_after(steps: int, number: int) -> Callable[[Any, Any], Any]:
    """`build_training` with a signal to this process after some steps."""

    def build_with_signal(*arguments: Any) -> Any:
        training = build_training(*arguments)
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            if done == steps:
                signal.raise_signal(number)

        training.on_step = count
        return training

    return build_with_signal


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs an index and sends a stop signal after some steps of this process."""

    def run(experiment: Experiment, folder: ResultFolder, index: int, **how: Any) -> Outcome:
        steps, number = how.pop("steps"), how.pop("number", signal.SIGTERM)
        with monkeypatch.context() as patch:
            patch.setattr(run_module, "build_training", signal_after(steps, number))
            return run_index(experiment, folder, index, Options(**how))

    return run


def finished_run(experiment: Experiment, path: Path, index: int, **how: Any) -> dict[str, Any]:
    folder = new_folder(path, experiment)
    assert run_index(experiment, folder, index, Options(**how)) is Outcome.COMPLETED
    return read_run(folder.record_path(index))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_stop_signal_saves_and_the_run_goes_on(
    number: int, interrupted: Callable[..., Outcome], tmp_path: Path
) -> None:
    experiment = build(LINEAR_AC)
    expected = finished_run(experiment, tmp_path / "whole", 5)
    folder = new_folder(tmp_path / "folder", experiment)
    before = signal.getsignal(number)
    for _ in range(3):
        outcome = interrupted(experiment, folder, 5, steps=111, number=number)
        assert outcome is Outcome.INTERRUPTED
    assert signal.getsignal(number) is before
    assert run_index(experiment, folder, 5, Options()) is Outcome.COMPLETED
    run = read_run(folder.record_path(5))
    assert comparable(run) == comparable(expected)
    assert run["provenance"]["resumed"] == 3
    assert not any((folder.path / "running").iterdir())


def test_a_signal_that_arrives_between_two_runs_is_not_lost() -> None:
    asked: list[str] = []
    with on_stop_signal(lambda: asked.append("outer")):
        signal.raise_signal(signal.SIGUSR1)
        with on_stop_signal(lambda: asked.append("inner")):
            assert asked == ["outer", "inner"]
        with on_stop_signal(lambda: asked.append("inner again")):
            signal.raise_signal(signal.SIGTERM)
    assert asked == ["outer", "inner", "inner again", "outer", "inner again"]
    with on_stop_signal(lambda: asked.append("new")):
        assert "new" not in asked


def test_recorded_arrays_survive_being_interrupted(
    interrupted: Callable[..., Outcome], tmp_path: Path
) -> None:
    experiment = build(LINEAR_AC)
    finished_run(experiment, tmp_path / "whole", 5, record=tuple(NAMES))
    folder = new_folder(tmp_path / "folder", experiment)
    for steps in (33, 200, 150):
        interrupted(experiment, folder, 5, steps=steps, record=tuple(NAMES))
    run_index(experiment, folder, 5, Options(record=tuple(NAMES)))
    arrays = [the_record(tmp_path / place, 5).with_suffix(".npz") for place in ("whole", "folder")]
    assert arrays[0].read_bytes() == arrays[1].read_bytes()


def test_recording_something_else_starts_from_the_beginning(
    interrupted: Callable[..., Outcome], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = build(LINEAR_AC)
    expected = finished_run(experiment, tmp_path / "whole", 5)
    folder = new_folder(tmp_path / "folder", experiment)
    interrupted(experiment, folder, 5, steps=100)
    run_index(experiment, folder, 5, Options(record=("train_rewards",)))
    assert "starts from the beginning to record what is asked for now" in capsys.readouterr().err
    run = read_run(folder.record_path(5))
    assert comparable(run) == comparable(expected)
    assert run["provenance"]["resumed"] == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"garbage\n" + data,
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"[1]\n" + data.partition(b"\n")[2],
        lambda data: data.replace(b'"seed": 0', b'"seed": 1', 1),
        lambda data: (
            orjson.dumps(
                orjson.loads(data.partition(b"\n")[0])
                | {"bytes": 9, "xxh3": xxhash.xxh3_64_hexdigest(b"no pickle")}
            )
            + b"\nno pickle"
        ),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    damage: Callable[[bytes], bytes],
    interrupted: Callable[..., Outcome],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    experiment = build(LINEAR_AC)
    expected = finished_run(experiment, tmp_path / "whole", 5)
    folder = new_folder(tmp_path / "folder", experiment)
    for _ in range(2):
        interrupted(experiment, folder, 5, steps=150)
    (newest,) = (folder.path / "running").glob("*.checkpoint")
    newest.write_bytes(damage(newest.read_bytes()))
    capsys.readouterr()
    assert run_index(experiment, folder, 5, Options()) is Outcome.COMPLETED
    error = capsys.readouterr().err
    assert "falling back to the checkpoint before it" in error
    assert "resumes at timestep 15" in error
    assert comparable(read_run(folder.record_path(5))) == comparable(expected)


def test_without_any_whole_checkpoint_the_run_begins_again(
    interrupted: Callable[..., Outcome], tmp_path: Path
) -> None:
    experiment = build(LINEAR_AC)
    expected = finished_run(experiment, tmp_path / "whole", 5)
    folder = new_folder(tmp_path / "folder", experiment)
    for _ in range(2):
        interrupted(experiment, folder, 5, steps=150)
    for path in (folder.path / "running").iterdir():
        path.write_bytes(b"")
    assert run_index(experiment, folder, 5, Options()) is Outcome.COMPLETED
    assert comparable(read_run(folder.record_path(5))) == comparable(expected)


@pytest.mark.parametrize("rename", [1, 2])
def test_a_kill_between_the_renames_of_a_checkpoint_loses_nothing(
    rename: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path / "a.checkpoint", "0123456789abcdef", 3)
    checkpoints.save(1, {"at": 1})
    checkpoints.save(2, {"at": 2})
    calls = 0
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == rename + 1:  # the first puts the new file under its temporary name
            raise OSError(5, "killed")
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(StorageError):
            checkpoints.save(3, {"at": 3})
    assert checkpoints.load(pytest.fail) == {"at": 3}
    checkpoints.save(4, {"at": 4})
    assert checkpoints.load(pytest.fail) == {"at": 4}
    checkpoints.delete()
    assert list(tmp_path.iterdir()) == []
    assert checkpoints.load(pytest.fail) is None


def test_an_environment_that_cannot_be_saved_within_an_episode_is_saved_between(
    interrupted: Callable[..., Outcome], tmp_path: Path
) -> None:
    experiment = build(
        RANDOM, env_name="LunarLander-v3", total_timesteps=900, steps_per_episode=300
    )
    expected = finished_run(experiment, tmp_path / "whole", 1)
    assert expected["provenance"]["saved_between_episodes_only"]
    folder = new_folder(tmp_path / "folder", experiment)
    borders = [sum(expected["train_episode_steps"][: i + 1]) for i in range(20)]
    saved_at = []
    for _ in range(2):
        assert interrupted(experiment, folder, 1, steps=130) is Outcome.INTERRUPTED
        (path,) = (folder.path / "running").glob("*.checkpoint")
        saved_at.append(orjson.loads(path.read_bytes().partition(b"\n")[0])["timestep"])
    assert set(saved_at) <= set(borders)
    assert saved_at[0] >= 130
    assert run_index(experiment, folder, 1, Options()) is Outcome.COMPLETED
    run = read_run(folder.record_path(1))
    assert comparable(run) == comparable(expected)
    assert run["provenance"]["resumed"] == 2


def test_an_environment_without_episode_borders_is_left_after_a_while(
    interrupted: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "GRACE_SECONDS", 0.0)
    experiment = build(RANDOM, env_name="LunarLander-v3", total_timesteps=900, eval_episodes=0)
    folder = new_folder(tmp_path, experiment)
    assert interrupted(experiment, folder, 0, steps=5) is Outcome.INTERRUPTED
    assert run_index(experiment, folder, 0, Options()) is Outcome.COMPLETED


def test_a_run_that_diverges_after_being_interrupted_diverges_at_the_same_step(
    interrupted: Callable[..., Outcome], tmp_path: Path
) -> None:
    agent = {"agent_name": "linearAC", "parameters": {"critic_lr": [3.0], "actor_lr": [0.0]}}
    experiment = build(agent, total_timesteps=20_000, eval_episodes=0)
    folder = new_folder(tmp_path / "whole", experiment)
    assert run_index(experiment, folder, 0, Options()) is Outcome.DIVERGED
    expected = read_run(folder.record_path(0))
    steps = expected["diverged"]["timestep"]
    assert steps > 100
    resumed = new_folder(tmp_path / "resumed", experiment)
    for _ in range(3):
        interrupted(experiment, resumed, 0, steps=steps // 4)
    assert run_index(experiment, resumed, 0, Options()) is Outcome.DIVERGED
    assert comparable(read_run(resumed.record_path(0))) == comparable(expected)


def test_a_diverged_run_that_cannot_be_written_diverges_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = {"agent_name": "linearAC", "parameters": {"critic_lr": [1e308], "actor_lr": [0.0]}}
    experiment = build(agent)
    folder = new_folder(tmp_path, experiment)

    def fail(*arguments: object) -> None:
        raise StorageError("record.json: cannot be written: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ResultFolder, "write", fail)
        with pytest.raises(StorageError):
            run_index(experiment, folder, 0, Options())
    assert run_index(experiment, folder, 0, Options()) is Outcome.DIVERGED


def test_a_checkpoint_by_the_clock_changes_nothing(tmp_path: Path) -> None:
    experiment = build(LINEAR_AC, total_timesteps=150)
    often = finished_run(experiment, tmp_path / "often", 5, checkpoint_minutes=1e-9)
    never = finished_run(experiment, tmp_path / "never", 5, checkpoint_minutes=float("inf"))
    assert comparable(often) == comparable(never)


def test_forcing_a_run_forgets_its_checkpoint(
    interrupted: Callable[..., Outcome], tmp_path: Path
) -> None:
    experiment = build(LINEAR_AC)
    folder = new_folder(tmp_path, experiment)
    interrupted(experiment, folder, 5, steps=300)
    options = msgspec.structs.replace(Options(), force=True)
    assert run_index(experiment, folder, 5, options) is Outcome.COMPLETED
    assert read_run(folder.record_path(5))["provenance"]["resumed"] == 0
