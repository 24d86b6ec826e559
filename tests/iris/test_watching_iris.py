"""python -m agents.iris.play and eval, on a run that was trained for a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from small_runs import short
from sweep_runs import new_folder

from agents.iris import eval as evaluating
from agents.iris import judging
from agents.iris import play as playing
from experiment.run import Options, run_index


def trained(case: str, path: Path) -> Path:
    experiment = short(case, eval_episodes=0)
    run_index(experiment, new_folder(path, experiment), 0, Options())
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("transformer", tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def of_changes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose tokens are of what is new."""
    return trained("delta", tmp_path_factory.mktemp("changes"))


def call(main: Any, *words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file}


def test_an_episode_is_three_pictures_wide_and_is_written(run: Path, tmp_path: Path) -> None:
    video, arrays = tmp_path / "episode.gif", tmp_path / "episode.npz"
    result = call(playing.main, run, "--headless", "--video", video, "--npz", arrays)
    assert result.exit_code == 0, result.output
    kept = arrays_of(arrays)
    panels = [name for name in kept if name.startswith("panel.")]
    assert panels == ["panel.original", "panel.downscaled", "panel.reconstructed"]
    assert len(kept["rewards"]) == 3 * 7 + 1
    assert f"return: {kept['rewards'].sum():g} (over)" in result.output
    # in Catch what the tokenizer is given is what is observed
    assert np.array_equal(kept["panel.downscaled"], kept["observations"])
    assert kept["values"].std() > 0
    assert video.stat().st_size > 1000


def test_the_header_tells_values_and_what_is_predicted(run: Path) -> None:
    world: Any = playing._world(run, "environment", "train", None, None, 0)
    assert world.reset().note.startswith("value ")
    for _ in range(6):
        moment = world.step(1)
    assert "predicted reward" in moment.note and "end" in moment.note
    world.close()


def test_the_world_model_is_played_by_the_agent(run: Path, tmp_path: Path) -> None:
    words = ("--in", "imagination", "--headless", "--steps", 12, "--npz", tmp_path / "dream.npz")
    results = [call(playing.main, run, *words).output for _ in range(2)]
    assert results[0] == results[1]
    kept = arrays_of(tmp_path / "dream.npz")
    assert kept["tokens"].shape[1] == 4
    assert kept["panel.imagined"].shape[1:] == (16, 16, 3)


def test_a_person_may_act_in_the_world_model(run: Path) -> None:
    world: Any = playing._world(run, "imagination", "train", None, 0.5, 0)
    world.reset()
    world.step(2)
    assert world.last()["actions"] == 2


def test_the_dummy_imagines_what_the_environment_does(tmp_path: Path) -> None:
    folder = trained("few episodes", tmp_path)
    imagined: Any = playing._world(folder, "imagination", "train", None, None, 3)
    real: Any = playing._world(folder, "environment", "train", None, None, 3)
    moments = [(imagined.reset(), real.reset())]
    while not moments[-1][0].over:
        moments.append((imagined.step(0), real.step(0)))
    for ours, theirs in moments:
        assert (ours.reward, ours.total, ours.over) == (theirs.reward, theirs.total, theirs.over)
        assert np.array_equal(ours.panels[0].picture, theirs.panels[2].picture)


def test_with_tokens_of_what_is_new_everything_can_be_looked_at(
    of_changes: Path, tmp_path: Path
) -> None:
    result = call(playing.main, of_changes, "--headless", "--npz", tmp_path / "real.npz")
    assert result.exit_code == 0, result.output
    real = arrays_of(tmp_path / "real.npz")
    assert real["panel.reconstructed"].shape == real["panel.downscaled"].shape
    words = ("--in", "imagination", "--headless", "--steps", 12, "--npz", tmp_path / "dream.npz")
    result = call(playing.main, of_changes, *words)
    assert result.exit_code == 0, result.output
    dream = arrays_of(tmp_path / "dream.npz")
    # imagination begins with the real frame, which the agent sees as it is
    assert np.array_equal(dream["panel.imagined"][0], real["observations"][0])
    result = call(evaluating.main, of_changes, "--episodes", 3)
    assert result.exit_code == 0, result.output
    for name, panels in (("train", 2), ("dataset", 2), ("imagination", 1)):
        world: Any = playing._world(of_changes, "episodes", name, None, None, 0)
        assert len(world.reset().panels) == len(world.move(1, 0).panels) == panels


def test_what_is_predicted_is_told_of_tokens_of_what_is_new(of_changes: Path) -> None:
    world: Any = playing._world(of_changes, "environment", "train", None, None, 0)
    world.reset()
    for _ in range(6):
        moment = world.step(1)
    assert "predicted reward" in moment.note
    world.close()


def test_episodes_that_were_kept_can_be_looked_through(run: Path) -> None:
    for name, panels in (("train", 2), ("dataset", 2), ("imagination", 1)):
        world: Any = playing._world(run, "episodes", name, None, None, 0)
        first = world.reset()
        assert len(first.panels) == panels
        assert world.move(1, 0).steps == 1
        assert world.move(0, 1).steps == 0
        assert world.move(1000, 0).over
        assert ("value" in first.note) == (name == "imagination")


def test_many_episodes_are_evaluated_and_the_best_is_kept(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "returns.json"
    results = [
        call(evaluating.main, run, "--episodes", 7, "--envs", 3, "-o", output) for _ in range(2)
    ]
    assert results[0].exit_code == 0, results[0].output
    assert results[0].output == results[1].output
    returns = json.loads(output.read_text())["returns"]
    assert len(returns) == 7 and f"return {np.mean(returns):.4g} ±" in results[0].output
    (folder,) = run.glob("files/*/episodes/test")
    assert {path.name for path in folder.iterdir()} == {"000005.npz", "000006.npz", "best.npz"}
    assert arrays_of(folder / "best.npz")["rewards"].sum() == max(returns)


def test_frames_of_long_episodes_are_not_held(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "MOST", 10)
    output = tmp_path / "returns.json"
    (folder,) = run.glob("files/*")
    before = set(folder.rglob("*.npz"))
    result = call(evaluating.main, run, "--episodes", 2, "--seed", 50, "-o", output)
    assert result.exit_code == 0, result.output
    assert json.loads(output.read_text())["steps"] == [21, 21]
    assert set(folder.rglob("*.npz")) == before


def test_vectors_are_shown_as_cells(tmp_path: Path) -> None:
    folder = trained("vectors", tmp_path)
    result = call(playing.main, folder, "--headless", "--steps", 3, "--npz", tmp_path / "a.npz")
    assert result.exit_code == 0, result.output
    assert arrays_of(tmp_path / "a.npz")["panel.reconstructed"].shape[1:] == (24, 4 * 24, 3)


def test_what_cannot_be_shown_is_refused(run: Path, tmp_path: Path) -> None:
    result = call(playing.main, tmp_path, "--headless")
    assert result.exit_code == 2 and "has no run of IRIS" in result.output
    (networks,) = run.glob("files/*/tokenizer.pt")
    result = call(playing.main, run, "--headless", "--networks", networks)
    assert result.exit_code == 2 and "of other settings" in result.output
    (configuration,) = run.glob("files/*/configuration.json")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "configuration.json").write_bytes(configuration.read_bytes())
    result = call(evaluating.main, tmp_path / "run")
    assert result.exit_code == 2 and "has saved nothing yet" in result.output
