"""The command: what it draws, what it writes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import Draw, refusal
from learning_curve_data import Tree, flat_run, make_run, make_tree, write_tree

from plotting.curve_figure import draw as draw_figure
from plotting.curve_summary import Summary, summarize
from plotting.data_file import BadInput, read_experiment
from plotting.labels import labels
from plotting.metric import pick_metric
from plotting.references import Reference

NUMBERS = ("timestep", "mean", "low", "high", "value")


def _noisy_tree(seeds: int = 5, settings: int = 3, **more: str) -> Tree:
    """Ten evaluations, episodes of 7 timesteps and ten rewards; the last setting is the best."""
    rng = np.random.default_rng(seeds)

    def one(number: int, level: float) -> Tree:
        values = (level + rng.normal(size=15)).tolist()
        return make_run(
            number,
            returns=values,
            steps=[7] * 14 + [2],
            unfinished=True,
            evaluations={10 * k: [values[k], values[k] + 1] for k in range(11)},
            rewards={10 * k: values[k] for k in range(1, 11)},
        )

    content = {s: [one(number, 10.0 * s) for number in range(seeds)] for s in range(settings)}
    return make_tree(content, **more)  # type: ignore[arg-type]


def _summaries(paths: list[Path], metric: str) -> list[Summary]:
    experiments = [read_experiment(path) for path in paths]
    chosen = pick_metric(metric, experiments)
    names = labels(experiments)
    return [summarize(e, n, chosen, 100, None) for e, n in zip(experiments, names, strict=True)]


# What is written


@pytest.mark.parametrize("metric", ["train-mean", "eval-final", "reward-mean"])
def test_the_tables_are_what_is_drawn(draw: Draw, tmp_path: Path, metric: str) -> None:
    paths = [
        write_tree(tmp_path / "a", _noisy_tree(5)),
        write_tree(tmp_path / "b", _noisy_tree(3, agent_name="SAC")),
    ]
    result = draw(*paths, "--metric", metric, "-o", "out/figure.svg")
    assert result.exit_code == 0, result.output
    # not every pandas reads a number to its last bit; Python does
    means = pd.read_csv("out/figure.csv", converters=dict.fromkeys(NUMBERS, float))
    seeds = pd.read_csv("out/figure_seeds.csv", converters=dict.fromkeys(NUMBERS, float))
    axes = draw_figure(_summaries(paths, metric), "").axes[0]
    handles, names = axes.get_legend_handles_labels()
    assert names == ["linearAC", "SAC"]
    thick = [line for line in axes.lines if line in handles]
    thin = [np.asarray(line.get_xydata()) for line in axes.lines if line not in handles]
    for line, band, (name, table) in zip(
        thick, axes.collections, means.groupby("experiment", sort=False), strict=True
    ):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xydata(), table[["timestep", "mean"]])
        corners = np.asarray(band.get_paths()[0].vertices)
        for bound in ("low", "high"):
            assert set(table[bound]) <= set(corners[:, 1])
    for (_, table), points in zip(
        seeds.groupby(["experiment", "run"], sort=False), thin, strict=True
    ):
        points = points[~np.isnan(points[:, 1])]
        np.testing.assert_array_equal(points, table[["timestep", "value"]])


def test_the_mean_table_has_the_numbers_of_the_best_setting(draw: Draw, tmp_path: Path) -> None:
    tree = make_tree({3: [flat_run(0, 1.0)] * 1, 8: [flat_run(0, 4.0)]})
    write_tree(tmp_path, tree)
    assert draw(".").exit_code == 0
    lines = Path("figure.csv").read_text().splitlines()
    assert lines[0] == "experiment,setting,timestep,mean,low,high,n"
    assert lines[1] == "linearAC,8,10,4.0,,,1"
    assert Path("figure_seeds.csv").read_text().splitlines()[:2] == [
        "experiment,setting,run,seed,timestep,value",
        "linearAC,8,0,1000,10,4.0",
    ]


def test_the_interval_in_the_table_is_students(draw: Draw, tmp_path: Path) -> None:
    write_tree(tmp_path, make_tree({0: [flat_run(k, float(k)) for k in (1, 2, 3)]}))
    assert draw(".").exit_code == 0
    row = pd.read_csv("figure.csv").iloc[0]
    assert row["mean"] == 2.0
    assert row["high"] - row["mean"] == pytest.approx(4.302652729911275 / 3**0.5)
    assert row["mean"] - row["low"] == pytest.approx(4.302652729911275 / 3**0.5)


def test_the_users_matplotlibrc_does_not_change_the_figure(draw: Draw, tmp_path: Path) -> None:
    import matplotlib

    write_tree(tmp_path, _noisy_tree())
    draw(".", "-o", "plain.svg")
    with matplotlib.rc_context({"lines.linewidth": 9.0, "axes.facecolor": "red", "font.size": 30}):
        draw(".", "-o", "styled.svg")
    assert Path("plain.svg").read_bytes() == Path("styled.svg").read_bytes()


# What is drawn


def test_no_text_leaves_the_figure_and_none_covers_the_plot(tmp_path: Path) -> None:
    paths = [
        write_tree(tmp_path / f"a_rather_long_folder_name_{k}", _noisy_tree(3)) for k in range(9)
    ]
    for width in (2.0, 3.3, 7.0):
        figure = draw_figure(_summaries(paths, "train-mean"), "A long title " * 8, width, 3.0)
        figure.draw_without_rendering()
        page = figure.bbox
        legend = figure.legends[0].get_window_extent()
        plot = figure.axes[0].get_tightbbox()
        boxes = [text.get_window_extent() for text in figure.texts]
        assert plot is not None
        for box in [*boxes, legend, plot]:
            assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1
            assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1
        assert legend.y0 >= plot.y1 - 1
        assert max(box.y1 for box in boxes) <= plot.y0 + 1


@pytest.mark.parametrize(("second", "direct"), [(5.0, True), (0.1, False)])
def test_lines_are_named_at_their_ends_where_the_names_fit(
    tmp_path: Path, second: float, direct: bool
) -> None:
    paths = [
        write_tree(tmp_path / name, make_tree({0: [flat_run(0, score)]}, agent_name=name))
        for name, score in (("low", 0.0), ("high", second), ("top", 9.0))
    ]
    figure = draw_figure(_summaries(paths, "train-mean"), "")
    names = [text.get_text() for text in figure.axes[0].texts]
    assert names == (["low", "high", "top"] if direct else [])
    assert bool(figure.legends) != direct


@pytest.mark.parametrize(("seeds", "lines"), [(1, 1), (2, 3), (30, 31), (31, 4)])
def test_every_seed_is_a_thin_line_up_to_thirty(tmp_path: Path, seeds: int, lines: int) -> None:
    path = write_tree(tmp_path, make_tree({0: [flat_run(k, float(k)) for k in range(seeds)]}))
    assert len(draw_figure(_summaries([path], "eval-mean"), "").axes[0].lines) == lines


def test_the_mean_stops_where_most_seeds_have_stopped(tmp_path: Path) -> None:
    runs = [
        make_run(k, returns=[1.0] * 2, steps=[at, 100 - at], unfinished=True)
        for k, at in enumerate((30, 50, 90))
    ]
    (summary,) = _summaries([write_tree(tmp_path, make_tree({0: runs}))], "train-mean")
    assert summary.timestep[-1] == 50
    assert summary.n.tolist() == [3] * 30 + [2] * 20


def test_a_problem_without_episodes_is_drawn_by_its_reward(draw: Draw, tmp_path: Path) -> None:
    runs = [
        make_run(k, returns=[9.0], steps=[100], unfinished=True, rewards={50: k, 100: k + 1})
        for k in range(5)
    ]
    write_tree(tmp_path, make_tree({0: runs}))
    assert draw(".").exit_code == 0
    assert pd.read_csv("figure.csv")["mean"].tolist() == [2.0, 3.0]


def test_the_default_metric_is_the_first_that_all_experiments_have(tmp_path: Path) -> None:
    def metric(*paths: Path) -> str:
        return str(pick_metric(None, [read_experiment(path) for path in paths]))

    everything = write_tree(tmp_path / "a", make_tree({0: [flat_run(0, 1.0)]}))
    episodes = write_tree(tmp_path / "b", make_tree({0: [make_run(0, returns=[1], steps=[9])]}))
    rewards = write_tree(tmp_path / "c", make_tree({0: [make_run(0, rewards={9: 1.0})]}))
    assert metric(everything) == "eval-mean"
    assert metric(everything, episodes) == "train-mean"
    assert metric(everything, rewards) == "reward-mean"
    with pytest.raises(BadInput, match="no kind of curve in common"):
        metric(episodes, rewards)


def test_values_that_are_not_numbers_are_read_as_unknown(draw: Draw, tmp_path: Path) -> None:
    good = [flat_run(k, 1.0) for k in range(2)]
    spoilt = [flat_run(0, 99.0), make_run(1, evaluations={10: [99.0], 100: ["nan", "inf"]})]
    write_tree(tmp_path, make_tree({0: good, 1: spoilt}))
    assert draw(".", "--metric", "eval-mean").exit_code == 0
    assert set(pd.read_csv("figure.csv")["setting"]) == {0}


def test_a_diverged_run_is_not_in_the_mean(draw: Draw, tmp_path: Path) -> None:
    write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0), flat_run(1, 9.0, status="diverged")]}))
    assert draw(".").exit_code == 0
    assert set(pd.read_csv("figure.csv")["mean"]) == {1.0}


@pytest.mark.parametrize(
    ("experiments", "expected"),
    [
        ([("a", "Env", "SAC")], ["SAC"]),
        ([("a", "Env", "SAC"), ("b", "Env", "PPO")], ["SAC", "PPO"]),
        ([("a", "Env", "SAC"), ("b", "Car", "SAC")], ["Env SAC", "Car SAC"]),
        ([("a", "Env", "SAC"), ("b", "Env", "SAC")], ["SAC (a)", "SAC (b)"]),
        ([("x/a", "Env", "SAC"), ("y/a", "Env", "SAC")], ["SAC (x/a)", "SAC (y/a)"]),
    ],
)
def test_labels_tell_experiments_apart(
    tmp_path: Path, experiments: list[tuple[str, str, str]], expected: list[str]
) -> None:
    read = [
        read_experiment(
            write_tree(
                tmp_path / place, make_tree({0: [flat_run(0, 1.0)]}, env_name=e, agent_name=a)
            )
        )
        for place, e, a in experiments
    ]
    assert labels(read) == expected


def test_a_dollar_in_a_name_is_a_dollar(draw: Draw, tmp_path: Path) -> None:
    write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0)]}, env_name="a$b$_{", agent_name="$x"))
    assert draw(".").exit_code == 0


# What is refused: one sentence on stderr, exit code 2, nothing written


def _edited(tmp_path: Path, edit: Callable[[Tree], None]) -> Path:
    tree = make_tree({0: [flat_run(0, 1.0)], 4: [flat_run(0, 1.0)]})
    edit(tree)
    return write_tree(tmp_path, tree)


def _first_run(tree: Tree) -> Tree:
    run: Tree = tree["experiment_data"]["0"]["runs"][0]
    return run


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"# no JSON",
        b'{"experiment_data":{"\xff":{"agent_params":{},"runs":[]}}}',
        b"\x00",
    ],
)
def test_refuses_what_is_not_json(draw: Draw, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.json").write_bytes(content)
    assert refusal(draw("data.json")).startswith(("data.json is not a", "data.json is empty"))


@pytest.mark.parametrize("content", ["[]", "{}", '{"experiment": 3}', "null"])
def test_refuses_another_tree(draw: Draw, tmp_path: Path, content: str) -> None:
    (tmp_path / "data.json").write_text(content)
    assert refusal(draw("data.json")).startswith("data.json is not the tree of a data.json: ")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.update(experiment_data={}), "data.json holds no runs"),
        (lambda t: t["experiment_data"]["0"].update(runs=[]), ""),
        (lambda t: t["experiment_data"].update(best={"agent_params": {}, "runs": []}), "'best'"),
        (lambda t: t["experiment_data"]["0"]["runs"].append(flat_run(0, 1)), "holds run 0 twice"),
        (lambda t: _first_run(t).update(status="lost"), "setting 0 is not the tree"),
        (lambda t: _first_run(t).pop("random_seed"), "random_seed"),
        (lambda t: _first_run(t).update(total_timesteps=0), "run 0 has 0 timesteps"),
        (lambda t: _first_run(t).update(timesteps_at_eval=[1, 2]), "10 entries for 2"),
        (lambda t: _first_run(t).update(timesteps_at_eval=[9] * 10), "do not increase"),
        (lambda t: _first_run(t).update(eval_episode_rewards=[["much"]] * 10), "run 0 is not"),
    ],
)
def test_refuses_a_damaged_tree_and_says_where(
    draw: Draw, tmp_path: Path, edit: Callable[[Tree], None], words: str
) -> None:
    _edited(tmp_path, edit)
    result = draw("data.json")
    if words:
        assert words in refusal(result)
    else:  # a setting without runs is only one more that is not eligible
        assert result.exit_code == 0


def test_refuses_a_metric_without_data_and_names_one_with(draw: Draw, tmp_path: Path) -> None:
    write_tree(tmp_path, make_tree({0: [make_run(0, returns=[1.0], steps=[100])]}))
    assert refusal(draw(".", "--metric", "eval-final")) == (
        "data.json has no evaluations in a completed run, so no eval-final: "
        "use --metric train-final"
    )


def test_refuses_a_sweep_in_which_every_run_diverged(draw: Draw, tmp_path: Path) -> None:
    write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0, status="diverged")]}))
    assert "has no completed run with anything to draw" in refusal(draw("."))
    assert refusal(draw(".", "--metric", "train-mean")).endswith("and no other metric either")


def test_refuses_a_metric_that_no_run_has_a_value_of(draw: Draw, tmp_path: Path) -> None:
    run = make_run(0, returns=[1.0, 0.0], steps=[10, 90], unfinished=True)
    write_tree(tmp_path, make_tree({0: [run]}))
    assert "use --metric train-mean" in refusal(draw(".", "--metric", "train-final"))


def test_refuses_a_setting_that_is_not_there_and_names_the_nearest(
    draw: Draw, tmp_path: Path
) -> None:
    _edited(tmp_path, lambda tree: None)
    assert refusal(draw(".", "--setting", "3")) == (
        "data.json has no setting 3: the nearest is 4 (of 2, from 0 to 4)"
    )


# Scores from elsewhere


def test_scores_from_elsewhere_are_lines_and_bands_in_the_legend(
    draw: Draw, tmp_path: Path
) -> None:
    path = write_tree(tmp_path / "a", _noisy_tree())
    options = ("--reference", "theirs=7", "--reference", "a = b, published=30:20")
    result = draw(path, *options, "-o", "out/figure.svg")
    assert result.exit_code == 0, result.output
    (summary,) = _summaries([path], "eval-mean")
    references = [Reference("theirs", 7, 7), Reference("a = b, published", 20, 30)]
    figure = draw_figure([summary], "", references=references)
    (axes,) = figure.axes
    _, names = axes.get_legend_handles_labels()
    assert names[1:] == ["theirs", "a = b, published"]
    low, high = axes.get_ylim()
    assert low < 7 < 30 < high


@pytest.mark.parametrize("words", ["theirs", "=7", "theirs=x", "theirs=1:2:3", "theirs=nan"])
def test_references_that_are_none(draw: Draw, tmp_path: Path, words: str) -> None:
    path = write_tree(tmp_path / "a", _noisy_tree())
    result = draw(path, "--reference", words)
    assert result.exit_code == 2
    assert f"{words!r} is not NAME=SCORE or NAME=SCORE:SCORE" in result.stderr


# Over what planners count


def _planner_run(number: int, nodes: int) -> Tree:
    """Episodes of 10 timesteps, of 1 node a decision in the first half, then of `nodes`."""
    at = list(range(10, 101, 10))
    generated = [t if t <= 50 else 50 + nodes * (t - 50) for t in at]
    return make_run(
        number,
        returns=[float(k) for k in range(10)],
        steps=[10] * 10,
        evaluations={t: [float(t)] for t in (0, 50, 100)},
        counts={
            "timestep": [0, *at],
            "interactions": [0, *generated],
            "frames": [0, *(15 * n for n in generated)],
        },
    )


def test_curves_over_interactions_put_everything_where_it_was_counted(
    draw: Draw, tmp_path: Path
) -> None:
    data = write_tree(tmp_path / "a", make_tree({0: [_planner_run(0, 9), _planner_run(1, 19)]}))
    ends = {0: 500, 1: 1000}
    evaluations = {run: [0, 50, end] for run, end in ends.items()}
    for axis, factor in (("interactions", 1), ("frames", 15)):
        command = (data, "--x", axis, "-o", "out/figure.svg")
        assert draw(*command, "--metric", "eval-mean").exit_code == 0
        seeds = pd.read_csv("out/figure_seeds.csv")
        for run, table in seeds.groupby("run"):
            assert table[axis[:-1]].tolist() == [factor * n for n in evaluations[int(str(run))]]
        assert draw(*command, "--metric", "train-mean", "--bins", "10").exit_code == 0
        seeds = pd.read_csv("out/figure_seeds.csv")
        assert seeds[axis[:-1]].max() == factor * 1000
        (short,) = (table for run, table in seeds.groupby("run") if run == 0)
        assert short[axis[:-1]].tolist() == [factor * n for n in (100, 200, 300, 400, 500)]
        # 90 interactions an episode from the sixth on: 50 of the first five, then 50 of the sixth
        np.testing.assert_allclose(short.value[0], (10 * (0 + 1 + 2 + 3 + 4) + 50 * 5) / 100)
        np.testing.assert_allclose(short.value.iloc[-1], (10 * 8 + 90 * 9) / 100)


def test_runs_that_counted_nothing_else_are_refused(draw: Draw, tmp_path: Path) -> None:
    data = write_tree(tmp_path / "a", make_tree({0: [flat_run(0, 1.0)]}))
    message = refusal(draw(data, "--x", "frames", "-o", "figure.svg"))
    assert "run 0 did not count frames: it counted nothing but timesteps" in message
