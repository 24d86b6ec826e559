"""What main.py prints, writes and answers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sweep_runs import (
    LINEAR_AC,
    MAIN,
    RANDOM,
    comparable,
    read_run,
    run_main,
    the_record,
    write_files,
)

from experiment.step_arrays import NAMES


def described(*arguments: object, cwd: Path) -> dict[str, Any]:
    done = run_main(*arguments, "--dry-run", cwd=cwd)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


# -- help


def test_help_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", str(MAIN), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    packages = {name.partition(".")[0] for name in imported}
    assert "click" in packages
    assert not packages & {"torch", "matplotlib", "gymnasium", "numpy", "numba", "pandas"}
    assert "setting = index mod G" in done.stdout


def test_help_takes_less_than_three_tenths_of_a_second(tmp_path: Path) -> None:
    command = [sys.executable, str(MAIN), "--help"]

    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.3


def test_agent_help_is_a_table_of_hyperparameters(tmp_path: Path) -> None:
    done = run_main("--agent-help", "linearAC", cwd=tmp_path)
    assert done.returncode == 0
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("tilings"))
    assert line.split()[:5] == ["tilings", "int", "in", "[1,", "1024]"]
    assert "overlapping tilings" in line
    assert "rules: clip_stddev <= 0 or clip_stddev >= 1" in done.stdout
    wrong = run_main("--agent-help", "linearac", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean 'linearAC'?" in wrong.stderr


def test_both_files_are_required(tmp_path: Path) -> None:
    done = run_main("--agent-json", "agent.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "Missing option '--env-json'" in done.stderr


# -- dry run


def test_a_dry_run_describes_an_index_and_runs_nothing(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    late = described(*files, "--index", "37", cwd=tmp_path)
    assert list(late) == [
        "index",
        "setting",
        "run",
        "random_seed",
        "grid_size",
        "setting_id",
        "agent_params",
        "output",
    ]
    assert (late["index"], late["setting"], late["run"], late["random_seed"]) == (37, 1, 1, 1)
    assert late["grid_size"] == 36
    assert late["output"] == (
        "results/sweep-PendulumContinuous-v1_linearAC/"
        "sweep-PendulumContinuous-v1_linearAC_data_37.json"
    )
    early = described(*files, "--index", "1", cwd=tmp_path)
    assert early["agent_params"] == late["agent_params"]
    assert early["agent_params"]["critic_lr"] == 0.1
    assert early["setting_id"] == late["setting_id"]
    assert (early["run"], early["random_seed"]) == (0, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"environment.json", "agent.json"}


def test_a_dry_run_of_several_is_a_line_each(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    chosen = ("--runs", "2", "--where", "critic_lr=0.1", "--where", "actor_lr=0.3")
    done = run_main(*files, *chosen, "--dry-run", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["index"] for line in lines] == [7, 16, 25, 34, 43, 52, 61, 70]
    assert all(line["agent_params"]["critic_lr"] == 0.1 for line in lines)


def test_the_seed_is_the_run_and_the_offset(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    shown = described(*files, "--index", "37", "--seed-offset", "100", cwd=tmp_path)
    assert (shown["run"], shown["random_seed"]) == (1, 101)
    assert shown["setting_id"] == described(*files, "--index", "37", cwd=tmp_path)["setting_id"]


def test_the_largest_index_has_a_description(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    assert described(*files, "--index", str(2**63 - 1), cwd=tmp_path)["run"] == (2**63 - 1) // 36
    for option in ("--index", "--seed-offset"):
        done = run_main(*files, option, str(2**63), cwd=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_value_that_no_setting_has(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    done = run_main(*files, "--where", "critic_lr=7", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: no setting has critic_lr=7\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--indices", "abc"),
        ("--indices", "9" * 5000),
        ("--index", "1", "--runs", "2"),
        ("--index", "-1"),
        ("--runs", "0"),
        ("--checkpoint-minutes", "nan"),
        ("--checkpoint-minutes", "0"),
        ("--where", "decay"),
        ("--record", "train_state"),
        ("--device", "cuda"),
        ("--replay", "environment.json"),
        ("--replay", "nowhere.json"),
        ("--replay", "."),
    ],
)
def test_a_wrong_option_is_refused_without_a_traceback(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = run_main(*write_files(tmp_path), *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].lower().startswith("error: ")
    assert not (tmp_path / "results").exists()


def test_an_agent_that_runs_on_the_cpu_only_says_so(tmp_path: Path) -> None:
    done = run_main(*write_files(tmp_path), "--device", "cuda", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: sweep/PendulumContinuous-v1: linearAC runs on the CPU only, not on 'cuda'\n"
    )


# -- runs


def test_an_index_is_run_once_and_again_when_forced(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    first = run_main(*files, "--index", "37", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    path = the_record(tmp_path / "results", 37)
    assert first.stdout == f"index 37: finished: {path.relative_to(tmp_path)}\n"
    run = read_run(path)
    assert (run["index"], run["run_number"], run["random_seed"]) == (37, 1, 1)
    assert run["status"] == "completed"
    assert run["timesteps_at_eval"] == [0, 250, 500, 600]
    assert [len(returns) for returns in run["eval_episode_rewards"]] == [2, 2, 2, 2]
    assert run["train_episode_steps"] == [70] * 8 + [40]
    assert run["total_train_episodes"] == 9

    before = path.stat()
    again = run_main(*files, "--index", "37", cwd=tmp_path)
    assert again.returncode == 0
    assert "finished before; --force runs it again" in again.stdout
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    forced = run_main(*files, "--index", "37", "--force", cwd=tmp_path)
    assert forced.returncode == 0
    assert path.stat().st_ino != before.st_ino
    assert comparable(read_run(path)) == comparable(run)
    assert not any((path.parent / "running").iterdir())


def test_all_runs_of_a_choice_of_settings(tmp_path: Path) -> None:
    files = write_files(tmp_path, total_timesteps=20, eval_episodes=0)
    chosen = ("--runs", "2", "--where", "critic_lr=0.1", "--where", "actor_lr=0.3")
    done = run_main(*files, *chosen, "--save-dir", "some", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("8 indices: 8 completed: results/some/")
    folder = the_record(tmp_path, 7).parent
    indices = {read_run(path)["index"] for path in folder.glob("*_data_*.json")}
    assert indices == {7, 16, 25, 34, 43, 52, 61, 70}
    more = run_main(*files, "--indices", "5-7,43", "--save-dir", "some", cwd=tmp_path)
    assert more.stdout.startswith("4 indices: 2 completed, 2 finished before: ")


def test_where_the_results_go(tmp_path: Path) -> None:
    files = write_files(tmp_path, RANDOM, total_timesteps=5, eval_episodes=0)
    name = "sweep-PendulumContinuous-v1_random"
    record_name = f"{name}_data_0.json"
    for save_dir, folder in (
        (None, tmp_path / "results"),
        ("mine/a", tmp_path / "results" / "mine" / "a"),
        (tmp_path / "elsewhere", tmp_path / "elsewhere"),
    ):
        arguments = () if save_dir is None else ("--save-dir", save_dir)
        assert run_main(*files, *arguments, cwd=tmp_path).returncode == 0
        assert (folder / name / record_name).is_file()
        assert (folder / name / "experiment.json").is_file()


def test_a_run_that_diverges_says_so_and_keeps_what_it_had(tmp_path: Path) -> None:
    agent = {"agent_name": "linearAC", "parameters": {"critic_lr": [1e308], "actor_lr": [0]}}
    done = run_main(*write_files(tmp_path, agent), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run = read_run(the_record(tmp_path))
    assert run["status"] == "diverged"
    assert f"diverged at timestep {run['diverged']['timestep']}: " in done.stderr
    assert sum(run["train_episode_steps"]) == run["diverged"]["timestep"] > 0


def test_the_emulator_of_atari_is_quiet(tmp_path: Path) -> None:
    files = write_files(
        tmp_path, RANDOM, env_name="ALE/Pong-v5", total_timesteps=4, eval_episodes=0
    )
    done = run_main(*files, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = (done.stderr + done.stdout).splitlines()
    assert line.startswith("index 0: finished: ")


def test_the_recorded_arrays_lie_beside_the_record(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    done = run_main(*files, "--record", ",".join(NAMES), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = the_record(tmp_path)
    run = read_run(path)
    arrays = dict(np.load(path.with_suffix(".npz")))
    assert arrays["train_states"].shape == (600, 2)
    assert arrays["train_actions"].shape == (600, 1)
    assert arrays["train_rewards"].shape == (600,)
    assert arrays["eval_states"].shape == (4 * 2 * 70, 2)
    assert arrays["update_states"].shape == (600, 2)
    assert arrays["update_next_states"].shape == (600, 2)
    assert arrays["learned_params.critic_weights"].ndim == 1
    assert set(NAMES) - set(arrays) == {"learned_params"}
    first = run["train_episode_rewards"][0]
    assert sum(arrays["train_rewards"][:70]) == pytest.approx(first)
    assert "train_states" not in run


def test_recording_changes_no_number(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    for place, record in (("with", "train_states,update_states"), ("without", "")):
        save_dir = ("--save-dir", tmp_path / place)
        assert run_main(*files, *save_dir, "--record", record, cwd=tmp_path).returncode == 0
    with_arrays, without = (the_record(tmp_path / place) for place in ("with", "without"))
    assert comparable(read_run(with_arrays)) == comparable(read_run(without))
    assert not without.with_suffix(".npz").exists()


def test_watching_changes_no_number(tmp_path: Path) -> None:
    files = write_files(tmp_path, total_timesteps=60)
    plain = run_main(*files, "--save-dir", tmp_path / "plain", cwd=tmp_path)
    watched = run_main(
        *(*files, "--save-dir", tmp_path / "watched", "--monitor", "--after", "45"), cwd=tmp_path
    )
    assert plain.returncode == watched.returncode == 0, watched.stderr
    assert comparable(read_run(the_record(tmp_path / "watched"))) == comparable(
        read_run(the_record(tmp_path / "plain"))
    )


def test_the_record_holds_the_files_and_the_resolved_setting(tmp_path: Path) -> None:
    files = write_files(tmp_path, total_timesteps=5, eval_episodes=0)
    assert run_main(*files, "--index", "3", cwd=tmp_path).returncode == 0
    tree = json.loads(the_record(tmp_path, 3).read_bytes())
    assert tree["experiment"]["agent"] == LINEAR_AC
    assert tree["experiment"]["environment"]["total_timesteps"] == 5
    (setting,) = tree["experiment_data"]
    assert setting == "3"
    params = tree["experiment_data"]["3"]["agent_params"]
    assert params == described(*files, "--index", "3", cwd=tmp_path)["agent_params"]
    assert params["tilings"] == 16
