"""What main.py cannot use on its command line, or in the files named there, is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweep_runs import LINEAR_AC, environment, run_main, write_files

from experiment.configuration import build_experiment
from experiment.errors import ConfigError
from experiment.selection import parse_indices, parse_record_names, parse_where


@pytest.mark.parametrize(
    "text", ["abc", "", "1-", "-1", "1,,2", "5-3", "1.5", "9" * 30, "9" * 5000, "0-" + "9" * 20]
)
def test_indices_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--indices: "):
        parse_indices(text)


def test_indices_are_ranges_and_single_numbers() -> None:
    assert parse_indices("0-35, 72") == [range(36), range(72, 73)]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["critic_lr"], "--where: 'critic_lr' is not NAME=VALUE"),
        (["criticlr=1"], "linearAC has no hyperparameter 'criticlr'; did you mean 'critic_lr'?"),
        (["critic_lr=a"], '--where: critic_lr is "a": expected float, got str'),
        (["critic_lr=NaN"], '--where: critic_lr is "NaN": expected float, got str'),
        (["tilings=" + "9" * 30], "expected int"),
        (["tilings=" + "[" * 5000], "expected int"),
        (["decay=0.5", "decay=0.5"], "--where: decay is given twice"),
    ],
)
def test_values_that_are_none(where: list[str], message: str) -> None:
    experiment = build_experiment(environment(), LINEAR_AC, "environment.json", "agent.json")
    with pytest.raises(ConfigError) as caught:
        parse_where(where, experiment)
    assert message in str(caught.value)


def test_names_of_arrays_that_are_none() -> None:
    with pytest.raises(ConfigError, match="--record: 'train_state' is unknown; did you mean"):
        parse_record_names("train_rewards,train_state")


@pytest.mark.parametrize(
    ("agent", "fields", "message"),
    [
        (
            {"agent_name": "linearAC", "parameters": {"critic_lrr": [1]}},
            {},
            "parameters.critic_lrr names no hyperparameter 'critic_lrr'; did you mean 'critic_lr'?",
        ),
        (LINEAR_AC, {"env_name": "Pendulum-v7"}, "env_name 'Pendulum-v7' is not registered"),
        (LINEAR_AC, {"rewards": {"goal": 1.0}}, "rewards"),
        ({"agent_name": {"a": []}}, {}, "agent_name is an object, not a string"),
    ],
)
def test_the_command_says_it_on_one_line(
    agent: Any, fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    files = write_files(tmp_path, agent, **fields)
    done = run_main(*files, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert done.stdout == ""
    assert not (tmp_path / "results").exists()


def test_a_missing_file_is_named_with_its_neighbour(tmp_path: Path) -> None:
    files = write_files(tmp_path)
    done = run_main(*files[:3], str(tmp_path / "agnt.json"), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {tmp_path}/agnt.json: no such file; did you mean {tmp_path}/agent.json?\n"
    )
