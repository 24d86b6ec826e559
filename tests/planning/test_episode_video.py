"""Videos of episodes: as many frames as moments, what stands in them, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agents.base import AgentRefused
from agents.planning.episode_frame import CHOSEN, GUIDE, POLICY, FrameStyle, draw_frame
from agents.planning.episode_video import EpisodeVideo
from agents.planning.planner import Decision, Statistics

ACTIONS = ("NOOP", "LEFT", "RIGHT")
STYLE = FrameStyle(ACTIONS, "a game")
PICTURE = np.full((210, 160, 3), 90, dtype=np.uint8)


def decision(policy: list[float], action: int) -> Decision:
    q = np.where(np.array(policy) > 0, 1.0, -np.inf)
    return Decision(q, np.array(policy), action, Statistics(90, 10, 40, 4.5, 12, False))


def frame(*arguments: Any, **named: Any) -> Image.Image:
    return draw_frame(STYLE, PICTURE, *arguments, **named)


def area(image: Image.Image, colour: str) -> int:
    """Pixels of exactly this colour."""
    value = tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return int((np.asarray(image) == value).all(axis=-1).sum())


def test_bars_are_as_long_as_probabilities() -> None:
    certain, even = frame(decision([0, 1, 0], 1), 0, 0.0), frame(decision([0, 0.5, 0.5], 1), 0, 0.0)
    assert area(certain, POLICY) == 0  # all is on the chosen action
    assert area(even, POLICY) > 0
    text = area(frame(decision([0, 0, 1], 1), 0, 0.0), CHOSEN)  # a bar of no length
    full = area(certain, CHOSEN) - text
    assert area(even, CHOSEN) - text == pytest.approx(full / 2, rel=0.05)


def test_the_guide_is_shown_where_there_is_one() -> None:
    planned = decision([0, 1, 0], 1)
    assert area(frame(planned, 0, 0.0), GUIDE) == 0
    low = area(frame(planned, 0, 0.0, guide=np.array([0.1, 0.1, 0.1])), GUIDE)
    high = area(frame(planned, 0, 0.0, guide=np.array([0.2, 0.2, 0.2])), GUIDE)
    assert high > 1.5 * low > 0


def test_every_frame_of_an_episode_has_one_size_of_even_sides() -> None:
    sizes = {frame(decision([0, 1, 0], 1), 3, 0.0).size, frame(None, 4, 1.0).size}
    assert len(sizes) == 1
    for shape in ((84, 84), (211, 161), (480, 481), (1000, 700)):
        picture = np.zeros((*shape, 3), dtype=np.uint8)
        width, height = draw_frame(STYLE, picture, None, 0, 0.0).size
        assert (width % 2, height % 2) == (0, 0)
        assert height <= 640


def test_the_picture_is_shown_in_whole_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (210, 160, 3)).astype(np.uint8)
    shown = np.asarray(draw_frame(STYLE, picture, None, 0, 0.0))[:420, :320]
    assert np.array_equal(shown, picture.repeat(2, axis=0).repeat(2, axis=1))


def test_of_very_many_actions_the_chosen_and_the_best_are_shown() -> None:
    names = tuple(f"a{k}" for k in range(200))
    q = np.arange(200.0)
    planned = Decision(q, np.eye(200)[3], 3, decision([1, 0, 0], 0).statistics)
    image = draw_frame(FrameStyle(names, ""), PICTURE, planned, 0, 0.0)
    assert image.height < 700
    assert area(image, CHOSEN) > 500


def moments(video: EpisodeVideo, count: int) -> None:
    for number in range(count):
        picture = np.roll(PICTURE, number) + np.uint8(number)
        video.add(picture, decision([0, 0.5, 0.5], 1 + number % 2), episode_return=float(number))
    video.add(PICTURE, None, episode_return=float(count))


def test_an_mp4_has_a_frame_for_each_moment(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "new" / "episode.mp4"
    with EpisodeVideo(path, ACTIONS, rate=5.0) as video:
        moments(video, 12)
        assert not path.exists()  # until it is whole
    assert video.decisions == 12
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(video=0))
        assert (stream.codec_context.name, stream.average_rate) == ("h264", 5)
    assert len(frames) == 13
    assert (frames[0].width, frames[0].height) == frame(None, 0, 0.0).size
    drawn = np.asarray(frames[-1].to_image(), dtype=int)
    assert abs(drawn - np.asarray(frame(None, 12, 12.0))).mean() < 4
    assert [each.name for each in path.parent.iterdir()] == ["episode.mp4"]


def test_a_gif_needs_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with EpisodeVideo(tmp_path / "episode.gif", ACTIONS, rate=4.0) as video:
        moments(video, 5)
    image: Any
    with Image.open(tmp_path / "episode.gif") as image:
        assert (image.n_frames, image.info["duration"], image.info["loop"]) == (6, 250, 0)
    with pytest.raises(AgentRefused, match=r"needs PyAV, which is not installed: pip install av"):
        EpisodeVideo(tmp_path / "episode.mp4", ACTIONS)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgentRefused, match=r"e\.avi does not end in \.mp4 or \.gif: try .*e\.mp4"):
        EpisodeVideo(tmp_path / "e.avi", ACTIONS)


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_an_episode_that_fails_leaves_no_file(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("av")
    with (
        pytest.raises(ZeroDivisionError),
        EpisodeVideo(tmp_path / f"episode.{suffix}", ACTIONS) as video,
    ):
        moments(video, 2)
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
