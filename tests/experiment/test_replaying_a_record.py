"""--replay: the same run again, and whether it is the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_runs import LINEAR_AC, RANDOM, build, new_folder, run_main, the_record, write_files

from experiment import record
from experiment.replay import replay_record
from experiment.run import Options, run_index


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The record of index 41 of the documented grid, seeds from 7 on."""
    experiment = build(LINEAR_AC)
    folder = new_folder(tmp_path / "folder", experiment, seed_offset=7)
    run_index(experiment, folder, 41, Options())
    return folder.record_path(41)


def tamper(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edits a run and seals it again."""
    files, params, run = record.load(path.read_bytes())
    change(run)
    path.write_bytes(record.encode(files, record.unseal(path.read_bytes()).setting, params, run))


def test_the_same_code_gives_the_same_record(
    original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = original.read_bytes()
    assert replay_record(original, Options()) == 0
    assert capsys.readouterr().out == f"equal: {original} is reproduced to the last bit\n"
    assert original.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda run: run["train_episode_rewards"].__setitem__(3, 0.5), "train_episode_rewards"),
        (lambda run: run["eval_episode_steps"][1].append(1), "eval_episode_steps"),
        (
            lambda run: run["metrics"]["average_reward"]["value"].reverse(),
            "metrics.average_reward.value",
        ),
        (lambda run: run.pop("timesteps_at_eval"), "timesteps_at_eval"),
        (lambda run: run.update(more=1), "more"),
    ],
)
def test_a_record_that_is_not_reproduced_names_the_field(
    change: Callable[[dict[str, Any]], None],
    field: str,
    original: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tamper(original, change)
    assert replay_record(original, Options()) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"different: {original} is not reproduced; it differs in {field}",
        "  code, package versions, CPU and device are the same",
    ]


def test_a_difference_of_versions_is_named(
    original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper(original, lambda run: run["provenance"]["packages"].update(numpy="1.0"))
    assert replay_record(original, Options()) == 0
    assert "  packages.numpy: 1.0 then, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "params", "message"),
    [
        ({"environment": {}}, {}, "holds no environment and agent file"),
        ([], {}, "holds no environment and agent file"),
        ({"environment": {}, "agent": {"agent_name": "random"}}, [], "agent_params"),
        ({"environment": {}, "agent": {"agent_name": "none"}}, {}, "lacks 'env_name'"),
        ({"environment": 3, "agent": {"agent_name": "random"}}, {}, "not an object"),
    ],
)
def test_a_record_that_says_too_little_is_refused(
    files: Any, params: Any, message: str, original: Path, tmp_path: Path
) -> None:
    _, _, run = record.load(original.read_bytes())
    other = tmp_path / "other.json"
    tree = {"experiment": files, "experiment_data": {"5": {"agent_params": params, "runs": [run]}}}
    other.write_text(json.dumps(tree))
    done = run_main("--replay", other, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith((f"error: --replay: {other}: ", f"error: {other}: "))
    assert message in line


def test_replaying_from_the_command_line(tmp_path: Path) -> None:
    files = write_files(tmp_path, RANDOM)
    assert run_main(*files, "--index", "2", cwd=tmp_path).returncode == 0
    path = the_record(tmp_path / "results", 2)
    before = sorted(tmp_path.rglob("*"))
    done = run_main("--replay", path, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"equal: {path} is reproduced to the last bit\n")
    tamper(path, lambda run: run["train_episode_steps"].append(1))
    assert run_main("--replay", path, cwd=tmp_path).returncode == 1
    assert sorted(tmp_path.rglob("*")) == before
