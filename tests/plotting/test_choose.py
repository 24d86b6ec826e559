"""Choosing a setting, and running the best few again on seeds that found none of them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from commands import read_table, runner
from learning_curve_data import Tree, flat_run, make_tree, write_tree
from sensitivity_data import grid, sweep
from sweep_runs import ROOT, run_main, write_files

from plotting import choose, learning_curve
from plotting.curve_caption import experiment_note
from plotting.curve_summary import summarize
from plotting.data_file import read_experiment
from plotting.metric import pick_metric


def _choose(*words: object) -> Result:
    return CliRunner().invoke(choose.main, [str(word) for word in words])


def _refusal(*words: object) -> str:
    result = _choose(*words)
    assert result.exit_code == 2, result.output
    return result.stderr.strip().splitlines()[-1].removeprefix("Error: ")


SETTINGS = grid({"lr": [0.1, 0.2, 0.3], "decay": [0.5, 0.9]})


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Setting 4 is the best, 5 may be: lr 0.2 and 0.3, decay 0.9."""
    monkeypatch.chdir(tmp_path)
    tree = sweep(SETTINGS, lambda p, run: 100 * p["decay"] + 10 * (p["lr"] == 0.2) + 9 * run, 4)
    return write_tree(tmp_path / "results" / "sweep", tree)


def _second_tree(folder: Path, seeds: range) -> Tree:
    """Results of the second stage in `folder`: every run scores 7."""
    agent = json.loads((folder / "agent.json").read_text())
    rows = len(next(iter(agent["zip"][0].values())))
    params = {
        k: {name: values[0] for name, values in agent["parameters"].items()}
        | {name: values[k] for name, values in agent["zip"][0].items()}
        for k in range(rows)
    }
    runs = {
        k: [flat_run(number, 7.0 - k) | {"random_seed": seed} for number, seed in enumerate(seeds)]
        for k in range(rows)
    }
    return make_tree(runs, params=params)


# What it says


def test_the_best_setting_with_its_interval_and_those_that_may_be_as_good(data: Path) -> None:
    said = _choose(data, "--metric", "train-mean").stdout
    assert "best: setting 4 (" in said
    assert "114 [95, 132] on selection seeds 1000-1003, too good as they chose it" in said
    assert "3 settings of 6 may be the best" in said
    assert "| setting | lr | decay | selection seeds | n | p(best) |" in said
    table = [line for line in said.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[0] for row in table] == ["| 4", "| 3", "| 5"]


def test_all_settings_are_in_the_table_and_say_which_seeds_they_are_from(data: Path) -> None:
    result = _choose(data, "-o", "out/all.csv")
    assert result.exit_code == 0, result.output
    rows = read_table(Path("out/all.csv"))
    assert sorted(int(row["setting"]) for row in rows) == [0, 1, 2, 3, 4, 5]
    assert {(row["seeds"], row["seed_numbers"]) for row in rows} == {("selection", "1000-1003")}
    assert [row["best"] for row in rows] == ["1", "0", "0", "0", "0", "0"]
    assert sum(float(row["p_best"]) for row in rows) == pytest.approx(1)


def test_settings_that_cannot_be_compared_are_in_the_table_but_cannot_win(tmp_path: Path) -> None:
    runs = {
        0: [flat_run(0, 1.0), flat_run(1, 3.0)],
        1: [flat_run(0, 50.0), flat_run(1, 50.0, status="diverged")],
    }
    path = write_tree(tmp_path, make_tree(runs))
    result = _choose(path, "-o", tmp_path / "all.csv")
    assert "not compared: 1 setting with runs missing, diverged or without" in result.stdout
    compared, other = read_table(tmp_path / "all.csv")
    assert (compared["setting"], compared["p_best"]) == ("0", "1.0")
    assert (other["setting"], other["mean"], other["p_best"]) == ("1", "50.0", "")
    assert (other["diverged"], other["may_be_best"]) == ("1", "0")


def test_one_seed_cannot_tell_settings_apart(tmp_path: Path) -> None:
    path = write_tree(tmp_path, sweep(SETTINGS, lambda params, run: params["lr"]))
    said = _choose(path).stdout
    assert "one seed cannot tell settings apart" in said


# The second stage


def test_the_second_stage_has_the_best_settings_and_seeds_above_all_others(data: Path) -> None:
    result = _choose(data, "--top", 2, "--seeds", 30)
    assert result.exit_code == 0, result.output
    folder = Path("results/sweep_second_stage")
    assert json.loads((folder / "agent.json").read_text()) == {
        "agent_name": "linearAC",
        "parameters": {"decay": [0.9]},
        "zip": [{"lr": [0.2, 0.1]}],
    }
    environment = json.loads((folder / "environment.json").read_text())
    assert environment == {"env_name": "Pendulum-v1", "total_timesteps": 100}
    stage = json.loads((folder / "second_stage.json").read_text())
    assert stage["selection_seeds"] == [1000, 1001, 1002, 1003]
    assert (stage["seed_offset"], stage["seeds"], stage["settings"]) == (2000, 30, 6)
    assert [each["setting"] for each in stage["finalists"]] == [4, 3]
    assert "--runs 30 --seed-offset 2000 --batch auto --save-dir sweep_second_stage" in (
        result.stdout
    )
    assert "note: 3 settings may be the best, more than --top 2 keeps" in result.stdout


def test_one_setting_needs_no_group(data: Path) -> None:
    assert _choose(data, "--top", 1, "--to", "one").exit_code == 0
    agent = json.loads(Path("one/agent.json").read_text())
    assert agent == {"agent_name": "linearAC", "parameters": {"lr": [0.2], "decay": [0.9]}}


