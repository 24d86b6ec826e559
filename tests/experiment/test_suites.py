"""Several environments, the same indices in each: suites for main.py and schedule.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sweep_runs import RANDOM, environment, run_main, write_files

from experiment.errors import ConfigError
from experiment.suite import environment_files

NAMES = ("sweep/PendulumContinuous-v1", "sweep/MountainCarDiscrete-v1", "CartPole-v1")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "environments"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        content = environment(env_name=name, total_timesteps=40, eval_episodes=0)
        (folder / f"{number}.json").write_text(json.dumps(content))
    path = tmp_path / "suite.json"
    listed = [f"environments/{number}.json" for number in range(3)]
    path.write_text(json.dumps({"environments": listed}))
    return path


def test_an_environment_file_stands_for_itself(tmp_path: Path) -> None:
    write_files(tmp_path)
    file = tmp_path / "environment.json"
    assert environment_files(file) == [file]
    assert environment_files(tmp_path / "absent.json") == [tmp_path / "absent.json"]


def test_main_runs_the_same_indices_in_each_environment(tmp_path: Path, suite: Path) -> None:
    _, _, _, agent = write_files(tmp_path, RANDOM)
    words = ("--env-json", str(suite), "--agent-json", agent, "--runs", "2")
    done = run_main(*words, "--save-dir", str(tmp_path / "results"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = sorted((tmp_path / "results").glob("*/*_data_*.json"))
    folders = {name.replace("/", "-") + "_random" for name in NAMES}
    assert {path.parent.name for path in records} == folders
    assert len(records) == 6
    described = run_main(*words, "--dry-run", cwd=tmp_path)
    seeds = [json.loads(line)["random_seed"] for line in described.stdout.splitlines()]
    assert seeds == [0, 1] * 3


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (["environments/7.json"], r"environments\.0 \S+7\.json: no such file"),
        (["environments/0.json", "environments/./0.json"], r"environments\.1 \S+0\.json again"),
        ([], "environments"),
        ("environments/0.json", "environments"),
    ],
)
def test_a_bad_suite_is_refused(suite: Path, listed: object, said: str) -> None:
    suite.write_text(json.dumps({"environments": listed}))
    with pytest.raises(ConfigError, match=said):
        environment_files(suite)
