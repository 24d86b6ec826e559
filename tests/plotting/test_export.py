"""Results for other tools, read back as these tools read them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from learning_curve_data import Tree, flat_run, make_run, make_tree, write_tree

from plotting import export


def call(*words: object) -> Result:
    return CliRunner().invoke(export.main, [str(word) for word in words])


def said(*words: object) -> str:
    result = call(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*words: object) -> str:
    result = call(*words)
    assert result.exit_code == 2, result.output
    return result.stderr.strip().splitlines()[-1].removeprefix("Error: ")


def experiment(
    folder: Path, env_name: str, agent_name: str, settings: dict[int, list[Tree]]
) -> Path:
    tree = make_tree(settings, env_name=env_name, agent_name=agent_name)
    return write_tree(folder / f"{env_name}_{agent_name}".replace("/", "-"), tree)


@pytest.fixture
def four(tmp_path: Path) -> list[Path]:
    """Two agents on two environments; setting 1 is the best of each, run r scores 10 r more."""
    return [
        experiment(
            tmp_path,
            env_name,
            agent_name,
            {k: [flat_run(run, base + 100 * k + 10 * run) for run in range(3)] for k in range(2)},
        )
        for base, agent_name in ((0.0, "SAC"), (0.1, "DQN"))
        for env_name in ("Pendulum-v1", "sweep/Acrobot-v1")
    ]


# -- rliable


def test_rliable_gets_a_score_for_every_run_and_task(four: list[Path], tmp_path: Path) -> None:
    text = said(*four, "--to", "rliable", "-o", tmp_path / "out")
    scores = dict(np.load(tmp_path / "out" / "scores.npz"))
    assert list(scores) == ["SAC", "DQN"]
    np.testing.assert_array_equal(scores["SAC"], [[100, 100], [110, 110], [120, 120]])
    np.testing.assert_allclose(scores["DQN"], scores["SAC"] + 0.1, rtol=1e-15)
    described = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert described["metric"] == "eval-mean"
    assert described["tasks"] == ["Pendulum-v1", "sweep/Acrobot-v1"]
    assert described["algorithms"]["SAC"]["settings"] == [1, 1]
    assert described["algorithms"]["SAC"]["scores"] == scores["SAC"].tolist()
    assert text.count("setting 1 (chosen on these seeds, which flatter it)") == 4


def test_another_setting_and_another_metric(four: list[Path], tmp_path: Path) -> None:
    words = (four[0], "--to", "rliable", "--setting", 0, "--metric", "train-final")
    assert "flatter" not in said(*words, "-o", tmp_path / "out")
    scores = dict(np.load(tmp_path / "out" / "scores.npz"))
    np.testing.assert_array_equal(scores["SAC"], [[0], [10], [20]])


def test_rows_are_runs_that_all_tasks_have_and_diverged_ones_are_nan(tmp_path: Path) -> None:
    lost = flat_run(1, 5.0, status="diverged")
    first = experiment(tmp_path, "A-v1", "SAC", {0: [flat_run(0, 1.0), lost, flat_run(3, 3.0)]})
    second = experiment(tmp_path, "B-v1", "SAC", {0: [flat_run(k, k) for k in range(3)]})
    text = said(first, second, "--to", "rliable", "-o", tmp_path / "out")
    scores = np.load(tmp_path / "out" / "scores.npz")["SAC"]
    np.testing.assert_array_equal(scores, [[1, 0], [np.nan, 1]])
    assert "SAC: left out, as not all tasks have them: runs 2-3" in text
    assert "SAC: 1 of 4 scores are NaN (diverged)" in text
    described = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert described["algorithms"]["SAC"]["scores"] == [[1, 0], ["nan", 1]]
    assert described["algorithms"]["SAC"]["runs"] == [0, 1]


def test_a_table_with_a_hole_is_refused(four: list[Path], tmp_path: Path) -> None:
    assert refusal(*four[:3], "--to", "rliable", "-o", tmp_path / "out") == (
        "no experiment of DQN on sweep/Acrobot-v1, where another agent has one: every agent is "
        "needed on every environment"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tool", ["rliable", "openrlbenchmark"])
def test_a_second_experiment_of_the_same_is_refused(
    tool: str, four: list[Path], tmp_path: Path
) -> None:
    other = experiment(tmp_path / "again", "Pendulum-v1", "SAC", {0: [flat_run(0, 1.0)]})
    assert "is a second experiment of SAC on Pendulum-v1: give one" in refusal(
        four[0], other, "--to", tool, "-o", tmp_path / "out"
    )


# -- openrlbenchmark


def offline_runs(data_set: Path, env_id: str, exp_name: str) -> list[dict[str, Any]]:
    """As openrlbenchmark.rlops.Runset finds them, and openrlbenchmark.cache.CachedRun loads them.

    The query is the one that peewee makes of its condition.
    """
    database = data_set / "local" / "rl-sweep" / "offline.sqlite"
    found = sqlite3.connect(database).execute(
        "SELECT id, entity, project FROM offlinerun WHERE project = 'rl-sweep' AND "
        "entity = 'local' AND json_extract(config, '$.env_id') = ? AND "
        "json_extract(config, '$.exp_name') = ?",
        (env_id, exp_name),
    )
    runs = []
    for identity, entity, project in found:
        folder = data_set / entity / project / identity
        run = json.loads((folder / "run.json").read_text())
        needed = ("id", "name", "state", "url", "path", "tags", "project", "entity", "config")
        assert set(needed) <= set(run)
        assert run["user"]["username"] == "local"
        runs.append(run | {"df": pd.read_csv(folder / "run_df.csv")})
    return runs


def curve(run: dict[str, Any], metric: str) -> Any:
    """As openrlbenchmark.rlops.create_hypothesis cleans it; pandas may read the last bit wrong."""
    table = run["df"][["global_step", "_runtime", metric]].dropna()
    return pytest.approx(dict(zip(table["global_step"], table[metric], strict=True)), rel=1e-15)


def test_openrlbenchmark_finds_the_runs_and_their_curves(four: list[Path], tmp_path: Path) -> None:
    said(*four, "--to", "openrlbenchmark", "-o", tmp_path / "out")
    runs = offline_runs(tmp_path / "out", "sweep/Acrobot-v1", "DQN")
    assert [run["config"]["seed"] for run in runs] == [1000, 1001, 1002]
    tree = json.loads(four[3].read_text())
    for run, recorded in zip(runs, tree["experiment_data"]["1"]["runs"], strict=True):
        assert run["state"] == "finished"
        at = recorded["timesteps_at_eval"]
        means = [episodes[0] for episodes in recorded["eval_episode_rewards"]]
        assert curve(run, "eval/return_mean") == dict(zip(at, means, strict=True))
        ends = np.cumsum(recorded["train_episode_steps"]).tolist()
        returns = recorded["train_episode_rewards"]
        assert curve(run, "charts/episodic_return") == dict(zip(ends, returns, strict=True))
        series = recorded["metrics"]["mean_reward"]
        assert curve(run, "metrics/mean_reward") == dict(
            zip(series["timestep"], series["value"], strict=True)
        )


def test_an_unfinished_episode_stays_out_and_a_diverged_run_has_crashed(tmp_path: Path) -> None:
    unfinished = make_run(0, returns=[1.5, 9.0], steps=[40, 60], unfinished=True)
    lost = make_run(1, returns=[2.5], steps=[30], status="diverged") | {"train_time": 6.0}
    data = experiment(tmp_path, "A-v1", "SAC", {0: [unfinished, lost]})
    text = said(data, "--metric", "train-mean", "--to", "openrlbenchmark", "-o", tmp_path / "out")
    first, second = offline_runs(tmp_path / "out", "A-v1", "SAC")
    assert curve(first, "charts/episodic_return") == {40: 1.5}
    assert (first["state"], second["state"]) == ("finished", "crashed")
    assert second["df"].set_index("global_step")["_runtime"][30] == 6.0
    assert "SAC: diverged, here crashed: 1" in text
