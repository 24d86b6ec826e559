"""The caption says how the setting was chosen and what is missing: nothing is dropped silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from learning_curve_data import Tree, flat_run, make_run, make_tree, write_tree

from plotting.curve_caption import experiment_note, general_note
from plotting.curve_summary import summarize
from plotting.data_file import read_experiment
from plotting.metric import pick_metric
from plotting.phrases import NO_BREAK_SPACE


def _note(folder: Path, tree: Tree, metric: str = "train-mean", setting: int | None = None) -> str:
    experiment = read_experiment(write_tree(folder, tree))
    chosen = pick_metric(metric, [experiment])
    note = experiment_note(summarize(experiment, "A", chosen, 100, setting))
    return note.replace(NO_BREAK_SPACE, " ")


def _seeds(count: int, value: float = 1.0) -> list[Tree]:
    return [flat_run(number, value + number) for number in range(count)]


def test_of_a_complete_sweep(tmp_path: Path) -> None:
    tree = make_tree({0: _seeds(10), 1: _seeds(10, value=5.0)})
    assert _note(tmp_path, tree) == (
        "setting 1 (lr 0.1); mean and 95% Student-t interval over 10 seeds. Best of 2 settings by "
        "train-mean, on these same selection seeds (an optimistic estimate)."
    )


def test_names_the_hyperparameters_that_vary_and_no_others(tmp_path: Path) -> None:
    params: dict[int, dict[str, Any]] = {
        0: {"hidden": [64, 64], "kind": "tanh", "scaled": True, "gamma": 0.9},
        1: {"hidden": [64], "kind": "relu", "scaled": False, "gamma": 0.9},
    }
    note = _note(tmp_path, make_tree({0: _seeds(5, 9.0), 1: _seeds(5)}, params=params))
    assert note.startswith("setting 0 (hidden [64, 64], kind tanh, scaled true);")


def test_of_a_single_setting(tmp_path: Path) -> None:
    note = _note(tmp_path, make_tree({0: _seeds(5)}))
    assert note.endswith("over 5 seeds. The only setting.")


def test_warns_of_fewer_than_five_seeds(tmp_path: Path) -> None:
    assert "over 4 seeds (caution: fewer than 5 seeds)" in _note(
        tmp_path, make_tree({0: _seeds(4)})
    )


def test_says_that_one_seed_has_no_interval(tmp_path: Path) -> None:
    note = _note(tmp_path, make_tree({0: _seeds(1)}))
    assert "one seed, so no interval" in note
    assert "Student" not in note


def test_says_that_only_three_of_many_seeds_are_drawn(tmp_path: Path) -> None:
    note = _note(tmp_path, make_tree({0: _seeds(31)}))
    assert "over 31 seeds, of which the lowest, median and highest are drawn" in note


def test_counts_diverged_and_missing_runs_of_the_other_settings(tmp_path: Path) -> None:
    diverged = [*_seeds(4), flat_run(4, 99.0, status="diverged")]
    tree = make_tree({0: _seeds(5), 1: diverged, 2: _seeds(3, value=99.0)})
    note = _note(tmp_path, tree)
    assert note.startswith("setting 0 ")
    assert "2 settings were not eligible (runs missing, diverged or without a value)." in note
    assert note.endswith("In the other settings: 1 diverged run, 2 missing runs.")


def test_says_when_no_setting_is_complete(tmp_path: Path) -> None:
    diverged = [*_seeds(5, 3.0), flat_run(5, 0.0, status="diverged")]
    note = _note(tmp_path, make_tree({0: diverged, 1: [*_seeds(5), diverged[-1]], 2: diverged[4:]}))
    assert (
        "No setting has all its runs completed with a value of train-mean: best by train-mean "
        "among the 2 of 3 settings with the most such runs (5), on these same selection seeds"
    ) in note
    assert "Not in the mean: 1 diverged run." in note


def test_of_a_setting_named_by_hand(tmp_path: Path) -> None:
    half = [*_seeds(2), flat_run(2, 0.0, status="diverged")]
    note = _note(tmp_path, make_tree({0: _seeds(5), 1: half}), setting=1)
    assert "setting 1 (lr 0.1); mean and 95% Student-t interval over 2 seeds" in note
    assert "Named by --setting, out of 2 settings." in note
    assert "Not in the mean: 1 diverged run, 2 missing runs." in note
    assert "optimistic" not in note


def test_counts_runs_that_never_finished_an_episode(tmp_path: Path) -> None:
    stuck = make_run(5, returns=[1.0], steps=[100], unfinished=True)
    note = _note(tmp_path, make_tree({0: [*_seeds(5), stuck]}))
    assert "over 5 seeds" in note
    assert "Not in the mean: 1 completed run without a finished episode." in note


def test_says_where_the_mean_rests_on_fewer_seeds(tmp_path: Path) -> None:
    early = make_run(5, returns=[1.0, 0.0], steps=[60, 40], unfinished=True)
    note = _note(tmp_path, make_tree({0: [*_seeds(5), early]}))
    assert "1 seed without a value in the last 10% of timesteps." in note
    assert "From timestep 61 on, the mean is over fewer seeds (at least 5)." in note


def test_says_that_seeds_were_interpolated(tmp_path: Path) -> None:
    runs = [
        make_run(0, evaluations={10: [1.0], 100: [2.0]}),
        make_run(1, evaluations={20: [1.0], 100: [2.0]}),
    ]
    note = _note(tmp_path, make_tree({0: runs}), "eval-mean")
    assert note.endswith("Seeds measured at different timesteps are interpolated.")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("train-mean", "carries the return of its training episode, averaged over 100 bins"),
        ("eval-mean", "the mean over the episodes of an evaluation"),
        ("reward-mean", "the mean over the window that ends at each timestep"),
    ],
)
def test_the_last_paragraph_defines_the_curve(tmp_path: Path, metric: str, words: str) -> None:
    experiment = read_experiment(write_tree(tmp_path, make_tree({0: _seeds(5)})))
    chosen = pick_metric(metric, [experiment])
    assert words in general_note([summarize(experiment, "A", chosen, 100, None)])
