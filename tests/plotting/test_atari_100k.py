"""Own scores on Atari 100k beside published ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from commands import read_table
from learning_curve_data import flat_run, make_tree, write_tree

from plotting import atari_100k
from plotting.published_scores import game_of, read_benchmark

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = read_benchmark()


def own(path: Path, games: dict[str, list[float]], agent: str = "IRIS") -> list[Path]:
    found = []
    for game, scores in games.items():
        runs = [flat_run(number, score) for number, score in enumerate(scores)]
        tree = make_tree({0: runs}, agent_name=agent, env_name=f"ALE/{game}-v5")
        found.append(write_tree(path / game, tree))
    return found


def _draw(*words: object) -> Result:
    arguments = [*map(str, words), "-o", "figure.svg", "--resamples", "100"]
    return CliRunner().invoke(atari_100k.main, arguments)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_26_games_have_a_random_and_a_human_score() -> None:
    assert len(BENCHMARK.random) == 26
    assert BENCHMARK.random.keys() == BENCHMARK.human.keys()
    assert all(BENCHMARK.human[game] > low for game, low in BENCHMARK.random.items())
    suite = json.loads((ROOT / "config" / "suite" / "atari-100k.json").read_text())
    files = [ROOT / "config" / "suite" / name for name in suite["environments"]]
    games = [game_of(json.loads(file.read_text())["env_name"]) for file in files]
    assert sorted(games) == sorted(BENCHMARK.random)


@pytest.mark.parametrize("name", BENCHMARK.agents)
def test_scores_of_all_games_come_to_the_aggregates_that_were_published(name: str) -> None:
    agent = BENCHMARK.agents[name]
    assert agent.games.keys() <= BENCHMARK.random.keys()
    if len(agent.games) < 26:
        return
    scores = [BENCHMARK.normalised(name, game) for game in BENCHMARK.random]
    # scores of single games are rounded
    assert np.mean(scores) == pytest.approx(agent.aggregates["mean"], rel=0.01)
    if "median" in agent.aggregates:
        assert np.median(scores) == pytest.approx(agent.aggregates["median"], rel=0.01)


def test_own_scores_are_normalised_and_stand_beside_those_of_papers(tmp_path: Path) -> None:
    # half way to a human, and a human
    low, high = (table["Pong"] for table in (BENCHMARK.random, BENCHMARK.human))
    boxing = BENCHMARK.human["Boxing"]
    paths = own(tmp_path, {"Pong": [(low + high) / 2, high], "Boxing": [boxing, boxing]})
    result = _draw(*paths, "--style", "talk")
    assert result.exit_code == 0, result.output
    rows = {(row["agent"], row["game"]): row for row in read_table("figure.csv")}
    assert float(rows["IRIS", "Pong"]["score"]) != pytest.approx(0.75)  # the published one
    own_rows = {row["game"]: row for row in read_table("figure.csv") if row["source"] == "own"}
    assert float(own_rows["Pong"]["score"]) == pytest.approx(0.75)
    assert float(own_rows["Pong"]["low"]) == pytest.approx(0.5)
    assert float(rows["DIAMOND", "Boxing"]["score"]) == pytest.approx(86.8 / 12, rel=1e-3)
    aggregates = {
        (row["agent"], row["aggregate"]): row for row in read_table("figure_aggregates.csv")
    }
    assert float(aggregates["SPR", "mean"]["estimate"]) == pytest.approx(
        np.mean([BENCHMARK.normalised("SPR", game) for game in ("Pong", "Boxing")])
    )
    assert ("SPR", "IQM") not in aggregates
    assert "2 of the 26 games" in Path("figure.txt").read_text()


def test_over_all_games_aggregates_are_those_that_were_published(tmp_path: Path) -> None:
    paths = own(tmp_path, {game: [human] for game, human in BENCHMARK.human.items()})
    assert _draw(*paths).exit_code == 0
    rows = read_table("figure_aggregates.csv")
    found = {(row["agent"], row["aggregate"], row["source"] == "own"): row for row in rows}
    assert float(found["IRIS", "IQM", True]["estimate"]) == pytest.approx(1.0)
    assert float(found["IRIS", "IQM", False]["estimate"]) == 0.501
    assert float(found["BBF", "mean", False]["estimate"]) == 2.247


@pytest.mark.parametrize(
    ("games", "words", "sentence"),
    [
        ({"Pong": [0.0]}, ("--beside", "IRIZ"), "did you mean IRIS"),
        ({"Tetris": [0.0]}, (), "no game of Atari 100k"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    games: dict[str, list[float]], words: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    result = _draw(*own(tmp_path, games), *words)
    assert result.exit_code == 2
    assert sentence in result.output
