"""python -m agents.muzero.play: an episode, the search that it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from test_agent import CASES, QUICK, driver_of, short

from agents.muzero.play import main
from plotting.search_view.record import Search, read_search

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / "config" / "environment"
POLE = ENVIRONMENTS / "CartPole-v1.json"
GAME = ENVIRONMENTS / "TicTacToe-v1.json"


def play(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def refusal(*words: object) -> str:
    result = play(*words)
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    return line


@pytest.fixture
def agent_file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps({"agent_name": "MuZero", "parameters": QUICK}))
    return path


def searched(*words: object, output: Path) -> tuple[list[str], Search]:
    """What it prints, and the search that it writes."""
    result = play(*words, "-o", output)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines(), read_search(output)


def test_an_episode_is_played_to_its_end(agent_file: Path) -> None:
    words = ("--env-json", POLE, "--agent-json", agent_file, "--seed", 3)
    result = play(*words)
    assert result.exit_code == 0
    *lines, last = result.stdout.splitlines()[1:]
    assert last == f"decisions: {len(lines)}, return: {len(lines)} (terminated)"
    assert {sum(map(int, line.split()[5:])) for line in lines} == {4}
    assert play(*words).stdout == result.stdout


def test_the_search_of_a_decision_is_what_its_line_says(tmp_path: Path, agent_file: Path) -> None:
    words = ("--env-json", GAME, "--agent-json", agent_file, "--decisions", 3, "--decision", 2)
    lines, search = searched(*words, "--simulations", 20, output=tmp_path / "made" / "search.json")
    number, *name, reward, value, network = lines[3].split()[:-9]
    assert (number, reward) == ("2", "0")
    assert search.chosen is not None
    assert search.actions[search.chosen] == " ".join(name)
    assert len(search) == 21
    assert search.title.endswith("20 simulations, decision 2")
    assert float(value) == pytest.approx(search.nodes.returns[0], abs=1e-3)
    assert float(network) == pytest.approx(search.nodes.value[0] or 0, abs=1e-3)
    visits = dict.fromkeys(range(9), 0) | {
        search.nodes.action[node]: search.nodes.visits[node] for node in search.children()[0]
    }
    assert list(visits.values()) == list(map(int, lines[3].split()[-9:]))
    assert search.nodes.image == [0, *[-1] * 20]


def test_both_sides_or_somebody_else(agent_file: Path) -> None:
    words = ("--env-json", GAME, "--agent-json", agent_file, "--seed", 1)
    both = play(*words, "--opponent", "self").stdout.splitlines()
    assert len(both) - 2 >= 5  # nobody can have won before
    rewards = [float(line.split()[-12]) for line in both[1:-1]]
    first = sum(rewards[::2]) - sum(rewards[1::2])
    assert f"return: {first:g} (terminated)" in both[-1]
    one = play(*words, "--opponent", "random").stdout.splitlines()
    assert len(one) - 2 <= 5


@pytest.mark.parametrize("case", ["vectors", "pictures, rewards by a value prefix"])
def test_what_was_learned_decides(tmp_path: Path, case: str) -> None:
    """Heads that were zero prefer one action, wherever it is."""
    experiment = short(case, eval_episodes=0)
    environment = tmp_path / "environment.json"
    limits = {"total_timesteps": 161, "steps_per_episode": 23}
    environment.write_text(json.dumps(CASES[case][1] | limits))
    agent = tmp_path / "agent.json"
    agent.write_text(json.dumps({"agent_name": "MuZero", "parameters": QUICK | CASES[case][0]}))
    driver = driver_of(experiment)
    learned: dict[str, Any] = dict(driver.learned_params())
    driver.close()
    name = next(key for key in reversed(learned) if "policy" in key and learned[key].ndim == 1)
    learned[name] = np.eye(len(learned[name]), dtype=np.float32)[1] * 50
    path = tmp_path / "weights.npz"
    np.savez(path, **{f"learned_params.{key}": value for key, value in learned.items()})
    words = ("--env-json", environment, "--agent-json", agent, "--decisions", 2)
    _, search = searched(*words, "--weights", path, output=tmp_path / "search.json")
    assert search.root.prior[1] == pytest.approx(1)
    assert search.chosen == 1
    learned[name] = learned[name][:1]
    np.savez(path, **learned)
    assert f"{name} has shape [1], not" in refusal(*words, "--weights", path)


def test_what_it_cannot_do_it_says(tmp_path: Path, agent_file: Path) -> None:
    words = ("--env-json", POLE, "--agent-json", agent_file, "--decisions", 2)
    output = tmp_path / "search.json"
    late = refusal(*words, "--decision", 7, "-o", output)
    assert "there was no decision 7: the episode took 2" in late
    assert not output.exists()
    random = ROOT / "config" / "agent" / "random.json"
    assert "random is not MuZero" in refusal("--env-json", POLE, "--agent-json", random)
    assert "has no setting 9: 1 in all" in refusal(*words, "--index", 9)
    assert "does not take it" in refusal(*words, "--opponent", "self")
    assert "none.npz" in refusal(*words, "--weights", tmp_path / "none.npz")
    assert "is no .npz of learned parameters" in refusal(*words, "--weights", agent_file)
    np.savez(tmp_path / "other.npz", bias=np.zeros(3))
    assert "they are of another network" in refusal(*words, "--weights", tmp_path / "other.npz")
