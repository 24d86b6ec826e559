"""The caption says what was compared and chosen, what is missing, and what is optimistic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from learning_curve_data import Tree, write_tree
from sensitivity_data import grid, sweep

from plotting.data_file import read_experiment
from plotting.metric import pick_metric
from plotting.phrases import NO_BREAK_SPACE
from plotting.sensitivity_caption import experiment_note, general_note
from plotting.sensitivity_summary import Sensitivity, summarize
from plotting.view import view_of

TWO: dict[str, list[Any]] = {"lr": [0.1, 0.2, 0.3], "scaled": [True, False]}


def _summary(folder: Path, tree: Tree, metric: str = "train-mean") -> Sensitivity:
    experiment = read_experiment(write_tree(folder, tree))
    return summarize(experiment, "A", pick_metric(metric, [experiment]))


def _note(folder: Path, tree: Tree) -> str:
    summary = _summary(folder, tree)
    return experiment_note(summary, view_of(summary)).replace(NO_BREAK_SPACE, " ")


def _score(params: Mapping[str, Any], run: int) -> float:
    return float(params["lr"] + 0.001 * run)


def test_of_a_complete_sweep(tmp_path: Path) -> None:
    assert _note(tmp_path, sweep(grid(TWO), _score, 5)) == (
        "6 settings; mean and 95% Student-t interval over 5 seeds. "
        "Star: setting 2 (lr 0.3, scaled true). "
        "Best of 6 settings by train-mean, on these same selection seeds (an optimistic estimate)."
    )


def test_of_one_seed(tmp_path: Path) -> None:
    assert _note(tmp_path, sweep(grid(TWO), _score)).startswith(
        "6 settings; one seed, so no interval (caution: fewer than 5 seeds)."
    )
    assert "Bars" not in general_note([_summary(tmp_path, sweep(grid(TWO), _score))])


def test_counts_what_diverged_and_what_is_missing(tmp_path: Path) -> None:
    def score(params: Mapping[str, Any], run: int) -> float | None:
        diverges = params["scaled"] is False and run < {0.1: 0, 0.2: 1, 0.3: 5}[params["lr"]]
        return None if diverges else _score(params, run)

    tree = sweep(grid(TWO), score, 5)
    del tree["experiment_data"]["0"]["runs"][3:]
    note = _note(tmp_path, tree)
    assert "3 settings were not eligible (runs missing, diverged or without a value)." in note
    assert "Cross at the bottom: 1 setting all of whose runs diverged." in note
    assert (
        "Hollow: 2 settings with runs missing, diverged or without a score; "
        "the mean is over their other runs."
    ) in note
    assert note.endswith("In all settings: 6 diverged runs, 2 missing runs.")


def test_says_what_is_below_the_axis(tmp_path: Path) -> None:
    def score(params: Mapping[str, Any], run: int) -> float:
        return -1.2345e6 if params["lr"] == 0 else _score(params, run)

    tree = sweep(grid({"lr": list(range(20)), "scaled": [True, False]}), score)
    assert (
        "Triangle at the bottom: 2 settings below the axis, the lowest at \N{MINUS SIGN}1.23M."
    ) in _note(tmp_path, tree)


def test_says_where_there_are_no_lines(tmp_path: Path) -> None:
    settings = [{"lr": 1.0 + k, "decay": 0.001 * k, "kind": "ab"[k % 2]} for k in range(8)]
    note = _note(tmp_path, sweep(settings, _score, 5))
    assert "No setting differs from the best in one hyperparameter alone." in note
    assert note.endswith(
        "Most settings have a value of their own, so nothing to re-tune: lr, decay."
    )


def test_says_which_part_of_a_grid_is_not_there(tmp_path: Path) -> None:
    note = _note(tmp_path, sweep(grid(TWO)[:-1], _score, 5))
    assert note.endswith("1 combination of the values in no setting: lines have gaps there.")


def test_says_that_intervals_are_cut_off(tmp_path: Path) -> None:
    note = _note(tmp_path, sweep(grid(TWO), lambda p, run: p["lr"] + run, 2))
    assert note.endswith("Intervals that leave the axis are cut off.")


def test_the_last_paragraph_says_what_score_dots_and_lines_are(tmp_path: Path) -> None:
    summary = _summary(tmp_path, sweep(grid(TWO), _score, 5), "reward-final")
    assert general_note([summary]) == (
        "Score (reward-final): reward per step, averaged over the last 10% of timesteps. "
        "Dot: a setting, the mean over its seeds. "
        "Dashed line: one hyperparameter changes, the others stay at the best setting's values. "
        "Solid line: for each value the best of all settings that have it, chosen on the same "
        "seeds, so the maximum is an optimistic estimate. "
        "Bars: intervals of the best setting and of the lines."
    )
