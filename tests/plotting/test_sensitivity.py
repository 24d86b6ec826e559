"""The sensitivity figure: its numbers, what is drawn of them, and where it stands."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import Draw, refusal
from learning_curve_data import Tree, flat_run, make_run, make_tree, write_tree
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sensitivity_data import grid, sweep

from plotting.data_file import read_experiment
from plotting.labels import labels
from plotting.metric import pick_metric
from plotting.sensitivity_figure import draw as draw_figure
from plotting.sensitivity_summary import summarize

VALUES: dict[str, list[Any]] = {
    "lr": [0.001, 0.01, 0.1],
    "decay": [0.5, 0.9],
    "kind": ["relu", "tanh"],
}
T_975 = {2: 12.706204736432095, 3: 4.302652729911275, 4: 3.182446305284263}


def _noisy(params: Mapping[str, Any], run: int) -> float:
    """Best at lr 0.01; decay and kind interact, so re-tuning differs from staying."""
    rng = np.random.default_rng([int(1000 * params["lr"]), int(10 * params["decay"]), run])
    mean = -3 * abs(math.log10(params["lr"]) + 2)
    mean += 2.0 if (params["decay"] == 0.9) == (params["kind"] == "relu") else 0.0
    mean += 3.0 if params == {"lr": 0.1, "decay": 0.5, "kind": "relu"} else 0.0
    return float(mean + rng.normal(scale=0.1))


def _figure(paths: Sequence[Path], width: float | None = None) -> Figure:
    experiments = [read_experiment(path) for path in paths]
    chosen = pick_metric("eval-mean", experiments)
    summaries = [
        summarize(experiment, label, chosen)
        for experiment, label in zip(experiments, labels(experiments), strict=True)
    ]
    return draw_figure(summaries, "Title", width)


def _drawn(axes: Axes, gid: str) -> np.ndarray[Any, Any]:
    """Points of all that is drawn under this name. [K, 2]"""
    return np.concatenate([np.asarray(a.get_xydata()) for a in axes.lines if a.get_gid() == gid])


# The numbers


def _expected(tree: Tree) -> list[dict[str, Any]]:
    """For each setting, straight from the tree: its values, and mean and interval of its runs."""
    settings = []
    for number, content in tree["experiment_data"].items():
        runs = [run for run in content["runs"] if run["status"] == "completed"]
        scores = np.array([run["eval_episode_rewards"][0][0] for run in runs])
        n = len(scores)
        half = T_975[n] * scores.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
        mean = scores.mean() if n else math.nan
        numbers = {"mean": mean, "low": mean - half, "high": mean + half, "n": n}
        settings.append({**content["agent_params"], "setting": int(number), **numbers})
    return settings


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_the_tables_agree_with_an_independent_computation(
    draw_sensitivity: Draw, tmp_path: Path, seeds: int
) -> None:
    tree = sweep(grid(VALUES), _noisy, seeds)
    write_tree(tmp_path, tree)
    assert draw_sensitivity(".").exit_code == 0
    settings = _expected(tree)
    best = max(settings, key=lambda each: each["mean"])
    expected = []
    for name, values in VALUES.items():
        others = [other for other in VALUES if other != name]
        with_value = [[each for each in settings if each[name] == value] for value in values]
        at_best = [
            next(each for each in group if all(each[o] == best[o] for o in others))
            for group in with_value
        ]
        tuned = [max(group, key=lambda each: each["mean"]) for group in with_value]
        assert at_best != tuned
        for line, on_line in (("at best", at_best), ("re-tuned", tuned)):
            rows = zip(values, on_line, strict=True)
            expected += [(name, str(value), line, each) for value, each in rows]
    lines = pd.read_csv("figure.csv").to_dict("records")
    for row, (name, text, line, each) in zip(lines, expected, strict=True):
        assert (row["hyperparameter"], row["value"], row["line"]) == (name, text, line)
        for column in ("setting", "mean", "low", "high", "n"):
            assert row[column] == pytest.approx(each[column], nan_ok=True), column
    dots = pd.read_csv("figure_settings.csv").to_dict("records")
    in_panels = itertools.product(VALUES, settings)
    for row, (name, each) in zip(dots, in_panels, strict=True):
        assert (row["hyperparameter"], row["value"]) == (name, str(each[name]))
        assert row["setting"] == each["setting"]
        assert row["mean"] == pytest.approx(each["mean"])
        assert row["best"] == (each is best)


def test_runs_that_diverged_or_are_missing_are_counted_not_averaged(
    draw_sensitivity: Draw, tmp_path: Path
) -> None:
    def score(params: Mapping[str, Any], run: int) -> float | None:
        return None if params["lr"] == 0.3 or (params["lr"] == 0.2 and run == 0) else params["lr"]

    tree = sweep(grid({"lr": [0.1, 0.2, 0.3, 0.4]}), score, seeds=3)
    tree["experiment_data"]["3"]["runs"].pop()
    write_tree(tmp_path, tree)
    assert draw_sensitivity(".").exit_code == 0
    dots = pd.read_csv("figure_settings.csv")
    np.testing.assert_allclose(dots["mean"], [0.1, 0.2, math.nan, 0.4])
    assert dots["n"].tolist() == [3, 2, 0, 2]
    assert dots["diverged"].tolist() == [0, 1, 3, 0]
    assert dots["missing"].tolist() == [0, 0, 0, 1]
    assert dots["best"].tolist() == [1, 0, 0, 0]  # the others are not complete


def test_a_complete_setting_goes_before_a_better_one_with_lost_runs(
    draw_sensitivity: Draw, tmp_path: Path
) -> None:
    def score(params: Mapping[str, Any], run: int) -> float | None:
        lost = params == {"a": 1, "b": 1} and run == 0
        lost = lost or (params == {"a": 2, "b": 1} and run == 1)
        return None if lost else params["a"] + 10.0 * params["b"]

    tree = sweep(grid({"a": [0, 1, 2], "b": [0, 1]}), score, seeds=2)
    tree["experiment_data"]["2"]["runs"].pop()
    write_tree(tmp_path, tree)
    assert draw_sensitivity(".").exit_code == 0
    table = pd.read_csv("figure.csv")
    tuned = table[(table["line"] == "re-tuned") & (table["hyperparameter"] == "a")]
    # with a = 2 neither is complete: one run is missing here, one diverged there
    assert tuned["mean"].tolist() == [10.0, 1.0, 12.0]
    assert tuned["n"].tolist() == [2, 2, 1]


# What is drawn of them


def test_what_is_drawn_is_in_the_tables(draw_sensitivity: Draw, tmp_path: Path) -> None:
    path = write_tree(tmp_path, sweep(grid(VALUES), _noisy, 4))
    assert draw_sensitivity(path).exit_code == 0
    lines, dots = pd.read_csv("figure.csv"), pd.read_csv("figure_settings.csv")
    names = {"others at the best setting's values": "at best"}
    names["others re-tuned for each value"] = "re-tuned"
    for axes, (name, values) in zip(_figure([path]).axes, VALUES.items(), strict=True):
        assert axes.get_xlabel() == name
        for drawn, line in names.items():
            table = lines[(lines["hyperparameter"] == name) & (lines["line"] == line)]
            np.testing.assert_allclose(_drawn(axes, drawn)[:, 1], table["mean"])
        bars = [np.asarray(bar.get_paths()[0].vertices)[:, 1] for bar in axes.collections]
        drawn_bars = {(round(float(low), 9), round(float(high), 9)) for low, high in bars}
        table = lines[lines["hyperparameter"] == name]
        assert drawn_bars == set(zip(table["low"].round(9), table["high"].round(9), strict=True))
        table = dots[dots["hyperparameter"] == name]
        points = _drawn(axes, "dot")
        np.testing.assert_allclose(points[:, 1], table["mean"])
        places = values if name == "lr" else range(len(values))
        of_value = {str(value): place for value, place in zip(values, places, strict=True)}
        np.testing.assert_allclose(points[:, 0], [of_value[v] for v in table["value"]])
        ((place, height),) = _drawn(axes, "best")
        (best,) = table[table["best"] == 1].to_dict("records")
        assert (place, height) == (of_value[best["value"]], pytest.approx(best["mean"]))


def test_one_seed_has_no_intervals(tmp_path: Path) -> None:
    figure = _figure([write_tree(tmp_path, sweep(grid(VALUES), _noisy, 1))])
    assert not any(axes.collections for axes in figure.axes)


def test_one_hyperparameter_alone_has_nothing_to_re_tune(
    draw_sensitivity: Draw, tmp_path: Path
) -> None:
    write_tree(tmp_path, sweep(grid({"lr": [0.1, 0.2]}), lambda p, run: p["lr"]))
    assert draw_sensitivity(".").exit_code == 0
    assert set(pd.read_csv("figure.csv")["line"]) == {"at best"}


def test_a_setting_whose_runs_all_diverged_is_a_cross_at_the_bottom_edge(tmp_path: Path) -> None:
    def score(params: Mapping[str, Any], run: int) -> float | None:
        return None if params["lr"] == 0.1 and run >= params["kept"] else _noisy(params, run)

    settings = [each | {"kept": 0 if each["decay"] == 0.9 else 1} for each in grid(VALUES)]
    figure = _figure([write_tree(tmp_path, sweep(settings, score, 3))])
    axes = figure.axes[0]
    assert "all runs diverged" in [text.get_text() for text in figure.legends[0].get_texts()]
    (cross,) = (line for line in axes.lines if line.get_gid() == "cross")
    assert np.asarray(cross.get_xydata())[:, 0].tolist() == [0.1, 0.1]
    pixels = cross.get_transform().transform(cross.get_xydata())
    assert (pixels[:, 1] < axes.transAxes.transform((0, 0.1))[1]).all()
    assert (pixels[:, 1] > axes.bbox.y0).all()
    assert len(_drawn(axes, "hollow")) == 2
    assert len(_drawn(axes, "dot")) == 8


def test_a_line_has_a_gap_where_nothing_has_a_score(tmp_path: Path) -> None:
    def score(params: Mapping[str, Any], run: int) -> float | None:
        return None if params["lr"] == 0.01 else params["lr"]

    axes = _figure([write_tree(tmp_path, sweep(grid(VALUES), score))]).axes[0]
    for name in ("others at the best setting's values", "others re-tuned for each value"):
        np.testing.assert_array_equal(_drawn(axes, name)[:, 1], [0.001, math.nan, 0.1])


def test_a_far_tail_does_not_squash_the_rest(tmp_path: Path) -> None:
    def score(params: Mapping[str, Any], run: int) -> float:
        return -1e6 if params["lr"] == 0 else params["lr"]

    path = write_tree(tmp_path, sweep(grid({"lr": list(range(20)), "b": [0, 1]}), score))
    axes = _figure([path]).axes[0]
    assert axes.get_ylim()[0] > -20
    assert len(_drawn(axes, "below")) == 2
    assert len(_drawn(axes, "dot")) == 38


@pytest.mark.parametrize(("bad", "least"), [(-1000.0, 10), (-30.0, 1)])
def test_ordinary_bad_settings_are_not_cut_off(tmp_path: Path, bad: float, least: int) -> None:
    def score(params: Mapping[str, Any], run: int) -> float:
        return bad if params["lr"] < least else params["lr"]

    path = write_tree(tmp_path, sweep(grid({"lr": list(range(20)), "b": [0, 1]}), score))
    assert len(_drawn(_figure([path]).axes[0], "dot")) == 40


def test_the_wide_intervals_of_two_seeds_do_not_squash_the_dots(tmp_path: Path) -> None:
    path = write_tree(tmp_path, sweep(grid({"lr": [1, 2], "b": [0, 1]}), lambda p, k: p["lr"] + k))
    low, high = _figure([path]).axes[0].get_ylim()
    assert high - low < 3  # means span 1, intervals 12


# Where it stands


def test_all_panels_of_an_experiment_share_the_vertical_axis(tmp_path: Path) -> None:
    figure = _figure([write_tree(tmp_path, sweep(grid(VALUES), _noisy))])
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert [axes.get_ylabel() for axes in figure.axes] == ["mean evaluation return", "", ""]


@pytest.mark.parametrize(
    ("panels", "width", "rows"),
    [(4, None, [4]), (5, None, [3, 2]), (5, 20.0, [5]), (2, 2.0, [1, 1])],
)
def test_panels_wrap_into_even_rows(
    tmp_path: Path, panels: int, width: float | None, rows: list[int]
) -> None:
    settings = grid({f"h{k}": [1, 2] for k in range(panels)})
    path = write_tree(tmp_path, sweep(settings, lambda p, run: sum(p.values())))
    figure = _figure([path], width)
    starts = [axes.get_subplotspec().rowspan.start for axes in figure.axes]  # type: ignore[union-attr]
    assert [len(list(row)) for _, row in itertools.groupby(starts)] == rows


def test_every_experiment_begins_a_row_under_its_name(tmp_path: Path) -> None:
    sizes = {"SAC": VALUES, "linearAC": {"lr": [1, 2]}}
    paths = [
        write_tree(tmp_path / name, sweep(grid(values), lambda p, run: p["lr"], agent_name=name))
        for name, values in sizes.items()
    ]
    axes = _figure(paths).axes
    assert [each.get_subplotspec().rowspan.start for each in axes] == [0, 0, 0, 1]  # type: ignore[union-attr]
    assert [each.get_title("left") for each in axes] == ["SAC", "", "", "linearAC"]


def test_no_text_leaves_the_figure_none_covers_a_panel_and_no_labels_overlap(
    tmp_path: Path,
) -> None:
    values: dict[str, list[Any]] = {
        "learning_rate_of_the_critic": [1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
        "activation": ["relu", "leaky_relu", "another_very_long_name", "tanh", "elu"],
        "batch": [32, 64, 96, 128, 160],
        "hidden": [[64, 64], [256, 256, 256], [512]],
    }
    score = lambda params, run: params["batch"] + run  # noqa: E731
    trees = [sweep(grid(values), score, 2), sweep(grid(VALUES), _noisy, 2)]
    paths = [write_tree(tmp_path / f"long_folder_{k}", tree) for k, tree in enumerate(trees)]
    for width in (2.0, 5.0, 9.0):
        figure = _figure(paths, width=width)
        figure.draw_without_rendering()
        page, panels = figure.bbox, figure.axes
        plots = [axes.get_tightbbox() for axes in panels]
        captions = [text.get_window_extent() for text in figure.texts]
        legend = figure.legends[0].get_window_extent()
        for box in [*captions, legend, *plots]:
            assert box is not None
            assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1
            assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1
        assert legend.y0 >= max(box.y1 for box in plots if box) - 1
        assert max(box.y1 for box in captions) <= min(box.y0 for box in plots if box) + 1
        for one, other in itertools.combinations([box for box in plots if box], 2):
            assert not one.padded(-1).overlaps(other.padded(-1))
        for axes in panels:
            texts = [text for text in axes.get_xticklabels() if text.get_text()]
            upright = [text.get_window_extent() for text in texts if text.get_rotation() == 0]
            for one, other in itertools.combinations(upright, 2):
                assert not one.overlaps(other)
            assert texts


# What is refused: one sentence on stderr, exit code 2, nothing written


def test_refuses_a_sweep_that_varies_nothing(draw_sensitivity: Draw, tmp_path: Path) -> None:
    write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0)]}))
    assert refusal(draw_sensitivity(".")) == (
        "data.json: no hyperparameter has more than one value: "
        "draw it with plotting/learning_curve.py"
    )


def test_refuses_a_sweep_in_which_every_run_diverged(
    draw_sensitivity: Draw, tmp_path: Path
) -> None:
    write_tree(tmp_path, sweep(grid({"lr": [1, 2]}), lambda params, run: None))
    assert "has no completed run with anything to draw" in refusal(draw_sensitivity("."))


def test_refuses_a_metric_that_no_run_has_a_value_of(
    draw_sensitivity: Draw, tmp_path: Path
) -> None:
    run = make_run(0, returns=[1.0, 0.0], steps=[10, 90], unfinished=True)
    write_tree(tmp_path, make_tree({0: [run], 1: [run]}))
    assert refusal(draw_sensitivity(".", "--metric", "train-final")) == (
        "data.json: no run has a value of train-final: use --metric train-mean"
    )