def test_scores_of_fresh_seeds_are_marked_beside_those_of_the_first_stage(data: Path) -> None:
    assert _choose(data, "--top", 2, "--seeds", 3, "--to", "final").exit_code == 0
    second = write_tree(
        Path("final/Pendulum-v1_linearAC"), _second_tree(Path("final"), range(2000, 2003))
    )
    result = _choose(second, "-o", "final.csv")
    assert "7.0 [7.0, 7.0] on fresh seeds 2000-2002" in result.stdout
    assert "fresh: these 2 settings of 6 were found by eval-mean on seeds 1000-1003" in (
        result.stdout
    )
    assert "| setting | lr | fresh seeds | n | p(best) | was setting | selection seeds |" in (
        result.stdout
    )
    rows = [
        (row["setting"], row["seeds"], row["seed_numbers"], row["mean"])
        for row in read_table(Path("final.csv"))
    ]
    assert rows == [
        ("0", "fresh", "2000-2002", "7.0"),
        ("0", "selection", "1000-1003", "113.5"),
        ("1", "fresh", "2000-2002", "6.0"),
        ("1", "selection", "1000-1003", "103.5"),
    ]


def test_figures_of_the_second_stage_say_that_its_seeds_are_fresh(data: Path) -> None:
    assert _choose(data, "--top", 2, "--to", "final").exit_code == 0
    second = write_tree(Path("final/sweep"), _second_tree(Path("final"), range(2000, 2003)))
    experiment = read_experiment(second)
    note = experiment_note(
        summarize(experiment, "A", pick_metric("train-mean", [experiment]), 10, None)
    )
    assert "on these same seeds (hardly optimistic, of 2)" in note
    assert "Fresh seeds: 2 settings of 6 came here by eval-mean on other seeds (1000-1003)" in note
    assert "selection seeds" not in note


def test_seeds_that_chose_the_settings_are_not_fresh(data: Path) -> None:
    assert _choose(data, "--top", 2, "--to", "final").exit_code == 0
    second = write_tree(Path("final/sweep"), _second_tree(Path("final"), range(1003, 1006)))
    result = _choose(second)
    assert "on selection seeds 1003-1005" in result.stdout
    assert result.stderr == (
        f"warning: {second} is not on fresh seeds: 1003 chose its settings "
        "(run it with --seed-offset 2000 in another folder)\n"
    )


def test_a_third_stage_has_seeds_that_neither_stage_before_had(data: Path) -> None:
    assert _choose(data, "--top", 2, "--to", "final").exit_code == 0
    second = write_tree(Path("final/sweep"), _second_tree(Path("final"), range(2000, 2003)))
    assert _choose(second, "--top", 1, "--to", "last").exit_code == 0
    stage = json.loads(Path("last/second_stage.json").read_text())
    assert stage["selection_seeds"] == [*range(1000, 1004), *range(2000, 2003)]
    assert stage["seed_offset"] == 3000


def test_a_second_stage_is_never_written_over_another(data: Path) -> None:
    assert _choose(data, "--top", 2).exit_code == 0
    assert _choose(data, "--top", 2).exit_code == 0  # the same one
    before = Path("results/sweep_second_stage/agent.json").read_bytes()
    assert _refusal(data, "--top", 3) == (
        "results/sweep_second_stage/agent.json is there already, of another second stage: "
        "give another folder with --to"
    ).replace("results", str(data.parents[1]))
    assert Path("results/sweep_second_stage/agent.json").read_bytes() == before


# What is refused


def test_one_experiment_at_a_time_goes_to_a_second_stage(data: Path) -> None:
    assert _refusal(data, data, "--top", 2) == (
        "--top chooses from one experiment, but 2 are given"
    )


def test_other_refusals(data: Path) -> None:
    assert _refusal(data, "--to", "x") == "--to is for the second stage, which needs --top."
    assert _refusal(data, "-o", "all.txt") == "all.txt does not end in .csv: try all.csv"
    assert _refusal("nowhere").startswith("nowhere does not exist")
    (data.parent / "second_stage.json").write_text("{}")
    assert "second_stage.json is not what choose.py writes" in _refusal(data)


# All of it


def test_from_a_sweep_over_the_choice_to_fresh_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    agent = {
        "agent_name": "linearAC",
        "parameters": {"critic_lr": [0.1, 0.3], "actor_lr": [0.01, 0.1]},
    }
    files = write_files(tmp_path, agent, total_timesteps=280, eval_episodes=1)
    done = run_main(*files, "--runs", "2", "--batch", "auto", "--save-dir", "sweep", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (first,) = Path("results/sweep").iterdir()
    combine = [sys.executable, str(ROOT / "combine.py")]
    subprocess.run([*combine, first], check=True, capture_output=True)
    said = _choose(first, "--top", 2, "--seeds", 3, "--to", "results/final").stdout
    (command,) = (line for line in said.splitlines() if "main.py --env-json" in line)
    done = run_main(*shlex.split(command)[2:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (second,) = (path for path in Path("results/final").iterdir() if path.is_dir())
    subprocess.run([*combine, second], check=True, capture_output=True)
    result = _choose(second, "-o", "final.csv")
    assert "on fresh seeds 1000-1002" in result.stdout
    ids = [_setting_ids(folder / "data.json") for folder in (first, second)]
    stage = json.loads(Path("results/final/second_stage.json").read_text())
    for number, finalist in enumerate(stage["finalists"]):
        assert ids[1][number] == ids[0][finalist["setting"]]  # the settings themselves
    assert runner(learning_curve.main)(second, "-o", "curve.svg").exit_code == 0


def _setting_ids(path: Path) -> dict[int, str]:
    settings = json.loads(path.read_text())["experiment_data"]
    return {int(number): each["runs"][0]["setting_id"] for number, each in settings.items()}
