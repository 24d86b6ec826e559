"""The promise of the project: killed at any instant and run again, a run ends the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from killed_runs import saved_timestep, wait_for, wait_for_checkpoint, wait_for_lock
from sweep_runs import (
    LINEAR_AC,
    RANDOM,
    command,
    comparable,
    read_run,
    run_main,
    the_record,
    write_files,
)

KILLS = 20


def start(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("checkpoint_minutes", ["0.0000001", "0.002"])
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(
    checkpoint_minutes: str, tmp_path: Path
) -> None:
    files = write_files(
        tmp_path, total_timesteps=60_000, eval_interval_timesteps=4_000, eval_episodes=3
    )
    files = (*files, "--index", "41", "--record", "train_rewards,learned_params")
    assert run_main(*files, "--save-dir", tmp_path / "whole", cwd=tmp_path).returncode == 0
    expected = the_record(tmp_path / "whole", 41)

    folder = tmp_path / "killed"
    arguments = (*files, "--save-dir", folder, "--checkpoint-minutes", checkpoint_minutes)
    moments = random.Random(checkpoint_minutes)
    kills = torn = 0
    timesteps = [0]
    while kills < KILLS // 2:
        process = start(*arguments, cwd=tmp_path)
        if not wait_for_lock(process, folder):
            break
        # some kills land while the run is set up or resumes, most while it trains
        if moments.random() < 0.8:
            wait_for_checkpoint(process, folder)
        time.sleep(0.2 * moments.random())
        process.kill()
        _, errors = process.communicate()
        assert process.returncode == -signal.SIGKILL, errors
        assert "Traceback" not in errors
        kills += 1
        torn += any(folder.rglob("*.tmp")) or any(folder.rglob("*.new"))
        timesteps.append(saved_timestep(folder))
    assert kills == KILLS // 2, "the run ended before it was killed often enough"
    assert timesteps == sorted(timesteps), "a kill lost an older checkpoint"
    assert timesteps[-1] > 0, "no kill landed after a checkpoint"
    if checkpoint_minutes == "0.0000001":
        assert torn > 0, "no kill landed in the writing of a checkpoint"

    last = run_main(*arguments[:-1], "10", cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    path = the_record(folder, 41)
    run = read_run(path)
    assert comparable(run) == comparable(read_run(expected))
    assert run["provenance"]["resumed"] >= 1
    assert path.with_suffix(".npz").read_bytes() == expected.with_suffix(".npz").read_bytes()
    assert list((path.parent / "running").iterdir()) == []
    assert not list(path.parent.glob(".*"))


PLANNER = {
    "agent_name": "piIW",
    "parameters": {
        "nodes": [10],
        "hidden_dim": [32],
        "batch_size": [4],
        "replay_min_transitions": [8],
        "replay_add": ["step"],
    },
}
GAME = {
    "env_name": "ALE/Breakout-v5",
    "total_timesteps": 120,
    "steps_per_episode": 90,
    "eval_interval_timesteps": 60,
    "eval_episodes": 1,
    "continuous": False,
    "atari": {"frame_skip": 15, "max_pool": False, "repeat_action_probability": 0.0},
}


def test_a_planner_killed_in_a_game_of_atari_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    files = write_files(tmp_path, PLANNER, **GAME)
    assert run_main(*files, "--save-dir", tmp_path / "whole", cwd=tmp_path).returncode == 0
    arguments = (*files, "--save-dir", tmp_path / "killed", "--checkpoint-minutes", "0.0000001")
    process = start(*arguments, cwd=tmp_path)
    while process.poll() is None and saved_timestep(tmp_path / "killed") < 70:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    assert 70 <= saved_timestep(tmp_path / "killed") < 120
    last = run_main(*arguments, cwd=tmp_path)
    assert last.returncode == 0, last.stderr
    assert "resumes at timestep" in last.stderr
    run = read_run(the_record(tmp_path / "killed"))
    assert comparable(run) == comparable(read_run(the_record(tmp_path / "whole")))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_asked_to_stop_it_saves_and_exits_with_75(number: int, tmp_path: Path) -> None:
    files = write_files(tmp_path, total_timesteps=60_000, eval_interval_timesteps=20_000)
    assert run_main(*files, "--save-dir", tmp_path / "whole", cwd=tmp_path).returncode == 0
    arguments = (*files, "--save-dir", tmp_path / "stopped")
    process = start(*arguments, cwd=tmp_path)
    assert wait_for(process, tmp_path / "stopped", "*.lock")
    time.sleep(0.1)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 75, (output, errors)
    assert "run it again to go on" in errors
    running = next((tmp_path / "stopped").rglob("running"))
    assert [path.suffix for path in running.iterdir()] == [".checkpoint"]

    again = run_main(*arguments, cwd=tmp_path)
    assert again.returncode == 0
    assert "resumes at timestep" in again.stderr
    assert comparable(read_run(the_record(tmp_path / "stopped"))) == comparable(
        read_run(the_record(tmp_path / "whole"))
    )


def test_a_sequence_that_is_asked_to_stop_begins_no_other_run(tmp_path: Path) -> None:
    files = write_files(tmp_path, RANDOM, total_timesteps=3_000, eval_episodes=0)
    process = start(*files, "--runs", "5000", "--save-dir", tmp_path / "out", cwd=tmp_path)
    assert wait_for(process, tmp_path / "out", "*_data_3.json")
    process.send_signal(signal.SIGUSR1)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 75, errors
    done = len(list((tmp_path / "out").rglob("*_data_*.json")))
    locks = list((tmp_path / "out").rglob("*.lock"))
    assert 4 <= done < 5000
    assert locks == []


def test_a_second_process_is_told_who_runs_the_index(tmp_path: Path) -> None:
    files = write_files(tmp_path, LINEAR_AC, total_timesteps=10_000_000, eval_episodes=0)
    arguments = (*files, "--save-dir", tmp_path / "out")
    process = start(*arguments, cwd=tmp_path)
    try:
        assert wait_for(process, tmp_path / "out", "*.lock")
        second = run_main(*arguments, cwd=tmp_path)
        assert second.returncode == 3
        assert second.stderr.startswith(
            "error: index 0 (setting 0, seed 0) is being run by process "
            f"{process.pid} on {os.uname().nodename} since "
        )
        other = run_main(*arguments, "--indices", "0,36", "--dry-run", cwd=tmp_path)
        assert other.returncode == 0
    finally:
        process.kill()
        process.communicate()
