"""plotting/losses.py: which series it draws, of which settings, and what it says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from commands import read_table, refusal, runner
from learning_curve_data import Tree, make_run, make_tree, write_tree

from plotting import page
from plotting.losses import main

draw = runner(main)


def run(number: int, score: float, **series: float) -> Tree:
    """Evaluations come to `score`; a series halves from its number on, every 10 timesteps."""
    made = make_run(number, evaluations={at: [score + at] for at in range(0, 101, 50)})
    at = list(range(10, 101, 10))
    made["metrics"] |= {
        name: {"timestep": at, "value": [start / 2**k for k in range(10)]}
        for name, start in series.items()
    }
    return made


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Setting 1 is the better one, and alone has an ssl_loss; two seeds each."""
    monkeypatch.chdir(tmp_path)
    runs = {
        0: [run(n, 10.0 + n, value_loss=8.0 + n, updates=1.0) for n in range(2)],
        1: [run(n, 20.0 + n, value_loss=2.0, ssl_loss=1.0, updates=1.0) for n in range(2)],
    }
    return write_tree(tmp_path, make_tree(runs))


def panels(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn from now on, in place of their files."""
    drawn: list[Any] = []

    def keep(figure: Any, *more: object) -> bytes:
        drawn.append(figure)
        return b""

    monkeypatch.setattr(page, "render", keep)
    return drawn


def test_the_best_setting_s_losses_below_its_return(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = panels(monkeypatch)
    assert draw(data).stdout == "wrote figure.svg, figure.csv, figure_series.csv\n"
    top, *below = drawn[0].axes
    assert top.get_ylabel() == "evaluation return"
    assert [axes.get_title(loc="left") for axes in below] == ["value loss", "ssl loss"]
    assert {axes.get_xlim() for axes in drawn[0].axes} == {(0, 100)}
    assert [float(row["mean"]) for row in read_table("figure.csv")] == [20.5, 70.5, 120.5]
    rows = read_table("figure_series.csv")
    assert {(row["setting"], row["n"]) for row in rows} == {("1", "2")}
    first = next(row for row in rows if row["series"] == "value_loss")
    assert [float(first[key]) for key in ("timestep", "mean", "low", "high")] == [10, 2, 2, 2]


def test_settings_by_number_are_told_apart(data: Path) -> None:
    draw(data, "--setting", "0", "--setting", "1", "--style", "talk")
    said = Path("figure.txt").read_text()
    assert said.startswith("linearAC, lr 0.0: setting 0 (lr\N{NO-BREAK SPACE}0.0); mean and 95%")
    assert "linearAC, lr 0.0 has no ssl loss." in said
    rows = read_table("figure_series.csv")
    of_first = [row for row in rows if row["setting"] == "0"]
    assert {row["series"] for row in of_first} == {"value_loss"}
    # two seeds, 8 and 9: the mean, and 12.706 standard errors around it
    assert float(of_first[0]["mean"]) == 8.5
    assert float(of_first[0]["high"]) - 8.5 == pytest.approx(12.706 * 0.5, rel=1e-4)


def test_series_by_name_and_smoothed(data: Path) -> None:
    draw(data, "--series", "updates", "--smooth", "20")
    rows = read_table("figure_series.csv")
    assert {row["series"] for row in rows} == {"updates"}
    assert float(rows[1]["mean"]) == pytest.approx((1 + 1 / 2) / 2)


@pytest.mark.parametrize("spread", [1.3, 4.0, 1e5])
def test_a_logarithmic_axis_has_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spread: float
) -> None:
    monkeypatch.chdir(tmp_path)
    made = run(0, 1.0, loss=0.0)
    made["metrics"]["loss"]["value"] = [spread ** (k / 9) for k in range(10)]
    path = write_tree(tmp_path, make_tree({0: [made]}))
    drawn = panels(monkeypatch)
    assert draw(path, "--log").exit_code == 0
    axes = drawn[0].axes[1]
    low, high = axes.get_ylim()
    assert low > 0
    assert 3 <= sum(low <= tick <= high for tick in axes.get_yticks()) <= 7


@pytest.mark.parametrize("style", ["web", "paper"])
def test_no_text_leaves_the_figure(data: Path, monkeypatch: pytest.MonkeyPatch, style: str) -> None:
    drawn = panels(monkeypatch)
    draw(data, "--setting", "0", "--setting", "1", "--style", style)
    (figure,) = drawn
    with page.styled():
        figure.draw_without_rendering()
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        boxes += [each.get_window_extent() for each in (*figure.texts, *figure.legends)]
    for box in boxes:
        assert box.x0 >= figure.bbox.x0 - 1 and box.x1 <= figure.bbox.x1 + 1
        assert box.y0 >= figure.bbox.y0 - 1 and box.y1 <= figure.bbox.y1 + 1


def test_what_was_not_measured_is_refused(data: Path, tmp_path: Path) -> None:
    assert refusal(draw(data, "--series", "vale_loss")).endswith(
        "the drawn runs measured no vale_loss: name a --series of these: "
        "mean_reward, loss, value_loss, updates, ssl_loss"
    )
    bare = write_tree(tmp_path / "bare", make_tree({0: [run(0, 1.0)]}))
    assert "no series that is called a loss" in refusal(draw(bare))
    assert "no setting 7: the nearest is 1" in refusal(draw(data, "--setting", "7"))
