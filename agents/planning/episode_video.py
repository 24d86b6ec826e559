"""A played episode as a video: what the planner saw, and beside it what it thought.

An .mp4 needs PyAV (`pip install av`); a .gif needs nothing more, and is for short episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.base import AgentRefused
from agents.planning.episode_frame import FrameStyle, draw_frame

if TYPE_CHECKING:
    from PIL import Image

    from agents.planning.planner import Decision

SUFFIXES = (".mp4", ".gif")
COLOURS = 128  # of a gif


class _Writer(Protocol):
    def add(self, frame: Image.Image) -> None: ...

    def finish(self) -> None: ...

    def discard(self) -> None: ...


class EpisodeVideo:
    """Writes the file when it is closed, and none when it is left by an error::

        with EpisodeVideo(path, simulator.action_names) as video:
            video.add(picture, decision, episode_return=0.0)

    Args:
        path: .mp4 or .gif.
        actions: their names.
        title: above the statistics.
        rate: decisions a second.

    Raises:
        AgentRefused: another kind of file, or PyAV is missing.
    """

    def __init__(
        self, path: Path, actions: Sequence[str], *, title: str = "", rate: float = 6.0
    ) -> None:
        self._writer = _writer(path, rate)
        self._style = FrameStyle(tuple(actions), title)
        self.decisions = 0

    def add(
        self,
        picture: NDArray[np.uint8],
        decision: Decision | None = None,
        *,
        episode_return: float,
        guide: NDArray[np.float64] | None = None,
    ) -> None:
        """One more moment of the episode.

        Args:
            picture: [H, W, 3] of the state.
            decision: taken there; None where the episode is over.
            episode_return: sum of the rewards up to there.
            guide: [A] the guiding policy's probabilities there.
        """
        self._writer.add(
            draw_frame(self._style, picture, decision, self.decisions, episode_return, guide)
        )
        self.decisions += decision is not None

    def close(self) -> None:
        self._writer.finish()

    def __enter__(self) -> EpisodeVideo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._writer.discard()


def _writer(path: Path, rate: float) -> _Writer:
    if path.suffix == ".gif":
        return _Gif(path, rate)
    if path.suffix == ".mp4":
        return _Mp4(path, rate)
    raise AgentRefused(f"{path} does not end in .mp4 or .gif: try {path.with_suffix('.mp4')}")


def _unfinished(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.part")


class _Gif:
    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._frames: list[Image.Image] = []

    def add(self, frame: Image.Image) -> None:
        from PIL import Image

        self._frames.append(frame.quantize(COLOURS, dither=Image.Dither.NONE))

    def finish(self) -> None:
        if not self._frames:
            return
        unfinished = _unfinished(self._path)
        first, *others = self._frames
        first.save(
            unfinished,
            "GIF",
            save_all=True,
            append_images=others,
            duration=round(1000 / self._rate),
            loop=0,
        )
        unfinished.replace(self._path)

    def discard(self) -> None:
        self._frames.clear()


class _Mp4:
    """H.264, as browsers and slides play it."""

    def __init__(self, path: Path, rate: float) -> None:
        try:
            import av
        except ImportError:
            raise AgentRefused(
                f"{path} needs PyAV, which is not installed: pip install av, or name a .gif"
            ) from None
        self._path, self._unfinished = path, _unfinished(path)
        self._container: Any = av.open(str(self._unfinished), "w", format="mp4")
        self._rate = Fraction(rate).limit_denominator(1000)
        self._stream: Any = None

    def add(self, frame: Image.Image) -> None:
        import av

        if self._stream is None:
            options = {"crf": "18", "preset": "veryfast"}
            self._stream = self._container.add_stream("libx264", rate=self._rate, options=options)
            self._stream.width, self._stream.height = frame.size
            self._stream.pix_fmt = "yuv420p"
        pixels: Any = av.VideoFrame
        for packet in self._stream.encode(pixels.from_image(frame)):
            self._container.mux(packet)

    def finish(self) -> None:
        if self._stream is None:
            self.discard()
            return
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
        self._unfinished.replace(self._path)

    def discard(self) -> None:
        self._container.close()
        self._unfinished.unlink(missing_ok=True)
