"""The command: rollouts in a folder, parts of them by index, and records as of any other run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.rollouts.folder import RolloutFolder
from agents.rollouts.reading import Rollouts
from agents.world_models.collect import main
from experiment.folder import read_manifest
from experiment.record import load
from experiment.results import load as load_results

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment file and agent files, in the folder that the test is in."""
    monkeypatch.chdir(tmp_path)
    write("env.json", {"env_name": "CartPole-v1", "total_timesteps": 100})
    write("random.json", {"agent_name": "random"})
    held = {"policy": ["held", "brownian"], "hold": 3}
    write("two.json", {"agent_name": "randomPolicy", "parameters": held})


def write(name: str, content: dict[str, Any]) -> None:
    Path(name).write_text(json.dumps(content))


def collect(*words: object, workers: int = 0) -> Result:
    common = ("--env-json", "env.json", "--out", "out", "--workers", workers)
    return CliRunner().invoke(main, [str(word) for word in (*common, *words)])


def test_exactly_n_rollouts_and_a_second_time_nothing_more() -> None:
    first = collect("--rollouts", 9, "--policy", "brownian", "--max-steps", 7)
    assert first.exit_code == 0, first.output
    rollouts = Rollouts("out")
    assert len(rollouts) == 9 and rollouts.lengths.max() <= 7
    assert rollouts.spec.policy == {"name": "brownian", "parameters": {"dt": 0.02}}
    before = sorted(Path("out").iterdir())
    assert collect("--rollouts", 9, "--policy", "brownian", "--max-steps", 7).exit_code == 0
    assert sorted(Path("out").iterdir()) == before


def test_parts_make_up_the_whole() -> None:
    for index in (2, 0, 1):
        assert collect("--rollouts", 10, "--parts", 3, "--index", index).exit_code == 0
        if index == 2:
            assert RolloutFolder("out").missing() == [0, 1, 2, 3, 4, 5]
    assert not Path("results").exists()
    whole = RolloutFolder("out")
    assert whole.manifest is not None and whole.manifest["rollouts"] == 10


def test_an_index_of_an_agent_file_writes_a_record_of_its_rollouts() -> None:
    words = ("--rollouts", 6, "--parts", 2, "--agent-json", "random.json", "--save-dir", "sweep")
    assert collect(*words, "--index", 1).exit_code == 0
    folder = Path("results/sweep/CartPole-v1_random")
    assert read_manifest(folder) is not None
    _, _, run = load((folder / "CartPole-v1_random_data_1.json").read_bytes())
    rollouts = [Rollouts("out").rollout(i) for i in range(3)]
    assert RolloutFolder("out").missing() == [0, 1, 2]
    assert run["train_episode_rewards"] == [float(one.rewards.sum()) for one in rollouts]
    assert run["train_episode_steps"] == [one.length for one in rollouts]
    assert run["provenance"]["frames_per_second"] > 0
    assert run["provenance"]["policy"] == {"name": "random", "parameters": {}}
    assert collect(*words, "--indices", "0-1").exit_code == 0
    assert RolloutFolder("out").missing() == []
    runs = load_results(folder)
    assert len(runs) == 2


def test_each_setting_of_an_agent_file_gets_a_folder() -> None:
    words = ("--rollouts", 4, "--parts", 2, "--agent-json", "two.json", "--indices", "0-3")
    assert collect(*words).exit_code == 0
    names = []
    for setting in (0, 1):
        folder = RolloutFolder(f"out/setting-{setting}")
        assert folder.missing() == []
        names.append(folder.spec.policy)
    assert names[0] == {"name": "held", "parameters": {"hold": 3}}
    assert names[1]["name"] == "brownian"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--policy", "perlim"), "there is no policy 'perlim'"),
        (("--policy", "held", "--agent-json", "random.json"), "exclude one another"),
        (("--parts", 3, "--index", 3), "with --parts 3 the last is 2"),
        (("--parts", 9, "--index", 0), "part 0 of 9 is empty"),
        (("--device", "cuda"), "not on cuda"),
        (("--policy", "none.json"), "no such file"),
        (("--agent-json", "random.json", "--weights", "w.npz"), "random learns nothing"),
    ],
)
def test_bad_input_ends_in_a_sentence(words: tuple[object, ...], message: str) -> None:
    result = collect("--rollouts", 5, *words)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not Path("out").exists()


def test_a_folder_of_other_rollouts_is_refused() -> None:
    assert collect("--rollouts", 2).exit_code == 0
    other = collect("--rollouts", 2, "--policy", "held")
    assert other.exit_code == 2 and "holds other rollouts: policy is" in other.output


def test_a_signal_stops_it_and_it_goes_on_later() -> None:
    command = [sys.executable, "-m", "agents.world_models.collect"]
    command += ["--env-json", "env.json", "--out", "out", "--workers", "1"]
    command += ["--rollouts", "100000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not [*Path("out").glob(".rollouts*.h5*")] and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    program.send_signal(signal.SIGTERM)
    _, said = program.communicate(timeout=60)
    assert program.returncode == 75
    assert "run it again to go on" in said
    assert len(Rollouts("out")) > 0
    assert not [*Path("out").glob(".rollouts*.tmp")]


def test_schedule_sends_what_is_missing_and_no_more(tmp_path: Path) -> None:
    program = f"{sys.executable} -m agents.world_models.collect --rollouts 8 --parts 2 --out out"
    words = [sys.executable, str(ROOT / "schedule.py"), str(ROOT / "clusters" / "local.json")]
    words += [program, str(tmp_path), "env.json", "sent", "random.json", "--runs", "2", "--yes"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    one = ("--rollouts", 8, "--parts", 2, "--agent-json", "random.json", "--save-dir", "sent")
    assert collect(*one, "--index", 0).exit_code == 0
    sent = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert sent.returncode == 0, sent.stderr
    assert "1 done" in sent.stdout + sent.stderr  # before it began
    folder = RolloutFolder("out")
    assert folder.missing() == [] and folder.manifest is not None
    records = sorted(Path("results/sent/CartPole-v1_random").glob("*_data_*.json"))
    assert len(records) == 2
