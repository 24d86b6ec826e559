"""Agents over environments: scores between 0 and 1, every agent everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from commands import read_table
from learning_curve_data import flat_run, make_tree, write_tree

from plotting import performance_profile

SCORES: dict[tuple[str, str], list[float | None]] = {
    ("A", "Easy-v1"): [1.0, 3.0],
    ("B", "Easy-v1"): [2.0, 5.0],
    ("A", "Hard-v1"): [-100.0, -50.0],
    ("B", "Hard-v1"): [0.0, None],
}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.chdir(tmp_path)
    found = []
    for (agent, environment), scores in SCORES.items():
        runs = [
            flat_run(k, 0.0, status="diverged") if score is None else flat_run(k, score)
            for k, score in enumerate(scores)
        ]
        tree = make_tree({0: runs}, agent_name=agent, env_name=environment)
        found.append(write_tree(tmp_path / f"{agent}{environment}", tree))
    return found


def _draw(*words: object) -> Result:
    arguments = [*map(str, words), "-o", "figure.svg", "--resamples", "200"]
    return CliRunner().invoke(performance_profile.main, arguments)


def _aggregates() -> dict[tuple[str, str], float]:
    rows = read_table("figure_aggregates.csv")
    return {(row["agent"], row["aggregate"]): float(row["estimate"]) for row in rows}


def test_scores_lie_between_the_lowest_and_the_highest_run_of_an_environment(
    paths: list[Path],
) -> None:
    assert _draw(*paths, "--style", "talk").exit_code == 0
    found = _aggregates()
    # A: 0, 1/2 and 0, 1/2; B: 1/4, 1 and 1, with 0 for the run that diverged
    assert found["A", "mean"] == pytest.approx(0.25)
    assert found["B", "mean"] == pytest.approx((0.25 + 1 + 1 + 0) / 4)
    assert found["A", "IQM"] == pytest.approx(0.25)
    assert found["B", "optimality gap"] == pytest.approx(1 - 2.25 / 4)
    first = next(row for row in read_table("figure.csv") if row["agent"] == "B")
    assert (first["threshold"], first["share"]) == ("0.0", "0.75")
    caption = Path("figure.txt").read_text()
    assert "B: 2 environments, 2 runs on each. One setting on each. 1 run diverged" in caption
    assert "Hard-v1 -100 and 0 (lowest, highest)" in caption
    assert "caution: with fewer than 10 runs" in caption


def test_bounds_of_ones_own(paths: list[Path]) -> None:
    assert _draw(*paths, "--bounds", "Hard-v1=-200:0").exit_code == 0
    found = _aggregates()
    assert found["A", "mean"] == pytest.approx((0 + 0.5 + 0.5 + 0.75) / 4)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ("Hrd-v1=0:1", "--bounds Hrd-v1: no such environment here; did you mean Hard-v1?"),
        ("Hard-v1=1:1", "--bounds Hard-v1: 1 cannot be both 0 and 1"),
        ("Hard-v1=1", "'Hard-v1=1' is not ENVIRONMENT=LOW:HIGH"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(
    paths: list[Path], bounds: str, sentence: str
) -> None:
    result = _draw(*paths, "--bounds", bounds)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_every_agent_is_needed_once_on_every_environment(paths: list[Path], tmp_path: Path) -> None:
    assert "no experiment of B on Hard-v1, where another agent has one" in _draw(*paths[:3]).stderr
    again = write_tree(
        tmp_path / "again", make_tree({0: [flat_run(0, 1.0)]}, agent_name="A", env_name="Easy-v1")
    )
    assert "is a second experiment of A on Easy-v1" in _draw(*paths, again).stderr
