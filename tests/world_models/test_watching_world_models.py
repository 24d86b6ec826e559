"""python -m agents.world_models.play, and the player: by keys, without a window, recorded."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from click.testing import CliRunner, Result
from small_models import QUICK
from sweep_runs import build, environment, new_folder

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

from agents.player.keys import ActionKeys
from agents.player.player import Player
from agents.player.recording import Recorded
from agents.player.window import Keys, Window
from agents.world_models.play import main
from experiment.run import Options, run_index

FIELDS = {"env_name": "CartPole-v1", "total_timesteps": 400, "steps_per_episode": 30}


class Files:
    """A run, with its files."""

    def __init__(self, path: Path) -> None:
        parameters = QUICK | {"dream_ends": ["never"]}
        agent = {"agent_name": "WorldModel", "parameters": parameters}
        self.environment, self.agent = path / "environment.json", path / "agent.json"
        self.environment.write_text(json.dumps(environment(**FIELDS)))
        self.agent.write_text(json.dumps(agent))
        self.run = path / "run"
        experiment = build(agent, **FIELDS)
        run_index(experiment, new_folder(self.run, experiment), 0, Options(record=LEARNED))

    @property
    def words(self) -> tuple[object, ...]:
        return ("--env-json", self.environment, "--agent-json", self.agent)

    @property
    def learned(self) -> Path:
        return next(self.run.glob("*.npz"))


LEARNED = ("learned_params",)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("made"))


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file}


def play(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def test_an_episode_is_written_as_a_video_and_as_arrays(files: Files, tmp_path: Path) -> None:
    video, arrays = tmp_path / "episode.gif", tmp_path / "episode.npz"
    words = (*files.words, "--run", files.run, "--headless")
    result = play(*words, "--video", video, "--npz", arrays)
    assert result.exit_code == 0, result.output
    kept = arrays_of(arrays)
    steps = len(kept["rewards"]) - 1
    assert f"steps: {steps}, return: {steps} (over)" in result.output
    assert kept["over"].tolist() == [False] * steps + [True]
    panels = [name for name in kept if name.startswith("panel.")]
    assert panels == ["panel.original", "panel.downscaled", "panel.encoded, decoded"]
    assert kept["observations"].shape == (steps + 1, 4)
    assert video.stat().st_size > 1000


def test_what_was_learned_plays_as_the_run_does(files: Files) -> None:
    common = (*files.words, "--headless", "--seed", 3)
    by_run = play(*common, "--run", files.run)
    by_weights = play(*common, "--weights", files.learned)
    assert by_run.exit_code == by_weights.exit_code == 0
    assert by_run.output == by_weights.output


def test_the_dream_is_played_by_the_agent(files: Files, tmp_path: Path) -> None:
    words = (*files.words, "--run", files.run, "--in", "dream", "--headless", "--temperature", 0.5)
    result = play(*words, "--npz", tmp_path / "dream.npz", "--steps", 4)
    assert result.exit_code == 0, result.output
    assert arrays_of(tmp_path / "dream.npz")["latents"].shape[1] == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--run", "nowhere"), "no results folder"),
        ((), "Either --run or --weights"),
        (("--in", "recordings"), "needs files"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    files: Files, words: tuple[str, ...], sentence: str
) -> None:
    result = play(*files.words, *words, "--headless")
    assert result.exit_code == 2
    assert sentence in result.output


# -- keys


class Scripted:
    """Presses keys, one look after another, then leaves."""

    def __init__(self, *looks: str) -> None:
        self.looks: Iterator[str] = iter(looks)
        self.frames: list[Any] = []

    def keys(self) -> Keys:
        key = next(self.looks, None)
        if key is None:
            return Keys(closed=True)
        return Keys((key,), frozenset({key})) if key else Keys()

    def show(self, frame: Any, rate: float) -> None:
        self.frames.append(np.array(frame))

    def close(self) -> None:
        """Nothing is open."""


def player(files: Files, screen: Any, where: str, *, person: bool, **how: Any) -> Player:
    from agents.world_models.play import _Opened

    opened = _Opened(files.environment, files.agent, 0, files.run, None)
    return Player(opened.world(where, person, None, 0), screen, human=person, **how)


def test_a_person_moves_the_dream_by_keys(files: Files) -> None:
    paths: dict[str, list[Any]] = {}
    for keys in (["left"] * 3, ["right"] * 3, ["right"] * 3):
        one = player(files, Scripted(*keys), "dream", person=True)
        one.play()
        assert one.steps == 3
        world: Any = one._world
        code = world.last()["actions"].tolist()
        assert code == ([1.0, 0.0] if keys[0] == "left" else [0.0, 1.0])
        paths.setdefault(keys[0], []).append(world.last()["latents"].tolist())
    assert paths["right"][0] == paths["right"][1] != paths["left"][0]


def test_it_pauses_steps_switches_and_starts_again(files: Files) -> None:
    one = player(files, Scripted(".", "", "", "e", "e", "m", ".", "return"), "dream", person=False)
    one.play()
    # two single steps, and one of the person after the pause
    assert one.steps == 3
    assert one.moment.steps == 0
    assert one._human


def test_recordings_begin_and_end_by_a_key_and_are_looked_through(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    screen = Scripted("", ",", "", "", ",", "", ",", "", ",")
    one = player(files, screen, "dream", person=False)
    one.play()
    kept = [tmp_path / f"recording_{n}.npz" for n in (1, 2)]
    lengths = [len(arrays_of(path)["rewards"]) for path in kept]
    assert lengths == [3, 2]
    looked = Player(
        Recorded(kept), Scripted("right", "right", "right", "left", "up", "page down"), rate=1e9
    )
    places: list[str] = []
    looked._screen.show = lambda frame, rate: places.append(looked.moment.note[10:])  # type: ignore[method-assign]
    looked.play()
    assert places == [
        "1.npz, 1 of 3", "1.npz, 2 of 3", "1.npz, 3 of 3", "1.npz, 3 of 3", "1.npz, 2 of 3",
        "2.npz, 1 of 2", "2.npz, 1 of 2",
    ]  # fmt: skip


def test_a_window_hears_posted_keys() -> None:
    import pygame

    window = Window("test")
    from PIL import Image

    window.show(Image.new("RGB", (64, 48)), 1000)
    window.keys()
    for key in (pygame.K_LEFT, pygame.K_COMMA):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    assert window.keys() == Keys(("left", ","), frozenset({"left", ","}))
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=pygame.K_COMMA))
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    assert window.keys() == Keys((), frozenset({"left"}), closed=True)
    window.close()


@pytest.mark.parametrize(
    ("space", "held", "action"),
    [
        (gymnasium.spaces.Discrete(2), {"left"}, 0),
        (gymnasium.spaces.Discrete(2), {"right"}, 1),
        (gymnasium.spaces.Discrete(3, start=4), set(), 5),
        (gymnasium.spaces.Discrete(6), {"4"}, 4),
    ],
)
def test_keys_mean_actions(space: Any, held: set[str], action: int) -> None:
    assert ActionKeys(space).action(held) == action


def test_the_car_is_driven_by_arrows() -> None:
    low, high = np.array([-1, 0, 0], np.float32), np.array([1, 1, 1], np.float32)
    keys = ActionKeys(gymnasium.spaces.Box(low, high))
    assert keys.action(set()).tolist() == [0, 0, 0]
    assert keys.action({"left", "up"}).tolist() == [-1, 1, 0]
    assert keys.action({"right", "down"}).tolist() == [1, 0, 1]
