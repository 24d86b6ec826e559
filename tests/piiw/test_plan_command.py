"""python -m agents.piiw.plan: an episode, one step, the files that it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from test_agents_that_plan_and_learn import SMALL, planner

from agents.piiw.plan import main

ROOT = Path(__file__).resolve().parents[2]
CORRIDOR = ROOT / "config" / "environment" / "KeyDoorCorridor-v1.json"
MAZE = ROOT / "config" / "environment" / "KeyDoorMaze0-v1.json"


def plan(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def refusal(*words: object) -> str:
    result = plan(*words)
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    return line


@pytest.fixture
def agent_file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.json"
    tiles = {"downsampling_tiles_w": 5, "downsampling_tiles_h": 5}
    path.write_text(json.dumps({"agent_name": "piHIW", "parameters": {**SMALL, **tiles}}))
    return path


def test_an_episode_is_planned_to_its_end() -> None:
    result = plan("--env-json", CORRIDOR, "--budget", 30, "--seed", 3)
    assert result.exit_code == 0
    *lines, last = result.stdout.strip().splitlines()[1:]
    assert int(lines[-1].split()[0]) == len(lines) - 1
    assert sum(float(line.split()[2]) for line in lines) == 1
    nodes = sum(int(line.split()[3]) for line in lines)
    assert last == f"decisions: {len(lines)}, nodes: {nodes}, return: 1 (terminated)"
    assert plan("--env-json", CORRIDOR, "--budget", 30, "--seed", 3).stdout == result.stdout


def test_one_step_and_its_search(tmp_path: Path, agent_file: Path) -> None:
    output = tmp_path / "made" / "search.json"
    result = plan(
        *("--env-json", MAZE, "--agent-json", agent_file, "--budget", 40, "--one-step"),
        *("-o", output),
    )
    assert result.exit_code == 0
    record: dict[str, Any] = json.loads(output.read_text())
    assert record["format"] == "search/1"
    assert record["planner"] == "piHIW"
    assert len(record["nodes"]["parent"]) == 41
    assert record["nodes"]["image"][0] == 0
    assert len(record["images"]) > 3
    assert result.stdout.splitlines()[1].split()[1] == record["actions"][record["chosen"]]


def test_a_later_decision_is_written_when_asked_for(tmp_path: Path) -> None:
    output = tmp_path / "search.json"
    plan("--env-json", CORRIDOR, "--decisions", 4, "--decision", 3, "-o", output)
    assert json.loads(output.read_text())["title"].endswith("decision 3")


def test_a_video_of_the_episode(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "episode.gif"
    plan("--env-json", CORRIDOR, "--decisions", 3, "--video", path)
    with Image.open(path) as video:
        assert getattr(video, "n_frames", 1) == 4


def test_learned_weights_guide(tmp_path: Path, agent_file: Path) -> None:
    agent, _ = planner("piHIW", downsampling_tiles_w=5, downsampling_tiles_h=5)
    learned = agent.learned_params()
    learned["policy.bias"] = np.array([0, 0, 1e6, 0, 0], np.float32)  # EAST, whatever is seen
    path = tmp_path / "weights.npz"
    np.savez(path, **{f"learned_params.{name}": value for name, value in learned.items()})
    words = ("--env-json", MAZE, "--agent-json", agent_file, "--one-step", "--weights", path)
    output = tmp_path / "search.json"
    assert plan(*words, "-o", output).exit_code == 0
    record = json.loads(output.read_text())
    assert record["root"]["prior"][record["actions"].index("EAST")] == 1.0
    learned["policy.bias"] = np.zeros(4, np.float32)
    np.savez(path, **learned)
    assert "policy.bias has shape [4], not [5]" in refusal(*words)


def test_what_it_cannot_do_it_says(tmp_path: Path, agent_file: Path) -> None:
    words = ("--env-json", CORRIDOR, "--decisions", 2)
    none = tmp_path / "none.npz"
    assert "rolloutIW has no network" in refusal(*words, "--weights", none)
    assert "none.npz" in refusal(*words, "--agent-json", agent_file, "--weights", none)
    output = tmp_path / "search.json"
    assert "there was no decision 7: the episode took 2" in refusal(
        *words, "--decision", 7, "-o", output
    )
    assert not output.exists()
    sac = ROOT / "config" / "agent" / "random.json"
    assert "random is no planner" in refusal(*words, "--agent-json", sac)
    assert "has no setting 9: 1 in all" in refusal(*words, "--agent-json", agent_file, "--index", 9)
    assert ".mp4 or .gif" in refusal(*words, "--video", tmp_path / "episode.avi")
    assert "no such file" in refusal("--env-json", tmp_path / "absent.json")
