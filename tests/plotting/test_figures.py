"""The figures beside curves and sensitivities: what they show of a sweep that went partly wrong."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from commands import read_table
from learning_curve_data import Tree, flat_run, make_run, make_tree, write_tree
from sensitivity_data import grid

from plotting import page
from plotting.command import Options

FIGURES = (
    *("learning_curve", "individual_runs", "sensitivity", "heat_map", "distribution"),
    *("parallel_coordinates", "importance", "wall_clock"),
)
SETTINGS = grid({"lr": [0.01, 0.1, 1.0], "decay": [0.5, 0.9]})


def _run(number: int, score: float, status: str = "completed", points: int = 10) -> Tree:
    return make_run(
        number,
        returns=[score + k for k in range(points)],
        steps=[10] * points,
        evaluations={10 * k: [score + k] for k in range(1, points + 1)},
        status=status,
    ) | {"train_time": 50.0 + number}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """lr 0.1 is best, then decay 0.9; all of lr 1, decay 0.9 diverges, lr 1, decay 0.5 is missing.

    One run of lr 0.01, decay 0.9 diverges at its 40th timestep.
    """
    monkeypatch.chdir(tmp_path)
    runs: dict[int, list[Tree]] = {}
    for setting, params in enumerate(SETTINGS):
        if params == {"lr": 1.0, "decay": 0.5}:
            continue
        level = 10 * (params["lr"] == 0.1) + 10 * params["decay"]
        bad = params["lr"] == 1.0
        runs[setting] = [
            _run(n, level + n, "diverged", 4)
            if bad or (setting == 3 and n == 2)
            else _run(n, level + n)
            for n in range(4)
        ]
    tree = make_tree(runs, params=dict(enumerate(SETTINGS)))
    tree["experiment"]["agent"]["parameters"] = {"lr": [], "decay": []}
    return write_tree(tmp_path, tree)


def _draw(name: str, *words: object) -> Result:
    command = importlib.import_module(f"plotting.{name}").main
    arguments = [str(word) for word in words]
    if "-o" not in arguments:
        arguments += ["-o", "figure.svg"]
    return CliRunner().invoke(command, arguments)


def _caption(name: str, *words: object) -> str:
    """Of a figure for a talk, in a file of its own."""
    result = _draw(name, *words, "--style", "talk")
    assert result.exit_code == 0, result.output
    return Path("figure.txt").read_text()


# All alike


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_leaves_the_figure_and_the_table_is_beside_it(
    data: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []

    def keep(figure: Any, *more: object) -> bytes:
        drawn.append(figure)
        return b""

    monkeypatch.setattr(page, "render", keep)
    result = _draw(name, data, "--style", "paper")
    assert result.exit_code == 0, result.output
    (figure,) = drawn
    with page.styled():
        figure.draw_without_rendering()
        drawn_on = [axes.get_tightbbox() for axes in figure.axes]
        texts = [each.get_window_extent() for each in (*figure.texts, *figure.legends)]
    for box in (*drawn_on, *texts):
        assert box.x0 >= figure.bbox.x0 - 1 and box.x1 <= figure.bbox.x1 + 1
        assert box.y0 >= figure.bbox.y0 - 1 and box.y1 <= figure.bbox.y1 + 1
    assert float(figure.get_size_inches()[0]) == pytest.approx(3.4)
    assert read_table("figure.csv")


@pytest.mark.parametrize("name", FIGURES)
def test_they_have_the_same_options(name: str) -> None:
    command = importlib.import_module(f"plotting.{name}").main
    options = {word for each in command.params for word in each.opts}
    assert {"--metric", "--style", "--title", "--width", "--height", "-o"} <= options
    estimates = {"learning_curve", "sensitivity", "distribution", "wall_clock"}
    assert ("--interval" in options) == (name in estimates)
    assert ("--smooth" in options) == (name in {"learning_curve", "individual_runs", "wall_clock"})


def test_a_talk_has_its_caption_beside_the_figure(data: Path) -> None:
    assert "Best of 5 settings by eval-mean" in _caption("learning_curve", data)
    assert "selection seeds" not in Path("figure.svg").read_text()


def test_another_interval_is_named_in_table_and_caption(data: Path) -> None:
    caption = _caption("learning_curve", data, "--interval", "median-percentile")
    assert "median and 95% percentile bootstrap interval over 4 seeds" in caption
    assert "Thick line: median" in caption
    assert list(read_table("figure.csv")[0])[3] == "median"


def test_smoothing_is_said_and_done(data: Path) -> None:
    caption = _caption("learning_curve", data, "--smooth", 30)
    assert "Smoothed: each point is the mean over the 30 timesteps before it." in caption
    means = [float(row["mean"]) for row in read_table("figure.csv")]
    # ten evaluations that rise by 1; of the first, one and two are known
    assert [b - a for a, b in itertools.pairwise(means)] == pytest.approx([0.5, 0.5, *[1.0] * 7])


# One by one


def test_individual_runs_include_what_diverged(data: Path) -> None:
    caption = _caption("individual_runs", data, "--setting", 3)
    assert "4 runs" in caption
    assert "1 run that diverged." in caption
    assert "lowest 14.5 (seed 1000)" in caption
    diverged = [row for row in read_table("figure.csv") if row["diverged"] == "1"]
    assert max(int(row["timestep"]) for row in diverged) == 40
    assert {row["score"] for row in diverged} == {""}


def test_a_heat_map_has_the_best_of_each_pair_and_hatches_the_rest(data: Path) -> None:
    caption = _caption("heat_map", data)
    assert "2 cells without a score." in caption
    assert "Hatched: no run with a score." in caption
    assert "In all settings: 5 diverged runs." in caption
    table = {(row["x_value"], row["y_value"]): row for row in read_table("figure.csv")}
    assert {row["x"] for row in table.values()} == {"lr"}
    assert float(table["0.1", "0.9"]["score"]) == pytest.approx(10 + 9 + 5.5 + 1.5)
    assert (table["0.01", "0.9"]["n"], table["0.01", "0.9"]["diverged"]) == ("3", "1")
    assert table["1.0", "0.5"]["settings"] == "0"
    assert table["1.0", "0.9"]["score"] == ""


def test_a_heat_map_of_named_hyperparameters(data: Path) -> None:
    assert _draw("heat_map", data, "--x", "decay", "--rest", "mean").exit_code == 0
    assert {row["y"] for row in read_table("figure.csv")} == {"lr"}
    refused = _draw("heat_map", data, "--x", "deca")
    assert refused.exit_code == 2
    assert "does not vary 'deca': did you mean decay? (it varies lr, decay)" in refused.stderr
    same = _draw("heat_map", data, "--x", "lr", "--y", "lr")
    assert "--x and --y are both lr" in same.stderr


def test_one_hyperparameter_makes_no_map(tmp_path: Path) -> None:
    path = write_tree(tmp_path, make_tree({0: [flat_run(0, 1.0)], 1: [flat_run(0, 2.0)]}))
    refused = _draw("heat_map", path, "-o", tmp_path / "f.svg")
    assert refused.exit_code == 2
    assert "needs 2 hyperparameters with more than one value, and there is lr" in refused.stderr


def test_a_distribution_has_every_run_and_drops_none_that_diverged(data: Path) -> None:
    caption = _caption("distribution", data)
    assert "All: 20 runs of 5 settings, 5 diverged." in caption
    assert "counts as lower than all others" in caption
    table = read_table("figure.csv")
    assert len(table) == 20
    lost = [row for row in table if row["score"] == ""]
    assert lost == [row for row in table if row["diverged"] == "1"]
    assert len(lost) == 5
    assert {row["setting"] for row in table if row["best"] == "1"} == {"4"}


def test_a_distribution_begins_at_the_share_that_diverged(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []

    def keep(_: Options, figure: Any, *more: object) -> dict[Path, bytes]:
        drawn.append(figure)
        return {}

    monkeypatch.setattr(Options, "files", keep)
    _draw("distribution", data)
    lines = [line.get_ydata() for line in drawn[0].axes[0].lines]
    assert [float(line[0]) for line in lines] == [0.0, 0.25]
    assert [float(line[-1]) for line in lines] == [1.0, 1.0]


def test_parallel_coordinates_have_every_setting(data: Path) -> None:
    assert "5 settings, 4 seeds each. Best: setting 4" in _caption("parallel_coordinates", data)
    table = read_table("figure.csv")
    assert [row["lr"] for row in table] == ["0.01", "0.1", "0.01", "0.1", "1.0"]
    assert [row["best"] for row in table] == ["0", "0", "0", "1", "0"]
    assert [row["mean"] == "" for row in table] == [False] * 4 + [True]


def test_importance_says_where_a_grid_is_not_full(data: Path) -> None:
    caption = _caption("importance", data)
    assert "not a full grid (1 setting without a score), so shares are those of groups" in caption
    first, second = read_table("figure.csv")
    assert (first["effect"], second["effect"]) == ("lr", "decay")
    assert float(first["share"]) > 0.8


def test_time_is_that_of_training_and_its_machine_is_named(data: Path) -> None:
    caption = _caption("wall_clock", data)
    assert "Trained on an unknown processor, one run at a time in a process." in caption
    rows = read_table("figure.csv")
    seconds = [float(row["seconds"]) for row in rows]
    # four seeds of 50 to 53 seconds: what the mean is of does not change before one of them ends
    assert seconds[0] == pytest.approx(5.1)
    assert seconds[-1] == pytest.approx(50.0)
    assert rows[-1]["n"] == "4"
    timeless = write_tree(Path("b"), make_tree({0: [flat_run(0, 1.0)]}))
    assert (
        "has no train_time: draw plotting/learning_curve.py" in _draw("wall_clock", timeless).stderr
    )
